internal import SystemSupport

/// What waits to be hashed, and who takes how much of it.
final class HashQueue: Sendable {
    private let state: Monitor<State>

    /// - Parameters:
    ///   - threads: how many will take.
    ///   - width: how many streams a thread should have at once.
    init(threads: Int, width: Int = 1) {
        state = Monitor(State(seated: Array(repeating: 0, count: threads), width: width))
    }

    /// Before the first is put.
    func setWidth(_ width: Int) { state.withLock { $0.width = width } }

    func put(_ stream: HashStream) {
        let (isClosed, isWorthWaking) = state.withLock { state in
            if state.isClosed { return (true, false) }
            state.ready.append(stream)
            return (false, state.isWorthWaking)
        }
        if isClosed { stream.cancel() }
        if isWorthWaking { state.notifyOne() }
    }

    func put(_ batch: HashBatch) {
        let isClosed = state.withLock { state in
            if !state.isClosed { state.batches.append(batch) }
            return state.isClosed
        }
        if isClosed { batch.cancel() }
        state.notifyAll()
    }

    /// A stream has begun to grow: others wait for it, to share the lanes.
    func join() { state.withLock { $0.growing += 1 } }

    /// A stream that had begun to grow is done.
    func leave() {
        let isWorthWaking = state.withLock { state in
            state.growing -= 1
            return state.isWorthWaking
        }
        if isWorthWaking { state.notifyOne() }
    }

    /// Says that a stream in the queue has become urgent, or pressing.
    func nudge() {
        // Through the lock: else a thread that has looked at the stream before, and does not wait yet, would miss it.
        state.withLock { _ in }
        state.notifyOne()
    }

    /// Streams for a thread that has `kept` in its lanes and gives `back` those whose turn is over. With none in its
    /// lanes it waits for some.
    ///
    /// Pressing streams are spread over all threads. The others gather, until all that grow are there or the lanes are full,
    /// in the lanes of as few threads as can take them: a pass over sixteen lanes costs as much as one over four, and what
    /// it costs is taken from who receives the bytes. Were they taken as they come, then there would always be a few.
    ///
    /// - Returns: nil after ``close()``.
    func take(thread: Int, kept: Int, back: [HashStream]) -> [HashStream]? {
        state.withLock { state in
            state.seated[thread] = kept
            // After the end nobody takes them, and they and the queue would hold each other for ever.
            guard !state.isClosed else { return }
            for stream in back { state.ready.append(stream) }
        }
        let (taken, isMore) = state.wait { state -> (streams: [HashStream]?, isMore: Bool)? in
            if state.isClosed { return (nil, false) }
            let taken = state.take(for: thread)
            return taken.isEmpty && kept == 0 ? nil : (taken, state.isWorthWaking)
        }
        // Whoever takes wakes the next for what is left, so that one notification for many streams is enough.
        if isMore { state.notifyOne() }
        return taken
    }

    /// Sends the threads away. Whoever waits for a digest, or asks for one later, is answered with `cancelled`.
    func close() {
        let (streams, batches) = state.withLock { state in
            state.isClosed = true
            var streams: [HashStream] = []
            var batches: [HashBatch] = []
            while let stream = state.ready.take() { streams.append(stream) }
            while let batch = state.nextBatch() { batches.append(batch) }
            return (streams, batches)
        }
        for stream in streams { stream.cancel() }
        for batch in batches { batch.cancel() }
        state.notifyAll()
    }
}

private struct State {
    var ready = FIFO<HashStream>()
    var batches = FIFO<HashBatch>()
    var current: HashBatch?
    /// How many streams each thread has.
    var seated: [Int]
    var width: Int
    /// Streams whose bytes are still coming, in the queue, in lanes or waiting for bytes.
    var growing = 0
    var isClosed = false

    init(seated: [Int], width: Int) {
        self.seated = seated
        self.width = width
    }

    /// Whether a thread with nothing to do should begin.
    var isWorthWaking: Bool {
        mutating get { isWorthTaking(with: 0) }
    }

    /// Whether a thread with so many streams in its lanes should take more.
    private mutating func isWorthTaking(with kept: Int) -> Bool {
        // Whoever is at work and has lanes free takes what comes, unless it can't keep up.
        let isServed = kept == 0 && seated.contains { $0 > 0 && $0 < width }
        if isServed { return hasPressing }
        let missing = growing - seated.reduce(0, +)
        return ready.count >= max(1, min(width - kept, missing)) || hasUrgent
    }

    private var hasUrgent: Bool {
        mutating get { waitingInBatches > 0 || ready.contains { $0.isUrgent } }
    }

    private var hasPressing: Bool {
        mutating get { waitingInBatches > 0 || ready.contains { $0.isPressing } }
    }

    private var waitingInBatches: Int {
        mutating get {
            while true {
                if let waiting = current?.waiting(), waiting > 0 { return waiting }
                current = batches.take()
                if current == nil { return 0 }
            }
        }
    }

    mutating func take(for thread: Int) -> [HashStream] {
        let backlog = ready.count + waitingInBatches
        guard backlog > 0, isWorthTaking(with: seated[thread]) else { return [] }
        let all = seated.reduce(backlog, +)
        // While bytes still come, the cores have other work than to hash a little sooner what one can hash as well.
        let share = growing == 0 ? min(width, (all + seated.count - 1) / seated.count) : width
        var taken: [HashStream] = []
        while seated[thread] < share, let stream = ready.take() ?? current?.next() {
            taken.append(stream)
            seated[thread] += 1
        }
        return taken
    }

    mutating func nextBatch() -> HashBatch? {
        defer { current = nil }
        return current ?? batches.take()
    }
}
