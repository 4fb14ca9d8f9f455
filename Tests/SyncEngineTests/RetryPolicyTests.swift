import SyncDomain
import Testing

@testable import SyncEngine

/// No clock and no network: what is decided after each end of an attempt.
@Suite struct RetryPolicyTests {
    private static let stalled = SyncError(.networkStalled, "stalled", isRetryable: true)
    private static let notFound = SyncError(.httpNotFound, "not found")

    private func policy(_ sources: Int = 1, attempts: Int = 5, bytes: Int64 = 0) throws -> RetryPolicy {
        RetryPolicy(
            sources: try (0..<sources).map { try source("f", host: "s\($0).example") }, attempts: attempts, bytes: bytes
        )
    }

    /// Retries with the whole bound, until something else is decided.
    private func delays(_ policy: inout RetryPolicy, most: Int, bytes: Int64 = 0) -> [Duration] {
        var out: [Duration] = []
        while out.count < most,
            case .retry(let delay, _) = policy.decide(after: TransferOutcome(), Self.stalled, bytes: bytes, chance: 1)
        { out.append(delay) }
        return out
    }

    @Test func theBoundDoublesUpToHalfAMinute() throws {
        var policy = try policy(attempts: 9)
        #expect(delays(&policy, most: 20) == [1, 2, 4, 8, 16, 30, 30, 30].map { .seconds($0) })
    }

