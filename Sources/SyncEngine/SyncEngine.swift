public import SyncDomain

/// The runs: plan, apply, verify. It knows the store and the transport by their ports alone.
public struct SyncEngine: Sendable {
    private let store: any ModelStoring
    private let transport: any Transferring
    private let clock: RunClock
    private let options: RunOptions
    private let observer: any SyncObserver
    private let taskExecutor: (any TaskExecutor)?
    private let control: RunControl

    /// Takes the parts as they are. The transport stays the caller's to shut down, after the last run.
    ///
    /// The tasks of ``apply(_:)`` run on `taskExecutor`, or on the shared pool where it is nil. What is to be applied can be
    /// cancelled, model by model, by `control`: one apply for each.
    public init(
        store: any ModelStoring, transport: any Transferring, clock: RunClock, options: RunOptions,
        observer: any SyncObserver, taskExecutor: (any TaskExecutor)? = nil, control: RunControl = RunControl()
    ) {
        self.store = store
        self.transport = transport
        self.clock = clock
        self.options = options
        self.observer = observer
        self.taskExecutor = taskExecutor
        self.control = control
    }

    /// What must change so that the store matches. Changes nothing.
    ///
    /// - Throws: the store's failures; `cancelled`.
    public func plan(_ manifest: Manifest) async throws(SyncError) -> SyncPlan {
        let observer = observer
        let inventory = try await store.survey(manifest, depth: options.depth) { progress in
            switch progress {
            case .willHash(let bytes): observer.observe(.verifying(total: bytes))
            case .hashed(let bytes): observer.observe(.verified(bytes: bytes))
            }
        }
        var plan = Planner.plan(manifest, inventory)
        plan.depth = options.depth
        return plan
    }

    /// Does what the plan says. Failures are in the results, one file's stops no other.
    ///
    /// - Returns: a result for each of the plan's items and each unmanaged file, and what is worth telling.
    public func apply(_ plan: SyncPlan) async -> (results: [DownloadResult], notes: [String]) {
        observer.observe(.planned(plan))
        let bytes = options.isOffline ? plan.bytesToCopy : plan.bytesToFetch
        if bytes > 0, SyncPlan.bytesNeeded(for: bytes) > plan.bytesFree {
            return (refused(plan, noSpace(plan, for: bytes)) + plan.unmanagedResults(in: store), [])
        }
        let failedBefore = plan.fetches.isEmpty ? [] : await store.failedHosts()
        let pool = ConnectionPool(
            bound: options.connections, hosts: plan.manifest.hosts, failedBefore: failedBefore, clock: clock)
        let fetcher = Fetcher(
            store: store, transport: transport, clock: clock, options: options, observer: observer, pool: pool,
            turns: Turns(options.jobs), held: Turns(Fetcher.mostHeldBytes))
        let executor = Executor(
            plan: plan, store: store, fetcher: fetcher, options: options, observer: observer, control: control)
        // Else each step of each file would wake a thread of the shared pool.
        let record = await withTaskExecutorPreference(taskExecutor) { await executor.run() }
        // Of the last run alone: who was not asked, because others were there, is asked again the time after.
        if pool.failed != failedBefore, !options.isOffline, !Task.isCancelled {
            await store.save(failedHosts: pool.failed)
        }
        var results = await ResultBuilder(plan: plan, store: store, executor: executor, record: record).results()
        results += plan.unmanagedResults(in: store)
        tell(plan, results, record)
        return (results, record.notes + pool.notes)
    }

    /// What `verify` says of a plan: nothing is changed, and all that is not as it should be is a failure.
    public func verdict(_ plan: SyncPlan) -> [DownloadResult] {
        plan.items.map { item in
            guard item.action != .keep else { return result(plan, item, .kept, file: viewPath(plan, item)) }
            return result(plan, item, .failed, error: plan.defect(of: item))
        } + plan.unmanagedResults(in: store)
    }

    private func refused(_ plan: SyncPlan, _ error: SyncError) -> [DownloadResult] {
        plan.items.map { item in
            if item.action == .keep { return result(plan, item, .kept, file: viewPath(plan, item)) }
            return item.fetch != nil ? result(plan, item, .failed, error: error) : result(plan, item, .skipped)
        }
    }

    private func noSpace(_ plan: SyncPlan, for bytes: Int64) -> SyncError {
        SyncError(
            .storeNoSpace,
            "\(store.path): \(SyncPlan.bytesNeeded(for: bytes)) bytes must be free (\(bytes) to fetch and a tenth more), "
                + "\(plan.bytesFree) are; nothing was started: free some space, or choose fewer models with --only")
    }

