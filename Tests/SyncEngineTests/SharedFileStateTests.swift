import SyncDomain
import Synchronization
import Testing

@testable import SyncEngine

/// What connections that share a file do to each other.
@Suite struct SharedFileStateTests {
    private static let size: Int64 = 4 << 20

    private static var source: SourceURL { get throws { try SourceURL("https://one.example/f") } }
    private static var mirror: SourceURL { get throws { try SourceURL("https://two.example/f") } }

    private func shared() throws -> SharedFile {
        SharedFile(
            size: Self.size, missing: [0..<Self.size], sources: [try Self.source, try Self.mirror], isAlone: false)
    }

    /// A claim that brought some and then nothing, all else having come.
    private func silenced(_ file: SharedFile) throws -> RangeBoard.Claim {
        let first = try #require(file.claim(isFirst: false))
        let second = try #require(file.claim(isFirst: false))
        _ = file.take(first, 1000, from: try Self.source)
        _ = file.take(second, second.range.count, from: try Self.source)
        file.release(second)
        for _ in 0...RangeBoard.silentTicks { _ = file.tick() }
        return first
    }

    @Test func theRequestOfAClaimThatIsTakenOverEndsOnce() throws {
        let file = try shared()
        let ends = Mutex(0)
        let first = try silenced(file)
        file.didBegin(first) { ends.withLock { $0 += 1 } }
        let next = try #require(file.claim(isFirst: false))
        #expect(next.range == 1000..<first.range.upperBound)
        #expect(file.wasTakenOver(first) && !file.wasTakenOver(next))
        #expect(ends.withLock { $0 } == 1)
        _ = file.claim(isFirst: false)
        #expect(ends.withLock { $0 } == 1)
    }

    @Test func aRequestThatBeginsAfterTheTakeOverEndsAtOnce() throws {
        let file = try shared()
        let ends = Mutex(0)
        let first = try silenced(file)
        _ = try #require(file.claim(isFirst: false))
        file.didBegin(first) { ends.withLock { $0 += 1 } }
        #expect(ends.withLock { $0 } == 1)
    }

    /// A mirror's parts say nothing of the source that the first bytes come from.
    @Test(arguments: [false, true]) func whoIsNotKnownToHavePartsGoesOnWithWhatNobodyHasBegun(isKnown: Bool) throws {
        let file = try shared()
        let first = try #require(file.claim(isFirst: true))
        let second = try #require(file.claim(isFirst: false))
        file.didSendPart(isKnown ? try Self.source : try Self.mirror)
        let own = Int(Self.size) - second.range.count
        let (count, isWhole) = file.take(first, own + 1000, from: try Self.source)
        #expect(count == (isKnown ? own : own + 1000))
        #expect(isWhole == isKnown)
    }

    /// Else what comes behind the first of them would be thrown away, and all come again from the start.
    @Test func itGoesOnOverSeveralSmallPartsAtOnce() throws {
        let file = try shared()
        let first = try #require(file.claim(isFirst: true))
        _ = try #require(file.claim(isFirst: false))
        _ = try #require(file.claim(isFirst: false))
        let taken = file.take(first, Int(Self.size), from: try Self.source)
        #expect(taken == (Int(Self.size), true))
    }

    /// Else the first connection asks again and again for what another still brings, and may not be taken from it.
    @Test func whoIsAloneWaitsUntilAnotherConnectionHasEnded() async throws {
        let file = try shared()
        let other = try #require(file.claim(isFirst: false))
        while file.claim(isFirst: false).map({ $0.range.upperBound < Self.size }) == true {}
        #expect(file.hasWork)
        file.willAsk(try Self.source)
        file.refuseParts(try Self.source)
        #expect(file.claim(isFirst: true) == nil)
        let hasWaited = Mutex(false)
        // As far as it waits, before this goes on.
        let waiting = Task.immediate {
            await file.change()
            hasWaited.withLock { $0 = true }
        }
        #expect(!hasWaited.withLock { $0 })
        file.release(other)
        await waiting.value
        #expect(hasWaited.withLock { $0 })
        #expect(file.claim(isFirst: true)?.range == other.range)
    }

    @Test func whatCouldNotBeWrittenComesAgain() throws {
        let file = try shared()
        let claim = try #require(file.claim(isFirst: true))
        _ = file.take(claim, claim.range.count, from: try Self.source)
        // While a connection still has a part nothing is known.
        file.recover([0..<Self.size])
        #expect(!file.hasWork)
        file.release(claim)
        file.recover([100..<200])
        #expect(file.missingBytes == 100)
        #expect(file.claim(isFirst: true)?.range == 100..<200)
    }
}
