import Glibc
import Synchronization

/// SIGINT and SIGTERM: the first ends the run cleanly, the second ends the process at once.
///
/// Nothing that the first would have kept is lost by the second: bytes are written as they come, and what is there
/// is found again by its length.
enum Signals {
    private static let first = Atomic<Int32>(0)

    /// The first signal that came, if one did.
    static var received: Int32? {
        let signal = first.load(ordering: .relaxed)
        return signal == 0 ? nil : signal
    }

    /// Before any thread is made: they inherit the mask, so that only ``watch(_:)``'s thread takes these signals.
    static func block() {
        var set = set
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        // A reader of our output that goes away is an error of that write, and no reason to die in a download.
        signal(SIGPIPE, SIG_IGN)
    }

    /// Calls `onFirst` on a thread of its own at the first signal.
    static func watch(_ onFirst: @escaping @Sendable () -> Void) {
        let context = unsafe Unmanaged.passRetained(Handler(onFirst)).toOpaque()
        var thread = pthread_t()
        let code = unsafe pthread_create(&thread, nil, { context in
            guard let context = unsafe context else { return nil }
            let handler = unsafe Unmanaged<Handler>.fromOpaque(context).takeRetainedValue()
            Signals.wait(handler)
            return nil
        }, context)
        guard code == 0 else { return }
        // It waits for signals until the process ends.
        pthread_detach(thread)
    }

    private static func wait(_ handler: Handler) {
        var set = set
        var signal: Int32 = 0
        while unsafe sigwait(&set, &signal) == 0 {
            let (isFirst, _) = first.compareExchange(expected: 0, desired: signal, ordering: .relaxed)
            guard isFirst else { _exit(128 + signal) }
            handler.onFirst()
        }
    }

    private static var set: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, SIGINT)
        unsafe sigaddset(&set, SIGTERM)
        return set
    }

    private final class Handler: Sendable {
        let onFirst: @Sendable () -> Void

        init(_ onFirst: @escaping @Sendable () -> Void) {
            self.onFirst = onFirst
        }
    }
}
