/// A thread of its own for tasks that coordinate others' work, by `withTaskExecutorPreference`.
///
/// They run one after another, in order of arrival: while it is busy, a task that can go on wakes no thread. On the shared
/// pool each step of each of ten thousand small files would.
public final class TaskThread: TaskExecutor {
    /// The runtime keeps a job until it has run, and this executor as long as a task prefers it.
    @safe private struct Job: Sendable {
        let job: UnownedJob
        let executor: UnownedTaskExecutor

        func run() { unsafe job.runSynchronously(on: executor) }
    }

    private struct Queue {
        var jobs: [Job] = []
        var isClosed = false
        var isIdle = false
    }

    private let queue: Monitor<Queue>
    private let thread: WorkerThread

    /// Starts the thread at once; `niceness` is ``WorkerThread``'s.
    public init(name: String, niceness: Int32 = 0) {
        let queue = Monitor(Queue())
        self.queue = queue
        thread = WorkerThread(name: name, niceness: niceness) {
            while true {
                let next = queue.wait { queue -> [Job]? in
                    queue.isIdle = queue.jobs.isEmpty
                    if queue.jobs.isEmpty { return queue.isClosed ? [] : nil }
                    defer { queue.jobs = [] }
                    return queue.jobs
                }
                if next.isEmpty { return }
                for job in next { job.run() }
            }
        }
    }

    deinit {
        shutDown()
    }

    /// Called by the Swift runtime.
    public func enqueue(_ job: consuming ExecutorJob) {
        let next = unsafe Job(job: UnownedJob(job), executor: asUnownedTaskExecutor())
        let mustWake = queue.withLock { queue in
            queue.jobs.append(next)
            return queue.isIdle
        }
        if mustWake { queue.notifyOne() }
    }

    /// Ends the thread: no task may prefer it any more. A second call returns at once.
    public func shutDown() {
        queue.withLock { $0.isClosed = true }
        queue.notifyAll()
        thread.join()
    }
}
