internal import FoundationEssentials

/// What `plan --out` wrote, and the manifests that it was made of: to be applied as it was reviewed, or not at all.
public struct SavedPlan: Sendable {
    /// As the user named the file.
    public let path: String
    /// The store that it was made for, absolute.
    public let store: String
    /// How hard it was looked at what is there.
    public let depth: VerifyDepth
    /// What was planned for: of its manifests the models that the plan is about.
    public let manifest: Manifest
    private let items: [Item]

    /// One line, as far as it decides what is done.
    fileprivate struct Item: Decodable, Hashable {
        var model: String
        var path: String
        var action: String
        var size: Int64
        var sha256: String?
    }

    struct Stored: Decodable {
        struct Source: Decodable {
            var path: String
            var sha256: String
        }

        var manifests: [Source]
        fileprivate var store: String
        fileprivate var verify: String?
        fileprivate var items: [Item]

        /// Nil for what is no plan.
        ///
        /// - Throws: `stale` for a plan that this program can't apply.
        init?(_ bytes: [UInt8], _ path: String) throws(ManifestLoadError) {
            struct Head: Decodable {
                var schema: String
            }
            // A manifest may be written in JSON as well: YAML takes it.
            guard bytes.first(where: { !UInt8.isSpace($0) }) == UInt8(ascii: "{"),
                let head = try? JSONDecoder().decode(Head.self, from: Data(bytes)),
                head.schema.hasPrefix("modelsync.plan/")
            else { return nil }
            guard head.schema == SyncPlan.schema, let stored = try? JSONDecoder().decode(Self.self, from: Data(bytes))
            else {
                throw .stale(
                    "\(path): not a plan that this program can apply (schema got '\(head.schema.prefix(40))', "
                        + "expected '\(SyncPlan.schema)' whole); make a new plan")
            }
            self = stored
        }
    }

    init(_ stored: Stored, _ path: String, for manifest: Manifest) {
        self.path = path
        store = stored.store
        depth = stored.verify.flatMap(VerifyDepth.init(rawValue:)) ?? .quick
        items = stored.items
        let models = Set(items.map(\.model))
        self.manifest = manifest.filter { models.contains($0.name.text) }
    }

    /// What is not as it was when the plan was made; nil where applying `plan` does what was reviewed. Bytes of unfinished
    /// downloads don't count: they change what is fetched, and not what comes of it.
    public func staleness(of plan: SyncPlan) -> String? {
        let now = plan.items.map { item in
            Item(
                model: plan.manifest.models[item.model].name.text, path: plan.path(item),
                action: item.action.rawValue, size: plan.size(item), sha256: plan.digest(item)?.hex)
        }
        if now == items { return nil }
        let before = Dictionary(items.map { ("\($0.model)/\($0.path)", $0) }) { first, _ in first }
        let after = Dictionary(now.map { ("\($0.model)/\($0.path)", $0) }) { first, _ in first }
        let changes = Set(before.keys).union(after.keys).sorted().filter { before[$0] != after[$0] }
        let told = changes.prefix(3).map { name in
            "\(name): planned \(before[name]?.action ?? "nothing"), now \(after[name]?.action ?? "nothing")"
        }
        let more = changes.count > told.count ? "; and \(changes.count - told.count) more" : ""
        let what = told.isEmpty ? "its lines are in another order" : told.joined(separator: "; ") + more
        return "\(path): the store \(store) has changed since the plan was made: \(what); make a new plan"
    }
}

/// A saved plan that no longer fits: what has changed. Nothing was done.
public struct StalePlan: Error, Sendable, CustomStringConvertible {
    /// Names the plan and what is not as it was.
    public let description: String
}

extension UInt8 {
    fileprivate static func isSpace(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
