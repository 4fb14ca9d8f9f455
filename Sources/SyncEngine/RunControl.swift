public import SyncDomain
internal import Synchronization

/// Cancels single models of a run while the others go on. For one run; safe to use from any thread, before, while and after it
/// runs.
public final class RunControl: Sendable {
    private struct Fetch {
        var models: [ModelName]
        var cancel: @Sendable () -> Void
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

        /// What ends the fetches that nobody wants any more.
        mutating func takeUnwanted() -> [@Sendable () -> Void] {
            let unwanted = fetches.filter { areCancelled($0.value.models) }
            for id in unwanted.keys { fetches[id] = nil }
            return unwanted.values.map(\.cancel)
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
        let (isPending, unwanted) = state.withLock { state -> (Bool, [@Sendable () -> Void]) in
            if let pending = state.pending, !pending.contains(model) { return (false, []) }
            guard state.cancelled.insert(model).inserted else { return (true, []) }
            return (true, state.takeUnwanted())
        }
        for cancel in unwanted { cancel() }
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
        for cancel in unwanted { cancel() }
        return models.sorted()
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

    /// Runs the work of one fetch so that it is cancelled with the last of the models that want it, and with the caller's task.
    ///
    /// - Returns: nil if they were all cancelled before: nothing was begun.
    func run<Value: Sendable>(
        _ fetch: Int, for models: [ModelName], on executor: (any TaskExecutor)?,
        _ work: @escaping @Sendable () async -> Value
    ) async -> Value? {
        if state.withLock({ $0.areCancelled(models) }) { return nil }
        // Not a child: those can only be cancelled all together.
        let task = Task(executorPreference: executor) { await work() }
        let isLate = state.withLock { state in
            if state.areCancelled(models) { return true }
            state.fetches[fetch] = Fetch(models: models) { task.cancel() }
            return false
        }
        if isLate { task.cancel() }
        defer { state.withLock { $0.fetches[fetch] = nil } }
        return await withTaskCancellationHandler {
            await task.value
        } onCancel: {
            task.cancel()
        }
    }
}
