internal import Synchronization

/// Who waits for turns, and who is next: a value that only decides. `Waiter` is what a wait is ended by.
struct TurnQueue<Waiter> {
    private typealias Entry = (id: Int, weight: Int, waiter: Waiter)

    private var free: Int
    /// Who came last is at the end of `coming`; who is next at the end of `going`, which is filled from it when it is empty:
    /// hundreds may wait, and to take the first of one array would move all others.
    private var coming: [Entry] = []
    private var going: [Entry] = []
    /// Those who were cancelled before they asked.
    private var cancelled: Set<Int> = []
    private var lastID = 0

    init(_ count: Int) { free = count }

    /// For one who is about to ask, and may be cancelled before.
    mutating func newID() -> Int {
        lastID += 1
        return lastID
    }

    /// - Returns: whether it has its turn, or never will; nil where it waits.
    mutating func ask(_ id: Int, _ weight: Int, _ waiter: Waiter) -> Bool? {
        if cancelled.contains(id) { return false }
        // Who is light must not pass by who is heavy for ever.
        if coming.isEmpty, going.isEmpty, free >= weight {
            free -= weight
            return true
        }
        coming.append((id, weight, waiter))
        return nil
    }

    /// - Returns: those who have their turn now.
    mutating func giveBack(_ weight: Int) -> [Waiter] {
        free += weight
        return next()
    }

    /// - Returns: the one who waited, if it did, and those who have their turn now: who was behind it may be lighter.
    mutating func cancel(_ id: Int) -> (Waiter?, next: [Waiter]) {
        let waiter = remove(id)
        if waiter == nil { cancelled.insert(id) }
        return (waiter, next())
    }

    /// It has its answer.
    mutating func forget(_ id: Int) { cancelled.remove(id) }

    private mutating func next() -> [Waiter] {
        var next: [Waiter] = []
        while true {
            if going.isEmpty { (coming, going) = ([], coming.reversed()) }
            guard let first = going.last, first.weight <= free else { return next }
            free -= first.weight
            next.append(going.removeLast().waiter)
        }
    }

    private mutating func remove(_ id: Int) -> Waiter? {
        if let index = coming.firstIndex(where: { $0.id == id }) { return coming.remove(at: index).waiter }
        return going.firstIndex { $0.id == id }.map { going.remove(at: $0).waiter }
    }
}

/// A bound on how many do something at once, or on what they have of something; who asks first is first. Safe to use from any
/// task.
final class Turns: Sendable {
    private let most: Int
    private let queue: Mutex<TurnQueue<CheckedContinuation<Bool, Never>>>

    init(_ count: Int) {
        most = max(1, count)
        queue = Mutex(TurnQueue(most))
    }

    /// Waits for a turn, or for `weight` of them; who asks for more than there are has all, and who asks for none does not wait.
    /// ``leave(_:)`` gives it back.
    ///
    /// - Returns: false if the task was cancelled first; there is nothing to give back then.
    func enter(_ weight: Int = 1) async -> Bool {
        let weight = min(weight, most)
        if weight == 0 { return true }
        let id = queue.withLock { $0.newID() }
        let hasTurn = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer = queue.withLock { $0.ask(id, weight, continuation) }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let (waiter, next) = queue.withLock { $0.cancel(id) }
            waiter?.resume(returning: false)
            for waiter in next { waiter.resume(returning: true) }
        }
        queue.withLock { $0.forget(id) }
        return hasTurn
    }

    /// Gives back what was entered with that weight.
    func leave(_ weight: Int = 1) {
        let next = queue.withLock { $0.giveBack(min(weight, most)) }
        for waiter in next { waiter.resume(returning: true) }
    }
}

/// One turn of one task, or some, that may be given back before the end. A second call of either does nothing.
final class Turn: Sendable {
    private let turns: Turns
    private let weight: Int
    private let isHeld = Mutex(false)

    init(_ turns: Turns, weight: Int = 1) {
        self.turns = turns
        self.weight = weight
    }

    /// - Returns: false if the task is cancelled.
    func enter() async -> Bool {
        if isHeld.withLock({ $0 }) { return true }
        let hasTurn = await turns.enter(weight)
        isHeld.withLock { $0 = hasTurn }
        return hasTurn
    }

    func leave() {
        let wasHeld = isHeld.withLock { isHeld in
            defer { isHeld = false }
            return isHeld
        }
        if wasHeld { turns.leave(weight) }
    }
}
