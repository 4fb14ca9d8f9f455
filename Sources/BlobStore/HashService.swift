internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// Hashes files on threads of its own, as many as it is given, while their bytes are still coming.
///
/// A client opens a stream on a file, says how many contiguous bytes are there as they come, and awaits the digest.
/// Bytes are read back from the page cache, so nothing is held in memory but a buffer a thread, and a resumed
/// file's old bytes are hashed while the new ones arrive.
final class HashService: Sendable {
    /// Large enough to amortise the queue, small enough that many files share the threads.
    static let sliceBytes: Int64 = 4 << 20
    private static let bufferBytes = 1 << 20

    private let queue = Monitor(Queue())
    private let threads: [WorkerThread]

    private struct Queue {
        var ready = FIFO<HashStream>()
        var isClosed = false

        mutating func take() -> HashStream?? {
            ready.take().map { .some($0) } ?? (isClosed ? .some(nil) : nil)
        }
    }

    init(threads count: Int) {
        let queue = queue
        threads = (0..<max(1, count)).map { index in
            WorkerThread(name: "hash-\(index)") { Self.work(on: queue) }
        }
    }

    deinit {
        queue.withLock { $0.isClosed = true }
        queue.notifyAll()
        for thread in threads { thread.join() }
    }

    /// Opens a stream on a file. `progress` is called on a hash thread with the bytes of each slice.
    func stream(_ file: OpenFile, progress: (@Sendable (Int64) -> Void)? = nil) -> HashStream {
        HashStream(file: file, progress: progress)
    }

    /// Says that the file's first `count` bytes are there and will not change.
    func advance(_ stream: HashStream, to count: Int64) {
        if stream.advance(to: count) { enqueue(stream) }
    }

    /// The digest of the stream's first `count` bytes. Once a stream.
    ///
    /// - Throws: `store.io` if the file can't be read or is shorter; `cancelled` if the task or the stream is.
    func digest(of stream: HashStream, count: Int64) async throws(SyncError) -> SHA256Digest {
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation {
                (continuation: CheckedContinuation<Result<SHA256Digest, SyncError>, Never>) in
                switch stream.finish(at: count, continuation) {
                case .wait: break
                case .enqueue: enqueue(stream)
                case .resume(let result): continuation.resume(returning: result)
                }
            }
        } onCancel: {
            stream.cancel()
        }
        return try result.get()
    }

    private func enqueue(_ stream: HashStream) {
        queue.withLock { $0.ready.append(stream) }
        queue.notifyOne()
    }

    private static func work(on queue: Monitor<Queue>) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: bufferBytes, alignment: 64)
        defer { unsafe buffer.deallocate() }
        while let stream = queue.wait(until: { $0.take() }) {
            unsafe stream.hashSlice(through: buffer)
            if stream.isStillReady() {
                queue.withLock { $0.ready.append(stream) }
                queue.notifyOne()
            }
        }
    }
}

/// One file being hashed. See ``HashService``.
final class HashStream: Sendable {
    typealias Answer = CheckedContinuation<Result<SHA256Digest, SyncError>, Never>

    fileprivate struct State {
        /// Contiguous bytes that are there, and those hashed.
        var available: Int64 = 0
        var hashed: Int64 = 0
        /// Where the stream ends, once that is known.
        var end: Int64?
        /// In the queue or on a thread: it must not be queued twice, or two threads would hash it at once.
        var isBusy = false
        var answer: Answer?
        var result: Result<SHA256Digest, SyncError>?
        /// The thread that has the stream alone uses it; taken out at the end.
        var hasher: SHA256Hasher? = SHA256Hasher()

        var isReady: Bool {
            guard result == nil else { return false }
            return end.map { _ in true } ?? (available - hashed >= HashService.sliceBytes)
        }
    }

    enum Finish {
        case wait
        case enqueue
        case resume(Result<SHA256Digest, SyncError>)
    }

    private let file: OpenFile
    private let progress: (@Sendable (Int64) -> Void)?
    private let state = Mutex(State())

    init(file: OpenFile, progress: (@Sendable (Int64) -> Void)?) {
        self.file = file
        self.progress = progress
    }

    /// - Returns: whether the stream is to be put into the queue.
    func advance(to count: Int64) -> Bool {
        state.withLock { state in
            state.available = max(state.available, count)
            return state.claim()
        }
    }

    func finish(at count: Int64, _ answer: sending Answer) -> Finish {
        state.withLock { state in
            if let result = state.result { return .resume(result) }
            state.available = max(state.available, count)
            state.end = count
            state.answer = answer
            return state.claim() ? .enqueue : .wait
        }
    }

    /// Ends the stream: whoever awaits its digest gets `cancelled`. A second call does nothing.
    func cancel() {
        complete(.failure(.cancelled(file.path)))
    }

    /// Hashes some of what is there. By the thread that took the stream from the queue.
    func hashSlice(through buffer: UnsafeMutableRawBufferPointer) {
        let work: (hasher: SHA256Hasher, range: Range<Int64>, end: Int64?)? = state.withLock { state in
            guard state.result == nil, let hasher = state.hasher else { return nil }
            let upTo = min(state.end ?? state.available, state.hashed + HashService.sliceBytes)
            return (hasher, state.hashed..<max(upTo, state.hashed), state.end)
        }
        guard let work else { return }
        do throws(SystemFailure) {
            try unsafe hash(work.range, with: work.hasher, through: buffer)
        } catch {
            complete(.failure(error.storeError))
            return
        }
        progress?(Int64(work.range.count))
        let isDone = state.withLock { state in
            state.hashed = work.range.upperBound
            return state.end == state.hashed
        }
        if isDone { complete(.success(work.hasher.finish())) }
    }

    /// Gives the stream back after a slice.
    ///
    /// - Returns: whether there is more to do at once; then it counts as queued.
    func isStillReady() -> Bool {
        state.withLock { state in
            state.isBusy = false
            return state.claim()
        }
    }

    private func hash(
        _ range: Range<Int64>, with hasher: SHA256Hasher, through buffer: UnsafeMutableRawBufferPointer
    ) throws(SystemFailure) {
        var offset = range.lowerBound
        while offset < range.upperBound {
            let count = Int(min(Int64(buffer.count), range.upperBound - offset))
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
            let got = try unsafe file.read(into: part, at: offset)
            // Somebody cut the file under us: its bytes are not those that were promised.
            guard got == count else { throw SystemFailure("read", "\(file.path) ended early", code: 5) }
            unsafe hasher.update(UnsafeRawBufferPointer(part))
            offset += Int64(count)
        }
    }

    private func complete(_ result: Result<SHA256Digest, SyncError>) {
        let answer: Answer? = state.withLock { state in
            guard state.result == nil else { return nil }
            state.result = result
            defer { state.answer = nil }
            return state.answer
        }
        answer?.resume(returning: result)
    }
}

extension HashStream.State {
    fileprivate mutating func claim() -> Bool {
        guard !isBusy, isReady else { return false }
        isBusy = true
        return true
    }
}
