internal import BlobStore
internal import SyncEngine

extension ModelManager {
    /// How long a run may take to answer.
    private static let answerTime = Duration.seconds(5)
    private static let answerLook = Duration.milliseconds(50)

    /// The runs that fetch into this store now, in any process on any host that shares it.
    ///
    /// - Throws: `store.permission` where this user is not the store's owner; the store's failures.
    public func activeRuns() async throws(SyncError) -> [ActiveRun] {
        try await activeRuns(of: try open(.inspect))
    }

    private func activeRuns(of store: DiskStore) async throws(SyncError) -> [ActiveRun] {
        try await store.activeRuns(host: configuration.host, now: seconds)
    }

    private var seconds: Int64 { clock.wall().milliseconds / 1000 }

    /// Cancels models in the runs that fetch into this store now, in any process: what is under way for them ends within a
    /// second, what has arrived is kept, and the runs go on with the rest. Waits until the runs have answered, for five seconds
    /// at most.
    ///
    /// - Returns: what was cancelled, and in which run. A model that nobody fetches is not among them.
    /// - Throws: `store.locked` where a run does not answer; `store.permission` where this user is not the store's owner; the
    ///   store's failures.
    public func cancel(_ names: [ModelName]) async throws(SyncError) -> [CancelledModel] {
        try await cancel(orAll: names)
    }

    /// As ``cancel(_:)``, all that has not arrived yet.
    ///
    /// - Throws: as ``cancel(_:)``.
    public func cancelAll() async throws(SyncError) -> [CancelledModel] { try await cancel(orAll: nil) }

    private func cancel(orAll names: [ModelName]?) async throws(SyncError) -> [CancelledModel] {
        let store = try open(.inspect)
        var requests: [(run: ActiveRun, id: String)] = []
        for run in try await activeRuns(of: store) {
            requests.append((run, try await store.requestCancel(names, of: run.runID)))
        }
        let end = clock.monotonic() + Self.answerTime
        var cancelled: [CancelledModel] = []
        for (run, id) in requests {
            let models = try await answer(to: id, of: run, in: store, until: end)
            cancelled += models.map { CancelledModel(name: $0, run: run) }
        }
        return cancelled
    }

    private func answer(
        to request: String, of run: ActiveRun, in store: DiskStore, until end: Duration
    ) async throws(SyncError) -> [ModelName] {
        while true {
            switch try await store.reply(to: request, of: run.runID, host: configuration.host, now: seconds) {
            case .answered(let models): return models
            case .ended: return []
            case .pending: break
            }
            var hasTime = clock.monotonic() < end
            if hasTime { do { try await clock.sleep(Self.answerLook) } catch { hasTime = false } }
            guard hasTime else {
                await store.withdraw(request, of: run.runID)
                throw SyncError(
                    .storeLocked,
                    "run \(run.runID) (process \(run.processID) on \(run.host)) does not answer; try again, or end the process",
                    isRetryable: true)
            }
        }
    }
}
