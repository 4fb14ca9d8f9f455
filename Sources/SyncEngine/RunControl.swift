public import SyncDomain
internal import Synchronization

/// Cancels single models of a run while the others go on. For one run; safe to use from any thread, before, while and after it
/// runs.
public final class RunControl: Sendable {
    /// A task that runs. Only what `Task` has as well is asked of it (UnsafeCurrentTask's documentation), and only while it
    /// stays in the closure that was given it: ``State/end(_:)``.
    @safe private struct Fetch: @unchecked Sendable {
        let models: [ModelName]
        let task: UnsafeCurrentTask
        /// By threads that have taken it from the state.
        var cancels = 0

        func cancel() { unsafe task.cancel() }
    }

    private struct State {
        /// Models that have something left to do; nil until the run knows them.
        var pending: Set<ModelName>?
        var cancelled: Set<ModelName> = []
        var isAllCancelled = false
        /// Those that run now, by their number in the plan.
        var fetches: [Int: Fetch] = [:]

        func areCancelled(_ models: [ModelName]) -> Bool {
            !models.isEmpty && models.allSatisfy(cancelled.contains)
        }

        /// The fetches that nobody wants any more.
        mutating func takeUnwanted() -> [Int: Fetch] {
            let unwanted = fetches.filter { areCancelled($0.value.models) }
            for id in unwanted.keys { fetches[id]?.cancels += 1 }
            return unwanted
        }

        /// - Returns: false while somebody is cancelling it.
        mutating func end(_ id: Int) -> Bool {
            guard fetches[id]?.cancels == 0 else { return false }
            fetches[id] = nil
            return true
        }
    }

    private let state = Mutex(State())

    /// Nothing is cancelled yet.
    public init() {}

    /// Ends what is under way for this model alone, within a second; what has arrived is kept, and the model is not shown. Files
    /// that other models want as well come all the same. May be called before the run begins. A second call does nothing.
    ///
    /// - Returns: whether the model had something left to do: false if the run does not have it, or has done with it. True if the
    ///   run does not know its models yet.
    @discardableResult public func cancel(_ model: ModelName) -> Bool {
        let (isPending, unwanted) = state.withLock { state -> (Bool, [Int: Fetch]) in
            if let pending = state.pending, !pending.contains(model) { return (false, [:]) }
            guard state.cancelled.insert(model).inserted else { return (true, [:]) }
            return (true, state.takeUnwanted())
        }
        cancel(unwanted)
        return isPending
    }

    /// Cancels every model that has something left to do.
    ///
    /// - Returns: these models, by name; none if the run does not know them yet.
    @discardableResult public func cancelAll() -> [ModelName] {
        let (models, unwanted) = state.withLock { state in
            state.isAllCancelled = true
            state.cancelled.formUnion(state.pending ?? [])
            return (state.pending ?? [], state.takeUnwanted())
        }
        cancel(unwanted)
        return models.sorted()
    }

    /// Not under the lock: it resumes whoever waits in these tasks.
    private func cancel(_ fetches: [Int: Fetch]) {
        for (id, fetch) in fetches {
            fetch.cancel()
            state.withLock { $0.fetches[id]?.cancels -= 1 }
        }
    }

    /// The run's models that have something to do.
    func begin(_ models: some Sequence<ModelName>) {
        state.withLock { state in
            let pending = Set(models)
            state.pending = pending
            state.cancelled = state.isAllCancelled ? pending : state.cancelled.intersection(pending)
        }
    }

    /// From now on there is nothing to cancel.
    func end() { state.withLock { $0.pending = [] } }

    /// The model is done with, or about to be shown: it can't be cancelled any more.
    ///
    /// - Returns: false if it was.
    func finish(_ model: ModelName) -> Bool {
        state.withLock { state in
            state.pending?.remove(model)
            return !state.cancelled.contains(model)
        }
    }

    func isCancelled(_ model: ModelName) -> Bool { state.withLock { $0.cancelled.contains(model) } }

    /// Runs the work of one fetch. To be called from a task that does nothing else: it is cancelled with the last of the models
    /// that want it.
    ///
    /// - Returns: nil if they were all cancelled before: nothing was begun.
    func run<Value: Sendable>(
        _ fetch: Int, for models: [ModelName], _ work: @Sendable () async -> Value
    ) async -> Value? {
        await unsafe withUnsafeCurrentTask { task in
            guard let task = unsafe task else { return await work() }
            let entry = unsafe Fetch(models: models, task: task)
            let isWanted = state.withLock { state in
                if state.areCancelled(models) { return false }
                state.fetches[fetch] = entry
                return true
            }
            guard isWanted else { return nil }
            let value = await work()
            // Whoever is just cancelling this task has hold of it: a matter of microseconds.
            while state.withLock({ !$0.end(fetch) }) { await Task.yield() }
            return value
        }
    }
}
