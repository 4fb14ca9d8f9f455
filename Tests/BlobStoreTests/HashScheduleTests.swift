import TestSupport
import Testing

@testable import BlobStore

/// The choice alone: the kernels here hash nothing, and their times are made up.
@Suite(.timeLimit(.minutes(1)))
struct HashScheduleTests {
    private static let one = kernel("one", 1)
    private static let two = kernel("two", 2)
    private static let eight = kernel("eight", 8)
    private static let sixteen = kernel("sixteen", 16)

    /// As on processors with the SHA extensions and AVX-512.
    @Test func fewMessagesGoToTheSHAExtensionsAndManyToTheWideLanes() {
        let schedule = schedule([(Self.one, 10), (Self.two, 12), (Self.eight, 50), (Self.sixteen, 60)])
        let names = (1...16).map { schedule.kernel(for: $0).name }
        // Up to ten messages by sixteen lanes would take longer than pairs, and the odd one alone.
        #expect(names.prefix(10) == ["one", "two", "one", "two", "one", "two", "one", "two", "one", "two"])
        #expect(names.dropFirst(10) == ["sixteen", "sixteen", "sixteen", "sixteen", "sixteen", "sixteen"])
        #expect(schedule.width == 16)
    }

    @Test func lanesThatDoNotPayAreNeverUsed() {
        let schedule = schedule([(Self.one, 10), (Self.two, 12), (Self.eight, 50), (Self.sixteen, 97)])
        #expect((2...16).allSatisfy { $0 % 2 == 1 || schedule.kernel(for: $0).name == "two" })
        #expect(schedule.width == 2)
    }

    /// As on processors with AVX2 and no SHA extensions.
    @Test func lanesPayForAFewMessagesWhereOneIsSlow() {
        let schedule = schedule([(Self.one, 40), (Self.eight, 70)])
        #expect((1...8).map { schedule.kernel(for: $0).name } == ["one"] + Array(repeating: "eight", count: 7))
        #expect(schedule.width == 8)
    }

    @Test func withOneKernelThereIsNoChoice() {
        let schedule = schedule([(Self.one, 40)])
        #expect((0...40).allSatisfy { schedule.kernel(for: $0).name == "one" })
        #expect(schedule.width == 1)
    }

    @Test func ofEquallyFastKernelsTheFirstIsTaken() {
        let schedule = schedule([(Self.one, 10), (Self.two, 20), (Self.eight, 80)])
        #expect((1...8).allSatisfy { schedule.kernel(for: $0).name == "one" })
        #expect(schedule.width == 1)
    }

    @Test func moreMessagesThanLanesBeginLikeAsManyAsThereAreLanes() {
        let schedule = schedule([(Self.one, 10), (Self.two, 12), (Self.eight, 47)])
        #expect((9...40).allSatisfy { schedule.kernel(for: $0) == schedule.kernel(for: 8) })
    }

    /// Times are whole numbers, so that sums and ratios are exact.
    @Test(arguments: 0..<300)
    func noOtherChoiceIsFaster(_ seed: Int) {
        var dice = Dice(seed: UInt64(seed))
        let wider = [2, 3, 4, 5, 7, 8].filter { _ in dice.number(in: 0...1) == 1 }.map { Self.kernel("x\($0)", $0) }
        let timed = ([Self.one] + wider).map { ($0, Double(dice.number(in: 1...40))) }
        let schedule = schedule(timed)
        let most = timed.map(\.0.lanes).max() ?? 1
        for count in 1...most {
            let time = Self.time(schedule, timed, count)
            #expect(time == Self.least(timed, count), "\(count) messages, \(timed.map { ($0.0.name, $0.1) })")
            #expect(time <= Double(count) * timed[0].1, "slower than one by one")
        }
        let rates = (1...most).map { Double($0) / Self.time(schedule, timed, $0) }
        #expect(schedule.width == 1 + (rates.firstIndex(of: rates.max() ?? 0) ?? 0), "\(rates)")
    }

    /// Whatever this machine's clock said.
    @Test func theMeasuredScheduleHasAKernelForEveryCount() {
        let schedule = HashSchedule.measured
        #expect((1...16).contains(schedule.width))
        for count in 1...40 { #expect(HashKernel.all.contains(schedule.kernel(for: count))) }
        #expect(HashKernel.all[0] == .openSSL)
    }

    private func schedule(_ timed: [(HashKernel, Double)]) -> HashSchedule {
        HashSchedule(timed.map(\.0)) { kernel in timed.first { $0.0 == kernel }?.1 ?? .infinity }
    }

    private static func kernel(_ name: String, _ lanes: Int) -> HashKernel {
        HashKernel(name: name, lanes: lanes) { _, _, _ in }
    }

    /// What a block of each of so many messages takes as scheduled.
    private static func time(_ schedule: HashSchedule, _ timed: [(HashKernel, Double)], _ count: Int) -> Double {
        guard count > 0 else { return 0 }
        let kernel = schedule.kernel(for: count)
        let pass = timed.first { $0.0 == kernel }?.1 ?? .infinity
        return pass + time(schedule, timed, count - kernel.lanes)
    }

    /// The same, of all ways to do it.
    private static func least(_ timed: [(HashKernel, Double)], _ count: Int) -> Double {
        guard count > 0 else { return 0 }
        return timed.map { $0.1 + least(timed, count - $0.0.lanes) }.min() ?? .infinity
    }
}
