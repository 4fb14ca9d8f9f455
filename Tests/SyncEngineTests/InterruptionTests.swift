import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    @Test func whatRunsEndsAndWhatHasArrivedStays() async throws {
        var world = World()
        world.options.jobs = 3
        let contents = (0..<5).map { bytes(100 + $0, UInt64($0)) }
        let files = try contents.enumerated().map { try world.served("f\($0)", $1) }
        world.transport.script(files[1].sources[0], [.file(contents[1]).hanging(at: 10)])
        world.transport.script(files[2].sources[0], [.file(contents[2]).hanging(at: 0)])
        world.transport.script(files[3].sources[0], [.file(contents[3]).hanging(at: 20)])
        let one = try model("m", files)
        let running = Task { [world] in try await world.apply(one) }
        await world.transport.wait { $0.hanging == 3 }
        // The next transfer may begin before the first file's blob is there: cancelled then, the first would not be downloaded.
        try await eventually("a file is done with") { !world.log.finished.isEmpty }
        running.cancel()
        let run = try await running.value
        #expect(run.results.map(\.outcome) == [.downloaded, .cancelled, .cancelled, .cancelled, .cancelled])
        #expect(run.results.map { $0.error?.code } == [nil, .cancelled, .cancelled, .cancelled, .cancelled])
        #expect(run.results.allSatisfy { $0.file == nil })
        #expect(world.store.partial(files[1].sha256) == Array(contents[1].prefix(10)))
        #expect(world.store.partial(files[2].sha256) == nil)
        #expect(world.store.partial(files[3].sha256) == Array(contents[3].prefix(20)))
        #expect(world.transport.recording.count(files[4].sources[0]) == 0)
        #expect(!world.store.calls.contains(.publish(one.name)))
        #expect(world.log.finished.map(\.path).sorted() == files.map(\.path.text))
        try await world.expectNothingIsOpen(one)

        world.transport.release()
        let resumed = try await world.apply(one)
        #expect(resumed.results.allSatisfy { $0.isSuccess })
        #expect(resumed.results.compactMap { $0.transfer?.bytesResumed } == [10, 0, 20, 0])
    }

    @Test func cancelledBeforeItBeginsNothingIsAsked() async throws {
        let world = World()
        let one = try model("m", [world.served("a", bytes(5, 1)), world.served("b", bytes(5, 2))])
        let plan = try await world.engine.plan(Manifest(applied: [one]))
        let results = await withTaskGroup(of: [DownloadResult].self) { group in
            group.cancelAll()
            group.addTask { await world.engine.apply(plan).results }
            return await group.next()
        }
        #expect(results?.map(\.outcome) == [.cancelled, .cancelled])
        #expect(world.transport.recording.requests.isEmpty)
        #expect(world.store.calls == [.survey(.quick)])
        #expect(world.log.finished.count == 2)
    }

    @Test func aWaitForAnotherTryEndsAtOnce() async throws {
        let world = World(time: ManualClock { _ in withUnsafeCurrentTask { $0?.cancel() } })
        let file = try world.file("f", bytes(100, 1))
        world.transport.script(file.sources[0], [.file(bytes(100, 1)).cut(at: 30)])
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.cancelled])
        #expect(run.results[0].transfer?.bytesDownloaded == 30)
        #expect(world.transport.recording.requests.count == 1)
        #expect(world.store.partial(file.sha256)?.count == 30)
        try await world.expectNothingIsOpen(try model("m", [file]))
    }

    @Test func aWaitForAnotherProcessEndsAtOnce() async throws {
        let world = World(time: ManualClock { _ in withUnsafeCurrentTask { $0?.cancel() } })
        let file = try world.served("f", bytes(100, 1))
        world.store.setBusy(file.sha256, asks: .max)
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.cancelled])
        #expect(world.transport.recording.requests.isEmpty)
        #expect(world.log.finished.map(\.outcome) == [.cancelled])
    }

    @Test func aSurveyThatIsCancelledThrows() async throws {
        let world = World()
        let one = try model("m", [world.served("a", bytes(5, 1))])
        let code = await withTaskGroup(of: ErrorCode?.self) { group in
            group.cancelAll()
            group.addTask {
                do throws(SyncError) {
                    _ = try await world.engine.plan(Manifest(applied: [one]))
                    return nil
                } catch { return error.code }
            }
            return await group.next() ?? nil
        }
        #expect(code == .cancelled)
    }
}

