internal import SyncDomain
internal import Synchronization

/// One file on its way, as the connections that bring it share it. Safe to use from any thread.
final class SharedFile: Sendable {
    private struct State {
        var board: RangeBoard
        var isAlone: Bool
        /// Of the version that each source sends.
        var validators: [SourceURL: Validator] = [:]
        var dropped: Set<SourceURL> = []
        /// How often in a row helpers asked each source and got no byte, and when this was last counted.
        var failures: [SourceURL: (count: Int, at: Duration)] = [:]
        /// What helpers brought, by source.
        var helped: [SourceURL: Int64] = [:]
        var attempts: [TransferAttempt] = []
        var waiter: CheckedContinuation<Void, Never>?
        /// What ends the request of a claim.
        var requests: [RangeBoard.ID: @Sendable () -> Void] = [:]
        var takenOver: Set<RangeBoard.ID> = []
        var isCancelled = false
        /// Whom the first connection asks, or asked last.
        var asked: SourceURL?
        /// Those that have sent a part.
        var partSources: Set<SourceURL> = []
        /// For the first connection, which may be the only one that is left.
        var hasWork: Bool { board.hasWork(isAlone: isAlone) }

        /// What ends the requests of claims that lost all they had.
        mutating func endSilenced() -> [@Sendable () -> Void] {
            let lost = board.takeSilenced().filter { takenOver.insert($0).inserted }
            return lost.compactMap { requests.removeValue(forKey: $0) }
        }
    }

    /// So many failures of helpers in a row, with no byte between, and the source is given up.
    private static let mostFailures = 3

    /// Connections that it is to have; none for a file that is always alone.
    let wishes: AsyncStream<ConnectionPool.Slot>?
    let hosts: Set<HostKey>
    private let wished: AsyncStream<ConnectionPool.Slot>.Continuation?
    private let sources: [SourceURL]
    private let state: Mutex<State>

    /// - Parameters:
    ///   - size: in bytes.
    ///   - missing: what is to come.
    ///   - sources: where it may come from.
    ///   - isAlone: over one connection.
    init(size: Int64, missing: [Range<Int64>], sources: [SourceURL], isAlone: Bool) {
        state = Mutex(State(board: RangeBoard(size: size, missing: missing), isAlone: isAlone))
        self.sources = sources
        hosts = isAlone ? [] : Set(sources.compactMap(\.host))
        (wishes, wished) = isAlone ? (nil, nil) : AsyncStream.makeStream()
    }

    var isShared: Bool { state.withLock { !$0.isAlone } }
    var hasWork: Bool { state.withLock { !$0.isAlone && $0.hasWork } }
    var missingBytes: Int64 { state.withLock { $0.board.missingBytes } }
    /// What helpers brought, by source; and their requests. Told once.
    func takeHelp() -> (bytes: [SourceURL: Int64], attempts: [TransferAttempt]) {
        state.withLock { state in
            defer { (state.helped, state.attempts) = ([:], []) }
            return (state.helped, state.attempts)
        }
    }

    /// - Returns: false if it is over.
    func wish(_ slot: ConnectionPool.Slot) -> Bool {
        if case .enqueued = wished?.yield(slot) { return true }
        return false
    }

    /// No more connections are wanted. Those that were granted and not begun are given back.
    func end() { wished?.finish() }

    /// A part of it for one connection; the first, which goes on whatever happens, may have all that is free.
    func claim(isFirst: Bool, after brought: RangeBoard.Brought = .init()) -> RangeBoard.Claim? {
        let (claim, ended) = state.withLock { state -> (RangeBoard.Claim?, [@Sendable () -> Void]) in
            if state.isAlone && !isFirst { return (nil, []) }
            let isAlone = state.isAlone || isFirst && state.board.claimCount == 0
            let claim = state.board.claim(isAlone: isAlone, after: brought)
            return (claim, state.endSilenced())
        }
        for end in ended { end() }
        return claim
    }

    /// Whether another connection took all that was left of the claim.
    func wasTakenOver(_ claim: RangeBoard.Claim) -> Bool { state.withLock { $0.takenOver.contains(claim.id) } }

    /// A request for the claim has begun; `end` is called, once, if another connection takes all that is left of it.
    func didBegin(_ claim: RangeBoard.Claim, end: @escaping @Sendable () -> Void) {
        let isLate = state.withLock { state in
            if !state.takenOver.contains(claim.id) { state.requests[claim.id] = end }
            return state.takenOver.contains(claim.id)
        }
        if isLate { end() }
    }

    /// Where all seems to have come and has not, because it could not be written: what is missing is to come again.
    func recover(_ missing: [Range<Int64>]) {
        state.withLock { state in
            guard state.board.claimCount == 0, !state.hasWork else { return }
            state.board = RangeBoard(size: state.board.size, missing: missing)
            state.takenOver = []
        }
    }

