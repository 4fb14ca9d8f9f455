import ModelSyncKit
import Testing

@testable import modelsync

@Suite struct ProgressBoardTests {
    private func progress(_ path: String, _ bytes: Int64, _ total: Int64, _ rate: Double = 0) -> SyncEvent {
        .progress(DownloadProgress(model: "m", path: path, bytes: bytes, total: total, bytesPerSecond: rate))
    }

    private func start(_ path: String, _ size: Int64, _ resumed: Int64 = 0) -> SyncEvent {
        .started(model: "m", path: path, size: size, resumedFrom: resumed)
    }

    @Test func runningFilesStandInTheOrderOfTheirStart() throws {
        var board = ProgressBoard([(0, .planned(try plan([10, 10, 10])))])
        for path in ["c", "a", "b"] { board.apply(start(path, 10), at: 1) }
        #expect(board.files.map(\.name.path) == ["c", "a", "b"])
        board.apply(.finished(result("a", 10, .downloaded)), at: 2)
        #expect(board.files.map(\.name.path) == ["c", "b"])
        #expect(board.filesDone == 1 && board.fileCount == 3)
    }

    @Test func bytesOfTheRunAreThoseThatHadToCome() throws {
        var board = ProgressBoard([
            (0, .planned(try plan([100, 50], partial: 40))), (0, start("a", 100, 40)), (0, start("b", 50)),
        ])
        #expect(board.bytes == 0 && board.total == 110)
        board.apply(progress("a", 70, 100), at: 1)
        board.apply(progress("b", 20, 50), at: 1)
        #expect(board.bytes == 50)
        board.apply(.finished(result("a", 100, .downloaded)), at: 2)
        board.apply(.finished(result("b", 50, .downloaded)), at: 2)
        #expect(board.bytes == 110)
    }

    @Test func whatComesAgainFromItsStartIsMoreToFetch() throws {
        var board = ProgressBoard([(0, .planned(try plan([100], partial: 40))), (0, start("a", 100, 40))])
        board.apply(progress("a", 60, 100), at: 1)
        board.apply(progress("a", 10, 100), at: 2)
        #expect(board.bytes == 10 && board.total == 100)
        board.apply(.finished(result("a", 100, .downloaded)), at: 3)
        #expect(board.bytes == 100)
    }

    @Test func aFailedFileIsCountedAndNotWaitedFor() throws {
        var board = ProgressBoard([
            (0, .planned(try plan([1000, 1000]))), (0, start("a", 1000)), (0, start("b", 1000)),
        ])
        board.apply(progress("a", 500, 1000), at: 5)
        board.measure(at: 5)
        board.apply(progress("b", 500, 1000), at: 10)
        board.measure(at: 10)
        #expect(board.bytesPerSecond == 100 && board.secondsLeft == 10)
        board.apply(.finished(result("a", 1000, .failed)), at: 10)
        #expect(board.failures == 1 && board.filesDone == 1)
        #expect(board.total == 2000 && board.secondsLeft == 5)
    }

    @Test func aFileOfAnotherProcessIsDoneAndNoSpeed() throws {
        var board = ProgressBoard([
            (0, .planned(try plan([1000, 1000]))), (0, .waiting(model: "m", path: "a")), (0, start("b", 1000)),
        ])
        board.apply(.finished(result("a", 1000, .downloaded)), at: 1)
        board.apply(progress("b", 100, 1000), at: 10)
        board.measure(at: 10)
        #expect(board.bytes == 1100 && board.bytesPerSecond == 10)
    }

    @Test func whatIsToldAfterTheFetchesCountsAsFailureAlone() throws {
        var board = ProgressBoard([(0, .planned(try plan([10]))), (0, start("a", 10))])
        for outcome in [ResultOutcome.downloaded, .linked, .failed] {
            board.apply(.finished(result("a", 10, outcome)), at: 1)
        }
        #expect(board.filesDone == 1 && board.failures == 1 && board.bytes == 10)
    }

    @Test func ratesSinkWhenNothingComes() throws {
        var board = try ProgressBoard.running([("a", 1000, 500)])
        #expect(board.bytesPerSecond == 50 && board.files[0].bytesPerSecond(at: 10.5) == 50)
        board.measure(at: 15)
        #expect(board.bytesPerSecond == 25 && board.secondsLeft == 20)
        #expect(board.files[0].bytesPerSecond(at: 16) == 25)
    }

    @Test func aFileIsVerifiedWhenItsBytesAreThereUntilItMustComeAgain() throws {
        var board = try ProgressBoard.running([("a", 1000, 1000)])
        #expect(board.files[0].isVerifying)
        let error = SyncError(.digestMismatch, "wrong")
        board.apply(.retrying(model: "m", path: "a", error: error, after: .seconds(3), source: "u"), at: 11)
        #expect(!board.files[0].isVerifying && board.files[0].retryAt == 14)
        board.apply(progress("a", 10, 1000), at: 15)
        #expect(board.files[0].retryAt == nil && board.bytes == 10)
    }

    @Test func hashingIsMeasuredAndThenForgotten() throws {
        var board = ProgressBoard(now: 0)
        board.apply(.verified(bytes: 100), at: 1)
        #expect(board.bytes == 100 && board.total == nil && board.secondsLeft == nil)
        board.apply(.verifying(total: 1000), at: 1)
        board.apply(.verified(bytes: 100), at: 2)
        board.measure(at: 2)
        #expect(board.total == 1000 && board.bytesPerSecond == 100 && board.secondsLeft == 8)
        board.apply(.planned(try plan([10])), at: 3)
        #expect(board.bytes == 0 && board.bytesPerSecond == 0 && board.total == 10)
    }
}
