import SyncDomain
import Testing

@testable import SyncEngine

@Suite struct RangeBoardTests {
    private static let piece = RangeBoard.pieceBytes
    private static let mib: Int64 = 1 << 20

    /// What the macros can call.
    private final class Rig {
        private var board: RangeBoard

        init(_ board: RangeBoard) { self.board = board }

        var missingBytes: Int64 { board.missingBytes }
        var hasWork: Bool { board.hasWork(isAlone: false) }
        func claim(isAlone: Bool, after brought: RangeBoard.Brought = .init()) -> RangeBoard.Claim? {
            board.claim(isAlone: isAlone, after: brought)
        }
        func take(_ id: RangeBoard.ID, _ count: Int) -> (count: Int, isWhole: Bool) { board.take(id, count) }
        func release(_ id: RangeBoard.ID) -> Bool { board.release(id) }
        func tick() -> Bool { board.tick() }
        func takeSilenced() -> [RangeBoard.ID] { board.takeSilenced() }
        func startOver(_ id: RangeBoard.ID) { board.startOver(id) }
    }

    private func board(_ size: Int64) -> Rig { Rig(RangeBoard(size: size, missing: [0..<size])) }

    @Test func oneConnectionHasAllUpToTheNextGap() {
        let board = Rig(RangeBoard(size: 100, missing: [10..<40, 60..<100]))
        #expect(board.missingBytes == 70)
        #expect(board.claim(isAlone: true)?.range == 10..<40)
        #expect(board.claim(isAlone: true)?.range == 60..<100)
        #expect(board.claim(isAlone: true) == nil)
    }

    @Test func aSecondTakesThePieceBehindTheFirstAndTheRestFollowsInOrder() throws {
        let board = board(100 * Self.piece)
        let first = try #require(board.claim(isAlone: true))
        #expect(board.take(first.id, 1000) == (1000, false))
        let second = try #require(board.claim(isAlone: false))
        #expect(second.range == 1000 + Self.piece..<1000 + 2 * Self.piece)
        let third = try #require(board.claim(isAlone: false))
        #expect(third.range == 1000 + 2 * Self.piece..<1000 + 3 * Self.piece)
        // The first was asked for more than is its own now.
        #expect(board.take(first.id, Int(Self.piece) + 5) == (Int(Self.piece), true))
        #expect(board.release(first.id))
    }

    @Test func piecesGetSmallerTowardsTheEnd() throws {
        let board = board(16 * Self.mib)
        let sizes = (0..<5).map { _ in board.claim(isAlone: false)?.range.count }
        #expect(sizes == [4, 3, 2, 2, 2].map { $0 << 20 })
    }

    @Test func aPieceIsWhatTheConnectionBringsInFourTenthsOfASecond() {
        var board = RangeBoard(size: 1 << 40, missing: [0..<1 << 40])
        func piece(after bytes: Int64, in seconds: Double) -> Int? {
            board.claim(isAlone: false, after: .init(bytes: bytes, seconds: seconds))?.range.count
        }
        #expect(board.claim(isAlone: false)?.range.count == Int(Self.piece))
        #expect(piece(after: 20_000_000, in: 1) == 8_000_000)
        // Neither so little that its request costs more, nor so much that all wait for it.
        #expect(piece(after: 1, in: 1) == 2 << 20)
        #expect(piece(after: 1 << 40, in: 1) == 64 << 20)
        // And not much more than has proved to be possible.
        #expect(piece(after: 10_000_000, in: 0.1) == 20_000_000)
    }

    /// A file that two connections bring, piece after piece; the first piece, of 4 MiB, has brought so much a tick.
    private func late(bytesATick: Int, ticks: Int = 10) throws -> (board: Rig, first: RangeBoard.Claim) {
        let board = board(100 * Self.piece)
        let first = try #require(board.claim(isAlone: false))
        _ = try #require(board.claim(isAlone: false))
        for _ in 0..<ticks {
            _ = board.take(first.id, bytesATick)
            _ = board.tick()
        }
        return (board, first)
    }

    private static let quick = RangeBoard.Brought(bytes: 10_000_000, seconds: 1)

    @Test func whoeverIsQuickTakesSoMuchOfWhatComesLateThatBothEndTogether() throws {
        // 1 MB/s, beside 10.
        let (board, first) = try late(bytesATick: 100_000, ticks: 5)
        let help = try #require(board.claim(isAlone: false, after: Self.quick))
        #expect(help.range == 500_000 + (Self.piece - 500_000) / 11..<Self.piece)
        // What is left then is not worth it.
        #expect(try #require(board.claim(isAlone: false, after: Self.quick)).range.lowerBound == 2 * Self.piece)
        #expect(board.take(first.id, Int(Self.piece)).isWhole)
    }

