internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// One file being hashed: its bytes in turns, by whichever thread has a lane free. See ``HashService``.
///
/// Safe to use from any thread.
final class HashStream: HashStreaming {
    typealias Outcome = Result<SHA256Digest, SyncError>

    /// Bytes that make it worth a lane's while, as a turn hashes them of a file that is still coming: then lanes that began
    /// together also end together, and gather again.
    static let patientBytes: Int64 = 2 << 20
    /// A turn of a file that is all there.
    static let turnBytes: Int64 = 4 << 20
    /// Bytes unhashed behind the frontier with which it no longer waits for company.
    static let urgentBytes: Int64 = 64 << 20
    /// And with which one thread can't keep up.
    static let pressingBytes: Int64 = 128 << 20

    /// A part of the file to hash: from where `state` stands up to `upTo`.
    struct Turn {
        var state: HashState
        var upTo: Int64
        /// Where the file ends, once that is known.
        var end: Int64?
        var pages: PageCare?
        /// See ``HashStream/isPressing``.
        var isPressing: Bool
    }

    private enum Phase {
        /// Waits for bytes.
        case idle
        /// In the queue, and not to be put there twice: two threads would hash it at once.
        case queued
        /// In a lane.
        case seated
    }

    private struct State {
        /// Contiguous bytes that are there.
        var available: Int64 = 0
        var end: Int64?
        var hashed = HashState()
        /// The hash values after each chunk.
        var marks: [SHA256Digest] = []
        var phase = Phase.idle
        var file: OpenFile?
        var pages: PageCare?
        var answer: (@Sendable (Outcome) -> Void)?
        var outcome: Outcome?
        /// Whether the queue counts it among those that others may wait for.
        var isGrowing = false

        var isUrgent: Bool { end != nil || isBehind(by: HashStream.urgentBytes) }
        var isPressing: Bool { end != nil || isBehind(by: HashStream.pressingBytes) }
        var isReady: Bool { outcome == nil && (end != nil || isBehind(by: HashStream.patientBytes)) }

        private func isBehind(by bytes: Int64) -> Bool { available - hashed.byteCount >= bytes }

        mutating func claim() -> Action {
            guard phase == .idle, isReady else { return .none }
            phase = .queued
            return .put
        }
    }

    private enum Action {
        case none
        case put
        case nudge
    }

    private let queue: HashQueue
    private let open: (@Sendable () throws(SystemFailure) -> OpenFile)?
    private let progress: (@Sendable (Int64) -> Void)?
    private let didMark: (@Sendable ([SHA256Digest]) -> Void)?
    private let batch: HashBatch?
    private let state: Mutex<State>

    /// An open file whose bytes are still coming. `progress` is called on a hash thread with the bytes just hashed.
    init(_ queue: HashQueue, _ file: OpenFile, progress: (@Sendable (Int64) -> Void)?) {
        self.queue = queue
        self.progress = progress
        didMark = nil
        open = nil
        batch = nil
        state = Mutex(State(file: file))
    }

    /// A file that is all there, taken from the batch by a hash thread: it counts as queued.
    init(_ queue: HashQueue, _ job: HashJob, in batch: HashBatch, answer: @escaping @Sendable (Outcome) -> Void) {
        self.queue = queue
        self.batch = batch
        open = job.open
        progress = job.progress
        didMark = job.didMark
        let pages = job.size >= PageCare.threshold ? PageCare(size: job.size) : nil
        state = Mutex(
            State(available: job.size, end: job.size, phase: .queued, pages: pages, answer: answer))
    }

    deinit {
        if state.withLock({ $0.isGrowing }) { queue.leave() }
    }

    func advance(to count: Int64) {
        let (action, isFirst): (Action, Bool) = state.withLock { state in
            let (wasUrgent, wasPressing) = (state.isUrgent, state.isPressing)
            state.available = max(state.available, count)
            let isFirst = state.outcome == nil && state.end == nil && !state.isGrowing
            if isFirst { state.isGrowing = true }
            let isTurning = state.isUrgent != wasUrgent || state.isPressing != wasPressing
            return (state.phase == .queued && isTurning ? .nudge : state.claim(), isFirst)
        }
        if isFirst { queue.join() }
        perform(action)
    }

