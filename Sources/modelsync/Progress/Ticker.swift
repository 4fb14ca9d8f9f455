import Glibc
import Synchronization

/// A thread that does something when there is news, and now and then without: for writes to a terminal, which may block.
final class Ticker: Sendable {
    private struct State {
        var hasNews = false
        var isAsleep = false
        var isEnded = false
    }

    /// At most ten times a second.
    private static let paceMilliseconds: Int32 = 100

    private let state = Mutex(State())
    /// A byte in this pipe wakes the thread.
    private let ends: (read: Int32, write: Int32)
    private let beat: @Sendable () -> Int32
    private let thread = Mutex<pthread_t?>(nil)

    /// Starts the thread. It must be ended by ``end()``.
    ///
    /// - Parameter beat: called on the thread; returns after how many milliseconds it is called again without news.
    init(_ beat: @escaping @Sendable () -> Int32) {
        self.beat = beat
        var pair: [Int32] = [-1, -1]
        // Without a pipe no news come early: each tick has its time all the same.
        _ = unsafe pipe(&pair)
        ends = (pair[0], pair[1])
        var handle = pthread_t()
        let context = unsafe Unmanaged.passRetained(self)
        let code = unsafe pthread_create(
            &handle, nil,
            { context in
                guard let context = unsafe context else { return nil }
                unsafe Unmanaged<Ticker>.fromOpaque(context).takeRetainedValue().run()
                return nil
            }, context.toOpaque())
        // A run without progress is better than none.
        if code == 0 { thread.withLock { $0 = handle } } else { unsafe context.release() }
    }

    deinit {
        close(ends.read)
        close(ends.write)
    }

    /// There is news. From any thread; returns at once.
    func nudge() {
        let mustWake = state.withLock { state in
            state.hasNews = true
            defer { state.isAsleep = false }
            return state.isAsleep
        }
        if mustWake { wake() }
    }

    /// Ends the thread, and waits for it. A second call does nothing.
    func end() {
        state.withLock { $0.isEnded = true }
        wake()
        let handle = thread.withLock { handle in
            defer { handle = nil }
            return handle
        }
        if let handle { pthread_join(handle, nil) }
    }

    private func run() {
        var pause = Self.paceMilliseconds
        while true {
            let mustSleep = state.withLock { state in
                state.isAsleep = !state.hasNews && !state.isEnded
                return state.isAsleep
            }
            if mustSleep { wait(pause) }
            // What comes within a moment is told together.
            if !isEnded { wait(Self.paceMilliseconds) }
            let isEnded = state.withLock { state in
                (state.hasNews, state.isAsleep) = (false, false)
                return state.isEnded
            }
            if isEnded { return }
            pause = beat()
        }
    }

    private var isEnded: Bool { state.withLock { $0.isEnded } }

    private func wait(_ milliseconds: Int32) {
        var poller = pollfd(fd: ends.read, events: Int16(POLLIN), revents: 0)
        guard unsafe poll(&poller, 1, milliseconds) > 0 else { return }
        var bytes: [UInt8] = [0, 0, 0, 0]
        _ = unsafe read(ends.read, &bytes, bytes.count)
    }

    private func wake() {
        var byte: UInt8 = 0
        _ = unsafe Glibc.write(ends.write, &byte, 1)
    }
}
