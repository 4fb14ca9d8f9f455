internal import SyncDomain

/// One transfer from its first hop to its outcome: what libcurl reports comes in, what reaches the sink goes out.
///
/// Knows nothing of libcurl's handles. Used by one thread alone, the loop's.
final class Exchange {
    /// What to do after a hop has ended.
    enum Step {
        /// Ask ``url``, which has changed.
        case hop
        case done(TransferOutcome)
    }

    private enum Phase {
        case head
        case body(BodyMeter)
        /// The body is wrong; its first bytes are gathered to tell what it is.
        case inspecting(TransferFault)
        /// The body is of no interest, but read to its end where that is near: then the connection can be used again.
        case discarding(Result<SourceURL, TransferFault>)
        case failed(TransferFault)
        /// The sink threw: its words are final.
        case stopped(SyncError)
    }

    /// Most bytes and most time for a body of no interest.
    static let discardLimitBytes = 64 * 1024
    static let discardLimit = Duration.seconds(2)
    static let firstBytesLimit = 512

    let request: TransferRequest
    private(set) var url: SourceURL
    /// Whether this hop's answer came over a connection that other requests may share at once.
    private(set) var isMultiplexed = false
    /// The same of all hops so far.
    private var areMultiplexed = true

    private let sink: any TransferSink
    private var redirects = RedirectPolicy()
    private var reader = HeadReader()
    private var gate: ResponseGate
    private var phase = Phase.head
    private var outcome = TransferOutcome()
    private var discardedBytes = 0
    private var discardDeadline: ContinuousClock.Instant?

    init(_ request: TransferRequest, into sink: any TransferSink) {
        self.request = request
        self.sink = sink
        url = request.url
        gate = ResponseGate(
            expectedSize: request.expectedSize, offset: request.offset, end: request.end, validator: request.validator)
    }

    /// A request to ``url`` is about to be made, showing that credential.
    func beginHop(_ credential: StatusRule.Credential) {
        gate.credential = credential
        reader = HeadReader()
        phase = .head
        discardedBytes = 0
        discardDeadline = nil
        isMultiplexed = false
        outcome.contentType = nil
        outcome.firstBytes = []
    }

    /// One header line, its end included.
    ///
    /// - Returns: false to end the request here.
    func header(_ line: Span<UInt8>) -> Bool {
        guard case .head = phase else { return true }
        switch reader.take(line) {
        case .more: return true
        case .refused(let what):
            phase = .failed(TransferFault(.protocolViolation, what))
            return false
        case .complete(let head):
            outcome.httpStatus = head.status
            outcome.contentType = head.contentType
            isMultiplexed = head.isMultiplexed
            areMultiplexed = areMultiplexed && isMultiplexed
            outcome.isMultiplexed = areMultiplexed
            outcome.declaredSize = gate.declaredSize(head)
            return admit(gate.admit(head))
        }
    }

    private func admit(_ admission: ResponseGate.Admission) -> Bool {
        switch admission {
        case .begin(let offset, let end, let validator):
            do {
                try sink.begin(at: offset, validator: validator)
            } catch {
                phase = .stopped(error)
                return false
            }
            phase = .body(BodyMeter(from: offset, end: end))
        case .redirect(let location):
            do {
                discard(.success(try redirects.follow(location, from: url)))
            } catch {
                discard(.failure(error))
            }
        case .refuse(let fault):
            // An answer with the bytes of a file can be long: only what a server says in place of it is read on.
            guard let status = outcome.httpStatus, status >= 300 else {
                phase = .failed(fault)
                return false
            }
            discard(.failure(fault))
        case .inspect(let fault): phase = .inspecting(fault)
        }
        return true
    }

    private func discard(_ then: Result<SourceURL, TransferFault>) {
        discardDeadline = .now + Self.discardLimit
        phase = .discarding(then)
    }