    @Test func chanceTakesAnyPartOfTheBound() throws {
        for (chance, delay) in [(0, Duration.zero), (0.5, .milliseconds(500)), (1, .seconds(1))] {
            var policy = try policy()
            #expect(
                policy.decide(after: TransferOutcome(), Self.stalled, bytes: 0, chance: chance)
                    == .retry(after: delay, fromScratch: false))
        }
    }

    @Test(arguments: [1, 2, 5])
    func soManyAttemptsAreMadeWithoutProgress(attempts: Int) throws {
        var policy = try policy(attempts: attempts)
        #expect(delays(&policy, most: 20).count == attempts - 1)
    }

    @Test(arguments: [0, -3])
    func thereIsAlwaysOneAttempt(attempts: Int) throws {
        var policy = try policy(attempts: attempts)
        #expect(delays(&policy, most: 20).isEmpty)
    }

    @Test func anAttemptThatMovedBytesDoesNotCount() throws {
        var policy = try policy(attempts: 3)
        for bytes in stride(from: Int64(10), through: 500, by: 10) {
            #expect(
                policy.decide(after: TransferOutcome(), Self.stalled, bytes: bytes, chance: 1)
                    == .retry(after: .seconds(1), fromScratch: false))
        }
        // Three more without progress, of which the last is the end.
        #expect(delays(&policy, most: 20, bytes: 500) == [.seconds(1), .seconds(2)])
    }

    @Test func withOneAttemptASourceThatBringsBytesIsAskedAgain() throws {
        var policy = try policy(attempts: 1)
        #expect(
            policy.decide(after: TransferOutcome(), Self.stalled, bytes: 10, chance: 0)
                == .retry(after: .zero, fromScratch: false))
        #expect(
            policy.decide(after: TransferOutcome(), Self.stalled, bytes: 10, chance: 0)
                == .fail(Self.stalled, keep: nil))
    }

    @Test func bytesThatWereThereBeforeAreNoProgress() throws {
        var policy = try policy(attempts: 3, bytes: 100)
        #expect(delays(&policy, most: 20, bytes: 100).count == 2)
    }

    @Test func bytesThatComeASecondTimeAreNoProgress() throws {
        // A source that ignores ranges and always ends at the same byte.
        var policy = try policy(attempts: 3)
        _ = policy.decide(after: TransferOutcome(), Self.stalled, bytes: 60, chance: 0)
        #expect(delays(&policy, most: 20, bytes: 60).count == 2)
    }

    @Test func aSourceThatKeepsForcingAFreshStartIsGivenUp() throws {
        var policy = try policy(attempts: 3)
        var count = 0
        while count < 100 {
            count += 1
            let isRefusal = count % 2 == 0
            let decision = policy.decide(
                after: TransferOutcome(mustRestart: isRefusal), Self.stalled, bytes: 60, chance: 0)
            guard case .retry(_, let fromScratch) = decision else { break }
            #expect(fromScratch == isRefusal)
        }
        #expect(count < 10)
    }

    @Test func theServersWaitIsHonouredWhereItIsLonger() throws {
        var policy = try policy()
        let longer = TransferOutcome(retryAfter: .seconds(120))
        #expect(
            policy.decide(after: longer, Self.stalled, bytes: 0, chance: 1)
                == .retry(after: .seconds(120), fromScratch: false))
        let shorter = TransferOutcome(retryAfter: .milliseconds(1))
        #expect(
            policy.decide(after: shorter, Self.stalled, bytes: 0, chance: 1)
                == .retry(after: .seconds(2), fromScratch: false))
        let limit = TransferOutcome(retryAfter: RetryPolicy.longestRetryAfter)
        #expect(
            policy.decide(after: limit, Self.stalled, bytes: 0, chance: 0)
                == .retry(after: RetryPolicy.longestRetryAfter, fromScratch: false))
    }

    @Test func aServerThatAsksForTooLongAWaitIsLeftForTheNext() throws {
        var policy = try policy(2)
        let hour = TransferOutcome(retryAfter: .seconds(3600))
        #expect(
            policy.decide(after: hour, Self.stalled, bytes: 0, chance: 1) == .nextSource(fromScratch: false, keep: nil))
        #expect(policy.sourceIndex == 1)
        guard case .fail = policy.decide(after: hour, Self.stalled, bytes: 0, chance: 1) else {
            Issue.record("the last source is waited for")
            return
        }
    }

    @Test func whatCanNotGetBetterGoesToTheNextSourceAtOnce() throws {
        var policy = try policy(3)
        for index in 1...2 {
            #expect(
                policy.decide(after: TransferOutcome(), Self.notFound, bytes: 5, chance: 1)
                    == .nextSource(fromScratch: false, keep: nil))
            #expect(policy.sourceIndex == index)
            #expect(policy.source == policy.sources[index])
        }
        guard
            case .fail(let error, let keep) = policy.decide(
                after: TransferOutcome(), Self.notFound, bytes: 5, chance: 1)
        else {
            Issue.record("a fourth source")
            return
        }
        #expect(keep == nil)
        #expect(error.code == .httpNotFound)
        #expect(error.message == "not found (all 3 sources were tried)")
    }

    @Test func eachSourceHasItsOwnAttempts() throws {
        var policy = try policy(2, attempts: 3)
        #expect(delays(&policy, most: 20) == [.seconds(1), .seconds(2)])
        #expect(policy.sourceIndex == 1)
        #expect(delays(&policy, most: 20) == [.seconds(1), .seconds(2)])
    }

    @Test func oneSourceIsNotToldAsAll() throws {
        var policy = try policy()
        #expect(
            policy.decide(after: TransferOutcome(), Self.notFound, bytes: 0, chance: 0)
                == .fail(Self.notFound, keep: nil))
    }

    @Test(arguments: [ErrorCode.cancelled, .storeIO, .storeNoSpace, .storePermission])
    func theStoresOwnFailuresFailAtOnceWhateverSourcesAreLeft(code: ErrorCode) throws {
        var policy = try policy(3)
        let error = SyncError(code, "no", isRetryable: true)
        #expect(policy.decide(after: TransferOutcome(), error, bytes: 0, chance: 0) == .fail(error, keep: nil))
        #expect(policy.sourceIndex == 0)
    }

    @Test func aLocalSourceThatCanNotBeReadLeavesTheOthers() throws {
        let sources = [try SourceURL("file:///srv/f"), try source("f")]
        for code in [ErrorCode.storeIO, .storePermission] {
            var policy = RetryPolicy(sources: sources, attempts: 5, bytes: 0)
            #expect(
                policy.decide(after: TransferOutcome(), SyncError(code, "no"), bytes: 0, chance: 0)
                    == .nextSource(fromScratch: false, keep: nil))
        }
        for code in [ErrorCode.storeNoSpace, .cancelled] {
            var policy = RetryPolicy(sources: sources, attempts: 5, bytes: 0)
            #expect(
                policy.decide(after: TransferOutcome(), SyncError(code, "no"), bytes: 0, chance: 0)
                    == .fail(SyncError(code, "no"), keep: nil))
        }
    }

    @Test func whatCanNotBeContinuedIsDroppedAlsoForTheNextSource() throws {
        var policy = try policy(2, attempts: 2)
        let outcome = TransferOutcome(mustRestart: true)
        #expect(
            policy.decide(after: outcome, Self.stalled, bytes: 0, chance: 0) == .retry(after: .zero, fromScratch: true))
        #expect(
            policy.decide(after: outcome, Self.stalled, bytes: 0, chance: 0)
                == .nextSource(fromScratch: true, keep: nil))
    }
}

/// All bytes came, and they are not the right ones.
@Suite struct WrongBytesPolicyTests {
    private static let error = SyncError(.digestMismatch, "wrong bytes")

    private func policy(_ sources: Int = 1, bytes: Int64 = 0) throws -> RetryPolicy {
        RetryPolicy(
            sources: try (0..<sources).map { try source("f", host: "s\($0).example") }, attempts: 5, bytes: bytes)
    }

