import Foundation
import SyncEngine
import Synchronization
import TestSupport
import Testing

@testable import ModelSyncKit

@Suite struct RunSamplerTests {
    /// Time that moves when it is told to.
    private final class Clock: Sendable {
        private let now = Mutex(Duration.seconds(1000))

        func advance(_ seconds: Double) { now.withLock { $0 += .milliseconds(Int64(seconds * 1000)) } }

        var clock: RunClock {
            RunClock(
                monotonic: { self.now.withLock { $0 } }, wall: { Timestamp(milliseconds: 0) }, sleep: { _ in },
                chance: { 1 })
        }
    }

    private static func started(_ path: String, resumed: Int64 = 0) -> SyncEvent {
        .started(model: "m", path: path, size: 1000, resumedFrom: resumed)
    }

    private static func progress(_ path: String, _ bytes: Int64) -> SyncEvent {
        .progress(DownloadProgress(model: "m", path: path, bytes: bytes, total: 1000))
    }

    private static func finished(_ path: String, _ bytes: Int64, _ outcome: ResultOutcome = .downloaded) -> SyncEvent {
        let transfer = TransferStatistics(bytesDownloaded: bytes, startedAt: Timestamp(milliseconds: 0))
        return .finished(
            DownloadResult(model: "m", path: path, sha256: nil, size: 1000, outcome: outcome, transfer: transfer))
    }

    private static func downloaded(_ events: SyncEvent...) -> Int64 {
        var tally = ByteTally()
        for event in events { _ = tally.take(event) }
        return tally.sample(at: 0).bytesDownloaded
    }

    @Test func bytesThatProgressToldOfAreNotCountedAgainAtTheEnd() {
        let events = [Self.started("a"), Self.progress("a", 400), Self.progress("a", 1000)]
        #expect(Self.downloaded(events[0], events[1]) == 400)
        #expect(Self.downloaded(events[0], events[1], events[2], Self.finished("a", 1000)) == 1000)
    }

    @Test func aFileThatToldNothingOnItsWayIsCountedAtItsEnd() {
        #expect(Self.downloaded(Self.started("a"), Self.finished("a", 1000)) == 1000)
    }

    @Test func bytesOfAnEarlierRunAreNotCounted() {
        #expect(Self.downloaded(Self.started("a", resumed: 700), Self.progress("a", 900)) == 200)
        #expect(Self.downloaded(Self.started("a", resumed: 1000), Self.progress("a", 1000)) == 0)
    }

    @Test func whatComesAgainFromItsStartIsCountedAgain() {
        let events = (Self.started("a", resumed: 700), Self.progress("a", 900), Self.progress("a", 100))
        #expect(Self.downloaded(events.0, events.1, events.2) == 300)
        #expect(Self.downloaded(events.0, events.1, events.2, Self.finished("a", 1200)) == 1200)
    }

    @Test func aResultThatIsToldTwiceIsCountedOnce() {
        #expect(
            Self.downloaded(Self.started("a"), Self.finished("a", 1000), Self.finished("a", 1000, .skipped)) == 1000)
    }

    @Test func filesOfOneNameInTwoModelsAreTwo() {
        let other = SyncEvent.started(model: "n", path: "a", size: 1000, resumedFrom: 0)
        #expect(Self.downloaded(Self.started("a"), other, Self.finished("a", 10), Self.finished("a", 10)) == 10)
    }

    @Test func aRunThatMovesNoBytesHasNoSamples() {
        let sampler = RunSampler(telling: SilentObserver(), clock: Clock().clock)
        sampler.observe(.note("nothing"))
        #expect(sampler.samples(until: 1).isEmpty)
    }

    @Test func samplesTellTheTimeSinceTheRunBeganAndEndWithIt() {
        let (time, log) = (Clock(), EventLog())
        let sampler = RunSampler(telling: log, clock: time.clock)
        sampler.observe(.verified(bytes: 5))
        sampler.observe(Self.started("a"))
        time.advance(0.5)
        sampler.observe(Self.progress("a", 300))
        time.advance(1)
        sampler.observe(Self.finished("a", 1000))
        let wanted = [(0, 0, 5), (0.5, 300, 5), (1.5, 1000, 5), (2.0, 1000, 5)] as [(Double, Int64, Int64)]
        #expect(
            sampler.samples(until: 2) == wanted.map { RunSample(seconds: $0, bytesDownloaded: $1, bytesHashed: $2) })
        #expect(log.events.count == 4)
    }

    @Test(arguments: [1, 600, 601, 5000, 100_000])
    func samplesAreNeverTooManyAndCoverTheWholeRun(_ count: Int) throws {
        var series = SampleSeries()
        for index in 1...count {
            series.add(RunSample(seconds: Double(index) * 0.02, bytesDownloaded: Int64(index), bytesHashed: 0))
            #expect(series.samples.count <= SampleSeries.limit)
        }
        let end = Double(count) * 0.02
        series.end(with: RunSample(seconds: end, bytesDownloaded: Int64(count), bytesHashed: 0))
        let samples = series.samples
        #expect(samples.count <= SampleSeries.limit)
        #expect(samples.count >= min(count, SampleSeries.limit / 2))
        #expect(samples.last?.seconds == end)
        let gaps = zip(samples, samples.dropFirst()).map { $1.seconds - $0.seconds }
        #expect(gaps.allSatisfy { $0 > 0 })
        #expect((gaps.max() ?? 0) <= max(0.021, end / 100))
    }

    @Test func manyEventsOfOneMomentAreOneSample() {
        var series = SampleSeries()
        for index in 0..<10_000 {
            series.add(RunSample(seconds: Double(index) * 1e-6, bytesDownloaded: Int64(index), bytesHashed: 0))
        }
        #expect(series.samples.count == 1)
    }
}
