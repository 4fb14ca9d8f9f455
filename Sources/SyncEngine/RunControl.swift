public import SyncDomain
internal import Synchronization

/// Cancels single models of a run while the others go on. For one run; safe to use from any thread, before, while and after it
/// runs.
public final class RunControl: Sendable {
    /// A task that runs: the entry goes before the task ends, under the lock.
    @safe private struct Fetch: @unchecked Sendable {
        let models: [ModelName]
        let task: UnsafeCurrentTask

        /// Also from another task, as those of `Task` (UnsafeCurrentTask's documentation).
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

        /// Ends the fetches that nobody wants any more.
        func cancelUnwanted() {
            for fetch in fetches.values where areCancelled(fetch.models) { fetch.cancel() }
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
        state.withLock { state in
            if let pending = state.pending, !pending.contains(model) { return false }
            if state.cancelled.insert(model).inserted { state.cancelUnwanted() }
            return true
        }
    }

    /// Cancels every model that has something left to do.
    ///
    /// - Returns: these models, by name; none if the run does not know them yet.
    @discardableResult public func cancelAll() -> [ModelName] {
        let models = state.withLock { state in
            state.isAllCancelled = true
            state.cancelled.formUnion(state.pending ?? [])
            state.cancelUnwanted()
            return state.pending ?? []
        }
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

    /// Runs the work of one fetch, in a task of its own: it is cancelled with the last of the models that want it.
    ///
    /// - Returns: nil if they were all cancelled before: nothing was begun.
    func run<Value: Sendable>(
        _ fetch: Int, for models: [ModelName], _ work: () async -> Value
    ) async -> Value? {
        let isWanted = unsafe withUnsafeCurrentTask { task in
            guard let task = unsafe task else { return true }
            let entry = unsafe Fetch(models: models, task: task)
            return state.withLock { state in
                if state.areCancelled(models) { return false }
                state.fetches[fetch] = entry
                return true
            }
        }
        guard isWanted else { return nil }
        defer { state.withLock { $0.fetches[fetch] = nil } }
        return await work()
    }
}
