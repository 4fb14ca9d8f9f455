/// A few threads for calls that block (fsync, hashing, reading a slow disk), in order of arrival.
///
/// The cooperative pool is as wide as the machine has cores: one fsync there stalls everything.
public final class BlockingPool: Sendable {
    private struct Queue {
        var jobs: [@Sendable () -> Void] = []
        /// Jobs before it have been taken: dropping them one by one from the front would move the rest each time.
        var next = 0
        var isClosed = false

        mutating func take() -> (@Sendable () -> Void)?? {
            guard next < jobs.count else { return isClosed ? .some(nil) : nil }
            let job = jobs[next]
            next += 1
            if next > 256 && next * 2 > jobs.count {
                jobs.removeFirst(next)
                next = 0
            }
            return job
        }
    }

    private let queue: Monitor<Queue>
    private let threads: [WorkerThread]

    public init(name: String, threads count: Int) {
        let queue = Monitor(Queue())
        self.queue = queue
        threads = (0..<count).map { index in
            WorkerThread(name: "\(name)-\(index)") {
                while let job = queue.wait(until: { $0.take() }) { job() }
            }
        }
    }

    deinit {
        shutDown()
    }

    /// Runs `work` on one of the pool's threads and returns what it returned. Cancelling the task has no effect on
    /// it: work that should stop early must look for itself.
    public func run<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            let isOpen = queue.withLock { queue in
                guard !queue.isClosed else { return false }
                queue.jobs.append { continuation.resume(returning: work()) }
                return true
            }
            // After the end of the pool the caller's own thread does the work, so that nobody waits for ever.
            if isOpen { queue.notifyOne() } else { continuation.resume(returning: work()) }
        }
    }

    /// As ``run(_:)``, for work that throws.
    public func tryRun<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await run { () -> Result<Value, Failure> in
            do throws(Failure) { return .success(try work()) } catch { return .failure(error) }
        }.get()
    }

    /// Lets the queued work end and joins the threads. A second call returns at once. Not from one of its threads.
    public func shutDown() {
        queue.withLock { $0.isClosed = true }
        queue.notifyAll()
        for thread in threads { thread.join() }
    }
}