    func digest(of count: Int64) async throws(SyncError) -> SHA256Digest {
        let outcome = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                finish(at: count) { continuation.resume(returning: $0) }
            }
        } onCancel: {
            cancel()
        }
        return try outcome.get()
    }

    private func finish(at count: Int64, _ answer: @escaping @Sendable (Outcome) -> Void) {
        let (action, known, isLeaving): (Action, Outcome?, Bool) = state.withLock { state in
            if let outcome = state.outcome { return (.none, outcome, false) }
            precondition(
                state.answer == nil && count >= state.hashed.byteCount, "a stream ends once, and not before its bytes")
            state.available = max(state.available, count)
            state.end = count
            state.answer = answer
            defer { state.isGrowing = false }
            return (state.phase == .queued ? .nudge : state.claim(), nil, state.isGrowing)
        }
        if isLeaving { queue.leave() }
        if let known { answer(known) } else { perform(action) }
    }

    var marks: [SHA256Digest] { state.withLock { $0.marks } }

    func cancel() {
        // The path is known once the file is open, and nobody waits for the answer before.
        complete(.failure(.cancelled(state.withLock { $0.file?.path } ?? "hashing")))
    }

    /// Ends it with an outcome, unless it has one.
    func complete(_ outcome: Outcome) {
        let (answer, file, isLeaving): ((@Sendable (Outcome) -> Void)?, OpenFile?, Bool) = state.withLock { state in
            guard state.outcome == nil else { return (nil, nil, false) }
            state.outcome = outcome
            defer { state.isGrowing = false }
            return (state.answer.take(), state.file.take(), state.isGrowing)
        }
        if isLeaving { queue.leave() }
        if case .success = outcome { didMark?(marks) }
        // Closed now, not when the last lets go of the stream; and not under the lock: close(2) may take its time.
        withExtendedLifetime(file) {}
        answer?(outcome)
    }

    private func perform(_ action: Action) {
        switch action {
        case .none: break
        case .put: queue.put(self)
        case .nudge: queue.nudge()
        }
    }
}

/// What a hash thread asks and tells.
extension HashStream {
    /// Whether it should not wait for others to share the lanes with: someone waits for the digest, or there is much to hash.
    var isUrgent: Bool { state.withLock { $0.isUrgent } }

    /// Whether more threads should help: someone waits for the digest, or one thread can't keep up.
    var isPressing: Bool { state.withLock { $0.isPressing } }

    /// Whether its digest is no longer wanted.
    var isOver: Bool {
        if batch?.isCancelled == true { cancel() }
        return state.withLock { $0.outcome != nil }
    }

    /// By the thread that took it from the queue.
    ///
    /// - Returns: nil if there is nothing to do: it was cancelled.
    func beginTurn() -> Turn? {
        guard !isOver else { return nil }
        return state.withLock { state in
            state.phase = .seated
            let start = state.hashed.byteCount
            // Whole blocks, unless it is the end.
            let upTo = state.end.map { min($0, start + Self.turnBytes) } ?? start + Self.patientBytes
            return Turn(
                state: state.hashed, upTo: upTo, end: state.end, pages: state.pages, isPressing: state.isPressing)
        }
    }

    /// - Returns: whether the stream is to be put back into the queue.
    func endTurn(_ hashed: HashState, _ pages: PageCare?) -> Bool {
        state.withLock { state in
            state.hashed = hashed
            state.pages = pages
            state.phase = .idle
            return state.claim() == .put
        }
    }

    /// The file; opened at the first call.
    func openFile() throws(SystemFailure) -> OpenFile? {
        if let file = state.withLock({ $0.file }) { return file }
        guard let file = try open?() else { return nil }
        state.withLock { $0.file = $0.outcome == nil ? file : nil }
        return file
    }

    /// The next chunk has been hashed.
    func mark(_ hash: SIMD8<UInt32>) {
        state.withLock { $0.marks.append(SHA256Digest(words: hash)) }
    }

    func report(_ bytes: Int64) {
        if bytes > 0 { progress?(bytes) }
    }
}
