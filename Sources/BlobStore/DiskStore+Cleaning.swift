public import SyncDomain
internal import SystemSupport

/// What to take out of a store.
public struct GarbageRule: Sendable {
    /// How long nobody may have touched an unfinished download before it counts as given up, where nobody says.
    public static let partialSeconds: Int64 = 7 * 86400

    /// Blobs that are to stay though no record names them.
    public var kept: Set<SHA256Digest>
    /// If it is given, only blobs are looked at that are among these.
    public var candidates: Set<SHA256Digest>?
    /// Only what nobody has touched for so many seconds. Nil: blobs of any age, partials after a week, no reports.
    public var olderThanSeconds: Int64?
    /// The present, in seconds since 1970.
    public var now: Int64

    /// Every blob that nothing names, unless more is said.
    public init(
        kept: Set<SHA256Digest> = [], candidates: Set<SHA256Digest>? = nil, olderThanSeconds: Int64? = nil, now: Int64
    ) {
        self.kept = kept
        self.candidates = candidates
        self.olderThanSeconds = olderThanSeconds
        self.now = now
    }

    func isOld(_ seconds: Int64, orElse age: Int64 = 0) -> Bool {
        let age = olderThanSeconds ?? age
        return age == 0 || seconds <= now - age
    }
}

extension DiskStore {
    /// Takes out blobs that no record names and that have no other name, unfinished downloads that were given up, what
    /// crashes left, and old reports. A dry run tells what would go. The rest needs a store opened to clean it.
    ///
    /// - Throws: `store.io` for a record that can't be read: what it needs is not known then. Nothing has gone.
    public func collectGarbage(_ rule: GarbageRule, isDryRun: Bool) async throws(SyncError) -> Cleaning {
        guard exists else { return Cleaning() }
        let wanted = rule.kept.union(try await referenced())
        return try await blocking { () throws(SystemFailure) in
            var sweeper = Sweeper(self, rule, wanted, isDryRun)
            try sweeper.sweepPartials()
            try sweeper.sweepBlobs()
            if rule.candidates == nil {
                try sweeper.sweepReports()
                sweeper.sweepActive()
            }
            return sweeper.cleaning
        }
    }

    /// Bytes of those of the blobs that nothing refers to.
    public func unreferencedBytes(among digests: Set<SHA256Digest>) async throws(SyncError) -> Int64 {
        guard exists else { return 0 }
        let wanted = try await referenced()
        return try await blocking { () throws(SystemFailure) in
            let blobs = try self.folder(StoreLayout.blobs)
            var bytes: Int64 = 0
            for digest in digests.subtracting(wanted) {
                bytes += try blobs.statusIfPresent(StoreLayout.blobPath(digest))?.freedBytes ?? 0
            }
            return bytes
        }
    }

    /// Takes out everything but what is the user's own. Needs a store opened to clean it.
    public func clear() async throws(SyncError) -> Cleaning {
        guard exists else { return Cleaning() }
        var cleaning = Cleaning()
        let names = try await blocking { () throws(SystemFailure) in try self.recordedNames() }
        for name in names {
            do throws(SyncError) { cleaning.add(try await remove(name)) } catch {
                // A record that can't be read does not tell which files are the model's: they stay.
                guard (try? await record(name)) == nil else { throw error }
                cleaning.notes.append(error.message)
            }
        }
        let rule = GarbageRule(olderThanSeconds: 0, now: .max)
        cleaning.add(
            try await blocking { () throws(SystemFailure) in
                var sweeper = Sweeper(self, rule, [], false)
                try sweeper.sweepPartials()
                try sweeper.sweepBlobs(evenNamed: true)
                try sweeper.sweepReports()
                try sweeper.sweepRecords()
                sweeper.sweepActive()
                return sweeper.cleaning
            })
        return cleaning
    }

