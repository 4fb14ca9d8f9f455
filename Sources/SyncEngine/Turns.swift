internal import Synchronization

/// A bound on how many do something at once; who asks first is first. Safe to use from any task.
final class Turns: Sendable {
    private struct State {
        var free: Int
        var waiters: [(id: Int, continuation: CheckedContinuation<Bool, Never>)] = []
        /// Waiters whose task was cancelled before they waited.
        var cancelled: Set<Int> = []
        var lastID = 0
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
                    state.waiters.append((id, continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter: CheckedContinuation<Bool, Never>? = state.withLock { state in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiters.remove(at: index).continuation
            }
            waiter?.resume(returning: false)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        return hasTurn
    }

    /// Gives a turn back.
    func leave() {
        let waiter: CheckedContinuation<Bool, Never>? = state.withLock { state in
            if state.waiters.isEmpty {
                state.free += 1
                return nil
            }
            return state.waiters.removeFirst().continuation
        }
        waiter?.resume(returning: true)
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
