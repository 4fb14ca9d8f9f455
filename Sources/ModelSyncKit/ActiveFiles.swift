/// The files that a run is at, by what it tells of them.
struct ActiveFiles: Sendable {
    private struct Key: Hashable {
        var model: String
        var path: String
    }

    private struct Entry {
        var file: ActiveRun.File
        let order: Int
        var toldAt: Duration
    }

    /// A rate is of the last bytes that came: after so long it is none any more.
    private static let silence = Duration.seconds(5)

    private var entries: [Key: Entry] = [:]
    private var begun = 0
    /// Another one after each change.
    private(set) var version = 0

    /// Takes an event; `now` is of any clock that never goes back.
    mutating func observe(_ event: SyncEvent, now: Duration) {
        switch event {
        case .waiting(let model, let path):
            set(.waiting, DownloadProgress(model: model, path: path, bytes: 0, total: 0), now)
        case .started(let model, let path, let size, let resumed):
            set(.transferring, DownloadProgress(model: model, path: path, bytes: resumed, total: size), now)
        case .progress(let progress):
            set(progress.isComplete ? .verifying : .transferring, progress, now)
        case .retrying(let model, let path, _, _, _):
            guard var progress = entries[Key(model: model, path: path)]?.file.progress else { return }
            (progress.bytesPerSecond, progress.secondsLeft) = (0, nil)
            set(.retrying, progress, now)
        case .finished(let result):
            guard entries.removeValue(forKey: Key(model: result.model, path: result.path)) != nil else { return }
            version += 1
        case .planned, .verifying, .verified, .note: break
        }
    }

    private mutating func set(_ state: ActiveRun.State, _ progress: DownloadProgress, _ now: Duration) {
        let key = Key(model: progress.model, path: progress.path)
        let order = entries[key]?.order ?? begun
        if order == begun { begun += 1 }
        entries[key] = Entry(file: ActiveRun.File(state: state, progress: progress), order: order, toldAt: now)
        version += 1
    }

    /// In the order in which they began.
    func files(now: Duration) -> [ActiveRun.File] {
        entries.values.sorted { $0.order < $1.order }.map { entry in
            var file = entry.file
            if now - entry.toldAt >= Self.silence {
                (file.progress.bytesPerSecond, file.progress.secondsLeft) = (0, nil)
            }
            return file
        }
    }
}
