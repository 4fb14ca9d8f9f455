import Testing

@testable import SyncEngine

/// A network, and what the policy has to make of it whatever the noise.
struct ConnectionCase: Sendable, CustomTestStringConvertible {
    var shape: NetworkShape
    var bound = 64
    /// Where the target ends: its median over the last seconds.
    var final: ClosedRange<Int>
    /// When nine tenths of the best throughput are reached.
    var reachSeconds: Double
    /// Bytes of the first five seconds, as a part of what the best number would have brought from the start.
    var share: Double
    /// Most connections wanted at any time.
    var peak = 64
    /// Changes of the target from the sixth second to the thirtieth.
    var changes = 6

    var testDescription: String { shape.name }
}

@Suite struct ConnectionPolicyTests {
    private struct Run {
        var policy: ConnectionPolicy
        var network: SimulatedNetwork
        /// After each look: the target, and the bytes without noise.
        var looks: [(target: Int, bytes: Double)] = []

        /// Goes on for so long; `work` is for how many connections there is something to do.
        mutating func go(seconds: Double, work: Int = .max) {
            for _ in 0..<Int((seconds / SimulatedNetwork.lookSeconds).rounded()) {
                let look = network.look(wanted: min(policy.target, work))
                if look.isRefused { policy.yield() }
                policy.observe(bytes: look.bytes, seconds: SimulatedNetwork.lookSeconds, active: network.active)
                looks.append((policy.target, look.smooth))
            }
        }

        func secondsTo(_ isReached: (Int) -> Bool) -> Double? {
            looks.indices.first(where: isReached).map { Double($0 + 1) * SimulatedNetwork.lookSeconds }
        }

        /// Over three looks, since far hosts send in bursts.
        func speed(at look: Int) -> Double {
            look < 2 ? 0 : looks[look - 2...look].reduce(0) { $0 + $1.bytes } / 3 / SimulatedNetwork.lookSeconds
        }

        func changes(from second: Double) -> Int {
            let late = looks.dropFirst(Int(second / SimulatedNetwork.lookSeconds))
            return zip(late, late.dropFirst()).count { $0.target != $1.target }
        }

        func median(ofLast count: Int) -> Int { looks.suffix(count).map(\.target).sorted()[count / 2] }
    }

    static let cases: [ConnectionCase] = [
        // Each connection is limited: all that may be, quickly.
        .init(
            shape: .init(name: "limited, near", line: 5_000e6, roundTripSeconds: 0.01, perConnection: 20e6),
            final: 64...64, reachSeconds: 1.4, share: 0.78),
        .init(
            shape: .init(name: "limited", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6),
            final: 64...64, reachSeconds: 1.5, share: 0.75),
        .init(
            shape: .init(name: "limited, loopback", line: 1_500e6, roundTripSeconds: 0.0005, perConnection: 20e6),
            final: 64...64, reachSeconds: 1, share: 0.85),
        .init(
            shape: .init(name: "limited, far", line: 5_000e6, roundTripSeconds: 0.1, perConnection: 20e6),
            final: 64...64, reachSeconds: 4, share: 0.37, changes: 8),
        .init(
            shape: .init(
                name: "limited, noisy", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6, noise: 0.3),
            final: 48...64, reachSeconds: 3, share: 0.7, changes: 8),
        .init(
            shape: .init(name: "limited, bound 8", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6),
            bound: 8, final: 8...8, reachSeconds: 1.2, share: 0.82, peak: 8),
        .init(
            shape: .init(name: "limited, 1 Gbit/s", line: 125e6, roundTripSeconds: 0.02, perConnection: 20e6),
            final: 6...9, reachSeconds: 1.2, share: 0.85, peak: 32, changes: 7),
        // Loss: each connection is slow whatever the line.
        .init(
            shape: .init(name: "Reno, 7 MB/s", line: 250e6, roundTripSeconds: 0.05, loss: 0.001, segment: 9_000),
            final: 30...50, reachSeconds: 2, share: 0.65, changes: 10),
        .init(
            shape: .init(name: "Reno, 1 MB/s", line: 250e6, roundTripSeconds: 0.05, loss: 0.001),
            final: 48...64, reachSeconds: 2.5, share: 0.65, changes: 8),
        // One connection fills the line, or the processor.
        .init(
            shape: .init(name: "BBR, 50 ms", line: 125e6, roundTripSeconds: 0.05), final: 1...3, reachSeconds: 1,
            share: 0.85, peak: 8),
        .init(
            shape: .init(name: "BBR, 200 ms", line: 125e6, roundTripSeconds: 0.2), final: 1...4, reachSeconds: 3,
            share: 0.5, peak: 8, changes: 9),
        .init(
            shape: .init(name: "100 Mbit/s", line: 12.5e6, roundTripSeconds: 0.03), final: 1...3, reachSeconds: 0.8,
            share: 0.9, peak: 8),
        .init(
            shape: .init(name: "100 Mbit/s, noisy", line: 12.5e6, roundTripSeconds: 0.03, noise: 0.3), final: 1...3,
            reachSeconds: 0.8, share: 0.9, peak: 8, changes: 8),
        .init(
            shape: .init(name: "processor", line: 1_200e6, roundTripSeconds: 0.0002, noise: 0.2), final: 1...3,
            reachSeconds: 0.4, share: 0.95, peak: 8),
        .init(
            shape: .init(name: "processor, costly", line: 1_200e6, roundTripSeconds: 0.0002, cost: 0.03, noise: 0.2),
            final: 1...3, reachSeconds: 0.8, share: 0.9, peak: 8),
        // The host wants no more than some.
        .init(
            shape: .init(
                name: "halves beyond 8", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6, halvesBeyond: 8),
            final: 6...8, reachSeconds: 2, share: 0.65, peak: 32, changes: 8),
        .init(
            shape: .init(
                name: "refuses beyond 10", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6, refusesBeyond: 10
            ),
            final: 6...10, reachSeconds: 2, share: 0.6, peak: 32),
    ]

