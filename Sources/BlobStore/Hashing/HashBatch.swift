internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// A whole file to hash. See ``HashBatch``.
struct HashJob: Sendable {
    var size: Int64
    /// On a hash thread, when its turn comes: thousands may wait, and none is open then.
    var open: @Sendable () throws(SystemFailure) -> OpenFile
    /// Called on a hash thread with the bytes just hashed.
    var progress: @Sendable (Int64) -> Void
    /// Called with the hash values after each chunk, before the digest is told. Nil where nobody asks.
    var didMark: (@Sendable ([SHA256Digest]) -> Void)?
}

/// Whole files that are hashed in the order in which they are added, and answered all together.
final class HashBatch: Sendable {
    private typealias Answer = CheckedContinuation<[SHA256Digest?], Never>

    private struct State {
        /// None once all are settled: what clients gave is let go then, outside of any lock, since it may be the last that
        /// holds the service.
        var jobs: [HashJob] = []
        /// The first that no thread has taken.
        var next = 0
        var digests: [SHA256Digest?] = []
        var settled = 0
        var answer: Answer?
        var isCancelled = false
        /// In the queue, or being taken from.
        var isListed = false

        var waiting: Int { isCancelled ? 0 : jobs.count - next }
        var isDone: Bool { settled == (isCancelled ? next : jobs.count) }
    }

    private let queue: HashQueue
    private let willBegin: @Sendable () -> Void
    private let state = Mutex(State())

    /// - Parameters:
    ///   - queue: whose threads hash.
    ///   - willBegin: called before a file is hashed, perhaps more than once.
    init(_ queue: HashQueue, willBegin: @escaping @Sendable () -> Void = {}) {
        self.queue = queue
        self.willBegin = willBegin
    }

    /// Has the file hashed, from now on. Not after ``digests()``.
    func add(_ job: HashJob) {
        let mustList = state.withLock { state in
            state.jobs.append(job)
            state.digests.append(nil)
            defer { state.isListed = true }
            return !state.isListed
        }
        if !mustList { return }
        willBegin()
        queue.put(self)
    }

    /// The digests of all files; nil for one that could not be read. If the task is cancelled it answers soon, with nil
    /// for all that is not hashed yet. Once a batch.
    func digests() async -> [SHA256Digest?] {
        await withTaskCancellationHandler {
            await withCheckedContinuation { answer in
                update { $0.answer = answer }
            }
        } onCancel: {
            cancel()
        }
    }

    /// Takes out what has not begun; what a thread is at ends at its next look.
    func cancel() {
        update { $0.isCancelled = true }
    }

    private func update(_ change: (inout State) -> Void) {
        let (answer, digests, jobs): (Answer?, [SHA256Digest?], [HashJob]) = state.withLock { state in
            change(&state)
            // All that are there are settled, and no more will come.
            guard state.isDone, state.answer != nil || state.isCancelled else { return (nil, [], []) }
            defer { (state.jobs, state.next, state.settled) = ([], 0, 0) }
            return (state.answer.take(), state.digests, state.jobs)
        }
        withExtendedLifetime(jobs) { answer?.resume(returning: digests) }
    }
}

/// What the queue and the hash threads ask.
extension HashBatch {
    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// How many files wait for a thread. With none the batch counts as out of the queue, until one is added.
    func waiting() -> Int {
        state.withLock { state in
            state.isListed = state.waiting > 0
            return state.waiting
        }
    }

    /// The next file as a stream; nil when all are taken.
    func next() -> HashStream? {
        let taken: (index: Int, job: HashJob)? = state.withLock { state in
            guard state.waiting > 0 else { return nil }
            defer { state.next += 1 }
            return (state.next, state.jobs[state.next])
        }
        guard let (index, job) = taken else { return nil }
        return HashStream(queue, job, in: self) { [self] outcome in
            update { state in
                state.digests[index] = try? outcome.get()
                state.settled += 1
            }
        }
    }
}