    /// The next bytes of the body.
    ///
    /// - Returns: false to end the request here.
    func body(_ bytes: RawSpan) -> Bool {
        switch phase {
        case .body(var meter):
            let (take, overruns) = meter.admit(bytes.byteCount)
            phase = .body(meter)
            guard write(bytes.extracting(first: take), endingAt: meter.position) else { return false }
            if overruns { phase = .failed(meter.overrun()) }
            return !overruns
        case .inspecting:
            keepFirstBytes(bytes)
            return outcome.firstBytes.count < Self.firstBytesLimit
        case .discarding:
            discardedBytes += bytes.byteCount
            return discardedBytes <= Self.discardLimitBytes
        case .head, .failed, .stopped: return false
        }
    }

    private func write(_ bytes: RawSpan, endingAt end: Int64) -> Bool {
        if bytes.isEmpty { return true }
        // All that is before the end came in this answer: it started at the file's first byte.
        if end == outcome.bytes + Int64(bytes.byteCount) { keepFirstBytes(bytes) }
        do {
            try sink.write(bytes)
        } catch {
            phase = .stopped(error)
            return false
        }
        outcome.bytes += Int64(bytes.byteCount)
        return true
    }

    private func keepFirstBytes(_ bytes: RawSpan) {
        let room = Self.firstBytesLimit - outcome.firstBytes.count
        if room <= 0 { return }
        unsafe bytes.extracting(first: min(room, bytes.byteCount)).withUnsafeBytes { unsafe outcome.firstBytes += $0 }
    }

    /// Whether a body of no interest takes so long to end that the connection is not worth it.
    func isOverdue(_ now: ContinuousClock.Instant) -> Bool {
        discardDeadline.map { $0 <= now } ?? false
    }

    /// The hop has ended: with what libcurl made of it, nil if the answer came whole, and what the server asked for.
    func end(_ fault: TransferFault?, retryAfter: Duration?) -> Step {
        switch phase {
        case .head:
            return .done(
                finish(fault ?? TransferFault(.protocolViolation, "the answer has no end to its header"), retryAfter))
        case .body(let meter): return .done(finish(conclude(meter, fault), nil))
        case .inspecting(let fault):
            let diagnosis = Diagnosis.of(contentType: outcome.contentType, firstBytes: outcome.firstBytes)
            return .done(finish(fault.diagnosed(diagnosis), nil))
        case .discarding(.success(let target)):
            url = target
            return .hop
        case .discarding(.failure(let fault)), .failed(let fault): return .done(finish(fault, retryAfter))
        case .stopped(let error):
            outcome.error = error
            return .done(outcome)
        }
    }

    private func conclude(_ meter: BodyMeter, _ fault: TransferFault?) -> TransferFault? {
        guard var fault else {
            guard let short = meter.shortfall() else { return nil }
            // The answer came whole, and is something else: its rest does not exist.
            let found = Diagnosis.of(contentType: outcome.contentType, firstBytes: outcome.firstBytes)
            guard let found, let end = meter.end else { return short }
            var other = TransferFault(.sizeMismatch, "the answer has \(meter.position) bytes, the file \(end)")
                .diagnosed(found)
            other.mustRestart = true
            return other
        }
        // Servers that end a body without a length by cutting the connection have sent it all the same.
        if meter.position == meter.end { return nil }
        let got = meter.end.map { "got \(meter.position) of \($0) bytes" } ?? "got \(meter.position) bytes"
        fault.what += ": " + got
        if fault.code == .networkInterrupted { fault.diagnosis = .truncated }
        return fault
    }

    /// The hop could not be made.
    func refused(_ fault: TransferFault) -> TransferOutcome { finish(fault, nil) }

    /// The outcome of a transfer that was ended from outside.
    func cancelled() -> TransferOutcome {
        outcome.error = .cancelled(request.subject)
        return outcome
    }

    private func finish(_ fault: TransferFault?, _ retryAfter: Duration?) -> TransferOutcome {
        outcome.retryAfter = retryAfter
        outcome.mustRestart = fault?.mustRestart ?? false
        outcome.error = fault?.error(subject: request.subject, url: url, origin: request.url)
        return outcome
    }
}