    /// Some time has passed.
    ///
    /// - Returns: whether one more connection would find a claim that has gone silent.
    func tick() -> Bool {
        let (isSilent, waiter) = state.withLock { state -> (Bool, CheckedContinuation<Void, Never>?) in
            let isSilent = !state.isAlone && state.board.tick()
            return (isSilent, isSilent ? state.waiter.take() : nil)
        }
        waiter?.resume()
        return isSilent && waiter == nil
    }

    /// Bytes have come for a claim.
    ///
    /// - Returns: how many of them are still the claim's, and whether it has all now.
    func take(
        _ claim: RangeBoard.Claim, _ count: Int, from source: SourceURL
    ) -> (count: Int, isWhole: Bool) {
        let (taken, isWhole, ended) = state.withLock { state -> (Int, Bool, [@Sendable () -> Void]) in
            var (taken, isWhole) = state.board.take(claim.id, count)
            // As long as nobody knows whether the source has parts, who has the file's bytes coming from it goes on: over several
            // small parts at once, where these bytes reach so far.
            while isWhole, !state.partSources.contains(source), state.board.takeBack(claim.id) {
                let more = state.board.take(claim.id, count - taken)
                (taken, isWhole) = (taken + more.count, more.isWhole)
            }
            return (taken, isWhole, state.endSilenced())
        }
        for end in ended { end() }
        return (taken, isWhole)
    }

    func isWhole(_ claim: RangeBoard.Claim) -> Bool { state.withLock { $0.board.isWhole(claim.id) } }

    /// - Returns: whether all of it had come.
    @discardableResult
    func release(_ claim: RangeBoard.Claim) -> Bool {
        let (isWhole, waiter) = state.withLock { state in
            state.requests[claim.id] = nil
            return (state.board.release(claim.id), state.waiter.take())
        }
        waiter?.resume()
        return isWhole
    }

    /// The source has sent a part as it was asked for.
    func didSendPart(_ source: SourceURL) { state.withLock { _ = $0.partSources.insert(source) } }

    /// Whom the first connection asks, or asked last.
    var asked: SourceURL? { state.withLock { $0.asked } }

    func willAsk(_ source: SourceURL) { state.withLock { $0.asked = source } }

    /// The source has no parts: if it is the one that the first connection asks, the file comes over that one from now on.
    func refuseParts(_ source: SourceURL) { state.withLock { if $0.asked == source { $0.isAlone = true } } }

    /// The source sends the file from its start, to this claim alone.
    ///
    /// - Returns: the size of the file.
    func startOver(_ claim: RangeBoard.Claim) -> Int64 {
        state.withLock { state in
            state.isAlone = true
            state.board.startOver(claim.id)
            return state.board.size
        }
    }

    /// The bytes that were there are gone: from now on over one connection, so that what comes tells of one source.
    func startOver() {
        state.withLock { state in
            state.isAlone = true
            state.board.startOver()
        }
    }

    /// Waits until a claim is given back, or the task is cancelled. One at a time.
    func change() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    // Given back since it was asked for.
                    if state.isCancelled || state.board.claimCount == 0 || state.hasWork { return true }
                    state.waiter = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.isCancelled = true
                return state.waiter.take()
            }
            waiter?.resume()
        }
    }

    /// A source of that host that has not failed.
    func source(of host: HostKey) -> SourceURL? {
        let dropped = state.withLock { $0.dropped }
        return sources.first { $0.host == host && !dropped.contains($0) }
    }

    func hasDropped(_ host: HostKey) -> Bool { source(of: host) == nil }

    func drop(_ source: SourceURL) { state.withLock { _ = $0.dropped.insert(source) } }

    /// A helper's request that had begun then brought nothing. Those that were under way together have failed once.
    ///
    /// - Returns: whether that was once too often.
    func didFail(_ source: SourceURL, _ begun: Duration, now: Duration) -> Bool {
        state.withLock { state in
            let last = state.failures[source]
            if let last, begun < last.at { return false }
            let count = (last?.count ?? 0) + 1
            state.failures[source] = (count, now)
            return count >= Self.mostFailures
        }
    }

    /// A helper has bytes of the source.
    func didBring(_ source: SourceURL) { state.withLock { if !$0.failures.isEmpty { $0.failures[source] = nil } } }

    func validator(for source: SourceURL) -> Validator? { state.withLock { $0.validators[source] } }

    func know(_ validator: Validator?, of source: SourceURL) {
        state.withLock { if let validator { $0.validators[source] = validator } }
    }

    func didHelp(_ attempt: TransferAttempt, _ source: SourceURL) {
        state.withLock { state in
            state.attempts.append(attempt)
            state.helped[source, default: 0] += attempt.bytes
        }
    }
}
