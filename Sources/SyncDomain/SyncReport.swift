/// What became of one path.
public enum ResultOutcome: String, Sendable, Hashable, CaseIterable {
    case downloaded, repaired, updated, linked, kept, removed, failed, cancelled, skipped, unmanaged

    /// Whether the path is now as the manifest says.
    public var isSuccess: Bool {
        switch self {
        case .downloaded, .repaired, .updated, .linked, .kept, .removed, .unmanaged: true
        case .failed, .cancelled, .skipped: false
        }
    }
}

/// One request to one source.
public struct TransferAttempt: Sendable, Hashable {
    /// Redacted.
    public var url: String
    /// By the wall clock.
    public var startedAt: Timestamp
    /// How long it took, by the monotonic clock.
    public var seconds: Double
    /// Body bytes that were taken.
    public var bytes: Int64
    /// Of the last response; nil if none came, or for `file` URLs.
    public var httpStatus: Int?
    /// Why it ended without all bytes; nil where they came.
    public var error: SyncError?

    /// Takes the parts as they are; `url` must be redacted already.
    public init(
        url: String, startedAt: Timestamp, seconds: Double, bytes: Int64, httpStatus: Int? = nil,
        error: SyncError? = nil
    ) {
        self.url = url
        self.startedAt = startedAt
        self.seconds = seconds
        self.bytes = bytes
        self.httpStatus = httpStatus
        self.error = error
    }
}

/// What fetching one file took.
public struct TransferStatistics: Sendable, Hashable {
    /// The source that gave the bytes, redacted.
    public var source: String?
    /// Over the network in this run.
    public var bytesDownloaded: Int64
    /// Found partial and used.
    public var bytesResumed: Int64
    /// Of a file that did not come whole: bytes that are there for the next run to go on from. Not part of the JSON.
    public var bytesKept: Int64 = 0
    /// From the first attempt until the blob was in the store or was given up: waits between attempts count.
    public var seconds: Double
    /// Of the first attempt, by the wall clock.
    public var startedAt: Timestamp
    /// In the order made.
    public var attempts: [TransferAttempt]

    /// A fetch that has brought nothing yet, unless it is said.
    public init(
        source: String? = nil, bytesDownloaded: Int64 = 0, bytesResumed: Int64 = 0, seconds: Double = 0,
        startedAt: Timestamp, attempts: [TransferAttempt] = []
    ) {
        self.source = source
        self.bytesDownloaded = bytesDownloaded
        self.bytesResumed = bytesResumed
        self.seconds = seconds
        self.startedAt = startedAt
        self.attempts = attempts
    }

    /// Counts an attempt. One that only goes on with what the one before brought from the same source is told with it.
    public mutating func add(_ attempt: TransferAttempt) {
        bytesDownloaded += attempt.bytes
        guard let last = attempts.last, last.error == nil, last.url == attempt.url else {
            return attempts.append(attempt)
        }
        attempts[attempts.count - 1].seconds += attempt.seconds
        attempts[attempts.count - 1].bytes += attempt.bytes
        attempts[attempts.count - 1].httpStatus = attempt.httpStatus
        attempts[attempts.count - 1].error = attempt.error
    }

    /// Counts what other connections brought meanwhile.
    public mutating func add(help: [TransferAttempt]) {
        attempts += help
        bytesDownloaded += help.reduce(0) { $0 + $1.bytes }
    }

    /// Nil where nothing was fetched.
    public var bytesPerSecond: Double? {
        bytesDownloaded > 0 && seconds > 0 ? Double(bytesDownloaded) / seconds : nil
    }
}

/// What a run did for one path of one model.
public struct DownloadResult: Sendable, Hashable {
    /// The model's name.
    public var model: String
    /// The file's path inside the model.
    public var path: String
    /// Nil for an unmanaged file, whose digest nobody asked for.
    public var sha256: SHA256Digest?
    /// Bytes.
    public var size: Int64
    /// What became of it.
    public var outcome: ResultOutcome
    /// The absolute path to load it from; nil where it is not there.
    public var file: String?
    /// Nil where nothing had to be fetched for it.
    public var transfer: TransferStatistics?
    /// What failed; nil where nothing did.
    public var error: SyncError?

    /// Takes the parts as they are.
    public init(
        model: String, path: String, sha256: SHA256Digest?, size: Int64, outcome: ResultOutcome, file: String? = nil,
        transfer: TransferStatistics? = nil, error: SyncError? = nil
    ) {
        self.model = model
        self.path = path
        self.sha256 = sha256
        self.size = size
        self.outcome = outcome
        self.file = file
        self.transfer = transfer
        self.error = error
    }

