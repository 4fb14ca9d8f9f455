/// Which kernels advance so many messages in the least time.
///
/// Features of the CPU don't tell: with SHA extensions two streams at a time beat eight lanes, and sixteen lanes beat
/// both on some CPUs and not on others. So each kernel is timed once, over 560 KiB in all.
struct HashSchedule: Sendable {
    /// By the number of messages; the first entry is for none.
    private let first: [HashKernel]
    /// How many messages a thread should have at once: the fewest with which it hashes the most bytes a second.
    let width: Int

    /// - Parameters:
    ///   - kernels: at least one with one lane.
    ///   - passTime: what a block of each of its lanes takes a kernel, in any unit.
    init(_ kernels: [HashKernel], passTime: (HashKernel) -> Double) {
        let most = kernels.map(\.lanes).max() ?? 1
        let timed = kernels.map { (kernel: $0, time: passTime($0)) }
        var first = [kernels[0]]
        var costs = [0.0]
        for count in 1...most {
            var best = (kernel: kernels[0], cost: Double.infinity)
            for (kernel, time) in timed {
                let cost = time + costs[max(0, count - kernel.lanes)]
                if cost < best.cost { best = (kernel, cost) }
            }
            first.append(best.kernel)
            costs.append(best.cost)
        }
        self.first = first
        width = (1...most).min { costs[$0] / Double($0) < costs[$1] / Double($1) } ?? 1
    }

    /// The kernel for the first messages of so many; what it leaves is asked for again.
    func kernel(for count: Int) -> HashKernel { first[min(count, first.count - 1)] }

    /// Of this machine, timed at the first use.
    static let measured = HashSchedule(HashKernel.all) { kernel in
        let bank = LaneBank(lanes: kernel.lanes)
        bank.clear(blocks: 32)
        let clock = ContinuousClock()
        // The least of a few: the others were interrupted, or the core was still waking its wide registers.
        let times = (0..<8).map { _ in
            bank.rewind()
            return clock.measure { bank.advance(Array(0..<kernel.lanes), blocks: 32, by: kernel) }
        }
        let least = times.min() ?? .zero
        return Double(least.components.attoseconds) / 1e9
    }
}
