/// Those who wait until a value is so: a part of what a lock guards together with the value, so that nothing that was so for a
/// moment is missed.
struct Watchers<Value> {
    typealias Watcher = CheckedContinuation<Void, Never>

    private var entries: [(number: Int, condition: @Sendable (Value) -> Bool, watcher: Watcher)] = []
    /// Those whose task was cancelled, maybe before they waited.
    private var cancelled: Set<Int> = []
    private var lastNumber = 0

    /// For one who is about to wait, and may be cancelled before.
    mutating func newNumber() -> Int {
        lastNumber += 1
        return lastNumber
    }

    /// - Returns: whether it has to wait.
    mutating func add(_ number: Int, _ watcher: Watcher, _ condition: @escaping @Sendable (Value) -> Bool) -> Bool {
        if cancelled.contains(number) { return false }
        entries.append((number, condition, watcher))
        return true
    }

    mutating func cancel(_ number: Int) -> Watcher? {
        cancelled.insert(number)
        return entries.firstIndex { $0.number == number }.map { entries.remove(at: $0).watcher }
    }

    /// Takes out those who wait for what is now so.
    mutating func take(_ value: Value) -> [Watcher] {
        let taken = entries.filter { $0.condition(value) }
        entries.removeAll { $0.condition(value) }
        return taken.map(\.watcher)
    }

    mutating func takeAll() -> [Watcher] {
        defer { entries = [] }
        return entries.map(\.watcher)
    }
}
