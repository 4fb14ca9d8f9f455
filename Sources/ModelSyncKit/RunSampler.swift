internal import SyncEngine
internal import Synchronization

/// Hears a run's events, keeps samples of how far it is, and passes them on.
final class RunSampler: SyncObserver {
    private struct State {
        var tally = ByteTally()
        var series = SampleSeries()
    }

    private let next: any SyncObserver
    private let clock: RunClock
    private let began: Duration
    private let state = Mutex(State())

    /// The run begins now.
    init(telling next: any SyncObserver, clock: RunClock) {
        self.next = next
        self.clock = clock
        began = clock.monotonic()
    }

    func observe(_ event: SyncEvent) {
        let seconds = (clock.monotonic() - began).seconds
        state.withLock { state in
            if state.tally.take(event) { state.series.add(state.tally.sample(at: seconds)) }
        }
        next.observe(event)
    }

    /// All that were kept, and one of the end; none where no bytes moved.
    func samples(until seconds: Double) -> [RunSample] {
        state.withLock { state in
            let last = state.tally.sample(at: seconds)
            if last.bytesDownloaded == 0 && last.bytesHashed == 0 { return [] }
            var series = state.series
            series.end(with: last)
            return series.samples
        }
    }
}

/// Adds up the bytes that events tell of, each once.
struct ByteTally {
    private struct File: Hashable {
        var model: String
        var path: String
    }

    private struct Running {
        /// That are there, as it was told last.
        var bytes: Int64
        /// Of them, those that came in this run and are in the sum.
        var counted: Int64 = 0
    }

    private var running: [File: Running] = [:]
    private var downloaded: Int64 = 0
    private var hashed: Int64 = 0

    /// - Returns: whether a sum has changed.
    mutating func take(_ event: SyncEvent) -> Bool {
        switch event {
        case .started(let model, let path, _, let resumed):
            running[File(model: model, path: path)] = Running(bytes: resumed)
            return false
        case .progress(let progress): return take(progress)
        case .finished(let result): return take(result)
        case .verified(let bytes):
            hashed += bytes
            return true
        case .planned, .waiting, .retrying, .verifying, .note: return false
        }
    }

    private mutating func take(_ progress: DownloadProgress) -> Bool {
        let file = File(model: progress.model, path: progress.path)
        guard var seen = running[file] else { return false }
        // Fewer than before: it was begun again, from its start.
        let new = progress.bytes >= seen.bytes ? progress.bytes - seen.bytes : progress.bytes
        seen.bytes = progress.bytes
        seen.counted += new
        downloaded += new
        running[file] = seen
        return true
    }

    /// The result has the true figure. A file that is told of once more is no longer running.
    private mutating func take(_ result: DownloadResult) -> Bool {
        guard let seen = running.removeValue(forKey: File(model: result.model, path: result.path)) else { return false }
        downloaded += (result.transfer?.bytesDownloaded ?? 0) - seen.counted
        return true
    }

    func sample(at seconds: Double) -> RunSample {
        RunSample(seconds: seconds, bytesDownloaded: downloaded, bytesHashed: hashed)
    }
}

/// Samples that are never too many: when they are, every second one goes, and from then on they are kept half as often.
struct SampleSeries {
    static let limit = 600

    private(set) var samples: [RunSample] = []
    private var intervalSeconds = 0.01

    /// Keeps it, if the last one is long enough ago.
    mutating func add(_ sample: RunSample) {
        if let last = samples.last, sample.seconds - last.seconds < intervalSeconds { return }
        keep(sample)
    }

    /// Keeps it in any case.
    mutating func end(with sample: RunSample) {
        if let last = samples.last, last.seconds >= sample.seconds { samples.removeLast() }
        keep(sample)
    }

    private mutating func keep(_ sample: RunSample) {
        if samples.count == Self.limit {
            samples = stride(from: 1, to: samples.count, by: 2).map { samples[$0] }
            intervalSeconds *= 2
        }
        samples.append(sample)
    }
}
