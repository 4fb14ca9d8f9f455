internal import SyncDomain
internal import Synchronization

/// Tells of the progress of one file, however many connections bring it. Safe to use from any thread.
final class FileMeter: Sendable {
    private let job: Fetcher.Job
    private let clock: RunClock
    private let observer: any SyncObserver
    private let state: Mutex<(meter: ProgressMeter, count: Int64)>

    init(_ job: Fetcher.Job, bytes: Int64, clock: RunClock, observer: any SyncObserver) {
        self.job = job
        self.clock = clock
        self.observer = observer
        state = Mutex((ProgressMeter(total: job.fetch.size, bytes: bytes, now: clock.monotonic().seconds), bytes))
    }

    func add(_ bytes: Int) {
        let now = clock.monotonic().seconds
        let update: (count: Int64, rate: Double, left: Double?)? = state.withLock { state in
            state.count += Int64(bytes)
            return state.meter.update(bytes: state.count, now: now).map { (state.count, $0.rate, $0.secondsLeft) }
        }
        guard let update else { return }
        observer.observe(
            .progress(
                DownloadProgress(
                    model: job.model, path: job.path, bytes: update.count, total: job.fetch.size,
                    bytesPerSecond: update.rate, secondsLeft: update.left)))
    }

    /// The file comes from its start.
    func startOver() {
        let dropped = state.withLock { state in
            defer { state.count = 0 }
            return state.count
        }
        guard dropped > 0 else { return }
        observer.observe(
            .note(
                "\(job.subject): the source sends the file from its start; \(dropped) bytes that were here are fetched again"
            ))
    }

    /// The bytes that were there are gone.
    func reset() { state.withLock { $0.count = 0 } }
}

/// Takes the bytes of one request: those that are of its claim go into the store, and after them it ends the request.
final class FileSink: TransferSink {
    private struct State {
        /// Where a claim that does not follow what is there is written.
        var segment: (any BlobSegment)?
        /// How many bytes the answer has, and how many of them were taken.
        var expected: Int64
        var taken: Int64 = 0
        var hasStartedOver = false
        var isRefused = false
        var isDone = false
    }

    private let ingest: any BlobIngest
    private let file: SharedFile
    private let claim: RangeBoard.Claim
    private let source: SourceURL
    private let host: HostKey?
    private let meter: FileMeter
    private let pool: ConnectionPool
    /// A helper may not drop what others have brought.
    private let isHelper: Bool
    private let state: Mutex<State>

    init(
        _ ingest: any BlobIngest, _ file: SharedFile, _ claim: RangeBoard.Claim, _ source: SourceURL,
        _ host: HostKey?, _ meter: FileMeter, _ pool: ConnectionPool, isHelper: Bool = false
    ) {
        self.ingest = ingest
        self.file = file
        self.claim = claim
        self.source = source
        self.host = host
        self.meter = meter
        self.pool = pool
        self.isHelper = isHelper
        state = Mutex(State(expected: Int64(claim.range.count)))
    }

    /// The source sent the file from its start where the rest was asked for.
    var hasStartedOver: Bool { state.withLock { $0.hasStartedOver } }
    /// The source sent the whole file where a part was asked for.
    var isRefused: Bool { state.withLock { $0.isRefused } }
    /// The request was ended because all of the claim had come.
    var isDone: Bool { state.withLock { $0.isDone } }
    /// Bytes that went into the store.
    var taken: Int64 { state.withLock { $0.taken } }

    func begin(at offset: Int64, validator: Validator?) throws(SyncError) {
        // Its answer was on the way when another connection took over: that one's bytes are not to be dropped for it.
        if file.wasTakenOver(claim) { throw .cancelled("the part is another connection's") }
        let start = claim.range.lowerBound
        if offset != start {
            guard !isHelper else {
                state.withLock { $0.isRefused = true }
                throw SyncError(
                    .protocolViolation, "\(source.redacted) sends the whole file where a part was asked for")
            }
            let size = file.startOver(claim)
            meter.startOver()
            state.withLock { state in
                state.hasStartedOver = true
                state.expected = size
            }
        }
        // The file from its start may be all of it.
        if offset > 0 { file.didSendPart(source) }
        file.know(validator, of: source)
        if isHelper || offset > 0 && offset != ingest.missing.first?.lowerBound {
            let segment = try ingest.segment(at: offset)
            guard let segment else { throw SyncError(.storeIO, "the store takes no parts of files") }
            state.withLock { $0.segment = segment }
        } else {
            try ingest.begin(at: offset, validator: validator)
        }
    }

