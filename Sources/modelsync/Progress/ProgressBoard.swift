import ModelSyncKit

/// What a run is doing, gathered from its events. Pure: times are seconds of any origin, and come from outside.
struct ProgressBoard {
    /// A silence that is worth telling.
    private static let stallSeconds = 10.0

    struct FileName: Hashable {
        var model: String
        var path: String
    }

    /// A file that is being fetched.
    struct File {
        var name: FileName
        /// Which of the run it is, by its start.
        let number: Int
        let startedAt: Double
        let size: Int64
        var bytes: Int64
        /// Bytes from before this run, as long as they are among those that are there.
        var resumed: Int64
        fileprivate var toldRate = 0.0
        /// When the last bytes were told of.
        fileprivate(set) var changedAt: Double
        /// When the next attempt begins; nil once bytes have come since.
        fileprivate(set) var retryAt: Double?

        /// All bytes are there.
        var isVerifying: Bool { bytes >= size && retryAt == nil }

        /// For how long nothing has come, if that is long.
        func silence(at now: Double) -> Double? {
            now - changedAt >= ProgressBoard.stallSeconds ? now - changedAt : nil
        }

        /// It sinks when nothing is told for longer than is usual.
        func bytesPerSecond(at now: Double) -> Double {
            let silence = now - changedAt - 1
            return silence > 0 ? toldRate * RateMeter.memorySeconds / (silence + RateMeter.memorySeconds) : toldRate
        }
    }

    enum Phase {
        /// Names and times are looked at.
        case looking
        /// What must be looked into is hashed; nil while nobody knows how much that is.
        case hashing(total: Int64?)
        /// Files come, and are shown.
        case fetching
    }

    private(set) var phase = Phase.looking
    /// Files to fetch, those that are done with, and those that failed.
    private(set) var fileCount = 0
    private(set) var filesDone = 0
    private(set) var failures = 0
    /// Bytes hashed before the plan; after it, bytes to fetch that are there.
    private(set) var bytes: Int64 = 0
    private(set) var running: [FileName: File] = [:]
    private var lastBytesAt: Double
    private var toFetch: Int64 = 0
    /// Bytes to fetch of files that were given up.
    private var lost: Int64 = 0
    private var started = 0
    private var meter: RateMeter

    init(now: Double) {
        meter = RateMeter(now: now)
        lastBytesAt = now
    }

    /// Nil where it is not known.
    var total: Int64? {
        switch phase {
        case .looking: nil
        case .hashing(let total): total
        case .fetching: toFetch
        }
    }

    /// Of the run as a whole, when it was last measured.
    var bytesPerSecond: Double { meter.rate }

    /// Nil where it is not known.
    var secondsLeft: Double? {
        guard let total, meter.rate > 0 else { return nil }
        return Double(max(0, total - lost - bytes)) / meter.rate
    }

    /// For how long nothing has come, if that is long and something is awaited.
    func silence(at now: Double) -> Double? {
        guard case .fetching = phase, running.values.contains(where: { !$0.isVerifying }) else { return nil }
        return now - lastBytesAt >= Self.stallSeconds ? now - lastBytesAt : nil
    }

    /// In the order of their start.
    var files: [File] { running.values.sorted { $0.number < $1.number } }

    /// Now and then, also when no event comes: so that rates sink when nothing does.
    mutating func measure(at now: Double) { meter.sample(bytes, now: now) }

    mutating func apply(_ event: SyncEvent, at now: Double) {
        switch event {
        case .verifying(let total): phase = .hashing(total: total)
        case .verified(let count):
            if case .looking = phase { phase = .hashing(total: nil) }
            bytes += count
        case .planned(let plan):
            phase = .fetching
            (fileCount, toFetch, bytes) = (plan.fetches.count, plan.bytesToFetch, 0)
            meter = RateMeter(now: now)
            lastBytesAt = now
        case .started(let model, let path, let size, let resumed):
            let name = FileName(model: model, path: path)
            started += 1
            running[name] = File(
                name: name, number: started, startedAt: now, size: size, bytes: resumed, resumed: resumed,
                changedAt: now)
        case .progress(let progress): apply(progress, at: now)
        case .retrying(let model, let path, _, let delay, _):
            running[FileName(model: model, path: path)]?.retry(at: now + delay.seconds)
        case .finished(let result): finish(result)
        case .waiting, .note: break
        }
    }

    private mutating func apply(_ progress: DownloadProgress, at now: Double) {
        let name = FileName(model: progress.model, path: progress.path)
        guard var file = running[name] else { return }
        let before = file.bytes - file.resumed
        if progress.bytes < file.resumed {
            // The source sent the file from its start: what was there comes again.
            toFetch += file.resumed
            file.resumed = 0
        }
        if progress.bytes != file.bytes { (file.changedAt, lastBytesAt) = (now, now) }
        (file.bytes, file.toldRate, file.retryAt) = (progress.bytes, progress.bytesPerSecond, nil)
        bytes += file.bytes - file.resumed - before
        running[name] = file
    }

    private mutating func finish(_ result: DownloadResult) {
        if result.outcome == .failed { failures += 1 }
        // Those that are told later were not fetched on their own account.
        guard filesDone < fileCount else { return }
        filesDone += 1
        let file = running.removeValue(forKey: FileName(model: result.model, path: result.path))
        let missing = file.map { $0.size - $0.bytes } ?? result.size
        if result.isSuccess {
            bytes = min(toFetch, bytes + missing)
            // Another process has brought it: that is no speed of this one.
            if file == nil { meter.skip(missing) }
        } else {
            lost += missing
        }
    }
}

extension ProgressBoard.File {
    fileprivate mutating func retry(at time: Double) {
        retryAt = time
        toldRate = 0
    }
}

/// How fast a count grows, smoothed over the last seconds.
struct RateMeter {
    /// How much of the past the rate remembers.
    static let memorySeconds = 5.0
    private static let intervalSeconds = 0.5

    private(set) var rate = 0.0
    private var lastTime: Double
    private var lastCount: Int64 = 0

    /// Starts to measure at 0.
    init(now: Double) { lastTime = now }

    /// Does nothing where the last sample is too fresh.
    mutating func sample(_ count: Int64, now: Double) {
        let elapsed = now - lastTime
        guard elapsed >= Self.intervalSeconds else { return }
        let current = Double(max(0, count - lastCount)) / elapsed
        // The weight grows with the time that the sample spans, so that the smoothing is the same at any pace.
        rate = rate == 0 ? current : rate + (current - rate) * elapsed / (elapsed + Self.memorySeconds)
        (lastTime, lastCount) = (now, count)
    }

    /// Leaves so many out of what is counted.
    mutating func skip(_ count: Int64) { lastCount += count }
}
