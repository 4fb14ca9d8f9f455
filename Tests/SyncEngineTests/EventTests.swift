import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

/// What an observer hears.
@Suite(.timeLimit(.minutes(1))) struct EventTests {
    @Test func progressIsToldAtMostEveryHalfSecondAndOnceAtTheEnd() async throws {
        let world = World(sliceBytes: 10, perSlice: .milliseconds(100))
        let file = try world.served("f", bytes(305, 1))
        _ = try await world.apply(model("m", [file]))
        let told = world.log.progress("f")
        #expect(told.map(\.bytes) == [50, 100, 150, 200, 250, 300, 305])
        #expect(told.filter(\.isComplete).count == 1)
        #expect(told.allSatisfy { $0.total == 305 && $0.model == "m" })
        #expect(told.dropLast().allSatisfy { abs($0.bytesPerSecond - 100) < 1e-6 })
    }

    @Test func progressOfAResumedFileCountsWhatIsThere() async throws {
        let world = World(sliceBytes: 10, perSlice: .milliseconds(100))
        let content = bytes(200, 1)
        let file = try world.served("f", content)
        world.store.putPartial(Array(content.prefix(100)), of: file.sha256)
        _ = try await world.apply(model("m", [file]))
        #expect(world.log.progress("f").map(\.bytes) == [150, 200])
        #expect(world.log.progress("f").first.map { abs($0.bytesPerSecond - 100) < 1e-6 } == true)
    }

    @Test func progressAfterAStartOverBeginsAnew() async throws {
        let world = World(sliceBytes: 10, perSlice: .milliseconds(500))
        let content = bytes(40, 1)
        let file = try world.file("f", content)
        world.store.putPartial(Array(content.prefix(30)), of: file.sha256)
        world.transport.script(file.sources[0], [.whole(content)])
        _ = try await world.apply(model("m", [file]))
        #expect(world.log.progress("f").map(\.bytes) == [10, 20, 30, 40])
    }

    @Test func theEndIsToldOfFilesThatNeedNoTransferToo() async throws {
        let world = World()
        let whole = bytes(20, 1)
        let files = [try world.file("whole", whole), try world.file("empty", [])]
        world.store.putPartial(whole, of: files[0].sha256)
        _ = try await world.apply(model("m", files))
        #expect(world.log.progress("whole").map(\.bytes) == [20])
        #expect(world.log.progress("empty").map(\.isComplete) == [true])
    }

    @Test func eachPathIsDoneWithOnce() async throws {
        let world = World()
        let (shared, brought, lost) = (bytes(10, 1), bytes(11, 2), bytes(12, 3))
        let before = try model("old", [world.served("dropped", bytes(14, 5)), world.served("kept", bytes(15, 6))])
        _ = try await world.apply(before)
        let already = world.log.finished.count
        let files = [
            try world.served("s1", shared), try world.served("s2", shared), try world.file("brought", brought),
        ]
        world.store.setBusy(files[2].sha256, asks: 1, thenBring: brought)
        let run = try await world.apply(
            model("m", files), model("bad", [world.file("l1", lost), world.file("l2", lost)]),
            model("old", [before.files[1]]))
        let told = world.log.finished.dropFirst(already)
        #expect(
            told.map { $0.model + "/" + $0.path }.sorted() == run.outcomes.filter { $0.value != .kept }.keys.sorted())
        for result in told { #expect(run.outcomes[result.model + "/" + result.path] == result.outcome) }
        #expect(run.outcomes["old/kept"] == .kept)
    }

    @Test func whatIsHashedIsAnnouncedBeforeThePlan() async throws {
        var world = World()
        let model = try model("m", [world.served("a", bytes(5, 1)), world.served("b", bytes(7, 2))])
        _ = try await world.apply(model)
        world.options.depth = .full
        let before = world.log.events.count
        _ = try await world.engine.plan(Manifest(applied: [model]))
        var totals: [Int64] = []
        var hashed: Int64 = 0
        for event in world.log.events.dropFirst(before) {
            if case .verifying(let total) = event { totals.append(total) }
            if case .verified(let bytes) = event { hashed += bytes }
        }
        #expect(totals == [12] && hashed == 12)
    }

    @Test func thePlanIsToldFirst() async throws {
        let world = World()
        _ = try await world.apply(model("m", [world.served("a", bytes(5, 1))]))
        guard case .planned(let plan) = world.log.events.first else {
            Issue.record("\(world.log.events.count) events, the first is another")
            return
        }
        #expect(plan.bytesToFetch == 5)
    }

    @Test func statisticsAreByTheClock() async throws {
        let world = World(sliceBytes: 10, perSlice: .seconds(1))
        let file = try world.file("f", bytes(40, 1))
        world.transport.script(file.sources[0], [.file(bytes(40, 1)).cut(at: 20), .file(bytes(40, 1))])
        let run = try await world.apply(model("m", [file]))
        let transfer = try #require(run.results[0].transfer)
        #expect(transfer.startedAt.milliseconds == ManualClock.origin)
        // Two seconds of bytes, a second of waiting, two seconds of bytes.
        #expect(transfer.seconds == 5)
        #expect(transfer.bytesPerSecond == 8)
        #expect(transfer.attempts.map(\.seconds) == [2, 2])
        #expect(transfer.attempts.map(\.startedAt.milliseconds) == [0, 3000].map { ManualClock.origin + $0 })
        #expect(transfer.attempts.map(\.bytes) == [20, 20])
        #expect(transfer.attempts.map { $0.error?.code } == [.networkInterrupted, nil])
    }
}
