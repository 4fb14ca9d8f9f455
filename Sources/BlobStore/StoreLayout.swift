internal import SyncDomain
internal import SystemSupport

/// Every path on disk, in one place. docs/store-layout.md tells what each is for.
enum StoreLayout {
    static let version = 1
    static let versionFile = "store.json"
    static let blobs = "blobs/sha256"
    static let models = "models"
    static let records = "records"
    static let partial = "partial"
    static let sums = "sums"
    static let runs = "runs"
    static let locks = "locks"
    /// Made by the first run that fetches: see ``ActiveFolder``.
    static let active = "active"
    static let folders = [blobs, models, records, partial, sums, runs, locks]

    static let useLock = "use.lock"
    static let publishLock = "publish.lock"
    /// See ``IngestTurns``.
    static let ingestLock = "ingest.lock"
    static let keptRuns = 100
    /// In ``runs``.
    static let failedHosts = "failed-hosts"
    /// In ``runs``: see ``VerificationDates``.
    static let verified = "verified"

    /// The folder of a blob below ``blobs``: the first two hex digits.
    static func blobFolder(_ digest: SHA256Digest) -> String { String(digest.hex.prefix(2)) }

    /// A blob's path below ``blobs``.
    static func blobPath(_ digest: SHA256Digest) -> String { "\(blobFolder(digest))/\(digest.hex)" }

    /// Appends a blob's path below ``blobs``, with a NUL: for looking at many without making strings.
    static func appendBlobPath(_ digest: SHA256Digest, to path: inout [UInt8]) {
        digest.appendHex(to: &path)
        path.insert(contentsOf: [path[0], path[1], UInt8(ascii: "/")], at: 0)
        path.append(0)
    }

    /// `owner` is the part of the name that makes it one store's alone, where locks don't.
    static func partialFile(_ digest: SHA256Digest, _ owner: String = "") -> String { digest.hex + owner + ".part" }
    static func journalFile(_ digest: SHA256Digest, _ owner: String = "") -> String { digest.hex + owner + ".json" }

    /// The file of what is about to be a blob, and has no bytes worth keeping.
    static func passingFile(_ digest: SHA256Digest) -> String {
        partialFile(digest, ".\(random())")
    }

    /// The digest of a partial's file name; nil for other files.
    static func digest(ofPartial name: String) -> SHA256Digest? {
        name.hasSuffix(".part") ? try? SHA256Digest(hex: String(name.dropLast(5))) : nil
    }

    /// A name in ``partial`` that nothing else has, for what is being built or taken apart.
    static func temporaryName(_ kind: String) -> String {
        "\(kind)-\(random())"
    }

    /// What makes a name its maker's alone.
    static func random() -> String { String(UInt64.random(in: 0...UInt64.max), radix: 16) }

    /// A record's folder and file below ``records``. A segment that ends in `.json` gets a `%` as a folder, which no
    /// name may have: else the record of `a` and the folder of `a.json/b` would be one path.
    static func record(_ name: ModelName) -> (folder: String, file: String) {
        var segments = name.text.split(separator: "/").map { $0.hasSuffix(".json") ? $0 + "%" : String($0) }
        let last = name.text.split(separator: "/").last.map(String.init) ?? name.text
        segments.removeLast()
        return (segments.joined(separator: "/"), last + ".json")
    }

    /// Beside a record: what a publication is about to show, until it is shown. No model's record has such a name.
    static func announcement(_ record: String) -> String { ".\(record).next" }

    /// The model that a record, or an announcement, is of; nil for other files.
    static func model(ofRecord name: String, in folders: [String]) -> ModelName? {
        var last = name[...]
        if last.hasPrefix("."), last.hasSuffix(".json.next") { last = last.dropFirst().dropLast(5) }
        guard !last.hasPrefix("."), last.hasSuffix(".json") else { return nil }
        let segments = folders.map { $0.hasSuffix("%") ? String($0.dropLast()) : $0 } + [String(last.dropLast(5))]
        return try? ModelName(segments.joined(separator: "/"))
    }

    /// A model's folder's parent below ``models``, and its own name there.
    static func modelFolder(_ name: ModelName) -> (parent: String, name: String) {
        let segments = name.text.split(separator: "/")
        return (segments.dropLast().joined(separator: "/"), segments.last.map(String.init) ?? name.text)
    }

    /// In ``active``: held by a run for its life; the name that it has until then; and what the run tells of itself.
    static func activeLock(_ run: String) -> String { "\(run).lock" }
    static func activeLockBegun(_ run: String) -> String { ".\(run).lock.tmp" }
    static func activeStatus(_ run: String) -> String { "\(run).json" }

    /// What is asked of a run (`cancel`), or answered (`answer`).
    static func activeRequest(_ request: String, of run: String, _ kind: String) -> String {
        "\(run).\(request).\(kind)"
    }

    /// The request's id of such a name.
    static func request(_ name: String, of run: String, _ kind: String) -> String? {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 3 && parts[0] == run && parts[2] == kind ? String(parts[1]) : nil
    }

    /// The run that a name in ``active`` is about.
    static func activeRun(_ name: String) -> String? { name.split(separator: ".").first.map(String.init) }
}