    @Test func resumedBytesProveNothingAgainstTheSource() throws {
        var policy = try policy(bytes: 50)
        let again = RetryPolicy.Decision.retry(after: .zero, fromScratch: true)
        #expect(policy.decide(afterMismatch: try digest(1), wasResumed: true, Self.error) == again)
        #expect(policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error) == again)
        guard case .fail = policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error) else {
            Issue.record("a third try from scratch")
            return
        }
    }

    @Test func twiceTheSameWrongBytesAreTheSourcesAndAreKept() throws {
        var policy = try policy()
        _ = policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
        guard
            case .fail(let error, let keep) = policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
        else {
            Issue.record("not the end")
            return
        }
        #expect(keep == (try digest(1)))
        #expect(error.diagnosis == .sourceChanged)
        #expect(error.code == .digestMismatch)
        #expect(error.message.hasPrefix("wrong bytes; two tries gave the same bytes"))
    }

    @Test func twiceOtherWrongBytesAreTheWays() throws {
        var policy = try policy()
        _ = policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
        guard
            case .fail(let error, let keep) = policy.decide(afterMismatch: try digest(2), wasResumed: false, Self.error)
        else {
            Issue.record("not the end")
            return
        }
        #expect(keep == nil)
        #expect(error.diagnosis == .transport)
        #expect(error.message.contains(try digest(1).hex))
    }

    @Test(arguments: [Diagnosis.htmlPage, .lfsPointer])
    func whatIsNoModelFileIsNamedAndNotKept(diagnosis: Diagnosis) throws {
        var policy = try policy()
        var error = Self.error
        error.diagnosis = diagnosis
        _ = policy.decide(afterMismatch: try digest(1), wasResumed: false, error)
        guard case .fail(let told, let keep) = policy.decide(afterMismatch: try digest(1), wasResumed: false, error)
        else {
            Issue.record("not the end")
            return
        }
        #expect(told.diagnosis == diagnosis)
        #expect(keep == nil)
    }

    @Test func theNextSourceIsAskedFromScratchAndHasTwoTriesToo() throws {
        var policy = try policy(2)
        _ = policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
        #expect(
            policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
                == .nextSource(fromScratch: true, keep: try digest(1)))
        #expect(
            policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
                == .retry(after: .zero, fromScratch: true))
        guard case .fail(_, let keep) = policy.decide(afterMismatch: try digest(2), wasResumed: false, Self.error)
        else {
            Issue.record("not the end")
            return
        }
        #expect(keep == nil)
    }

    @Test func wrongBytesAreToldRatherThanWhatALaterMirrorAnswers() throws {
        var policy = try policy(2)
        _ = policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
        _ = policy.decide(afterMismatch: try digest(1), wasResumed: false, Self.error)
        let gone = SyncError(.httpNotFound, "not found")
        guard case .fail(let error, _) = policy.decide(after: TransferOutcome(), gone, bytes: 0, chance: 0) else {
            Issue.record("not the end")
            return
        }
        #expect(error.code == .digestMismatch)
        #expect(error.diagnosis == .sourceChanged)
        #expect(error.message.hasSuffix("(all 2 sources were tried)"))
    }

    @Test func afterWrongBytesTheWayBackIsProgressAgain() throws {
        // A whole partial that was rotten: from here on each byte is new.
        var policy = try policy(bytes: 100)
        _ = policy.decide(afterMismatch: try digest(1), wasResumed: true, Self.error)
        let stalled = SyncError(.networkStalled, "stalled", isRetryable: true)
        for bytes in stride(from: Int64(10), to: 100, by: 10) {
            #expect(
                policy.decide(after: TransferOutcome(), stalled, bytes: bytes, chance: 0)
                    == .retry(after: .zero, fromScratch: false))
        }
    }

    @Test func aFreshStartAtTheNextSourceIsProgressAgain() throws {
        var policy = RetryPolicy(
            sources: [try source("f"), try source("f", host: "b.example")], attempts: 2, bytes: 90)
        let stalled = SyncError(.networkStalled, "stalled", isRetryable: true)
        let refusal = TransferOutcome(mustRestart: true)
        _ = policy.decide(after: refusal, stalled, bytes: 90, chance: 0)
        #expect(
            policy.decide(after: refusal, stalled, bytes: 0, chance: 0) == .nextSource(fromScratch: true, keep: nil))
        for bytes in stride(from: Int64(10), to: 90, by: 10) {
            #expect(
                policy.decide(after: TransferOutcome(), stalled, bytes: bytes, chance: 0)
                    == .retry(after: .zero, fromScratch: false))
        }
    }
}