    func write(_ bytes: RawSpan) throws(SyncError) {
        let (count, isWhole) = file.take(claim, bytes.byteCount, from: source)
        let mine = bytes.extracting(first: count)
        if count > 0 {
            if let segment = state.withLock({ $0.segment }) { try segment.write(mine) } else { try ingest.write(mine) }
            meter.add(count)
            pool.didReceive(count, from: host)
            if isHelper { file.didBring(source) }
        }
        let mustEnd = state.withLock { state in
            state.taken += Int64(count)
            // What was cut off the claim since the request was made still comes; from a source without parts, all of the file.
            state.isDone = isWhole && (state.taken < state.expected || count < bytes.byteCount)
            return state.isDone
        }
        guard mustEnd else { return }
        throw .cancelled("the rest is another connection's")
    }

    /// After the request.
    func end() {
        // Else the last bytes of a part, held until a block is full, would keep all that follows from being hashed.
        if let segment = state.withLock({ $0.segment }) { segment.end() } else if !isHelper { ingest.pause() }
    }
}

/// One more connection for a file: part after part, as long as the pool lets it and there are any.
struct Helper {
    let fetcher: Fetcher
    let job: Fetcher.Job
    let ingest: any BlobIngest
    let file: SharedFile
    let meter: FileMeter

    /// Gives the slot back at its end.
    func run(_ slot: ConnectionPool.Slot) async {
        defer { fetcher.pool.leave(slot) }
        guard let source = file.source(of: slot.host) else { return }
        let (startedAt, started) = (fetcher.clock.wall(), fetcher.clock.monotonic())
        var attempt = TransferAttempt(url: source.redacted, startedAt: startedAt, seconds: 0, bytes: 0)
        var brought = RangeBoard.Brought()
        var isCut = false
        repeat {
            guard let claim = file.claim(isFirst: false, after: brought) else { break }
            let begun = fetcher.clock.monotonic()
            let outcome: TransferOutcome
            (outcome, isCut) = await transfer(claim, source)
            brought = .init(bytes: outcome.bytes, seconds: (fetcher.clock.monotonic() - begun).seconds)
            attempt.bytes += outcome.bytes
            attempt.httpStatus = outcome.httpStatus
            attempt.error = outcome.error
            if let error = outcome.error { giveUp(source, error, outcome, begun) }
        } while attempt.error == nil && !Task.isCancelled && fetcher.pool.mayStay(slot, for: file, isNew: isCut)
        attempt.seconds = (fetcher.clock.monotonic() - started).seconds
        // Whoever was no longer needed did not fail.
        if attempt.error?.code == .cancelled { attempt.error = nil }
        if attempt.bytes > 0 || attempt.error != nil { file.didHelp(attempt, source) }
    }

    /// - Returns: how it went, and whether another connection took a part of the claim: this one is closed then.
    private func transfer(_ claim: RangeBoard.Claim, _ source: SourceURL) async -> (TransferOutcome, isCut: Bool) {
        let sink = FileSink(ingest, file, claim, source, source.host, meter, fetcher.pool, isHelper: true)
        let request = TransferRequest(
            url: source, expectedSize: job.fetch.size, offset: claim.range.lowerBound, end: claim.range.upperBound,
            validator: ingest.validator(for: source) ?? file.validator(for: source), subject: job.subject)
        var outcome = await fetcher.ask(request, sink, file, claim)
        sink.end()
        let isCut = sink.isDone || outcome.error?.code == .cancelled && file.wasTakenOver(claim)
        if isCut { outcome.error = nil }
        let isWhole = file.release(claim)
        if sink.isRefused { file.refuseParts(source) }
        outcome.bytes = sink.taken
        if outcome.error == nil && !isWhole {
            outcome.error = SyncError(.sizeMismatch, "\(job.subject): \(source.redacted) sent less than was asked for")
        }
        return (outcome, isCut)
    }

    /// Of a source that is given up, the first connection finds out what to make: it asks it by the rules of retries.
    private func giveUp(_ source: SourceURL, _ error: SyncError, _ outcome: TransferOutcome, _ begun: Duration) {
        if error.code == .cancelled || Task.isCancelled { return }
        if let delay = outcome.retryAfter {
            // No helper of one file may stop the host for so long as the first connection would not wait either.
            guard delay > RetryPolicy.longestRetryAfter else { return fetcher.pool.hold(source.host, for: delay) }
        } else if error.isRetryable, !outcome.mustRestart {
            fetcher.pool.calm(source.host, isRefusal: outcome.bytes == 0)
            if outcome.bytes > 0 || !file.didFail(source, begun, now: fetcher.clock.monotonic()) { return }
        }
        file.drop(source)
        guard error.code.rawValue.hasPrefix("network") else { return }
        fetcher.pool.drop(source, because: error)
    }
}