@Suite(.timeLimit(.minutes(1))) struct StoreFailureTests {
    private static let full = SyncError(.storeNoSpace, "/store/partial/x: no space left on device")

    @Test(arguments: [InMemoryStore.Operation.ingest, .begin, .write, .commit, .restart])
    func aFailureOfTheStoreFailsThatFileAtOnceAndCleanly(operation: InMemoryStore.Operation) async throws {
        var world = World(sliceBytes: 10)
        world.options.jobs = 1
        let content = bytes(100, 1)
        let bad = try world.served("bad", content, hosts: ["a.example", "b.example"])
        let good = try world.served("good", bytes(100, 2))
        world.store.fail(operation, Self.full, for: bad.sha256.hex, skipping: operation == .write ? 3 : 0)
        if operation == .restart { world.store.putPartial(bytes(100, 3), of: bad.sha256) }
        let run = try await world.apply(model("one", [bad]), model("two", [good]))
        #expect(run.results.map(\.outcome) == [.failed, .downloaded])
        #expect(run.results[0].error?.code == .storeNoSpace)
        #expect(run.results[0].error?.message == "one/bad: " + Self.full.message)
        #expect(world.transport.recording.count(bad.sources[0]) == ([.ingest, .restart].contains(operation) ? 0 : 1))
        #expect(world.transport.recording.count(bad.sources[1]) == 0)
        let kept: Int? =
            switch operation {
            case .write: 30
            case .commit, .restart: 100
            default: nil
            }
        #expect(world.store.partial(bad.sha256)?.count == kept)
        #expect(world.store.paths(of: try ModelName("one")) == [])
        try await world.expectNothingIsOpen(try model("one", [bad]))
        // The next run goes on from there.
        #expect(try await world.apply(model("one", [bad])).results.allSatisfy(\.isSuccess))
    }

    @Test func aModelThatCanNotBeShownFailsAndIsToldOfAgain() async throws {
        let world = World()
        let one = try model("one", [world.served("a", bytes(10, 1)), world.served("b", bytes(10, 2))])
        let two = try model("two", [world.served("c", bytes(10, 3))])
        world.store.fail(.publish, SyncError(.storeIO, "in the way"), for: "one")
        let run = try await world.apply(one, two)
        #expect(run.results.map(\.outcome) == [.failed, .failed, .downloaded])
        #expect(run.results.map { $0.error?.message } == ["in the way", "in the way", nil])
        #expect(run.results.map { $0.file == nil } == [true, true, false])
        let told = world.log.finished.filter { $0.model == "one" }
        #expect(told.suffix(2).map(\.outcome) == [.failed, .failed])
        #expect(world.log.finished.filter { $0.model == "two" }.map(\.outcome) == [.downloaded])
    }

    @Test func aRecordThatCanNotBeWrittenIsNoSuccess() async throws {
        let world = World()
        var one = try model("m", [world.served("a", bytes(10, 1))])
        _ = try await world.apply(one)
        one.version = "2"
        world.store.fail(.publish, SyncError(.storePermission, "read-only"))
        let run = try await world.apply(one)
        #expect(run.results.map(\.outcome) == [.failed])
        #expect(run.results[0].error?.code == .storePermission)
        #expect(world.log.finished.last?.outcome == .failed)
    }

    @Test func bytesThatCanNotBeAdoptedFailAllWhoWantThem() async throws {
        let world = World()
        let content = bytes(50, 1)
        let one = try model("m", [world.file("a", content)])
        let two = try model("n", [world.file("b", content)])
        world.store.putFile(content, at: "a", of: one.name)
        world.store.fail(.adopt, Self.full)
        let run = try await world.apply(one, two)
        #expect(run.results.map(\.outcome) == [.failed, .failed])
        #expect(run.results.allSatisfy { $0.error?.code == .storeNoSpace })
        #expect(world.store.view("a", of: one.name) == content)
        #expect(world.log.finished.count == 2)
    }

    @Test func aSurveyThatFailsThrows() async throws {
        let world = World()
        world.store.fail(.survey, SyncError(.storePermission, "no"))
        let one = try model("m", [world.served("a", bytes(10, 1))])
        let error = await #expect(throws: SyncError.self) { try await world.apply(one) }
        #expect(error?.code == .storePermission)
    }
}