    /// What records name, and what publications that a crash ended were about to show.
    private func referenced() async throws(SyncError) -> Set<SHA256Digest> {
        var models = try await records()
        models += try await blocking { () throws(SystemFailure) in
            var announced: [Model] = []
            for name in try self.recordedNames() {
                if let model = try self.announced(name) { announced.append(model) }
            }
            return announced
        }
        return Set(models.flatMap { $0.files.map(\.sha256) })
    }
}

/// One pass that takes things out, or counts them. On one thread.
private struct Sweeper {
    private let store: DiskStore
    private let rule: GarbageRule
    private let wanted: Set<SHA256Digest>
    private let isDryRun: Bool
    private(set) var cleaning = Cleaning()

    init(_ store: DiskStore, _ rule: GarbageRule, _ wanted: Set<SHA256Digest>, _ isDryRun: Bool) {
        self.store = store
        self.rule = rule
        self.wanted = wanted
        self.isDryRun = isDryRun
    }

    /// With `evenNamed`, blobs that have other names as well.
    mutating func sweepBlobs(evenNamed: Bool = false) throws(SystemFailure) {
        guard let blobs = try? store.folder(StoreLayout.blobs) else { return }
        for place in try blobs.entries() where place.kind == .directory {
            let folder = try blobs.folder(place.name)
            for entry in try folder.entries() {
                guard let digest = try? SHA256Digest(hex: entry.name), mayGo(digest) else { continue }
                let status = try folder.statusIfPresent(entry.name)
                guard let status, status.kind == .regular, evenNamed || status.linkCount == 1,
                    rule.isOld(status.changed), isSettled(status)
                else { continue }
                if !isDryRun { try folder.removeFile(entry.name) }
                cleaning.blobs.append(
                    Cleaning.Item(
                        path: "\(StoreLayout.blobs)/\(place.name)/\(entry.name)", bytes: status.freedBytes))
                try sweepSums(digest)
            }
        }
    }

    /// Where locks do nothing, an apply that runs may be about to need what nothing names yet: what is a day old is nobody's.
    private func isSettled(_ status: FileStatus) -> Bool {
        store.owner.isEmpty || status.changed <= rule.now - 86400
    }

    private func mayGo(_ digest: SHA256Digest) -> Bool {
        !wanted.contains(digest) && (rule.candidates?.contains(digest) ?? true)
    }

    private func sweepSums(_ digest: SHA256Digest) throws(SystemFailure) {
        if !isDryRun { try? store.folder(StoreLayout.sums).removeFile(digest.hex) }
    }

    mutating func sweepPartials() throws(SystemFailure) {
        guard let partial = try? store.folder(StoreLayout.partial) else { return }
        for entry in try partial.entries() {
            guard let status = try partial.statusIfPresent(entry.name) else { continue }
            if let digest = StoreLayout.digest(ofPartial: entry.name) {
                try sweep(digest, entry.name, status, in: partial)
            } else if rule.candidates == nil {
                try sweepLeftover(entry.name, status, in: partial)
            }
        }
    }

    private mutating func sweep(
        _ digest: SHA256Digest, _ name: String, _ status: FileStatus, in partial: Folder
    ) throws(SystemFailure) {
        // Not by its modification: a crash just before the rename has left the seal's, which is years ago.
        let isOld = rule.isOld(status.changed, orElse: GarbageRule.partialSeconds) || status.size == 0
        let isCandidate = rule.candidates?.contains(digest) ?? true
        guard isOld, isCandidate, isSettled(status), !rule.kept.contains(digest) else { return }
        // Where the store's lock does nothing, its owner may still be at it.
        guard let file = try? partial.file(name, .read), try file.tryLock(exclusive: true) else { return }
        if !isDryRun {
            try? partial.removeFile(StoreLayout.journalFile(digest))
            try partial.removeFile(name)
        }
        tell(name, status)
    }

