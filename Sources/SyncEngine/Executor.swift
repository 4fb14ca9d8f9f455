internal import SyncDomain

/// Does what a plan says: fetches with a bound, publishes each model when its blobs are in. One file's failure stops no
/// other. Ends early, and cleanly, when the task is cancelled.
struct Executor {
    let plan: SyncPlan
    let store: any ModelStoring
    let fetcher: Fetcher
    let options: RunOptions
    let observer: any SyncObserver
    let control: RunControl

    /// What happened, by the plan's indices.
    struct Record {
        var fetches: [Int: FetchOutcome] = [:]
        /// Why a view's bytes could not become the blob, by digest: all who want these bytes lack them.
        var adoptions: [SHA256Digest: SyncError] = [:]
        /// By model: nil inside for what was published.
        var publications: [Int: SyncError?] = [:]
        /// By model: only the files that could be had were mended.
        var mended: Set<Int> = []
        var notes: [String] = []
    }

    private enum Done: Sendable {
        case fetched(Int, FetchOutcome)
        case published(model: Int, Result<[String], SyncError>, isWhole: Bool)
    }

    /// The items of a model that something must be done for, and the fetches that it waits for.
    private struct Pending {
        var items: [Int] = []
        var fetches: Set<Int> = []
    }

    func run() async -> Record {
        var record = Record()
        var pending = pendingModels()
        control.begin(pending.keys.map(name))
        defer { control.end() }
        for digest in plan.unsealed where !Task.isCancelled { await store.reseal(digest) }
        await adopt(&record)
        var waiting: [Int: [Int]] = [:]
        for (model, work) in pending { for fetch in work.fetches { waiting[fetch, default: []].append(model) } }
        await withTaskGroup(of: Done.self) { group in
            for model in pending.keys.sorted() where pending[model]?.fetches.isEmpty == true && !isUnwanted(model) {
                publish(model, pending[model]?.items ?? [], in: &group, record)
            }
            var next = 0
            func startNext() {
                guard next < plan.fetches.count, !Task.isCancelled else { return }
                let (index, models) = (next, waiting[next, default: []].map(name))
                group.addTask { .fetched(index, await fetch(index, for: models)) }
                next += 1
            }
            for _ in 0..<max(1, options.jobs) + Fetcher.mostCommits { startNext() }
            for await done in group {
                switch done {
                case .fetched(let index, let outcome):
                    record.fetches[index] = outcome
                    tellFetched(index, outcome)
                    startNext()
                    for model in waiting[index] ?? [] {
                        pending[model]?.fetches.remove(index)
                        guard let work = pending[model], work.fetches.isEmpty else { continue }
                        publish(model, work.items, in: &group, record)
                    }
                case .published(let model, let result, let isWhole):
                    note(model, result, isWhole: isWhole, in: &record)
                }
            }
        }
        await removeUnwanted(pending.keys.sorted(), &record)
        return record
    }

    private func name(_ model: Int) -> ModelName { plan.manifest.models[model].name }

    private func isUnwanted(_ model: Int) -> Bool { plan.manifest.unwanted.contains(name(model)) }

    private func fetch(_ index: Int, for models: [ModelName]) async -> FetchOutcome {
        let (job, fetcher) = (job(index), fetcher)
        return await control.run(index, for: models) { await fetcher.run(job) }
            ?? FetchOutcome(error: .cancelled(job.subject))
    }

    /// Last, and only if all else went well: what replaces them may not be there.
    private func removeUnwanted(_ models: [Int], _ record: inout Record) async {
        let areShown = models.allSatisfy { isUnwanted($0) || record.publications[$0] == .some(.none) }
        let isWell =
            record.fetches.values.allSatisfy { $0.error == nil } && record.adoptions.isEmpty && areShown
            && record.mended.isEmpty
        for model in models where isUnwanted(model) && isWell && !Task.isCancelled {
            let name = name(model)
            guard control.finish(name) else { continue }
            let result = await Self.result { () throws(SyncError) in try await store.remove(name).notes }
            note(model, result, isWhole: true, in: &record)
        }
    }

