internal import BlobStore
internal import CurlTransfer
internal import SyncEngine
internal import SystemSupport

/// Plans, applies and verifies manifests against one store, and tells where its models are.
///
/// It holds nothing open between calls; any number of calls may run at once, in this process and in others.
public struct ModelManager: Sendable {
    /// Absolute.
    public let store: String
    let configuration: SyncConfiguration
    let observer: any SyncObserver
    let clock: RunClock

    /// Touches nothing yet: whether the store can be used shows with the first call.
    ///
    /// - Parameters:
    ///   - store: the store's folder; nil for the default one.
    ///   - configuration: how runs are made; relative paths are relative to its working folder.
    ///   - observer: hears what happens during runs.
    public init(
        store: String? = nil, configuration: SyncConfiguration = SyncConfiguration(),
        observer: any SyncObserver = SilentObserver()
    ) {
        self.init(store: store, configuration: configuration, observer: observer, clock: .system)
    }

    /// The same, with time and chance from outside.
    init(store: String?, configuration: SyncConfiguration, observer: any SyncObserver, clock: RunClock) {
        self.store = store.map(configuration.absolute) ?? configuration.defaultStore
        self.configuration = configuration
        self.observer = observer
        self.clock = clock
    }

    /// What applying the manifest would do, and why. Changes nothing, and creates no store.
    ///
    /// - Throws: the store's failures; `cancelled`.
    public func plan(_ manifest: Manifest) async throws(SyncError) -> SyncPlan {
        let store = try open(.inspect)
        return try await engine(store, NoTransport()).plan(manifest)
    }

    /// As ``plan(_:)``, and what ``apply(_:command:prune:)`` would take out of the store.
    ///
    /// - Throws: the store's failures; `cancelled`.
    public func plan(_ manifest: Manifest, prune: Bool) async throws(SyncError) -> SyncPlan {
        prune ? try await plan(try await pruned(manifest, in: try open(.inspect))) : try await plan(manifest)
    }

    /// What the manifest changes of the models that were applied before. Offline.
    ///
    /// - Throws: the store's failures.
    public func difference(_ manifest: Manifest) async throws(SyncError) -> ManifestDiff {
        let names = Set(manifest.models.map(\.name))
        let records = try await open(.inspect).records()
        return ManifestDiff(
            from: records.filter { names.contains($0.name) },
            to: manifest.models.filter { !manifest.unwanted.contains($0.name) })
    }

    /// The manifest, with all models of the store that it does not have to go.
    private func pruned(_ manifest: Manifest, in store: DiskStore) async throws(SyncError) -> Manifest {
        manifest.removing(try await store.names().subtracting(manifest.models.map(\.name)).sorted())
    }

    /// Makes the store match the manifest, and keeps the report in the store; there the run is called `command`. With
    /// `prune`, models that the manifest does not have are taken out of the store, and the blobs that only they needed.
    ///
    /// - Throws: only what keeps a run from beginning: a store that can't be used. Everything later is in the report, also
    ///   when the task is cancelled.
    public func apply(
        _ manifest: Manifest, command: String = "apply", prune: Bool = false
    ) async throws(SyncError) -> SyncReport {
        try await apply(manifest, command: command, prune: prune, control: RunControl())
    }

    /// The same; `control` cancels single models of it.
    func apply(
        _ manifest: Manifest, command: String = "apply", prune: Bool = false, control: RunControl
    ) async throws(SyncError) -> SyncReport {
        try await run(manifest, command, prune: prune, control).report
    }

    /// Does what was planned, if that is still what is to be done.
    ///
    /// - Throws: ``StalePlan`` where it is not, and for a store that the plan was not made for; ``SyncError`` as
    ///   ``apply(_:command:prune:)``. Nothing is done then.
    public func apply(_ saved: SavedPlan) async throws -> SyncReport {
        guard saved.store == store else {
            throw StalePlan(description: "\(saved.path): was made for the store \(saved.store), not for \(store)")
        }
        // Opened for changes, it would be made.
        let store = try open(.inspect)
        if !store.exists,
            let staleness = saved.staleness(of: try await engine(store, NoTransport()).plan(saved.manifest))
        {
            throw StalePlan(description: staleness)
        }
        let (report, staleness) = try await run(saved.manifest, "apply", prune: false, RunControl(), saved)
        if let staleness { throw StalePlan(description: staleness) }
        return report
    }

