internal import CLinux
internal import Glibc
internal import Synchronization

/// Cores that threads have to themselves, as far as others of this program step aside.
///
/// A niceness is not enough where there are few cores: each thread that has stepped back by ten still takes a tenth of the core
/// that it is on, and Linux puts it on whichever is free for a moment. Safe to use from any thread.
public final class QuietCore: Sendable {
    /// Of this process: cores are shared by all that runs in it.
    public static let process = QuietCore()

    private struct State {
        /// The threads that step aside, with the cores that each may use.
        var aside: [pid_t: CoreMask] = [:]
        /// By the thread that has it.
        var claimed: [pid_t: Int] = [:]

        /// Under the lock: of two changes the later one must be the last that the kernel is told.
        func tell() {
            for (thread, allowed) in aside { allowed.without(claimed.values).apply(to: thread) }
        }
    }

    private let state = Mutex(State())

    /// None is claimed.
    public init() {}

    /// Those that step aside leave the core on which the calling thread is now, until it calls ``release()``. To be called again
    /// now and then: the kernel may have moved the thread. Where the system does not tell, nothing happens.
    public func claim() {
        let core = Int(modelsync_current_core())
        if core < 0 { return }
        state.withLock { state in
            guard state.claimed.updateValue(core, forKey: modelsync_thread_id()) != core else { return }
            state.tell()
        }
    }

    /// Gives the calling thread's core back; without one it does nothing. Before the thread ends: its number may be another's
    /// then.
    public func release() {
        state.withLock { state in
            if state.claimed.removeValue(forKey: modelsync_thread_id()) != nil { state.tell() }
        }
    }

    /// The calling thread steps aside until ``leave()``. It must start no threads that live long: they would have the cores that
    /// it has at that moment.
    func join() {
        let thread = modelsync_thread_id()
        guard let allowed = CoreMask(of: thread) else { return }
        state.withLock { state in
            state.aside[thread] = allowed
            if !state.claimed.isEmpty { state.tell() }
        }
    }

    /// Before the thread ends: its number may be another's then.
    func leave() { state.withLock { _ = $0.aside.removeValue(forKey: modelsync_thread_id()) } }
}

/// Cores that a thread may use: sched_setaffinity(2).
struct CoreMask: Equatable {
    /// As many as Linux has at most (CONFIG_NR_CPUS).
    private static let mostCores = 8192

    /// A bit a core.
    private(set) var words: [UInt]

    init(words: [UInt]) { self.words = words }

    /// Nil where the system does not tell.
    init?(of thread: pid_t) {
        words = Array(repeating: 0, count: Self.mostCores / UInt.bitWidth)
        guard unsafe modelsync_get_affinity(thread, words.count * MemoryLayout<UInt>.size, &words) > 0 else {
            return nil
        }
    }

    /// What is left without these cores; all, where nothing would be left.
    func without(_ cores: some Sequence<Int>) -> CoreMask {
        var left = words
        for core in cores where core / UInt.bitWidth < left.count {
            left[core / UInt.bitWidth] &= ~(1 << UInt(core % UInt.bitWidth))
        }
        return left.allSatisfy { $0 == 0 } ? self : CoreMask(words: left)
    }

    /// Where the system refuses, the thread is where it was: slower, and nothing worse.
    func apply(to thread: pid_t) {
        _ = unsafe modelsync_set_affinity(thread, words.count * MemoryLayout<UInt>.size, words)
    }
}