    private func note(_ model: Int, _ result: Result<[String], SyncError>, isWhole: Bool, in record: inout Record) {
        switch result {
        case .success(let notes):
            record.notes += notes
            record.publications[model] = .some(nil)
            if !isWhole { record.mended.insert(model) }
        case .failure(let error):
            record.publications[model] = error
        }
    }

    private func job(_ index: Int) -> Fetcher.Job {
        let item = plan.items[plan.fetches[index].item]
        return Fetcher.Job(
            fetch: plan.fetches[index], model: plan.manifest.models[item.model].name.text, path: plan.path(item))
    }

    private func adopt(_ record: inout Record) async {
        for item in plan.items where item.adoptsView && !Task.isCancelled {
            guard let file = plan.file(item) else { continue }
            do throws(SyncError) {
                try await store.adopt(file.path, of: plan.manifest.models[item.model].name, as: file.sha256)
            } catch {
                record.adoptions[file.sha256] = error
            }
        }
    }

    private func pendingModels() -> [Int: Pending] {
        var out: [Int: Pending] = [:]
        for (index, item) in plan.items.enumerated() where item.action != .keep {
            out[item.model, default: Pending()].items.append(index)
            if let fetch = item.fetch { out[item.model]?.fetches.insert(fetch) }
        }
        for (model, state) in plan.models.enumerated() where state.isRecordStale && out[model] == nil {
            out[model] = Pending()
        }
        return out
    }

    /// Shows a model's files, once all its fetches have ended: the whole set, or what can be mended of it, or nothing.
    private func publish(_ model: Int, _ items: [Int], in group: inout TaskGroup<Done>, _ record: Record) {
        guard !Task.isCancelled, control.finish(name(model)) else { return }
        let missing = items.filter { failure(of: $0, in: record) != nil }
        let store = store
        let entry = plan.manifest.models[model]
        if missing.isEmpty {
            group.addTask {
                .published(
                    model: model, await Self.result { () throws(SyncError) in try await store.publish(entry) },
                    isWhole: true)
            }
        } else if plan.models[model].isSameSet, missing.count < items.count {
            let files = items.filter { failure(of: $0, in: record) == nil }.compactMap { plan.file(plan.items[$0]) }
            group.addTask {
                .published(
                    model: model,
                    await Self.result { () throws(SyncError) in try await store.mend(files, of: entry.name) },
                    isWhole: false)
            }
        }
    }

    private static func result(_ body: () async throws(SyncError) -> [String]) async -> Result<[String], SyncError> {
        do throws(SyncError) { return .success(try await body()) } catch { return .failure(error) }
    }

    /// Why an item's bytes are not in the store; nil where they are.
    func failure(of index: Int, in record: Record) -> SyncError? {
        let item = plan.items[index]
        guard let fetch = item.fetch else { return plan.file(item).flatMap { record.adoptions[$0.sha256] } }
        guard let outcome = record.fetches[fetch] else { return .cancelled(plan.subject(item)) }
        return outcome.error
    }

    private func tellFetched(_ index: Int, _ outcome: FetchOutcome) {
        let item = plan.items[plan.fetches[index].item]
        observer.observe(
            .finished(
                DownloadResult(
                    model: plan.manifest.models[item.model].name.text, path: plan.path(item), sha256: plan.digest(item),
                    size: plan.size(item), outcome: outcome.outcome(of: item), transfer: outcome.transfer,
                    error: outcome.error)))
    }
}

extension FetchOutcome {
    /// What is told of the item that wanted the bytes as they are in.
    func outcome(of item: PlanItem) -> ResultOutcome { error?.outcome ?? item.action.outcome }
}

extension SyncError {
    var outcome: ResultOutcome { code == .cancelled ? .cancelled : .failed }
}

extension PlanAction {
    var outcome: ResultOutcome {
        switch self {
        case .download: .downloaded
        case .repair: .repaired
        case .update: .updated
        case .link: .linked
        case .keep: .kept
        case .remove: .removed
        }
    }
}
