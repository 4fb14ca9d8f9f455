internal import SyncDomain
internal import SystemSupport

/// Hashes files on threads of its own, as many as it is given, while their bytes are still coming.
///
/// A client opens a stream on a file, says how many contiguous bytes are there as they come, and awaits the digest.
/// Each thread has several streams in its lanes and advances them side by side (see ``HashKernel``). Bytes are read back
/// with pread(2) from the page cache: nothing is held in memory but a buffer a lane, a resumed file's old bytes are
/// hashed while the new ones arrive, and a file that shrinks under it is an error, where a mapping would end the process.
final class HashService: Sendable {
    private let queue: HashQueue
    private let threads: [WorkerThread]

    /// Starts the threads at once.
    init(threads count: Int, schedule: HashSchedule = .measured) {
        let queue = HashQueue(threads: max(1, count), width: schedule.width)
        self.queue = queue
        threads = (0..<max(1, count)).map { index in
            WorkerThread(name: "hash-\(index)") {
                var worker = HashWorker(thread: index, queue: queue, schedule: schedule)
                worker.run()
            }
        }
    }

    deinit {
        queue.close()
        for thread in threads { thread.join() }
    }

    /// Opens a stream on a file. `progress` is called on a hash thread with the bytes just hashed.
    func stream(_ file: OpenFile, progress: (@Sendable (Int64) -> Void)? = nil) -> HashStream {
        HashStream(queue, file, progress: progress)
    }

    /// Opens a batch of whole files.
    func batch() -> HashBatch { HashBatch(queue) }
}
