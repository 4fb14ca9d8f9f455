import ModelSyncKit

@testable import modelsync

/// A plan to fetch files of these sizes, of which so many bytes are here already.
func plan(_ sizes: [Int64], partial: Int64 = 0) throws -> SyncPlan {
    let source = try SourceURL("https://models.example.org/f")
    let digest = try SHA256Digest(hex: Array(repeating: UInt8(ascii: "a"), count: 64)[...])
    let fetches = sizes.indices.map { PlannedFetch(sha256: digest, size: sizes[$0], sources: [source], item: $0) }
    let item = PlanItem(
        model: 0, target: .file(0), action: .download, reason: "", bytesToFetch: sizes.reduce(0, +) - partial,
        bytesPartial: partial)
    return SyncPlan(manifest: Manifest(applied: []), items: [item], fetches: fetches)
}

/// How one file ended.
func result(_ path: String, _ size: Int64, _ outcome: ResultOutcome, _ error: SyncError? = nil) -> DownloadResult {
    DownloadResult(model: "m", path: path, sha256: nil, size: size, outcome: outcome, error: error)
}

extension ProgressBoard {
    /// A board that has heard these events at their times; measured after each.
    init(_ events: [(time: Double, event: SyncEvent)]) {
        self.init(now: 0)
        for (time, event) in events {
            apply(event, at: time)
            measure(at: time)
        }
    }

    /// Of a run that fetches files of these sizes: of each so many bytes are here.
    static func running(_ files: [(path: String, size: Int64, bytes: Int64)], of count: Int? = nil) throws -> Self {
        var sizes = files.map(\.size)
        if let count { sizes += Array(repeating: 0, count: count - files.count) }
        var events: [(time: Double, event: SyncEvent)] = [(0, .planned(try plan(sizes)))]
        for file in files { events.append((0, .started(model: "m", path: file.path, size: file.size, resumedFrom: 0))) }
        for file in files where file.bytes > 0 {
            let rate = Double(file.bytes) / 10
            events.append(
                (
                    10,
                    .progress(
                        DownloadProgress(
                            model: "m", path: file.path, bytes: file.bytes, total: file.size, bytesPerSecond: rate))
                ))
        }
        return Self(events)
    }

    /// What two files look like that are half here after ten seconds.
    static func half() throws -> Self {
        try running([("weights.safetensors", 4_000_000_000, 2_000_000_000), ("config.json", 2000, 1000)], of: 12)
    }
}