    private func run(_ shape: NetworkShape, bound: Int = 64, seed: UInt64 = 1) -> Run {
        Run(policy: ConnectionPolicy(bound: bound), network: SimulatedNetwork(shape, seed: seed))
    }

    @Test(arguments: cases) func itSettlesWhereTheNetworkIsFull(_ expected: ConnectionCase) {
        let best = expected.shape.best(bound: expected.bound)
        for seed in UInt64(1)...4 {
            var run = run(expected.shape, bound: expected.bound, seed: seed)
            run.go(seconds: 30)
            let reached = run.secondsTo { run.speed(at: $0) >= 0.9 * best } ?? .infinity
            let share = run.looks.prefix(50).reduce(0) { $0 + $1.bytes } / (5 * best)
            let peak = run.looks.map(\.target).max() ?? 0
            #expect(expected.final.contains(run.median(ofLast: 50)), "seed \(seed)")
            #expect(reached <= expected.reachSeconds, "seed \(seed)")
            #expect(share >= expected.share, "seed \(seed)")
            #expect(peak <= expected.peak, "seed \(seed)")
            #expect(run.changes(from: 6) <= expected.changes, "seed \(seed)")
        }
    }

    @Test(arguments: UInt64(1)...5) func aLimitedHostHasManyWithinASecond(seed: UInt64) {
        for (name, most) in [("limited", 0.9), ("Reno, 7 MB/s", 1.25)] {
            guard let shape = Self.cases.first(where: { $0.shape.name == name })?.shape else { continue }
            var run = run(shape, seed: seed)
            run.go(seconds: 2)
            #expect(run.secondsTo { run.looks[$0].target >= 24 } ?? .infinity <= most, "\(name)")
        }
    }

    @Test func aGibibyteFromALimitedHostTakesNotLong() {
        var run = run(.init(name: "limited", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6))
        run.go(seconds: 2.5)
        #expect(run.looks.reduce(0) { $0 + $1.bytes } >= 1_073_741_824)
    }

    @Test(arguments: UInt64(1)...4) func aLimitThatComesLaterIsMetWithMore(seed: UInt64) {
        var run = run(
            .init(name: "limit", line: 200e6, roundTripSeconds: 0.02, change: (10, 200e6, 5e6)), seed: seed)
        run.go(seconds: 10)
        #expect(run.policy.target <= 4)
        run.go(seconds: 8)
        #expect(run.policy.target >= 30)
    }

    @Test(arguments: UInt64(1)...4) func aLineThatBecomesNarrowIsLeftToFewer(seed: UInt64) {
        var run = run(
            .init(
                name: "narrow", line: 1_000e6, roundTripSeconds: 0.02, perConnection: 20e6, change: (10, 100e6, 20e6)),
            seed: seed)
        run.go(seconds: 10)
        #expect(run.median(ofLast: 50) >= 40)
        run.go(seconds: 30)
        #expect(run.policy.target <= 20)
    }

    /// Over a lossy line: megabytes in each look, with as many connections as are wanted.
    private func look(_ policy: inout ConnectionPolicy, _ megabytes: [Int64], active: Int? = nil) {
        let active = active ?? policy.target
        for bytes in megabytes { policy.observe(bytes: bytes << 20, seconds: 0.1, active: active) }
    }

