import Testing

@testable import CurlTransfer

/// A shared rate, with no time passing but the test's.
@Suite struct RateBudgetTests {
    private let start = ContinuousClock.now

    @Test(arguments: [1, 3, 12_345, 1 << 20, 10 << 30] as [Int64], [0.001, 0.02, 0.04])
    func anyTwoSecondsBringWhatTheRateSays(rate: Int64, piece: Double) {
        var budget = RateBudget(bytesPerSecond: rate, now: start)
        let bytes = max(1, Int(Double(rate) * piece))
        var (now, total) = (start, 0)
        for second in stride(from: 2, through: 20, by: 2) {
            let before = total
            while now < start + .seconds(second) {
                if let wait = budget.wait(at: now) {
                    now += min(wait, .milliseconds(20)) + .microseconds(60)
                } else {
                    budget.spend(bytes)
                    total += bytes
                }
            }
            let brought = Double(total - before)
            #expect(abs(brought - Double(2 * rate)) <= Double(rate) * 0.1 + Double(bytes), "\(second)")
        }
    }

    @Test func aDebtIsWaitedForWhole() {
        var budget = RateBudget(bytesPerSecond: 1000, now: start)
        budget.spend(3000)
        #expect(budget.wait(at: start) == .seconds(3))
        #expect(budget.wait(at: start + .seconds(2)) == .seconds(1))
        #expect(budget.wait(at: start + .seconds(3)) == nil)
    }

    @Test func aLongPauseSavesNoMoreThanAMoment() {
        var budget = RateBudget(bytesPerSecond: 1000, now: start)
        #expect(budget.wait(at: start + .seconds(60)) == nil)
        budget.spend(150)
        #expect(budget.wait(at: start + .seconds(60)) == .milliseconds(100))
    }

    @Test func whatIsReadAtOnceIsASmallPartOfTheRate() {
        #expect(Throttle.turnBytes(1, atMost: 1 << 18) == 1024)
        #expect(Throttle.turnBytes(10 << 20, atMost: 1 << 18) == 20 << 10)
        #expect(Throttle.turnBytes(.max, atMost: 1 << 18) == 1 << 18)
    }
}