    private func run(
        _ manifest: Manifest, _ command: String, prune: Bool, _ control: RunControl, _ saved: SavedPlan? = nil,
        isOfRecords: Bool = false
    ) async throws(SyncError) -> (report: SyncReport, staleness: String?) {
        let store = try open(.change, isOfRecords: isOfRecords)
        defer { store.endUse() }
        let manifest = prune ? try await pruned(manifest, in: store) : manifest
        let transport = try configuration.makeTransport(hosts: manifest.hosts)
        // As the receiving thread has: else each answer to a small file takes the core from it.
        let thread = TaskThread(name: "engine", niceness: 10)
        defer {
            transport.shutDown()
            thread.shutDown()
        }
        let builder = builder(command)
        var options = configuration.options
        if saved?.depth == .full { options.depth = .full }
        let activity = RunActivity(
            builder.activeRun, in: store, control: control, observer: builder.sampler, clock: clock)
        let engine = SyncEngine(
            store: store, transport: transport, clock: clock, options: options, observer: activity,
            taskExecutor: thread, control: control)
        var staleness: String?
        var report = await builder.report(on: manifest) { () throws(SyncError) in
            let plan = try await noting(options.depth, in: store) { () throws(SyncError) in
                try await engine.plan(manifest)
            }
            staleness = saved?.staleness(of: plan)
            if staleness != nil { return (plan, [], []) }
            let (results, notes) = await engine.apply(plan)
            return (plan, results, notes)
        }
        if staleness != nil { return (report, staleness) }
        report.notes += store.notes + (await activity.end())
        if prune, report.outcome == .ok { report.notes += await clean(store, after: report, keeping: manifest) }
        // The run has been: its report is not to be lost with a disk that is full by now.
        do throws(SyncError) { try await keep(&report, in: store) } catch {
            report.notes.append("the report could not be kept in the store: \(error.message)")
        }
        return (report, nil)
    }

    /// Makes a plan, and then, also where it was cancelled, breaks the seals of what was found rotten: whatever keeps it from being
    /// mended, no later run and no reader must take it for whole.
    private func noting(
        _ depth: VerifyDepth, in store: DiskStore, _ plan: () async throws(SyncError) -> SyncPlan
    ) async throws(SyncError) -> SyncPlan {
        let made: Result<SyncPlan, SyncError>
        do throws(SyncError) { made = .success(try await plan()) } catch { made = .failure(error) }
        if depth == .full { _ = await store.noteVerified(now: clock.wall().milliseconds / 1000) }
        return try made.get()
    }

    /// Hashes what the store holds of the manifest, or of all models that were ever applied, and tells what is not right.
    /// Changes nothing but to keep the report, and to break the seal of what is rotten, so that the next run mends it: both where
    /// the store can be written.
    ///
    /// With a budget it hashes what was verified longest ago, until the budget is spent; of the rest it looks at the seals. The
    /// report tells how long ago the oldest verification was.
    ///
    /// - Throws: what keeps it from beginning; `store.io` for a store that is not there, where no manifest says what should be.
    public func verify(_ manifest: Manifest?, budget: VerifyBudget? = nil) async throws(SyncError) -> SyncReport {
        let store = try open(.inspect, scrub(budget))
        let wanted = if let manifest { manifest } else { try await applied(in: store) }
        var thorough = configuration
        thorough.options.depth = .full
        let builder = builder("verify")
        let engine = engine(store, NoTransport(), options: thorough.options, observer: builder.sampler)
        var report =
            await builder.report(on: wanted) { () throws(SyncError) in
                let plan = try await engine.plan(wanted)
                return (plan, engine.verdict(plan), [])
            }
        let oldest = await store.noteVerified(now: clock.wall().milliseconds / 1000)
        if report.error == nil { report.oldestVerification = oldest }
        // A store on a read-only file system can be verified all the same.
        try? await keep(&report, in: store)
        return report
    }

    /// All models that were ever applied.
    ///
    /// - Throws: also for a store that is not there: whoever verifies the wrong folder must not be told that all is well.
    private func applied(in store: DiskStore) async throws(SyncError) -> Manifest {
        guard store.exists else {
            throw SyncError(
                .storeIO, "\(self.store): there is no store to verify; name another by --store or $MODELSYNC_STORE")
        }
        return Manifest(applied: try await store.records())
    }

    /// Takes out the blobs of what was removed.
    ///
    /// - Returns: what to tell of it.
    private func clean(
        _ store: DiskStore, after report: SyncReport, keeping manifest: Manifest
    ) async -> [String] {
        let digests = Set(report.results.compactMap { $0.outcome == .removed ? $0.sha256 : nil })
        if digests.isEmpty { return [] }
        guard store.mayClean() else {
            return ["another process uses the store: `modelsync gc` frees what nothing needs any more"]
        }
        let kept = Set(manifest.models.flatMap { $0.files.map(\.sha256) })
        let rule = GarbageRule(kept: kept, candidates: digests, now: clock.wall().milliseconds / 1000)
        do throws(SyncError) {
            let cleaning = try await store.collectGarbage(rule, isDryRun: false)
            return ["\(cleaning.blobs.count) blobs removed, \(HumanFormat.bytes(cleaning.bytesFreed)) freed"]
        } catch {
            return ["what nothing needs any more could not be removed: \(error.message)"]
        }
    }

