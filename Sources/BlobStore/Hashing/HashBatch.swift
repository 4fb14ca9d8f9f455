internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// A whole file to hash. See ``HashService/digests(_:)``.
struct HashJob: Sendable {
    var size: Int64
    /// On a hash thread, when its turn comes: thousands may wait, and none is open then.
    var open: @Sendable () throws(SystemFailure) -> OpenFile
    /// Called on a hash thread with the bytes just hashed.
    var progress: @Sendable (Int64) -> Void
}

/// Files that are hashed in order, and answered all together.
final class HashBatch: Sendable {
    typealias Answer = CheckedContinuation<[SHA256Digest?], Never>

    private struct State {
        var next = 0
        var left: Int
        var digests: [SHA256Digest?]
        var answer: Answer?
        var isCancelled = false
    }

    private let jobs: [HashJob]
    private let state: Mutex<State>

    init(_ jobs: [HashJob]) {
        self.jobs = jobs
        state = Mutex(State(left: jobs.count, digests: Array(repeating: nil, count: jobs.count)))
    }

    var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Files that no thread has taken yet.
    var waiting: Int { state.withLock { $0.isCancelled ? 0 : jobs.count - $0.next } }

    /// The next file as a stream; nil when all are taken.
    func next(_ queue: HashQueue) -> HashStream? {
        let index: Int? = state.withLock { state in
            guard !state.isCancelled, state.next < jobs.count else { return nil }
            defer { state.next += 1 }
            return state.next
        }
        return index.map { index in
            HashStream(queue, jobs[index], in: self) { [self] in settle(index, $0) }
        }
    }

    /// Answers with all digests once they are there; nil for a file that could not be read, or after a cancellation.
    func start(_ answer: Answer, in queue: HashQueue) {
        let digests: [SHA256Digest?]? = state.withLock { state in
            if state.left == 0 { return state.digests }
            state.answer = answer
            return nil
        }
        if let digests { answer.resume(returning: digests) } else { queue.put(self) }
    }

    /// Takes what has not begun out of the work; what a thread is at ends at its next look.
    func cancel() {
        finish { state in
            guard !state.isCancelled else { return }
            state.isCancelled = true
            state.left -= jobs.count - state.next
        }
    }

    private func settle(_ index: Int, _ outcome: HashStream.Outcome) {
        finish { state in
            state.digests[index] = try? outcome.get()
            state.left -= 1
        }
    }

    private func finish(_ change: (inout State) -> Void) {
        let done: (answer: Answer, digests: [SHA256Digest?])? = state.withLock { state in
            change(&state)
            guard state.left == 0, let answer = state.answer.take() else { return nil }
            return (answer, state.digests)
        }
        done?.answer.resume(returning: done?.digests ?? [])
    }
}
