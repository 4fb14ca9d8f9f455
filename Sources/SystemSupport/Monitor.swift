internal import Glibc

/// A condition to wait on, with the state that it is about under its lock.
@safe package final class Monitor<State>: @unchecked Sendable {
    // Allocated once: the addresses of a POSIX mutex and condition must not change while in use.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var state: State

    /// Takes the state over: nobody else may hold it.
    package init(_ state: sending State) {
        self.state = state
        unsafe pthread_mutex_init(mutex, nil)
        unsafe pthread_cond_init(condition, nil)
    }

    deinit {
        unsafe pthread_cond_destroy(condition)
        unsafe pthread_mutex_destroy(mutex)
        unsafe condition.deallocate()
        unsafe mutex.deallocate()
    }

    /// Runs `body` with the state, alone. Not to be called again from within.
    package func withLock<Result>(_ body: (inout State) -> Result) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        return body(&state)
    }

    /// Waits until `body` returns a value. It is called under the lock, first at once and then after each notification.
    package func wait<Result>(until body: (inout State) -> Result?) -> Result {
        unsafe pthread_mutex_lock(mutex)
        defer { unsafe pthread_mutex_unlock(mutex) }
        while true {
            if let result = body(&state) { return result }
            unsafe pthread_cond_wait(condition, mutex)
        }
    }

    /// Wakes one waiter, if there is any, to look again.
    package func notifyOne() {
        unsafe pthread_cond_signal(condition)
    }

    /// Wakes all waiters to look again.
    package func notifyAll() {
        unsafe pthread_cond_broadcast(condition)
    }
}
