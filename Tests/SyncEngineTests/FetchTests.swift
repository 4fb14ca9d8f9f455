import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

/// One file and its sources, through the whole engine.
@Suite(.timeLimit(.minutes(1))) struct FetchTests {
    private static let content = bytes(1000, 7)
    private static let hosts = ["a.example", "b.example", "c.example"]

    @Test func mirrorsAreAskedInTurn() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: Self.hosts)
        world.transport.script(file.sources[0], [.failure(.httpUnauthorized, status: 403)])
        world.transport.serve(file.sources[2], Self.content)
        let run = try await world.apply(model("m", [file]))
        let result = try run.result("m/f")
        #expect(result.outcome == .downloaded)
        #expect(world.transport.recording.requests.map(\.url) == file.sources)
        #expect(result.transfer?.source == file.sources[2].text)
        #expect(result.transfer?.attempts.map(\.url) == file.sources.map(\.text))
        #expect(result.transfer?.attempts.map(\.httpStatus) == [403, 404, 200])
        #expect(result.transfer?.attempts.map { $0.error?.code } == [.httpUnauthorized, .httpNotFound, nil])
        #expect(result.transfer?.attempts.map(\.bytes) == [0, 0, 1000])
        #expect(world.time.sleeps == [])
        #expect(world.log.retries.map(\.source) == [file.sources[1].text, file.sources[2].text])
    }

    @Test func aFileThatWaitsForItsTurnAsksNoHostFirstThatFailsMeanwhile() async throws {
        var world = World()
        world.options.jobs = 1
        let files = try (0..<5).map {
            try world.file("f\($0)", bytes(100, UInt64($0)), hosts: ["a.example", "b.example"])
        }
        for (index, file) in files.enumerated() {
            world.transport.script(file.sources[0], [.failure(.networkTLS)])
            world.transport.serve(file.sources[1], bytes(100, UInt64(index)))
        }
        let run = try await world.apply(model("m", files))
        #expect(run.results.allSatisfy { $0.isSuccess })
        #expect(files.map { world.transport.recording.count($0.sources[0]) }.reduce(0, +) == 1)
    }

    @Test func fiveAttemptsASourceAreMadeWithoutProgress() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        for source in file.sources {
            world.transport.script(source, [.failure(.httpStatus, status: 503, isRetryable: true)])
        }
        let run = try await world.apply(model("m", [file]))
        let error = try #require(try run.result("m/f").error)
        #expect(error.code == .httpStatus)
        #expect(error.isRetryable)
        #expect(error.message.hasSuffix("(all 2 sources were tried)"))
        #expect(file.sources.map(world.transport.recording.count) == [5, 5])
        #expect(world.time.sleeps == [1, 2, 4, 8, 1, 2, 4, 8].map { .seconds($0) })
        #expect(try run.result("m/f").transfer?.attempts.count == 10)
        #expect(try run.result("m/f").transfer?.seconds == 30)
        #expect(try run.result("m/f").transfer?.source == nil)
        #expect(world.store.partial(file.sha256) == nil)
    }

    @Test func anAttemptThatMovedBytesDoesNotCount() async throws {
        var world = World()
        world.options.attempts = 2
        let file = try world.file("f", Self.content)
        world.transport.script(file.sources[0]) { request, _ in
            request.offset < 990 ? .file(Self.content).cut(at: 10) : .file(Self.content)
        }
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.downloaded])
        #expect(world.transport.recording.offsets(file.sources[0]) == (0..<100).map { $0 * 10 })
        #expect(run.results[0].transfer?.bytesDownloaded == 1000)
        #expect(run.results[0].transfer?.bytesResumed == 0)
    }

    @Test func theServersWaitIsHonoured() async throws {
        let world = World()
        let file = try world.file("f", Self.content)
        world.transport.script(
            file.sources[0],
            [.failure(.httpStatus, status: 429, isRetryable: true, retryAfter: .seconds(77)), .file(Self.content)])
        #expect(try await world.apply(model("m", [file])).results.map(\.outcome) == [.downloaded])
        #expect(world.time.sleeps == [.seconds(77)])
        #expect(world.log.retries.map(\.delay) == [.seconds(77)])
    }

    @Test func bytesOfAnEarlierRunAreResumed() async throws {
        let world = World()
        let file = try world.served("f", Self.content)
        let tag = try #require(Validator(entityTag: "\"v1\""))
        world.store.putPartial(Array(Self.content.prefix(400)), of: file.sha256, from: file.sources[0], validator: tag)
        let run = try await world.apply(model("m", [file]))
        #expect(run.results[0].transfer?.bytesResumed == 400)
        #expect(run.results[0].transfer?.bytesDownloaded == 600)
        #expect(
            world.transport.recording.requests == [
                .init(url: file.sources[0], offset: 400, validator: tag, expectedSize: 1000)
            ])
        #expect(world.log.started == ["f": 400])
        #expect(world.log.notes.isEmpty)
    }

    @Test func aWholePartialIsCommittedWithNoRequest() async throws {
        let world = World()
        let file = try world.file("f", Self.content)
        world.store.putPartial(Self.content, of: file.sha256)
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.downloaded])
        #expect(run.results[0].transfer?.bytesResumed == 1000)
        #expect(run.results[0].transfer?.bytesDownloaded == 0)
        #expect(run.results[0].transfer?.source == nil)
        #expect(run.results[0].transfer?.attempts == [])
        #expect(world.transport.recording.requests.isEmpty)
    }

    @Test func aSourceThatStartsOverIsToldAndNothingCountsAsResumed() async throws {
        let world = World()
        let file = try world.file("f", Self.content)
        world.store.putPartial(Array(Self.content.prefix(400)), of: file.sha256)
        world.transport.script(file.sources[0], [.whole(Self.content)])
        let run = try await world.apply(model("m", [file]))
        #expect(run.results[0].transfer?.bytesResumed == 0)
        #expect(run.results[0].transfer?.bytesDownloaded == 1000)
        #expect(world.log.notes.count == 1)
        let note = try #require(world.log.notes.first)
        #expect(note.hasPrefix("m/f: the source sends the file from its start; 400 bytes"))
    }

    @Test func aSourceThatStartsOverAndIsCutResumesNothingOfTheEarlierRun() async throws {
        let world = World()
        let file = try world.file("f", Self.content)
        world.store.putPartial(Array(Self.content.prefix(400)), of: file.sha256)
        world.transport.script(file.sources[0], [.whole(Self.content).cut(at: 500), .file(Self.content)])
        let run = try await world.apply(model("m", [file]))
        #expect(world.transport.recording.offsets(file.sources[0]) == [400, 500])
        #expect(run.results[0].transfer?.bytesResumed == 0)
        #expect(run.results[0].transfer?.bytesDownloaded == 1000)
    }

    @Test func whatCanNotBeContinuedStartsFromScratch() async throws {
        let world = World()
        let file = try world.file("f", Self.content)
        world.store.putPartial(Array(Self.content.prefix(400)), of: file.sha256)
        world.transport.script(
            file.sources[0],
            [.failure(.protocolViolation, status: 416, isRetryable: true, mustRestart: true), .file(Self.content)])
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.downloaded])
        #expect(world.transport.recording.offsets(file.sources[0]) == [400, 0])
        #expect(run.results[0].transfer?.bytesResumed == 0)
    }

    @Test func theNextSourceGoesOnWhereTheFirstStopped() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        world.transport.script(
            file.sources[0], [.file(Self.content).cut(at: 300), .failure(.httpNotFound, status: 404)])
        world.transport.serve(file.sources[1], Self.content)
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.downloaded])
        #expect(world.transport.recording.offsets(file.sources[1]) == [300])
    }

    @Test func offlineNothingIsAskedButLocalFiles() async throws {
        var world = World()
        world.options.isOffline = true
        let far = try world.served("far", bytes(10, 1))
        var near = try world.file("near", bytes(11, 2))
        near.sources.append(try SourceURL("file:///srv/near"))
        world.transport.serve(near.sources[1], bytes(11, 2))
        let run = try await world.apply(model("far", [far]), model("near", [near]))
        #expect(run.results.map(\.outcome) == [.failed, .downloaded])
        #expect(run.results[0].error?.code == .offline)
        #expect(run.results[0].error?.message.hasPrefix("far/far: ") == true)
        #expect(world.transport.recording.requests.map(\.url) == [near.sources[1]])
    }

    /// Local files take their room offline as well; what is not fetched needs none.
    @Test(arguments: [(1099, .failed), (1100, .downloaded)] as [(Int64, ResultOutcome)])
    func offlineTheSpaceThatLocalFilesNeedIsAskedFor(_ bytesFree: Int64, _ outcome: ResultOutcome) async throws {
        var world = World(bytesFree: bytesFree)
        world.options.isOffline = true
        var near = try world.file("near", Self.content)
        near.sources.append(try SourceURL("file:///srv/near"))
        world.transport.serve(near.sources[1], Self.content)
        let run = try await world.apply(model("far", [world.served("far", bytes(9000, 2))]), model("near", [near]))
        #expect(run.results.map(\.outcome) == [.failed, outcome])
        let error = run.results[1].error
        #expect(
            error.map { $0.code == .storeNoSpace && $0.message.contains("(1000 to fetch") } ?? (outcome == .downloaded))
    }

    @Test func withTooLittleSpaceNothingIsStarted() async throws {
        let world = World(bytesFree: 1099)
        let here = try world.served("here", bytes(3, 1))
        world.store.put(bytes(3, 1), as: here.sha256)
        let name = try ModelName("m")
        world.store.putFile([1], at: "mine", of: name)
        let run = try await world.apply(model("m", [here, world.served("f", Self.content)]))
        #expect(run.outcomes == ["m/here": .skipped, "m/f": .failed, "m/mine": .unmanaged])
        let error = try #require(try run.result("m/f").error)
        #expect(error.code == .storeNoSpace)
        #expect(error.message.contains("1100 bytes must be free") && error.message.contains("1099 are"))
        #expect(world.transport.recording.requests.isEmpty)
        #expect(world.store.calls == [.survey(.quick)])
        world.store.bytesFree = 1100
        #expect(
            try await world.apply(model("m", [here, world.served("f", Self.content)])).outcomes["m/f"] == .downloaded)
    }

    @Test func noSecretOfAURLIsTold() async throws {
        let world = World()
        var file = try world.file("f", Self.content)
        file.sources = [
            try SourceURL("https://a.example/f?token=sEcReT"), try SourceURL("https://b.example/f?key=sEcReT"),
        ]
        let wrong = bytes(1000, 8)
        world.transport.serve(file.sources[0], wrong)
        let failed = try await world.apply(model("m", [file]))
        world.transport.serve(file.sources[1], Self.content)
        let mended = try await world.apply(model("m", [file]))
        #expect(mended.results[0].transfer?.source == "https://b.example/f?key=REDACTED")
        for told in ["\(failed.results)", "\(mended.results)", "\(world.log.finished)", "\(world.log.retries)"] {
            #expect(!told.contains("sEcReT"))
            #expect(told.contains("REDACTED"))
        }
    }

    @Test func aBlobThatAnotherProcessBringsIsWaitedForAndNotFetched() async throws {
        let world = World()
        let file = try world.served("f", Self.content)
        world.store.setBusy(file.sha256, asks: 3, thenBring: Self.content)
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.downloaded])
        #expect(run.results[0].transfer == nil)
        #expect(world.transport.recording.requests.isEmpty)
        #expect(world.time.sleeps.count == 3)
        #expect(world.log.waiting == ["m/f"])
        #expect(world.log.finished.count == 1)
        #expect(world.store.view("f", of: try ModelName("m")) == Self.content)
    }

    @Test func aBlobThatAnotherProcessGivesUpIsFetched() async throws {
        let world = World()
        let file = try world.served("f", Self.content)
        world.store.setBusy(file.sha256, asks: 2)
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.downloaded])
        #expect(world.transport.recording.count(file.sources[0]) == 1)
    }
}