    /// Fetched files were told of as they ended: again only where something else came of them.
    private func tell(_ plan: SyncPlan, _ results: [DownloadResult], _ record: Executor.Record) {
        for index in results.indices where results[index].outcome != .kept {
            if index < plan.items.count, let fetch = plan.items[index].fetch, plan.fetches[fetch].item == index,
                let fetched = record.fetches[fetch], fetched.outcome(of: plan.items[index]) == results[index].outcome
            {
                continue
            }
            observer.observe(.finished(results[index]))
        }
    }

    private func viewPath(_ plan: SyncPlan, _ item: PlanItem) -> String? {
        plan.file(item).map { store.viewPath($0.path, of: plan.manifest.models[item.model].name) }
    }

    private func result(
        _ plan: SyncPlan, _ item: PlanItem, _ outcome: ResultOutcome, file: String? = nil, error: SyncError? = nil
    ) -> DownloadResult {
        DownloadResult(
            model: plan.manifest.models[item.model].name.text, path: plan.path(item), sha256: plan.digest(item),
            size: plan.size(item), outcome: outcome, file: file, error: error)
    }
}

extension SyncPlan {
    /// Why an item that is not to be kept can't be loaded as it is.
    public func defect(of item: PlanItem) -> SyncError {
        SyncError(
            item.defect ?? .storeIO,
            // Whatever else would bring the bytes is as missing.
            "\(subject(item)): \(item.action == .link && item.fetch != nil ? "not in the store" : item.reason); run apply, or verify --repair, to mend it"
        )
    }

    /// The files that nobody knows, as results: they stay as they are.
    func unmanagedResults(in store: any ModelStoring) -> [DownloadResult] {
        unmanaged.map { model, file in
            let name = manifest.models[model].name
            return DownloadResult(
                model: name.text, path: file.path, sha256: nil, size: file.size, outcome: .unmanaged,
                file: (try? RelativePath(file.path)).map { store.viewPath($0, of: name) })
        }
    }
}

/// From what happened to what is reported.
struct ResultBuilder {
    let plan: SyncPlan
    let store: any ModelStoring
    let executor: Executor
    let record: Executor.Record

    /// By two threads, as the report of them is written.
    func results() async -> [DownloadResult] {
        let middle = plan.items.count / 2
        async let second = results(of: middle..<plan.items.count)
        var out: [DownloadResult] = []
        out.reserveCapacity(plan.items.count + plan.unmanaged.count)
        for index in 0..<middle { out.append(result(index)) }
        out += await second
        tellLostRecords(&out)
        return out
    }

    private func results(of range: Range<Int>) -> [DownloadResult] { range.map { result($0) } }

    private func result(_ index: Int) -> DownloadResult {
        let item = plan.items[index]
        let name = plan.manifest.models[item.model].name
        var result = DownloadResult(
            model: name.text, path: plan.path(item), sha256: plan.digest(item), size: plan.size(item),
            outcome: item.action.outcome)
        // The bytes came once: the first item that wanted them has the figures.
        if let fetch = item.fetch, plan.fetches[fetch].item == index {
            result.transfer = record.fetches[fetch]?.transfer
        }
        if item.action != .keep, let error = executor.failure(of: index, in: record) {
            result.outcome = error.outcome
            result.error = error
        } else if item.action != .keep {
            settle(&result, item)
        }
        if result.isSuccess, item.action == .keep || isShown(item), let file = plan.file(item) {
            result.file = store.viewPath(file.path, of: name)
        }
        return result
    }

    /// Where only a model's record was to be written and could not be, no file's action tells of it.
    private func tellLostRecords(_ results: inout [DownloadResult]) {
        let errors = record.publications.compactMapValues { $0 }
        guard !errors.isEmpty else { return }
        let told = Set(plan.items.lazy.filter { $0.action != .keep }.map(\.model))
        for (index, item) in plan.items.enumerated() where !told.contains(item.model) {
            guard let error = errors[item.model] else { continue }
            results[index].outcome = error.outcome
            results[index].error = error
        }
    }

    private func isShown(_ item: PlanItem) -> Bool {
        if case .some(.none) = record.publications[item.model] { return true }
        return false
    }

    /// The bytes are in the store: whether they are shown depends on the whole model.
    private func settle(_ result: inout DownloadResult, _ item: PlanItem) {
        let name = plan.manifest.models[item.model].name
        switch record.publications[item.model] {
        case .some(.none): break
        case .some(.some(let error)):
            result.outcome = error.outcome
            result.error = error
        case .none where executor.control.isCancelled(name):
            result.outcome = .cancelled
            result.error = .cancelled(plan.subject(item))
        case .none:
            // A new file's bytes are in the store, whatever keeps the model from being shown. What was there before, damaged
            // too, is still what readers see.
            if item.action == .download { return }
            result.outcome = Task.isCancelled ? .cancelled : .skipped
        }
    }
}
