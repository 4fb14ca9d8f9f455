internal import CLinux
internal import Glibc
internal import Synchronization

/// A POSIX thread of this program's own, for work that blocks and so must stay off the cooperative pool.
public final class WorkerThread: Sendable {
    private let handle: Mutex<pthread_t?>

    private final class Start {
        let name: String
        let niceness: Int32
        let quiet: QuietCore?
        let body: @Sendable () -> Void

        init(_ name: String, _ niceness: Int32, _ quiet: QuietCore?, _ body: @escaping @Sendable () -> Void) {
            self.name = name
            self.niceness = niceness
            self.quiet = quiet
            self.body = body
        }
    }

    /// Starts the thread at once.
    ///
    /// - Parameters:
    ///   - name: for debuggers; the kernel keeps 15 bytes of it.
    ///   - niceness: how far it steps back behind the program's other threads where cores are short: 0 to 19 (nice(2)).
    ///   - quiet: the thread leaves the cores that others claim of it, and starts no thread that lives long.
    ///   - body: runs on the thread; it must end for ``join()`` to return.
    public init(
        name: String, niceness: Int32 = 0, steppingAsideFor quiet: QuietCore? = nil,
        body: @escaping @Sendable () -> Void
    ) {
        var thread = pthread_t()
        let start = unsafe Unmanaged.passRetained(Start(name, niceness, quiet, body))
        let code = unsafe pthread_create(
            &thread, nil,
            { context in
                // The one retain of the start block moves to this thread.
                guard let context = unsafe context else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(context).takeRetainedValue()
                _ = unsafe pthread_setname_np(pthread_self(), String(start.name.prefix(15)))
                // On Linux it is the calling thread's alone (setpriority(2), C library/kernel differences).
                if start.niceness > 0 { _ = setpriority(modelsync_PRIO_PROCESS, 0, start.niceness) }
                start.quiet?.join()
                start.body()
                start.quiet?.leave()
                return nil
            }, start.toOpaque())
        // EAGAIN (no room for a thread) leaves nothing that could work: every caller needs its thread.
        precondition(code == 0, "pthread_create failed with error \(code)")
        handle = Mutex(thread)
    }

    /// Waits until the body has returned. A second call returns at once, and so does one from the thread itself.
    public func join() {
        let thread = handle.withLock { handle in
            defer { handle = nil }
            return handle
        }
        guard let thread else { return }
        // The last reference to the owner may go on one of its own threads, which can't wait for itself.
        let isOwn = pthread_equal(thread, pthread_self()) != 0
        _ = isOwn ? pthread_detach(thread) : pthread_join(thread, nil)
    }
}

/// Runs `body` for 0 to `count` - 1 at the same time, the first on this thread, and waits for all.
public func concurrently<Value: Sendable>(_ count: Int, _ body: @escaping @Sendable (Int) -> Value) -> [Value] {
    let others = Monitor<[Int: Value]>([:])
    let threads = (1..<max(1, count)).map { index in
        WorkerThread(name: "part-\(index)") {
            let value = body(index)
            others.withLock { $0[index] = value }
        }
    }
    let first = body(0)
    for thread in threads { thread.join() }
    return [first] + others.withLock { values in (1..<max(1, count)).compactMap { values[$0] } }
}
