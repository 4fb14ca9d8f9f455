/// A few threads for calls that block (fsync, hashing, reading a slow disk), in order of arrival.
///
/// The cooperative pool is as wide as the machine has cores: one fsync there stalls everything.
public final class BlockingPool: Sendable {
    private struct Queue {
        var jobs = FIFO<@Sendable () -> Void>()
        var isClosed = false

        mutating func take() -> (@Sendable () -> Void)?? {
            jobs.take().map { .some($0) } ?? (isClosed ? .some(nil) : nil)
        }
    }

    private let queue: Monitor<Queue>
    private let threads: [WorkerThread]

    /// Starts `count` threads at once; debuggers show them as `name-0`, `name-1` and so on. The rest is ``WorkerThread``'s.
    public init(
        name: String, threads count: Int, niceness: Int32 = 0, steppingAsideFor quiet: QuietCore? = nil
    ) {
        let queue = Monitor(Queue())
        self.queue = queue
        threads = (0..<count).map { index in
            WorkerThread(name: "\(name)-\(index)", niceness: niceness, steppingAsideFor: quiet) {
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
            submit { continuation.resume(returning: work()) }
        }
    }

    /// Has `work` run on one of the pool's threads, and does not wait for it.
    public func submit(_ work: @escaping @Sendable () -> Void) {
        let isOpen = queue.withLock { queue in
            guard !queue.isClosed else { return false }
            queue.jobs.append(work)
            return true
        }
        // After the end of the pool the caller's own thread does the work, so that nobody waits for ever.
        if isOpen { queue.notifyOne() } else { work() }
    }

    /// As ``run(_:)``, for work that throws.
    public func tryRun<Value: Sendable, Failure: Error>(
        _ work: @escaping @Sendable () throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        try await run { () -> Result<Value, Failure> in
            do throws(Failure) { return .success(try work()) } catch { return .failure(error) }
        }.get()
    }

    /// Lets the queued work end and joins the threads. A second call returns at once.
    public func shutDown() {
        queue.withLock { $0.isClosed = true }
        queue.notifyAll()
        for thread in threads { thread.join() }
    }
}
