public import SyncDomain

/// Decides what must be done, from what the manifest wants and the store has. Pure.
public struct Planner {
    private var plan: SyncPlan
    private let manifest: Manifest
    private let inventory: Inventory
    private var fetchOf: [SHA256Digest: Int] = [:]
    /// By fetch, for those that several files share: a digest that all files have must not cost a square of them.
    private var sourcesOf: [Int: Set<SourceURL>] = [:]
    private var unsealed: Set<SHA256Digest> = []
    /// Digests whose bytes a view still holds though no blob does: the first such view gives them.
    private var adopters: [SHA256Digest: (model: Int, file: Int)] = [:]

    /// The plan for a manifest and a survey of that same manifest.
    public static func plan(_ manifest: Manifest, _ inventory: Inventory) -> SyncPlan {
        var planner = Planner(manifest, inventory)
        planner.findAdopters()
        for index in manifest.models.indices { planner.planModel(index) }
        return planner.plan
    }

    private init(_ manifest: Manifest, _ inventory: Inventory) {
        self.manifest = manifest
        self.inventory = inventory
        plan = SyncPlan(manifest: manifest, bytesFree: inventory.bytesFree, bytesVerified: inventory.bytesVerified)
        let count = manifest.models.reduce(0) { $0 + $1.files.count }
        plan.items.reserveCapacity(count)
    }

    private mutating func findAdopters() {
        for (model, state) in inventory.models.enumerated() {
            for (file, found) in state.files.enumerated() where found.view == .holdsBytes && !found.blob.isRight {
                let digest = manifest.models[model].files[file].sha256
                if adopters[digest] == nil { adopters[digest] = (model, file) }
            }
        }
    }

    private mutating func planModel(_ index: Int) {
        let found = inventory.models[index]
        let files = manifest.models[index].files
        for position in files.indices {
            let state = found.files[position]
            let digest = files[position].sha256
            if state.blob == .unsealed, unsealed.insert(digest).inserted { plan.unsealed.append(digest) }
            plan.items.append(item(files, state, model: index, file: position))
        }
        let isUnwanted = manifest.unwanted.contains(manifest.models[index].name)
        for extra in found.dropped {
            plan.items.append(
                PlanItem(
                    model: index, target: .dropped(plan.dropped.count), action: .remove,
                    reason: isUnwanted ? "no manifest has the model" : "the manifest's model no longer has it"))
            plan.dropped.append((index, extra))
        }
        plan.unmanaged += found.unmanaged.map { (index, $0) }
        let isSameSet = found.dropped.isEmpty && found.files.allSatisfy { $0.recorded == .sameBytes }
        plan.models.append(PlannedModel(isRecordStale: !found.isRecordCurrent, isSameSet: isSameSet))
    }

    /// The files and an index into them: a copy of each file would count references for nothing.
    private mutating func item(_ files: [ModelFile], _ state: FileInventory, model: Int, file index: Int) -> PlanItem {
        var item = PlanItem(model: model, target: .file(index), action: .keep, reason: "")
        if state.blob.isRight {
            decideWithBlob(state, &item)
        } else if !adopters.isEmpty, let adopter = adopters[files[index].sha256] {
            item.adoptsView = adopter == (model, index)
            decideWithAdoption(state, &item)
        } else {
            decideWithoutBytes(files, index, state, &item)
        }
        return item
    }

    private func decideWithBlob(_ state: FileInventory, _ item: inout PlanItem) {
        switch (state.view, state.recorded) {
        case (.current, _):
            item.action = .keep
            item.reason = state.blob == .unsealed ? "its time was changed; its bytes are right" : "as the manifest says"
        case (.absent, _):
            item.action = .link
            item.reason = "the blob is in the store, the file is not in the model's folder"
        case (.holdsBytes, _):
            item.action = .link
            item.reason = "the file in the model's folder has the right bytes, as a copy of its own"
        case (_, .sameBytes):
            item.action = .repair
            item.reason = "the file in the model's folder was replaced; the blob is in the store"
            item.defect = .digestMismatch
        case (_, .otherBytes):
            item.action = .update
            item.reason = "the manifest wants other bytes; they are in the store"
        case (_, .unknown):
            item.action = .update
            item.reason = "another file is at this path; the manifest's bytes are in the store"
        }
    }

    private func decideWithAdoption(_ state: FileInventory, _ item: inout PlanItem) {
        let wasThere = state.recorded == .sameBytes || state.blob != .absent
        item.action = wasThere ? .repair : .link
        item.defect = wasThere ? .storeIO : nil
        item.reason =
            wasThere
            ? "the blob \(Self.words(state.blob)); a file in a model's folder still has its bytes"
            : "a file in a model's folder has the right bytes already"
    }

    private mutating func decideWithoutBytes(
        _ files: [ModelFile], _ index: Int, _ state: FileInventory, _ item: inout PlanItem
    ) {
        (item.action, item.reason, item.defect) = missing(state)
        let digest = files[index].sha256
        if manifest.mayShareDigests, let known = fetchOf[digest] {
            item.fetch = known
            addSources(files[index].sources, to: known)
            if item.action == .download {
                item.action = .link
                item.reason = "the same bytes as \(plan.subject(plan.items[plan.fetches[known].item])): fetched once"
            }
            return
        }
        let fetch = plan.fetches.count
        item.fetch = fetch
        item.bytesPartial = state.partialBytes
        item.bytesToFetch = files[index].size - state.partialBytes
        if manifest.mayShareDigests { fetchOf[digest] = fetch }
        plan.fetches.append(
            PlannedFetch(
                sha256: digest, size: files[index].size, sources: files[index].sources, item: plan.items.count))
    }

    private mutating func addSources(_ sources: [SourceURL], to fetch: Int) {
        if sourcesOf[fetch] == nil { sourcesOf[fetch] = Set(plan.fetches[fetch].sources) }
        for source in sources where sourcesOf[fetch]?.insert(source).inserted == true {
            plan.fetches[fetch].sources.append(source)
        }
    }

    private func missing(_ state: FileInventory) -> (PlanAction, String, ErrorCode?) {
        if case .damaged(let code, _) = state.blob {
            return (.repair, "the blob \(Self.words(state.blob))", code)
        }
        switch (state.view, state.recorded) {
        case (_, .otherBytes):
            return (.update, "the manifest wants other bytes", nil)
        case (.absent, _):
            let bytes = state.partialBytes
            return (.download, bytes > 0 ? "unfinished: \(bytes) bytes are here" : "not in the store", nil)
        case (_, .sameBytes):
            return (.repair, "the blob is gone, and the file in the model's folder has wrong bytes", .digestMismatch)
        case (_, .unknown):
            return (.update, "another file is at this path", nil)
        }
    }

    private static func words(_ blob: BlobState) -> String {
        switch blob {
        case .absent: "is gone"
        case .damaged(_, let what): what
        case .intact, .unsealed: "is right"
        }
    }
}
