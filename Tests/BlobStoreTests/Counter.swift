import Synchronization

/// A sum that any thread may add to.
final class Counter: Sendable {
    private let state = Mutex<Int64>(0)

    func add(_ count: Int64) { state.withLock { $0 += count } }

    var sum: Int64 { state.withLock { $0 } }
}
