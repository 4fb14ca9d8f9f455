/// What must be done for one path.
public enum PlanAction: String, Sendable, Hashable, CaseIterable {
    /// Missing: fetch it.
    case download
    /// There, but damaged.
    case repair
    /// The manifest now wants other bytes at this path.
    case update
    /// The bytes are here or come with another file; only the view is missing.
    case link
    /// As it should be.
    case keep
    /// No longer in the manifest's model.
    case remove
}

/// One line of a plan.
public struct PlanItem: Sendable, Hashable {
    /// What the line is about.
    public enum Target: Sendable, Hashable {
        /// Index into the model's files.
        case file(Int)
        /// Index into the plan's dropped files: the manifest does not have it.
        case dropped(Int)
    }

    /// Index into the manifest's models.
    public var model: Int
    /// The path, in the manifest or out of it.
    public var target: Target
    /// What to do there.
    public var action: PlanAction
    /// Why, in words for people.
    public var reason: String
    /// Index into the plan's fetches, for an item whose bytes must come first.
    public var fetch: Int?
    /// What this item adds to the bytes to fetch: 0 where another item fetches the same digest.
    public var bytesToFetch: Int64
    /// Of the file's bytes, those that an unfinished download left.
    public var bytesPartial: Int64
    /// The view holds the right bytes though the blob does not: take them from there.
    public var adoptsView: Bool
    /// What is wrong with what is there; nil where nothing is, or nothing is there.
    public var defect: ErrorCode?

    /// Takes the parts as they are; with no fetch, unless one is given.
    public init(
        model: Int, target: Target, action: PlanAction, reason: String, fetch: Int? = nil, bytesToFetch: Int64 = 0,
        bytesPartial: Int64 = 0, adoptsView: Bool = false, defect: ErrorCode? = nil
    ) {
        self.model = model
        self.target = target
        self.action = action
        self.reason = reason
        self.fetch = fetch
        self.bytesToFetch = bytesToFetch
        self.bytesPartial = bytesPartial
        self.adoptsView = adoptsView
        self.defect = defect
    }
}

/// The fetch of one digest, however many models and paths name it.
public struct PlannedFetch: Sendable, Hashable {
    /// What the bytes must have.
    public var sha256: SHA256Digest
    /// Bytes.
    public var size: Int64
    /// Of all files with these bytes, each once, in the manifest's order.
    public var sources: [SourceURL]
    /// The first item that wants it: the one that messages name.
    public var item: Int

    /// Takes the parts as they are; `sources` must not be empty.
    public init(sha256: SHA256Digest, size: Int64, sources: [SourceURL], item: Int) {
        self.sha256 = sha256
        self.size = size
        self.sources = sources
        self.item = item
    }
}

/// What a plan knows of a model as a whole.
public struct PlannedModel: Sendable, Hashable {
    /// Its record is not what the manifest says: written anew, even where no file changes.
    public var isRecordStale: Bool
    /// The record has the same paths with the same bytes: files can be mended one by one, with no mixture to see.
    public var isSameSet: Bool

    /// The two facts, as the planner found them.
    public init(isRecordStale: Bool, isSameSet: Bool) {
        self.isRecordStale = isRecordStale
        self.isSameSet = isSameSet
    }
}

/// What must change so that the store matches the manifest, and why.
public struct SyncPlan: Sendable {
    /// The name of the JSON form and its version.
    public static let schema = "modelsync.plan/1"

    /// What the plan was made for; items point into it.
    public var manifest: Manifest
    /// A line for each file of the manifest, and for each that it dropped.
    public var items: [PlanItem]
    /// Each digest once, in the order in which the items first want them.
    public var fetches: [PlannedFetch]
    /// Parallel to the manifest's models.
    public var models: [PlannedModel]
    /// Blobs that were hashed and found right, whose seal was broken.
    public var unsealed: [SHA256Digest]
    /// Files that neither the manifest nor a record knows. They stay; `model` is an index into the manifest's models.
    public var unmanaged: [(model: Int, file: ExtraFile)]
    /// Per model: the files that the record has and the manifest has not.
    public var dropped: [(model: Int, file: ExtraFile)]
    /// Bytes free on the store's file system.
    public var bytesFree: Int64
    /// Bytes hashed to make the plan.
    public var bytesVerified: Int64
    /// How hard it was looked at what is there.
    public var depth = VerifyDepth.quick

    /// Takes the parts as they are: that indices fit is for the planner to see to.
    public init(
        manifest: Manifest, items: [PlanItem] = [], fetches: [PlannedFetch] = [], models: [PlannedModel] = [],
        unsealed: [SHA256Digest] = [], unmanaged: [(model: Int, file: ExtraFile)] = [],
        dropped: [(model: Int, file: ExtraFile)] = [], bytesFree: Int64 = 0, bytesVerified: Int64 = 0
    ) {
        self.manifest = manifest
        self.items = items
        self.fetches = fetches
        self.models = models
        self.unsealed = unsealed
        self.unmanaged = unmanaged
        self.dropped = dropped
        self.bytesFree = bytesFree
        self.bytesVerified = bytesVerified
    }

    /// Bytes still to come over the network, those already partial not counted.
    public var bytesToFetch: Int64 { items.reduce(0) { $0 + $1.bytesToFetch } }

    /// Whether applying would change anything that a user can see.
    public var hasChanges: Bool { items.contains { $0.action != .keep } }

    /// How many items have each action.
    public var counts: [PlanAction: Int] {
        var out: [PlanAction: Int] = [:]
        for item in items { out[item.action, default: 0] += 1 }
        return out
    }

    /// The bytes that must be free before anything is fetched: what is still to come and a tenth more.
    public var bytesNeeded: Int64 { Self.bytesNeeded(for: bytesToFetch) }

    /// The bytes that must be free for so many that are still to come.
    package static func bytesNeeded(for bytes: Int64) -> Int64 {
        let (sum, overflow) = bytes.addingReportingOverflow((bytes + 9) / 10)
        return overflow ? .max : sum
    }

    /// Of the bytes to fetch, those of files with a `file` source: they come offline as well.
    package var bytesToCopy: Int64 {
        items.reduce(0) { sum, item in
            let isLocal = item.fetch.map { fetches[$0].sources.contains { $0.scheme == .file } } ?? false
            return isLocal ? sum + item.bytesToFetch : sum
        }
    }

    /// `model/path`: how messages name an item.
    public func subject(_ item: PlanItem) -> String { "\(manifest.models[item.model].name)/\(path(item))" }

    /// The path inside the model that an item is about.
    public func path(_ item: PlanItem) -> String {
        switch item.target {
        case .file(let index): manifest.models[item.model].files[index].path.text
        case .dropped(let index): dropped[index].file.path
        }
    }

    /// The manifest's file that an item is about; nil for one that the manifest does not have.
    public func file(_ item: PlanItem) -> ModelFile? {
        guard case .file(let index) = item.target else { return nil }
        return manifest.models[item.model].files[index]
    }
}