    @Test func itsConnectionKeepsEnoughToEndByItself() throws {
        let (board, first) = try late(bytesATick: 1)
        let help = try #require(board.claim(isAlone: false, after: Self.quick))
        #expect(help.range == 10 + RangeBoard.leastBytes..<Self.piece)
        #expect(!board.take(first.id, Int(RangeBoard.leastBytes) - 1).isWhole)
    }

    /// A handshake over a long way, and then a slow start.
    @Test(arguments: [(5, 12, false), (5, 13, true), (50, 20, false), (50, 21, true)])
    func whoseFirstByteCameLateIsYoungForLonger(waited: Int, ticks: Int, isLate: Bool) throws {
        let board = board(100 * Self.piece)
        let first = try #require(board.claim(isAlone: false))
        _ = try #require(board.claim(isAlone: false))
        for _ in 0..<waited { _ = board.tick() }
        for _ in 0..<ticks {
            _ = board.take(first.id, 10_000)
            _ = board.tick()
        }
        let next = try #require(board.claim(isAlone: false, after: Self.quick))
        #expect((next.range.lowerBound < Self.piece) == isLate)
    }

    @Test(arguments: [(100_000, 3), (350_000, 10), (0, 10)])
    func aPieceIsLeftToItsConnection(thatIsYoungOrNearlyDoneOrUntouched pace: (bytes: Int, ticks: Int)) throws {
        let (board, _) = try late(bytesATick: pace.bytes, ticks: pace.ticks)
        #expect(try #require(board.claim(isAlone: false, after: Self.quick)).range.lowerBound == 2 * Self.piece)
    }

    /// Where more connections share a full line, each is slower than whoever asks was before.
    @Test func whatIsAsQuickAsTheOthersIsNotLate() throws {
        let board = board(100 * Self.piece)
        let claims = (0..<4).compactMap { _ in board.claim(isAlone: false) }
        for _ in 0..<10 {
            for claim in claims { _ = board.take(claim.id, 100_000) }
            _ = board.tick()
        }
        #expect(try #require(board.claim(isAlone: false, after: Self.quick)).range.lowerBound == 4 * Self.piece)
    }

    @Test func whoeverIsSlowItselfTakesNothingFromTheSlow() throws {
        let (board, _) = try late(bytesATick: 100_000)
        let slow = RangeBoard.Brought(bytes: 1_500_000, seconds: 1)
        #expect(try #require(board.claim(isAlone: false, after: slow)).range.lowerBound == 2 * Self.piece)
    }

    @Test(arguments: [(1_000_000, 400_000 as Int64), (20_000_000, piece)])
    func ofALateGapThatIsLargeItsConnectionKeepsWhatItBringsSoon(bytesATick: Int, kept: Int64) throws {
        let board = Rig(RangeBoard(size: 1 << 40, missing: [0..<1 << 33, 1 << 34..<1 << 40]))
        let first = try #require(board.claim(isAlone: true))
        for _ in 0..<10 {
            _ = board.take(first.id, bytesATick / 10)
            _ = board.tick()
        }
        let quick = RangeBoard.Brought(bytes: 1_000_000_000, seconds: 1)
        let help = try #require(board.claim(isAlone: false, after: quick))
        #expect(help.range.lowerBound == Int64(bytesATick) + kept)
    }

    @Test func whoeverIsIdleTakesHalfOfTheLargestThatIsUnderWay() throws {
        let board = board(8 * Self.mib)
        let first = try #require(board.claim(isAlone: true))
        _ = board.take(first.id, Int(4 * Self.mib))
        #expect(try #require(board.claim(isAlone: false)).range == 6 * Self.mib..<8 * Self.mib)
    }

    @Test func littleIsNotSplit() throws {
        let board = board(2 * RangeBoard.leastBytes - 1)
        _ = try #require(board.claim(isAlone: false))
        #expect(!board.hasWork)
        #expect(board.claim(isAlone: false) == nil)
    }

