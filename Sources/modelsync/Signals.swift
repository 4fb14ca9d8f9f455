import Glibc
import Synchronization

/// SIGINT and SIGTERM: the first ends the run cleanly, the second ends the process at once. SIGTSTP is counted, and obeyed.
///
/// Nothing that the first would have kept is lost by the second: bytes are written as they come, and what is there
/// is found again by its length.
enum Signals {
    private static let first = Atomic<Int32>(0)
    private static let hasRun = Atomic<Bool>(false)
    private static let stopped = Atomic<Int>(0)

    /// From now on there is something to end cleanly. Before it, the first signal ends the process at once: it may be
    /// reading a manifest from a pipe that nobody writes to.
    static func beginRun() { hasRun.store(true, ordering: .relaxed) }

    /// The first signal that came, if one did.
    static var received: Int32? {
        let signal = first.load(ordering: .relaxed)
        return signal == 0 ? nil : signal
    }

    /// How often the terminal has stopped the process. It is counted before: who runs on sees it at once.
    static var stops: Int { stopped.load(ordering: .relaxed) }

    /// Before any thread is made: they inherit the mask, so that only the thread of ``wait(_:)`` takes these signals.
    static func block() {
        var set = set
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        // A reader of our output that goes away is an error of that write, and no reason to die in a download.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Waits for signals on this thread until the process ends; calls `onFirst` at the first.
    static func wait(_ onFirst: () -> Void) -> Never {
        var set = set
        while true {
            var signal: Int32 = 0
            guard unsafe sigwait(&set, &signal) == 0 else { continue }
            if signal == SIGTSTP {
                stopped.add(1, ordering: .relaxed)
                stop()
                continue
            }
            let (isFirst, _) = first.compareExchange(expected: 0, desired: signal, ordering: .relaxed)
            guard isFirst, hasRun.load(ordering: .relaxed) else { _exit(128 + signal) }
            onFirst()
        }
    }

    /// By the signal itself and no other: the kernel does not obey it where no shell could let the process go on.
    private static func stop() {
        var only = sigset_t()
        unsafe sigemptyset(&only)
        unsafe sigaddset(&only, SIGTSTP)
        raise(SIGTSTP)
        unsafe pthread_sigmask(SIG_UNBLOCK, &only, nil)
        unsafe pthread_sigmask(SIG_BLOCK, &only, nil)
    }

    private static var set: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGINT)
        unsafe sigaddset(&set, SIGTERM)
        unsafe sigaddset(&set, SIGTSTP)
        return set
    }
}
