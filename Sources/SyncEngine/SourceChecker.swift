public import SyncDomain
internal import Synchronization

/// Asks every source of a manifest for its file's first byte, and holds the declared size against the manifest's. Asked
/// in just the way in which the file would be fetched: redirects, credentials and refusals are the same.
public struct SourceChecker: Sendable {
    /// Requests at once, over all hosts.
    public static let mostAtOnce = 20
    private static let attempts = 3
    /// A source that asks for a longer wait is told as what it answered.
    private static let longestWait = Duration.seconds(30)

    private let transport: any Transferring
    private let clock: RunClock

    /// The transport stays the caller's to shut down.
    public init(transport: any Transferring, clock: RunClock) {
        self.transport = transport
        self.clock = clock
    }

    private struct Question: Hashable {
        var url: SourceURL
        var size: Int64
    }

    /// Asks each URL once for each size that the manifest gives it, however many files name it. What fails for a moment
    /// is asked up to three times.
    ///
    /// - Returns: one answer a question, in the manifest's order. What a cancelled task did not ask is told as cancelled.
    public func check(_ manifest: Manifest) async -> [SourceCheck] {
        var seen: Set<Question> = []
        var checks: [(SourceCheck, Question)] = []
        for model in manifest.models {
            for file in model.files {
                for source in file.sources where seen.insert(Question(url: source, size: file.size)).inserted {
                    let check = SourceCheck(
                        model: model.name.text, path: file.path.text, url: source.redacted, expectedSize: file.size)
                    checks.append((check, Question(url: source, size: file.size)))
                }
            }
        }
        let turns = Dictionary(
            uniqueKeysWithValues: manifest.hosts.compactMap { host, settings in
                settings.connections.map { (host, Turns($0)) }
            })
        return await answers(checks, turns)
    }

    private func answers(_ checks: [(SourceCheck, Question)], _ turns: [HostKey: Turns]) async -> [SourceCheck] {
        var out = checks.map(\.0)
        await withTaskGroup(of: (Int, SourceCheck).self) { group in
            var next = 0
            func startNext() {
                guard next < checks.count else { return }
                let (index, (check, question)) = (next, checks[next])
                let turns = question.url.host.flatMap { host in
                    turns.first { $0.key.covers(host, over: question.url.scheme) }?.value
                }
                group.addTask { (index, await answer(check, question, turns)) }
                next += 1
            }
            for _ in 0..<Self.mostAtOnce { startNext() }
            for await (index, answer) in group {
                out[index] = answer
                startNext()
            }
        }
        return out
    }

    private func answer(_ check: SourceCheck, _ question: Question, _ turns: Turns?) async -> SourceCheck {
        var check = check
        let subject = "\(check.model)/\(check.path)"
        if let turns, await !turns.enter() {
            check.error = .cancelled(subject)
            return check
        }
        defer { turns?.leave() }
        var policy = RetryPolicy(sources: [question.url], attempts: Self.attempts, bytes: 0)
        while true {
            let outcome = await ask(question, subject)
            check.httpStatus = outcome.httpStatus
            check.declaredSize = outcome.declaredSize
            check.error = outcome.error
            guard let error = outcome.error, !Task.isCancelled else { return check }
            let decision = policy.decide(after: outcome, error, bytes: 0, chance: clock.chance())
            guard case .retry(let delay, _) = decision, delay <= Self.longestWait,
                (try? await clock.sleep(delay)) != nil
            else { return check }
        }
    }

    private func ask(_ question: Question, _ subject: String) async -> TransferOutcome {
        let sink = OneByteSink()
        // A file with no bytes has no first one to ask for.
        let request = TransferRequest(
            url: question.url, expectedSize: question.size, end: question.size > 1 ? 1 : nil, subject: subject)
        var outcome = await transport.transfer(request, into: sink)
        if sink.hasEnded { outcome.error = nil }
        return outcome
    }
}

/// Ends the answer of a source that ignores ranges after its first bytes.
private final class OneByteSink: TransferSink {
    private let state = Mutex((bytes: 0, hasEnded: false))

    /// The request was ended here, and did not fail.
    var hasEnded: Bool { state.withLock { $0.hasEnded } }

    func begin(at offset: Int64, validator: Validator?) throws(SyncError) {}

    func write(_ bytes: RawSpan) throws(SyncError) {
        let mustEnd = state.withLock { state in
            state.bytes += bytes.byteCount
            state.hasEnded = state.bytes > 1
            return state.hasEnded
        }
        if mustEnd { throw .cancelled("the answer is known") }
    }
}