    /// Takes models out of the store: their views and records. The blobs stay until ``collectGarbage(keeping:olderThan:isDryRun:)``.
    ///
    /// - Returns: what went, and how many bytes of blobs nothing refers to any more.
    /// - Throws: `store.io` for a name that the store does not have, before anything is changed; the store's failures.
    public func remove(_ names: [ModelName]) async throws(SyncError) -> Cleaning {
        let store = try open(.change)
        defer { store.endUse() }
        let known = try await store.names()
        for name in names where !known.contains(name) {
            throw SyncError(
                .storeIO, "\(name): not in the store \(self.store); see `modelsync list`; nothing was removed")
        }
        var digests: Set<SHA256Digest> = []
        for name in names { digests.formUnion(try await store.record(name)?.files.map(\.sha256) ?? []) }
        var cleaning = Cleaning()
        for name in names { cleaning.add(try await store.remove(name)) }
        // The models are gone: that another one's record can't be read is no failure of this.
        do throws(SyncError) {
            cleaning.bytesUnreferenced = try await store.unreferencedBytes(among: digests)
        } catch {
            cleaning.notes.append(error.message)
        }
        return cleaning
    }

    /// The names of the models that the store has, also in part, in order. Offline, and no record is read.
    ///
    /// - Throws: the store's failures.
    public func names() async throws(SyncError) -> [ModelName] {
        try await open(.inspect).names().sorted()
    }

    /// Whether the store has the model, or a part of it that a crash left.
    ///
    /// - Throws: the store's failures.
    public func knows(_ name: ModelName) async throws(SyncError) -> Bool {
        try await open(.inspect).names().contains(name)
    }

    /// Takes everything out of the store but files that no manifest knows.
    ///
    /// - Throws: `store.locked` while another process uses it; the store's failures.
    public func clear() async throws(SyncError) -> Cleaning {
        let store = try open(.clean)
        defer { store.endUse() }
        return try await store.clear()
    }

    /// Takes out of the store what nothing needs: blobs that no applied model and none of `manifest` has, unfinished
    /// downloads that were given up, what crashes left.
    ///
    /// - Parameters:
    ///   - manifest: whose blobs are to stay as well.
    ///   - olderThan: only what nobody has touched for so long. Nil: blobs of any age, unfinished downloads after a week,
    ///     and no reports.
    ///   - isDryRun: only tells what would go.
    /// - Returns: what went, or would.
    /// - Throws: `store.locked` while another process uses it; `store.io` for a record that can't be read. Nothing has gone
    ///   then.
    public func collectGarbage(
        keeping manifest: Manifest? = nil, olderThan: Duration? = nil, isDryRun: Bool = false
    ) async throws(SyncError) -> Cleaning {
        let store = try open(isDryRun ? .inspect : .clean)
        defer { store.endUse() }
        let kept = Set(manifest?.models.flatMap { $0.files.map(\.sha256) } ?? [])
        let rule = GarbageRule(
            kept: kept, olderThanSeconds: olderThan?.components.seconds, now: clock.wall().milliseconds / 1000)
        return try await store.collectGarbage(rule, isDryRun: isDryRun)
    }

    private func keep(_ report: inout SyncReport, in store: DiskStore) async throws(SyncError) {
        try await store.save(report: await report.encoded(), runID: report.runID)
        report.storedPath = store.reportPath(report.runID)
    }

    /// As ``verify(_:budget:)``, and fetches again what is missing or corrupt. Without a manifest, a model that another process
    /// changes or removes meanwhile is left as that makes it, and told of.
    ///
    /// - Throws: what keeps it from beginning, as ``verify(_:budget:)``.
    public func repair(_ manifest: Manifest?) async throws(SyncError) -> SyncReport {
        let wanted = if let manifest { manifest } else { try await applied(in: try open(.inspect)) }
        var thorough = configuration
        thorough.options.depth = .full
        return try await ModelManager(store: store, configuration: thorough, observer: observer, clock: clock)
            .run(wanted, "verify", prune: false, RunControl(), isOfRecords: manifest == nil).report
    }

    /// The models that were applied to this store, by name. Offline.
    ///
    /// - Throws: the store's failures, naming a record that can't be read.
    public func list() async throws(SyncError) -> [Model] {
        try await open(.inspect).records()
    }

