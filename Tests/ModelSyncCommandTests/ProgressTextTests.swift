import ModelSyncKit
import Synchronization
import TestSupport
import Testing

@testable import modelsync

@Suite struct ProgressTextTests {
    private let plain = ProgressText(isVerbose: false, hasBars: false)
    private let bars = ProgressText(isVerbose: false, hasBars: true)

    @Test func aLineOfLifeTellsHowFarTheRunIs() throws {
        var board = ProgressBoard(now: 0)
        #expect(plain.life(board, at: 10) == "looking at the store")
        board.apply(.verified(bytes: 1_000_000_000), at: 10)
        board.measure(at: 10)
        #expect(plain.life(board, at: 10) == "verifying: 1.00 GB hashed at 100 MB/s")
        board.apply(.verifying(total: 7_000_000_000), at: 10)
        #expect(plain.life(board, at: 10) == "verifying: 1.00 GB of 7.00 GB hashed at 100 MB/s, 1 min 0 s left")
        board = try .half()
        #expect(plain.life(board, at: 10) == "2 running; 0 of 12 files; 2.00 GB of 4.00 GB at 200 MB/s, 10.0 s left")
        board.apply(.finished(result("x", 0, .failed)), at: 10)
        #expect(
            plain.life(board, at: 41)
                == "2 running; 1 of 12 files, 1 failed; 2.00 GB of 4.00 GB, no data for 31.0 s")
    }

    @Test func aFileThatEndsIsALineAndUnderBarsOnlyIfItFailed() {
        let done = SyncEvent.finished(result("a", 1000, .downloaded))
        #expect(plain.line(done) == "downloaded m/a (1.00 kB)")
        #expect(bars.line(done) == nil)
        #expect(ProgressText(isVerbose: true, hasBars: true).line(done) == "downloaded m/a (1.00 kB)")
        for (message, reason) in [
            ("m/a: not found; check; twice", "not found"), ("m/ab: odd", "m/ab: odd"), ("no space", "no space"),
        ] {
            let failed = SyncEvent.finished(result("a", 1000, .failed, SyncError(.storeIO, message)))
            #expect(plain.line(failed) == "failed m/a: \(reason)")
            #expect(bars.line(failed) == "failed m/a: \(reason)")
        }
    }

    @Test(
        arguments: [
            (.auto, false, true, .bar), (.auto, false, false, .plain), (.auto, true, true, .none),
            (.bar, false, true, .bar),
            (.bar, true, true, .bar), (.bar, false, false, .plain), (.plain, false, true, .plain),
            (.json, true, true, .json),
            (.none, false, true, .none),
        ] as [(ProgressStyle, Bool, Bool, ProgressStyle)])
    func theStyleDependsOnTheTerminal(style: ProgressStyle, isQuiet: Bool, isTerminal: Bool, resolved: ProgressStyle) {
        #expect(style.resolved(isQuiet: isQuiet, isTerminal: isTerminal) == resolved)
    }

    @Test func whatIsToBeHashedIsToldToProgramsToo() {
        #expect(
            String(decoding: ProgressJSON.line(.verifying(total: 12)), as: UTF8.self)
                == #"{"event":"verifying","total":12}"#)
    }
}

@Suite(.timeLimit(.minutes(1))) struct TickerTests {
    /// What a ticker's thread has done so often.
    private final class Count: Sendable {
        let value = Atomic<Int>(0)
        func add() { value.add(1, ordering: .relaxed) }
        var now: Int { value.load(ordering: .relaxed) }
    }

    @Test func itBeatsWithoutNewsAndEndsInItsScope() async throws {
        let count = Count()
        let ticker = Ticker {
            count.add()
            return 1
        }
        try await eventually("two ticks") { count.now >= 2 }
        ticker.end()
        let last = count.now
        ticker.nudge()
        ticker.end()
        #expect(count.now == last)
    }

    @Test func newsWakeIt() async throws {
        let count = Count()
        let ticker = Ticker {
            count.add()
            return 3_600_000
        }
        try await eventually("the first tick") { count.now >= 1 }
        for wanted in 2...3 {
            ticker.nudge()
            try await eventually("tick \(wanted)") { count.now >= wanted }
        }
        ticker.end()
        #expect(count.now == 3)
    }
}
