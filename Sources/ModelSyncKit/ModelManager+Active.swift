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

    private struct Request {
        let run: ActiveRun
        let id: String
    }

    private func cancel(orAll names: [ModelName]?) async throws(SyncError) -> [CancelledModel] {
        let store = try open(.inspect)
        var pending: [Request] = []
        for run in try await activeRuns(of: store) {
            do throws(SyncError) {
                pending.append(Request(run: run, id: try await store.requestCancel(names, of: run.runID)))
            } catch {
                await withdraw(pending, in: store)
                throw error
            }
        }
        let end = clock.monotonic() + Self.answerTime
        var cancelled: [CancelledModel] = []
        while true {
            var silent: [Request] = []
            for request in pending {
                switch try await store.reply(
                    to: request.id, of: request.run.runID, host: configuration.host, now: seconds)
                {
                case .answered(let models): cancelled += models.map { CancelledModel(name: $0, run: request.run) }
                case .ended: break
                case .pending: silent.append(request)
                }
            }
            pending = silent
            if pending.isEmpty { return cancelled }
            var hasTime = clock.monotonic() < end
            if hasTime { do { try await clock.sleep(Self.answerLook) } catch { hasTime = false } }
            guard !hasTime else { continue }
            await withdraw(pending, in: store)
            throw Self.unanswered(pending.map(\.run), cancelled)
        }
    }

    private func withdraw(_ requests: [Request], in store: DiskStore) async {
        for request in requests { await store.withdraw(request.id, of: request.run.runID) }
    }

    private static func unanswered(_ runs: [ActiveRun], _ cancelled: [CancelledModel]) -> SyncError {
        let told = runs.map { "run \($0.runID) (process \($0.processID) on \($0.host))" }.joined(separator: ", ")
        let verb =
            runs.count == 1 ? "does not answer; try again, or end the process" : "do not answer; try again, or end them"
        let done = cancelled.map(\.name.text).joined(separator: ", ")
        return SyncError(
            .storeLocked, "\(told) \(verb)" + (done.isEmpty ? "" : "; cancelled in other runs: \(done)"),
            isRetryable: true)
    }
}