    @Test func aFirstBurstIsNoReasonForFewer() {
        var policy = ConnectionPolicy(bound: 64)
        look(&policy, [1, 4, 9, 6, 6])
        #expect(policy.target == 8)
        look(&policy, [5, 9, 12, 12, 12, 12])
        #expect(policy.target == 32)
    }

    @Test func aTrialThatFailedBesideABurstIsGoneBackToWhenFewerBringLess() {
        var policy = ConnectionPolicy(bound: 64)
        look(&policy, [1, 4, 9, 16, 16, 16, 16])
        #expect(policy.target == 8)
        look(&policy, [5, 9, 12, 12, 12, 12, 12])
        #expect(policy.target == 1)
        // Those that are too many end theirs one by one.
        look(&policy, [12, 11, 8], active: 6)
        look(&policy, [6, 5], active: 4)
        #expect(policy.target == 1)
        look(&policy, [4, 4, 4], active: 3)
        #expect(policy.target == 32)
    }

    /// The end of a file says nothing of the network.
    @Test func aTrialThatFailedIsNotGoneBackToWhereFewerThanAreWantedBringLess() {
        var policy = ConnectionPolicy(bound: 64, start: 8)
        look(&policy, [10, 40, 96, 96, 96, 96])
        #expect(policy.target == 64)
        look(&policy, [96, 96, 96, 96, 96, 96, 96])
        #expect(policy.target == 8)
        for active in [5, 3, 2, 1, 1, 1, 1] { look(&policy, [Int64(active)], active: active) }
        #expect(policy.target == 8)
    }

    @Test func aTrialThatFailedIsNotGoneBackToWhileFewerBringAsMuch() {
        var policy = ConnectionPolicy(bound: 64)
        look(&policy, [1, 4, 9, 12, 12, 12])
        #expect(policy.target == 8)
        look(&policy, [12, 12, 12, 12, 12, 12])
        #expect(policy.target == 1)
        look(&policy, [7, 6, 12, 6, 6, 12], active: 3)
        #expect(policy.target == 1)
    }

    @Test func growthThatIsNotTakenUpProvesNothing() {
        var run = run(.init(name: "limited", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6))
        run.go(seconds: 20, work: 5)
        #expect(run.policy.target == 8)
        run.go(seconds: 2)
        // By the end of it, fewer may be tried.
        #expect(run.looks.suffix(20).contains { $0.target == 64 })
    }

    @Test func aStallChangesNothing() {
        var run = run(.init(name: "limited", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6))
        run.go(seconds: 2)
        for _ in 0..<300 { run.policy.observe(bytes: 0, seconds: 0.1, active: 64) }
        #expect(run.policy.target == 64)
    }

    @Test(arguments: [1, 0, -3]) func thereIsAlwaysOneConnection(bound: Int) {
        var run = run(.init(name: "limited", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6), bound: bound)
        run.go(seconds: 20)
        run.policy.yield()
        run.go(seconds: 20)
        #expect(run.looks.allSatisfy { $0.target == 1 })
    }

    @Test func theStartIsKeptWithinTheBound() {
        #expect(ConnectionPolicy(bound: 8, start: 20).target == 8)
        #expect(ConnectionPolicy(bound: 8, start: 0).target == 1)
        #expect(ConnectionPolicy(bound: 8).target == 1)
    }

    @Test func looksThatSawNothingAreIgnored() {
        var policy = ConnectionPolicy(bound: 64, start: 4)
        for _ in 0..<50 {
            policy.observe(bytes: 1_000_000, seconds: 0, active: 4)
            policy.observe(bytes: 1_000_000, seconds: .nan, active: 4)
            policy.observe(bytes: 1_000_000, seconds: 0.1, active: 0)
            policy.observe(bytes: -1, seconds: 0.1, active: 4)
        }
        #expect(policy.target == 4)
    }

    @Test func yieldHalvesOnceForRefusalsThatComeTogether() {
        var run = run(.init(name: "limited", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6))
        run.go(seconds: 2)
        for _ in 0..<32 { run.policy.yield() }
        #expect(run.policy.target == 32)
        run.go(seconds: 1)
        run.policy.yield()
        #expect(run.policy.target == 16)
    }

    @Test func afterARefusalNothingGrowsForAWhile() {
        var run = run(.init(name: "limited", line: 5_000e6, roundTripSeconds: 0.02, perConnection: 20e6))
        run.go(seconds: 2)
        run.policy.yield()
        run.looks = []
        run.go(seconds: 15)
        #expect(run.looks.allSatisfy { $0.target == 32 })
        run.go(seconds: 45)
        #expect(run.policy.target == 64)
    }
}