    /// What a crash left: links to blobs, and what was being written. Nothing that might be somebody's only copy.
    private mutating func sweepLeftover(
        _ name: String, _ status: FileStatus, in partial: Folder
    ) throws(SystemFailure) {
        guard isSettled(status) else { return }
        if ["folder-", "aside-", "displaced-"].contains(where: name.hasPrefix) {
            guard try isLinksAlone(name, status, in: partial) else {
                cleaning.notes.append(
                    "\(partial.full(name)) holds files that have no other name; look at them, and take them away yourself"
                )
                return
            }
            if !isDryRun { try partial.removeTree(name) }
            return tell(name, status)
        }
        // A journal goes with its partial; one that has none is of no use.
        let isOrphan = name.hasSuffix(".json") && (try? partial.status(name.dropLast(5) + ".part")) == nil
        // Its name is known to its writer alone, who is dead where the store's lock says so: nobody will go on with it.
        let age = store.owner.isEmpty ? 0 : GarbageRule.partialSeconds
        let isPassing = name.hasSuffix(".part") && rule.isOld(status.changed, orElse: age)
        guard isOrphan || isPassing || ["view-", "adopt-"].contains(where: name.hasPrefix) || Self.isTemporary(name)
        else { return }
        if !isDryRun {
            if isPassing { try? partial.removeFile(name.dropLast(5) + ".json") }
            try partial.removeFile(name)
        }
        tell(name, status)
    }

    private func isLinksAlone(_ name: String, _ status: FileStatus, in folder: Folder) throws(SystemFailure) -> Bool {
        guard status.kind == .directory else { return status.linkCount > 1 }
        let inner = try folder.folder(name)
        for entry in try inner.entries() {
            guard let status = try inner.statusIfPresent(entry.name) else { continue }
            guard try isLinksAlone(entry.name, status, in: inner) else { return false }
        }
        return true
    }

    private mutating func tell(_ name: String, _ status: FileStatus) {
        cleaning.partials.append(Cleaning.Item(path: "\(StoreLayout.partial)/\(name)", bytes: status.freedBytes))
    }

    mutating func sweepReports() throws(SystemFailure) {
        guard let runs = try? store.folder(StoreLayout.runs) else { return }
        for entry in try runs.entries() {
            guard let status = try runs.statusIfPresent(entry.name), status.kind == .regular else { continue }
            let isReport = entry.name.hasSuffix(".json") && rule.olderThanSeconds != nil
            guard Self.isTemporary(entry.name) || isReport && rule.isOld(status.modified.seconds) else { continue }
            if !isDryRun { try runs.removeFile(entry.name) }
            cleaning.reports.append(
                Cleaning.Item(path: "\(StoreLayout.runs)/\(entry.name)", bytes: status.freedBytes))
        }
    }

    /// What killed runs left. Nobody else uses the store now, unless this is a dry run, or locks do nothing.
    mutating func sweepActive() {
        guard let root = store.root, let active = try? ActiveFolder(root), let entries = try? active.folder.entries()
        else { return }
        for entry in entries {
            guard let id = StoreLayout.activeRun(entry.name), let status = try? active.folder.status(entry.name),
                isSettled(status)
            else { continue }
            if isDryRun {
                guard case .dead = active.life(of: id, host: "", now: rule.now) else { continue }
            } else {
                try? active.folder.removeFile(entry.name)
            }
            cleaning.partials.append(
                Cleaning.Item(path: "\(StoreLayout.active)/\(entry.name)", bytes: status.freedBytes))
        }
    }

    /// Those of models that could not be taken out, and the lists beside the reports.
    func sweepRecords() throws(SystemFailure) {
        for name in [StoreLayout.records, StoreLayout.sums, StoreLayout.runs] {
            guard let folder = try? store.folder(name) else { continue }
            for entry in try folder.entries() { try folder.removeTree(entry.name) }
        }
    }

    /// Whether `Folder.replace` names what it writes so, until it is whole.
    private static func isTemporary(_ name: String) -> Bool { name.hasPrefix(".") && name.hasSuffix(".tmp") }
}

extension FileStatus {
    /// Bytes of disk that come free when this name of the file goes.
    var freedBytes: Int64 { kind == .directory || linkCount > 1 ? 0 : allocated }
}
