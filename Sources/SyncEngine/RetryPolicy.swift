internal import SyncDomain

/// Whether, when and from where to try again after a failure. Pure: the chance and the time come from outside.
///
/// Full jitter: the wait is anything between nothing and a bound that doubles with each failure, so that many
/// clients that failed together do not come back together.
struct RetryPolicy {
    /// What to do next.
    enum Decision: Hashable {
        /// The same source again, after a wait; from scratch if the bytes that are there can't be continued.
        case retry(after: Duration, fromScratch: Bool)
        /// The next source at once. `keep` says to keep the bytes under the digest that they have.
        case nextSource(fromScratch: Bool, keep: SHA256Digest?)
        /// No source is left. The error is the one to tell.
        case fail(SyncError, keep: SHA256Digest?)
    }

    static let firstBoundSeconds = 1.0
    static let longestBoundSeconds = 30.0
    /// A server that asks for a longer wait is taken as not there.
    static let longestRetryAfter = Duration.seconds(300)

    /// Attempts a source that bring nothing new, before it is given up.
    let attempts: Int
    let sources: [SourceURL]
    private(set) var sourceIndex = 0
    private var failures = 0
    /// Most contiguous bytes that were there: an attempt that gets past it was progress. It starts anew where wrong bytes
    /// or another source begin from scratch, which happens so many times at most; not where a source refuses to go on
    /// from what it gave, which may happen for ever.
    private var highWater: Int64
    private var wrongDigest: SHA256Digest?
    private var mismatch: SyncError?

    /// Starts at the first source; `bytes` counts the contiguous bytes that are there already.
    init(sources: [SourceURL], attempts: Int, bytes: Int64) {
        self.sources = sources
        self.attempts = max(1, attempts)
        highWater = bytes
    }

    var source: SourceURL { sources[sourceIndex] }

    /// After an attempt that ended with an error. `bytes` counts the contiguous bytes that are there now; `chance` is
    /// uniform from 0 to 1.
    mutating func decide(after outcome: TransferOutcome, _ error: SyncError, bytes: Int64, chance: Double) -> Decision {
        if [.cancelled, .storeIO, .storeNoSpace, .storePermission].contains(error.code), !isOfSource(outcome, error) {
            return .fail(error, keep: nil)
        }
        guard error.isRetryable else { return giveUpSource(error, fromScratch: outcome.mustRestart, keep: nil) }
        if bytes > highWater {
            highWater = bytes
            failures = 0
        } else {
            failures += 1
        }
        let isTooLong = outcome.retryAfter.map { $0 > Self.longestRetryAfter } ?? false
        if failures >= attempts || isTooLong {
            return giveUpSource(error, fromScratch: outcome.mustRestart, keep: nil)
        }
        let bound = min(Self.longestBoundSeconds, Self.firstBoundSeconds * Double(1 << min(max(failures - 1, 0), 16)))
        let backoff = Duration.milliseconds(Int64(bound * chance * 1000))
        return .retry(after: max(backoff, outcome.retryAfter ?? .zero), fromScratch: outcome.mustRestart)
    }

    /// After all bytes came and were not the right ones. `wasResumed` says that some of them were there before this
    /// source was asked: then they prove nothing against it. The error tells both digests; its diagnosis is completed
    /// here.
    mutating func decide(afterMismatch got: SHA256Digest, wasResumed: Bool, _ error: SyncError) -> Decision {
        highWater = 0
        if wasResumed { return .retry(after: .zero, fromScratch: true) }
        guard let first = wrongDigest else {
            wrongDigest = got
            return .retry(after: .zero, fromScratch: true)
        }
        var told = error
        let isSame = first == got
        told.diagnosis = error.diagnosis ?? (isSame ? .sourceChanged : .transport)
        told.message +=
            isSame
            ? "; two tries gave the same bytes, so the source or the manifest is wrong: compare the digests with the publisher's"
            : "; another try gave other bytes (\(first)), so something between the source and here changes them"
        mismatch = told
        return giveUpSource(told, fromScratch: true, keep: told.diagnosis == .sourceChanged ? got : nil)
    }

    private mutating func giveUpSource(_ error: SyncError, fromScratch: Bool, keep: SHA256Digest?) -> Decision {
        failures = 0
        wrongDigest = nil
        if fromScratch { highWater = 0 }
        guard sourceIndex + 1 < sources.count else {
            // Wrong bytes say more than whatever the last mirror answered.
            var told = mismatch ?? error
            if sources.count > 1 { told.message += " (all \(sources.count) sources were tried)" }
            return .fail(told, keep: keep)
        }
        sourceIndex += 1
        return .nextSource(fromScratch: fromScratch, keep: keep)
    }

    /// A local file that can't be read is a fault of that source, and another may have the bytes.
    private func isOfSource(_ outcome: TransferOutcome, _ error: SyncError) -> Bool {
        source.scheme == .file && error.code != .cancelled && error.code != .storeNoSpace
    }
}