    /// One model as it was applied; nil where there is none of that name. Offline.
    public func metadata(of name: ModelName) async throws(SyncError) -> Model? {
        try await open(.inspect).record(name)
    }

    func open(
        _ access: DiskStore.Access, _ budget: ScrubBudget? = nil, isOfRecords: Bool = false
    ) throws(SyncError) -> DiskStore {
        try DiskStore(
            path: store, access: access, hashThreads: SystemSupport.processorCount(), budget: budget,
            isOfRecords: isOfRecords)
    }

    private func scrub(_ budget: VerifyBudget?) -> ScrubBudget? {
        switch budget {
        case .bytes(let bytes): return ScrubBudget(bytes: bytes)
        case .time(let duration):
            let (clock, end) = (clock, clock.monotonic() + duration)
            return ScrubBudget { clock.monotonic() >= end }
        case nil: return nil
        }
    }

    private func builder(_ command: String) -> ReportBuilder {
        ReportBuilder(
            command: command, store: store, configuration: configuration, clock: clock, observer: observer)
    }

    func engine(
        _ store: DiskStore, _ transport: any Transferring, options: RunOptions? = nil,
        observer: (any SyncObserver)? = nil
    ) -> SyncEngine {
        SyncEngine(
            store: store, transport: transport, clock: clock, options: options ?? configuration.options,
            observer: observer ?? self.observer)
    }
}

/// How much of a store one verification hashes.
public enum VerifyBudget: Sendable, Hashable {
    /// Bytes. One blob is hashed however large it is.
    case bytes(Int64)
    /// No blob is begun later, but the first.
    case time(Duration)
}

/// Hears nothing.
public struct SilentObserver: SyncObserver {
    /// It has no state.
    public init() {}

    /// Does nothing.
    public func observe(_ event: SyncEvent) {}
}

/// For runs that fetch nothing.
struct NoTransport: Transferring {
    func transfer(_ request: TransferRequest, into sink: any TransferSink) async -> TransferOutcome {
        TransferOutcome(error: SyncError(.offline, "\(request.subject): nothing is fetched in this run"))
    }
}

/// Times a run and gathers its report.
private struct ReportBuilder {
    let command: String
    let store: String
    let configuration: SyncConfiguration
    let clock: RunClock
    let runID: String
    /// Is to hear of the run.
    let sampler: RunSampler
    private let startedAt: Timestamp
    private let started: Duration

    /// The run begins now; `observer` hears of it from the sampler.
    init(
        command: String, store: String, configuration: SyncConfiguration, clock: RunClock, observer: any SyncObserver
    ) {
        self.command = command
        self.store = store
        self.configuration = configuration
        self.clock = clock
        sampler = RunSampler(telling: observer, clock: clock)
        (startedAt, started) = (clock.wall(), clock.monotonic())
        let suffix = String(UInt32.random(in: 0...UInt32.max), radix: 16)
        let padding = String(repeating: "0", count: 8 - suffix.utf8.count)
        runID = "\(startedAt.compact)-\(padding)\(suffix)"
    }

    var activeRun: ActiveRun {
        ActiveRun(
            runID: runID, command: command, host: configuration.host, processID: processID, startedAt: startedAt)
    }

    func report(
        on manifest: Manifest,
        _ body: () async throws(SyncError) -> (plan: SyncPlan, results: [DownloadResult], notes: [String])
    ) async -> SyncReport {
        var report = SyncReport(
            runID: runID, command: command,
            toolVersion: ModelSyncVersion.current, host: configuration.host, startedAt: startedAt,
            finishedAt: startedAt, seconds: 0, manifests: manifest.sources, store: store, outcome: .ok,
            bytesVerified: 0, results: [])
        do throws(SyncError) {
            let (plan, results, notes) = try await body()
            report.results = results
            report.notes = notes
            report.bytesVerified = plan.bytesVerified + report.bytesFetched
        } catch {
            report.error = error
        }
        let counts = report.counts
        if Task.isCancelled || report.error?.code == .cancelled || counts[.cancelled] != nil {
            report.outcome = .cancelled
        } else if report.error != nil || counts.keys.contains(where: { !$0.isSuccess }) {
            report.outcome = .failed
        }
        report.finishedAt = clock.wall()
        report.seconds = (clock.monotonic() - started).seconds
        report.samples = sampler.samples(until: report.seconds)
        return report
    }
}

extension SyncReport {
    /// What was fetched and committed was hashed whole.
    fileprivate var bytesFetched: Int64 { sum { $0.transfer != nil && $0.isSuccess ? $0.size : 0 } }
}
