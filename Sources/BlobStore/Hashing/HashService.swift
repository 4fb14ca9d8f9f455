internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// Hashes files on threads of its own, as many as it is given, while their bytes are still coming.
///
/// A client opens a stream on a file, says how many contiguous bytes are there as they come, and awaits the digest.
/// Each thread has several streams in its lanes and advances them side by side (see ``HashKernel``). Bytes are read back
/// with pread(2) from the page cache: nothing is held in memory but a buffer a lane, a resumed file's old bytes are
/// hashed while the new ones arrive, and a file that shrinks under it is an error, where a mapping would end the process.
final class HashService: Sendable {
    private let queue: HashQueue
    private let count: Int
    private let schedule: @Sendable () -> HashSchedule
    private let quiet: QuietCore
    private let threads = Mutex<[WorkerThread]>([])

    /// Starts nothing yet: most runs find that there is nothing to hash, and timing the kernels would be their longest part.
    init(
        threads count: Int, quiet: QuietCore = .process,
        schedule: @escaping @autoclosure @Sendable () -> HashSchedule = .measured
    ) {
        self.count = max(1, count)
        self.schedule = schedule
        self.quiet = quiet
        queue = HashQueue(threads: self.count)
    }

    deinit {
        queue.close()
        for thread in threads.withLock({ $0 }) { thread.join() }
    }

    /// Opens a stream on a file. `progress` is called on a hash thread with the bytes just hashed.
    func stream(_ file: OpenFile, progress: (@Sendable (Int64) -> Void)? = nil) -> HashStream {
        start()
        return HashStream(queue, file, progress: progress)
    }

    /// Opens a batch of whole files.
    func batch() -> HashBatch {
        // Weak: a batch that waits must not keep alive the service whose end answers it.
        HashBatch(queue) { [weak self] in self?.start() }
    }

    private func start() {
        threads.withLock { threads in
            guard threads.isEmpty else { return }
            let schedule = schedule()
            queue.setWidth(schedule.width)
            threads = (0..<count).map { index in
                WorkerThread(name: "hash-\(index)") { [queue, quiet] in
                    var worker = HashWorker(thread: index, queue: queue, schedule: schedule, quiet: quiet)
                    worker.run()
                }
            }
        }
    }
}