    /// Whether the path is now as the manifest says.
    public var isSuccess: Bool { outcome.isSuccess }
}

/// How far a run was at one moment.
public struct RunSample: Sendable, Hashable {
    /// Since the run began, by the monotonic clock.
    public var seconds: Double
    /// Bytes that had come over the network, or from a local source, by then.
    public var bytesDownloaded: Int64
    /// Bytes of what was here already that had been hashed by then.
    public var bytesHashed: Int64

    /// Takes the parts as they are.
    public init(seconds: Double, bytesDownloaded: Int64, bytesHashed: Int64) {
        self.seconds = seconds
        self.bytesDownloaded = bytesDownloaded
        self.bytesHashed = bytesHashed
    }
}

/// How a run ended as a whole.
public enum RunOutcome: String, Sendable, Hashable, CaseIterable {
    case ok, failed, cancelled
}

/// The record of one run.
public struct SyncReport: Sendable {
    /// The name of the JSON form and its version.
    public static let schema = "modelsync.report/1"

    /// Unique to the run, and fit for a file's name.
    public var runID: String
    /// The subcommand that ran.
    public var command: String
    /// Of this program.
    public var toolVersion: String
    /// The name of the machine that ran it.
    public var host: String
    /// By the wall clock, as ``finishedAt``.
    public var startedAt: Timestamp
    /// May be before ``startedAt`` if the clock was set meanwhile: ``seconds`` tells how long it took.
    public var finishedAt: Timestamp
    /// By the monotonic clock.
    public var seconds: Double
    /// What was read, in the order given.
    public var manifests: [ManifestSource]
    /// The store's folder, absolute.
    public var store: String
    /// How it ended as a whole.
    public var outcome: RunOutcome
    /// Bytes that were hashed: those that were looked at, and those that were fetched and kept.
    public var bytesVerified: Int64
    /// Of the blobs that a verification looked at, when the one that was hashed longest ago was; nil where none was looked at.
    public var oldestVerification: Timestamp?
    /// How far the run was as time went by: at most 600, the last at its end; none where no bytes moved.
    public var samples: [RunSample] = []
    /// One for each path, in the plan's order; the unmanaged ones come last.
    public var results: [DownloadResult]
    /// Why the run failed as a whole, where it is not one file's fault.
    public var error: SyncError?
    /// What is worth telling a person, and is no failure. Not part of the JSON.
    public var notes: [String]
    /// Where it was kept, if it was. Not part of the JSON.
    public var storedPath: String?

    /// Takes the parts as they are.
    public init(
        runID: String, command: String, toolVersion: String, host: String, startedAt: Timestamp, finishedAt: Timestamp,
        seconds: Double, manifests: [ManifestSource], store: String, outcome: RunOutcome, bytesVerified: Int64,
        results: [DownloadResult], error: SyncError? = nil, notes: [String] = []
    ) {
        self.runID = runID
        self.command = command
        self.toolVersion = toolVersion
        self.host = host
        self.startedAt = startedAt
        self.finishedAt = finishedAt
        self.seconds = seconds
        self.manifests = manifests
        self.store = store
        self.outcome = outcome
        self.bytesVerified = bytesVerified
        self.results = results
        self.error = error
        self.notes = notes
    }

    /// How many results have each outcome.
    public var counts: [ResultOutcome: Int] {
        // Equal neighbours at once: a look into the dictionary for each of a hundred thousand is felt.
        let results = results.span
        var out: [ResultOutcome: Int] = [:]
        var start = 0
        while start < results.count {
            let outcome = results[start].outcome
            var end = start + 1
            while end < results.count, results[end].outcome == outcome { end += 1 }
            out[outcome, default: 0] += end - start
            start = end
        }
        return out
    }

    /// Bytes that came over the network.
    public var bytesDownloaded: Int64 { sum { $0.transfer?.bytesDownloaded ?? 0 } }

    /// Bytes of unfinished downloads that were used.
    public var bytesResumed: Int64 { sum { $0.transfer?.bytesResumed ?? 0 } }

    /// Bytes that were here already and had not to be fetched.
    public var bytesReused: Int64 { sum { $0.outcome == .kept || $0.outcome == .linked ? $0.size : 0 } }

    /// The sum over all results. In place: each copy of a result counts references up and down.
    package func sum(_ bytes: (borrowing DownloadResult) -> Int64) -> Int64 {
        let results = results.span
        var total: Int64 = 0
        for index in results.indices { total += bytes(results[index]) }
        return total
    }
}
