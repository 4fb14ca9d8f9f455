import Foundation
import TestSupport
import Testing

@testable import SystemSupport

@Suite(.timeLimit(.minutes(1)))
struct QuietCoreTests {
    @Test func claimedCoresAreLeftUnlessNothingElseIs() {
        let both = CoreMask(words: [0, 0b101])
        #expect(both.without([64]) == CoreMask(words: [0, 0b100]))
        #expect(both.without([1, 64]) == CoreMask(words: [0, 0b100]))
        #expect(both.without([64, 66]) == both)
        #expect(both.without([128, 5000]) == both)
    }

    @Test(.enabled(if: ProcessInfo.processInfo.activeProcessorCount > 1, "needs two cores"))
    func aThreadThatStepsAsideLeavesAClaimedCoreUntilItIsGivenBack() async {
        let quiet = QuietCore()
        let first = BlockingPool(name: "aside-1", threads: 1, steppingAsideFor: quiet)
        // It has stepped aside before it does anything.
        await first.run {}
        let all = coresAllowed(toThread: "aside-1-0")
        // Each has its own claim: the pool has one thread, and this is another's.
        let claims = BlockingPool(name: "claims", threads: 1)
        await claims.run { quiet.claim() }
        let left = coresAllowed(toThread: "aside-1-0")
        #expect(left.count == all.count - 1 && left.isSubset(of: all))
        #expect(coresAllowed(toThread: "claims-0") == all)
        quiet.release()
        #expect(coresAllowed(toThread: "aside-1-0") == left)
        let second = BlockingPool(name: "aside-2", threads: 1, steppingAsideFor: quiet)
        await second.run {}
        #expect(coresAllowed(toThread: "aside-2-0") == left)
        await claims.run { quiet.release() }
        #expect(coresAllowed(toThread: "aside-1-0") == all && coresAllowed(toThread: "aside-2-0") == all)
        for pool in [first, second, claims] { pool.shutDown() }
    }
}
