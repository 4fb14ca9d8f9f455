import SyncDomain
import Testing

@testable import SyncEngine

@Suite struct ProgressMeterTests {
    /// An update that must be told.
    private func tell(_ meter: inout ProgressMeter, bytes: Int64, now: Double) throws -> (
        rate: Double, secondsLeft: Double?
    ) {
        let update = meter.update(bytes: bytes, now: now)
        return try #require(update)
    }

    @Test func itTellsAtMostEveryHalfSecond() {
        var meter = ProgressMeter(total: 1000, bytes: 0, now: 0)
        var told: [Double] = []
        for tenth in 1...20 where meter.update(bytes: Int64(tenth), now: Double(tenth) / 10) != nil {
            told.append(Double(tenth) / 10)
        }
        #expect(told == [0.5, 1.0, 1.5, 2.0])
    }

    @Test func itTellsTheEndAtOnce() throws {
        var meter = ProgressMeter(total: 1000, bytes: 0, now: 10)
        let end = try tell(&meter, bytes: 1000, now: 10)
        #expect(end.rate == 0)
        #expect(end.secondsLeft == nil)
    }

    @Test func anEvenPaceIsToldAsItIs() throws {
        var meter = ProgressMeter(total: 10_000, bytes: 1000, now: 0)
        var last: (rate: Double, secondsLeft: Double?)?
        for second in 1...8 { last = meter.update(bytes: 1000 + Int64(second) * 100, now: Double(second)) }
        let told = try #require(last)
        #expect(abs(told.rate - 100) < 1e-9)
        let left = try #require(told.secondsLeft)
        #expect(abs(left - 82) < 1e-9)
    }

    @Test func oneSlowSampleDoesNotMakeTheRateJump() throws {
        var meter = ProgressMeter(total: 1 << 40, bytes: 0, now: 0)
        _ = meter.update(bytes: 1000, now: 1)
        let told = try tell(&meter, bytes: 1000, now: 2)
        #expect(told.rate > 800 && told.rate < 1000)
        let later = try tell(&meter, bytes: 1000, now: 60)
        #expect(later.rate < 100)
    }

    @Test func resumedBytesAreNotPace() throws {
        var meter = ProgressMeter(total: 1000, bytes: 900, now: 0)
        let told = try tell(&meter, bytes: 950, now: 1)
        #expect(told.rate == 50)
    }

    @Test func afterAFreshStartThePaceIsNotNegative() throws {
        var meter = ProgressMeter(total: 1000, bytes: 900, now: 0)
        let first = try tell(&meter, bytes: 10, now: 1)
        #expect(first.rate == 0)
        let second = try tell(&meter, bytes: 110, now: 2)
        #expect(second.rate == 100)
    }

    @Test func percentAndCompletionAreOfTheWholeFile() {
        let half = DownloadProgress(model: "m", path: "f", bytes: 50, total: 100)
        #expect(half.percent == 50)
        #expect(!half.isComplete)
        let empty = DownloadProgress(model: "m", path: "f", bytes: 0, total: 0)
        #expect(empty.percent == 100)
        #expect(empty.isComplete)
    }
}
