internal import Synchronization

/// A bound on how many do something at once; who asks first is first. Safe to use from any task.
final class Turns: Sendable {
    private typealias Waiter = (id: Int, continuation: CheckedContinuation<Bool, Never>)

    private struct State {
        var free: Int
        /// Who came last is at the end of `coming`; who is next at the end of `going`, which is filled from it when it is empty:
        /// hundreds may wait, and to take the first of one array would move all others.
        var coming: [Waiter] = []
        var going: [Waiter] = []
        /// Waiters whose task was cancelled before they waited.
        var cancelled: Set<Int> = []
        var lastID = 0

        mutating func next() -> Waiter? {
            if going.isEmpty { (coming, going) = ([], coming.reversed()) }
            return going.popLast()
        }

        mutating func remove(_ id: Int) -> Waiter? {
            if let index = coming.firstIndex(where: { $0.id == id }) { return coming.remove(at: index) }
            return going.firstIndex { $0.id == id }.map { going.remove(at: $0) }
        }
    }

    private let state: Mutex<State>

    init(_ count: Int) { state = Mutex(State(free: max(1, count))) }

    /// Waits for a turn. ``leave()`` gives it back.
    ///
    /// - Returns: false if the task was cancelled first; there is nothing to give back then.
    func enter() async -> Bool {
        let id = state.withLock { state in
            state.lastID += 1
            return state.lastID
        }
        let hasTurn = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.contains(id) { return false }
                    if state.free > 0 {
                        state.free -= 1
                        return true
                    }
                    state.coming.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter: Waiter? = state.withLock { state in
                let waiter = state.remove(id)
                if waiter == nil { state.cancelled.insert(id) }
                return waiter
            }
            waiter?.continuation.resume(returning: false)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        return hasTurn
    }

    /// Gives a turn back.
    func leave() {
        let waiter: Waiter? = state.withLock { state in
            let waiter = state.next()
            if waiter == nil { state.free += 1 }
            return waiter
        }
        waiter?.continuation.resume(returning: true)
    }
}

/// One turn of one task, that may be given back before the end. A second call of either does nothing.
final class Turn: Sendable {
    private let turns: Turns
    private let isHeld = Mutex(false)

    init(_ turns: Turns) { self.turns = turns }

    /// - Returns: false if the task is cancelled.
    func enter() async -> Bool {
        if isHeld.withLock({ $0 }) { return true }
        let hasTurn = await turns.enter()
        isHeld.withLock { $0 = hasTurn }
        return hasTurn
    }

    func leave() {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        if wasHeld { turns.leave() }
    }
}

/// A bound on bytes that are held in memory. Safe to use from any thread.
final class HeldBytes: Sendable {
    private let most: Int64
    private let count = Mutex<Int64>(0)

    init(most: Int64) { self.most = most }

    /// - Returns: false if they would be too many; they are not counted then. Else ``remove(_:)`` follows.
    func add(_ bytes: Int64) -> Bool {
        count.withLock { count in
            guard count + bytes <= most else { return false }
            count += bytes
            return true
        }
    }

    func remove(_ bytes: Int64) { count.withLock { $0 -= bytes } }
}
