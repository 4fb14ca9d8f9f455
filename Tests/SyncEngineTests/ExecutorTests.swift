import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

@Suite(.timeLimit(.minutes(1))) struct ExecutorTests {
    @Test func everyFileArrivesAndIsShown() async throws {
        let world = World()
        let contents = [bytes(0, 1), bytes(1, 2), bytes(100_000, 3)]
        let one = try model("a/one", [world.served("x", contents[0]), world.served("y/z", contents[1])])
        let two = try model("b", [world.served("big", contents[2])])
        let run = try await world.apply(one, two)
        #expect(run.results.map(\.outcome) == [.downloaded, .downloaded, .downloaded])
        #expect(run.results.allSatisfy { $0.isSuccess && $0.error == nil })
        #expect(
            run.results.map(\.file) == ["a/one/x", "a/one/y/z", "b/big"].map { world.store.path + "/models/" + $0 })
        #expect(world.store.view("x", of: one.name) == contents[0])
        #expect(world.store.view("y/z", of: one.name) == contents[1])
        #expect(world.store.view("big", of: two.name) == contents[2])
        #expect(world.store.record(one.name) == one)
        // An empty file needs no request.
        #expect(
            world.transport.recording.requests.map(\.expectedSize).sorted { ($0 ?? 0) < ($1 ?? 0) } == [1, 100_000])

        let again = try await world.apply(one, two)
        #expect(again.results.map(\.outcome) == [.kept, .kept, .kept])
        #expect(again.results.map(\.file) == run.results.map(\.file))
        #expect(again.results.allSatisfy { $0.transfer == nil })
        #expect(world.transport.recording.requests.count == 2)
    }

    /// Their turns would allow all of them.
    @Test func filesThatWaitInMemoryHaveSoManyBytesAtOnceAndNoMore() async throws {
        let world = World(waitsInMemory: true)
        let contents = (0..<5).map { [UInt8](repeating: $0, count: Fetcher.mostHeldBytes / 2 - 1) }
        let files = try contents.enumerated().map { try world.file("f\($0)", $1) }
        for (file, content) in zip(files, contents) {
            world.transport.script(file.sources[0], [.file(content).hanging()])
        }
        let one = try model("one", files)
        let running = Task { [world] in try await world.apply(one) }
        for done in 0..<5 {
            let hanging = min(2, 5 - done)
            await world.transport.wait { $0.hanging == hanging && $0.requests.count == done + hanging }
            world.transport.releaseOne()
        }
        let run = try await running.value
        #expect(run.results.allSatisfy { $0.outcome == .downloaded })
        #expect(world.transport.recording.mostAtOnce == 2)
    }

    @Test(arguments: [1, 3, 16])
    func theBoundIsNeverExceeded(jobs: Int) async throws {
        var world = World()
        world.options.jobs = jobs
        let contents = (0..<20).map { bytes(10 + $0, UInt64($0)) }
        let files = try contents.enumerated().map { try world.file("f\($0)", $1) }
        for (file, content) in zip(files, contents) {
            world.transport.script(file.sources[0], [.file(content).hanging()])
        }
        let one = try model("m/one", files)
        let running = Task { [world] in try await world.apply(one) }
        for done in 0..<20 {
            let hanging = min(jobs, 20 - done)
            await world.transport.wait { $0.hanging == hanging && $0.requests.count == done + hanging }
            world.transport.releaseOne()
        }
        let run = try await running.value
        #expect(run.results.allSatisfy { $0.outcome == .downloaded })
        #expect(world.transport.recording.mostAtOnce == jobs)
    }

    @Test(arguments: [0, -1])
    func thereIsAlwaysOneJob(jobs: Int) async throws {
        var world = World()
        world.options.jobs = jobs
        let run = try await world.apply(model("m", [world.served("a", bytes(5, 1)), world.served("b", bytes(5, 2))]))
        #expect(run.results.allSatisfy { $0.outcome == .downloaded })
        #expect(world.transport.recording.mostAtOnce == 1)
    }

    @Test func oneFailureDoesNotStopTheBatch() async throws {
        var world = World()
        world.options.jobs = 1
        let bad = try model("bad", [world.file("gone", bytes(9, 1))])
        let good = try (2..<8).map { try model("good\($0)", [world.served("f\($0)", bytes(9, UInt64($0)))]) }
        let run = try await world.apply([bad] + good)
        #expect(run.results.map(\.outcome) == [.failed] + good.map { _ in .downloaded })
        let failed = try run.result("bad/gone")
        #expect(failed.error?.code == .httpNotFound)
        #expect(failed.error?.message.hasPrefix("bad/gone: ") == true)
        #expect(failed.file == nil)
        #expect(world.store.paths(of: bad.name) == [])
        #expect(world.store.record(bad.name) == nil)
        try await world.expectNothingIsOpen(bad)
    }

    @Test func aModelIsShownOnlyWhenAllItsFilesAreIn() async throws {
        let world = World()
        let (fast, slow) = (bytes(10, 1), bytes(10, 2))
        let files = [try world.served("fast", fast), try world.file("slow", slow)]
        world.transport.script(files[1].sources[0], [.file(slow).hanging(at: 5)])
        let one = try model("m/one", files)
        let running = Task { try await world.apply(one) }
        await world.transport.wait { $0.hanging == 1 && $0.running == 1 && $0.requests.count == 2 }
        #expect(world.store.paths(of: one.name) == [])
        world.transport.release()
        _ = try await running.value
        #expect(world.store.paths(of: one.name) == ["fast", "slow"])
        #expect(world.store.calls.filter { $0 == .publish(one.name) }.count == 1)
        let last = world.store.calls.lastIndex { if case .commit = $0 { true } else { false } }
        let publish = try #require(world.store.calls.firstIndex(of: .publish(one.name)))
        #expect(try #require(last) < publish)
    }

    @Test func aModelThatLacksAFileIsNotShownAtAll() async throws {
        let world = World()
        let (old, here) = (bytes(10, 1), bytes(11, 2))
        let before = try model("m", [world.served("a", old), world.served("dropped", here)])
        _ = try await world.apply(before)
        let after = try model(
            "m", [world.served("a", bytes(12, 3)), world.file("lost", bytes(13, 4)), world.served("new", bytes(14, 5))])
        let run = try await world.apply(after)
        #expect(
            run.outcomes == ["m/a": .skipped, "m/lost": .failed, "m/new": .downloaded, "m/dropped": .skipped])
        #expect(run.results.allSatisfy { $0.file == nil })
        #expect(world.store.view("a", of: after.name) == old)
        #expect(world.store.view("dropped", of: after.name) == here)
        #expect(world.store.paths(of: after.name) == ["a", "dropped"])
        #expect(world.store.record(after.name) == before)
    }

    @Test func anUpdateShowsTheNewSetAndTakesAwayTheOld() async throws {
        let world = World()
        _ = try await world.apply(model("m", [world.served("a", bytes(10, 1)), world.served("old", bytes(11, 2))]))
        let after = try model("m", [world.served("a", bytes(12, 3)), world.served("new", bytes(13, 4))])
        let run = try await world.apply(after)
        #expect(run.outcomes == ["m/a": .updated, "m/new": .downloaded, "m/old": .removed])
        #expect(try run.result("m/old").file == nil)
        #expect(try run.result("m/old").size == 11)
        #expect(world.store.paths(of: after.name) == ["a", "new"])
    }

    @Test func whatCanBeHadOfADamagedModelIsMended() async throws {
        let world = World()
        let contents = (0..<3).map { bytes(10 + $0, UInt64($0 + 1)) }
        let files = try contents.enumerated().map { try world.served("f\($0)", $1) }
        let one = try model("m", files)
        _ = try await world.apply(one)
        for file in files.prefix(2) { world.store.damage(file.sha256, to: [1, 2, 3]) }
        world.transport.script(files[0].sources[0], [.failure(.httpNotFound, status: 404)])
        let run = try await world.apply(one)
        #expect(run.outcomes == ["m/f0": .failed, "m/f1": .repaired, "m/f2": .kept])
        #expect(world.store.view("f1", of: one.name) == contents[1])
        #expect(world.store.view("f0", of: one.name) == [1, 2, 3])
        #expect(world.store.calls.contains(.mend(["f1"], of: one.name)))
        #expect(try run.result("m/f1").file == world.store.path + "/models/m/f1")
        #expect(try run.result("m/f0").file == nil)
    }

    @Test func whatIsMendedButNotShownIsNoSuccess() async throws {
        let world = World()
        let content = bytes(10, 1)
        let damaged = try world.served("damaged", content)
        _ = try await world.apply(model("m", [damaged]))
        world.store.damage(damaged.sha256, to: [9])
        let run = try await world.apply(model("m", [damaged, world.file("lost", bytes(5, 2))]))
        // Readers still see the damaged one.
        #expect(world.store.view("damaged", of: try ModelName("m")) == [9])
        #expect(run.outcomes == ["m/damaged": .skipped, "m/lost": .failed])
        #expect(world.store.blob(damaged.sha256) == content)
    }

    @Test func identicalFilesAreFetchedOnce() async throws {
        let world = World()
        let content = bytes(1000, 1)
        let files = [try world.served("a", content), try world.served("b", content)]
        let (one, two) = (try model("one", files), try model("two", [try world.served("c", content)]))
        let run = try await world.apply(one, two)
        #expect(run.results.map(\.outcome) == [.downloaded, .linked, .linked])
        #expect(world.transport.recording.requests.map(\.url) == [files[0].sources[0]])
        #expect(run.results.map { $0.transfer?.bytesDownloaded } == [1000, nil, nil])
        for (path, name) in [("a", one.name), ("b", one.name), ("c", two.name)] {
            #expect(world.store.view(path, of: name) == content)
        }
    }

    @Test func theSourcesOfIdenticalFilesAreMirrorsOfEachOther() async throws {
        let world = World()
        let content = bytes(1000, 1)
        let files = [try world.file("a", content), try world.served("b", content)]
        let run = try await world.apply(model("one", files))
        #expect(run.results.map(\.outcome) == [.downloaded, .linked])
        #expect(run.results[0].transfer?.source == files[1].sources[0].text)
    }

    @Test func allWhoWantTheSameBytesFailTogether() async throws {
        let world = World()
        let content = bytes(10, 1)
        let run = try await world.apply(
            model("one", [world.file("a", content)]), model("two", [world.file("b", content)]))
        #expect(run.results.map(\.outcome) == [.failed, .failed])
        #expect(run.results.map { $0.error?.code } == [.httpNotFound, .httpNotFound])
        #expect(world.log.finished.map(\.path).sorted() == ["a", "b"])
    }

    @Test func unmanagedFilesAreToldAndStay() async throws {
        let world = World()
        let one = try model("m", [world.served("a", bytes(5, 1))])
        _ = try await world.apply(one)
        world.store.putFile([1, 2], at: "mine.txt", of: one.name)
        let run = try await world.apply(one)
        #expect(run.outcomes == ["m/a": .kept, "m/mine.txt": .unmanaged])
        let mine = try run.result("m/mine.txt")
        #expect(mine.isSuccess && mine.sha256 == nil && mine.size == 2)
        #expect(mine.file == world.store.path + "/models/m/mine.txt")
        #expect(world.store.view("mine.txt", of: one.name) == [1, 2])
        #expect(world.engine.verdict(run.plan).map(\.outcome) == [.kept, .unmanaged])
    }

    @Test func aViewWithTheRightBytesBecomesTheBlob() async throws {
        let world = World()
        let content = bytes(50, 1)
        let one = try model("m", [world.file("a", content)])
        let two = try model("n", [world.file("b", content)])
        world.store.putFile(content, at: "a", of: one.name)
        let run = try await world.apply(one, two)
        #expect(run.results.map(\.outcome) == [.linked, .linked])
        #expect(world.transport.recording.requests.isEmpty)
        #expect(world.store.blob(one.files[0].sha256) == content)
        #expect(world.store.view("b", of: two.name) == content)
    }

    @Test func aTouchedBlobIsSealedAgainAndKept() async throws {
        let world = World()
        let one = try model("m", [world.served("a", bytes(50, 1))])
        _ = try await world.apply(one)
        world.store.unseal(one.files[0].sha256)
        let run = try await world.apply(one)
        #expect(run.results.map(\.outcome) == [.kept])
        #expect(run.plan.bytesVerified == 50)
        #expect(world.store.calls.contains(.reseal(one.files[0].sha256)))
        #expect(try await world.apply(one).plan.bytesVerified == 0)
    }

    @Test func aRecordAloneIsWrittenAnew() async throws {
        let world = World()
        var one = try model("m", [world.served("a", bytes(5, 1))])
        _ = try await world.apply(one)
        one.version = "2"
        let run = try await world.apply(one)
        #expect(run.results.map(\.outcome) == [.kept])
        #expect(world.store.record(one.name)?.version == "2")
    }

    @Test func whatVerifyFindsIsToldByItsDefect() async throws {
        let world = World()
        let files = try (0..<4).map { try world.served("f\($0)", bytes(20, UInt64($0))) }
        let one = try model("m", files)
        _ = try await world.apply(one)
        world.store.damage(files[0].sha256, to: [1])
        world.store.damage(files[1].sha256, to: bytes(20, 99))
        world.store.removeView("f2", of: one.name)
        let plan = try await world.engine.plan(Manifest(applied: [one]))
        let results = world.engine.verdict(plan)
        #expect(results.map(\.outcome) == [.failed, .failed, .failed, .kept])
        #expect(results.map { $0.error?.code } == [.sizeMismatch, .digestMismatch, .storeIO, nil])
        #expect(
            results.compactMap { $0.error }.allSatisfy {
                $0.message.hasPrefix("m/f") && $0.message.contains("run apply")
            })
        #expect(world.store.view("f0", of: one.name) == [1])
    }
}