    @Test func whatIsLeftOfASilentClaimIsTakenOverWhole() throws {
        let board = board(4 * Self.mib)
        let (first, second) = (try #require(board.claim(isAlone: false)), try #require(board.claim(isAlone: false)))
        _ = board.take(first.id, first.range.count - 1000)
        #expect(board.take(second.id, second.range.count).isWhole)
        #expect(board.release(second.id))
        for _ in 0..<RangeBoard.silentTicks { #expect(!board.tick()) }
        #expect(board.tick())
        #expect(board.hasWork)
        let third = try #require(board.claim(isAlone: false))
        #expect(third.range == first.range.upperBound - 1000..<first.range.upperBound)
        #expect(board.takeSilenced() == [first.id])
        // What still comes of it comes twice.
        #expect(board.take(first.id, 10) == (0, true))
        #expect(!board.tick())
    }

    /// Its answer may be far away: whoever took its bytes over would wait as long, and be taken over in turn.
    @Test func aClaimThatHasBroughtNothingIsLeftToTheTimeouts() throws {
        let board = board(4 * Self.mib)
        _ = try #require(board.claim(isAlone: false))
        _ = try #require(board.claim(isAlone: false))
        for _ in 0..<100 { #expect(!board.tick()) }
    }

    @Test func aClaimThatBringsBytesOrWasAlwaysAloneIsNotSilent() throws {
        let alone = board(4 * Self.mib)
        let only = try #require(alone.claim(isAlone: true))
        _ = alone.take(only.id, 5)
        #expect(!alone.release(only.id))
        _ = alone.take(try #require(alone.claim(isAlone: true)).id, 5)
        let busy = board(4 * Self.mib)
        let (first, second) = (try #require(busy.claim(isAlone: false)), try #require(busy.claim(isAlone: false)))
        _ = busy.take(second.id, second.range.count)
        for _ in 0..<20 {
            _ = busy.take(first.id, 1)
            #expect(!alone.tick())
            #expect(!busy.tick())
        }
    }

    @Test func whatDidNotComeIsFreeAgain() throws {
        let board = board(3 * Self.piece)
        let first = try #require(board.claim(isAlone: false))
        _ = board.take(first.id, 10)
        #expect(!board.release(first.id))
        #expect(try #require(board.claim(isAlone: false)).range == 10..<10 + Self.piece)
    }

    @Test func afterAStartOverTheOthersHaveNothing() throws {
        let board = board(3 * Self.piece)
        let (first, second) = (try #require(board.claim(isAlone: false)), try #require(board.claim(isAlone: false)))
        board.startOver(first.id)
        #expect(board.take(second.id, 10) == (0, true))
        #expect(board.release(second.id))
        #expect(board.missingBytes == 3 * Self.piece)
        #expect(board.take(first.id, 10) == (10, false))
    }

    /// Any number of connections, that fail and go on as they like: every byte comes once.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func everyByteComesOnce(_ seed: UInt64) {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 &+ 1
        func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int((state >> 33) % UInt64(bound))
        }
        let size = Int64(next(60)) * Self.mib + Int64(next(1000))
        let board = board(size)
        var came = ByteRanges()
        var open: [(claim: RangeBoard.Claim, position: Int64)] = []
        while came.count < size {
            if next(4) == 0 { _ = board.tick() }
            let brought = RangeBoard.Brought(bytes: Int64(next(2)) << 30, seconds: 1)
            let isAlone = open.isEmpty && next(2) == 0
            if open.count < 1 + next(9), let claim = board.claim(isAlone: isAlone, after: brought) {
                open.append((claim, claim.range.lowerBound))
            }
            guard !open.isEmpty else { continue }
            let index = next(open.count)
            let (claim, position) = open[index]
            let taken = board.take(claim.id, next(3 << 20))
            let range = position..<position + Int64(taken.count)
            #expect(came.missing(of: size).contains { $0.clamped(to: range) == range } || range.isEmpty)
            came.insert(range)
            open[index].position = range.upperBound
            #expect(board.missingBytes == size - came.count)
            guard taken.isWhole || next(10) == 0 else { continue }
            #expect(board.release(open.remove(at: index).claim.id) == taken.isWhole)
        }
        #expect(board.missingBytes == 0 && came.ranges == (size > 0 ? [0..<size] : []))
    }

    @Test func whoHasTheFileComingTakesBackWhatComesNextAndNobodyHasBegun() throws {
        var board = RangeBoard(size: 100 << 20, missing: [0..<100 << 20])
        let firstClaim = board.claim(isAlone: true)
        let first = try #require(firstClaim)
        let helpers = (0..<3).compactMap { _ in board.claim(isAlone: false) }
        #expect(helpers.count == 3)
        // The others' answers tell whether there are parts: they go on.
        let isWhole = board.take(first.id, 100 << 20).isWhole
        let isMore = board.takeBack(first.id)
        let silenced = board.takeSilenced()
        #expect(isWhole && isMore && silenced == [helpers[0].id])
        // There are none: all comes to the first, a piece at a time.
        for helper in helpers { board.release(helper.id) }
        var rest: Int64 = 0
        repeat { rest += Int64(board.take(first.id, 100 << 20).count) } while board.takeBack(first.id)
        #expect(rest == 96 << 20 && board.missingBytes == 0)
    }

    @Test func whatHasBegunToComeIsNotTakenBack() throws {
        var board = RangeBoard(size: 100 << 20, missing: [0..<100 << 20])
        let (firstClaim, helperClaim) = (board.claim(isAlone: true), board.claim(isAlone: false))
        let (first, helper) = (try #require(firstClaim), try #require(helperClaim))
        _ = board.take(helper.id, 1)
        _ = board.take(first.id, 100 << 20)
        let isMore = board.takeBack(first.id)
        #expect(!isMore && board.isWhole(first.id))
    }
}
