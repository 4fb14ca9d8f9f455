import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

/// What every source of a manifest answers.
@Suite(.timeLimit(.minutes(1))) struct SourceCheckerTests {
    private func check(_ transport: ScriptedTransport, _ time: ManualClock, _ files: [ModelFile]) async throws
        -> [SourceCheck]
    {
        let manifest = Manifest(applied: [try model("m", files)])
        return await SourceChecker(transport: transport, clock: time.clock).check(manifest)
    }

    @Test func oneByteOfEachSourceIsAskedFor() async throws {
        let (transport, time) = (ScriptedTransport(sliceBytes: 1), ManualClock())
        let files = [
            try plannedFile("a", size: 5, byte: 1, urls: [source("a"), source("a", host: "mirror.example.org")]),
            try plannedFile("b", size: 5, byte: 2),
        ]
        for url in files.flatMap(\.sources) { transport.serve(url, [1, 2, 3, 4, 5]) }
        let checks = try await check(transport, time, files)
        #expect(checks.map(\.url) == files.flatMap(\.sources).map(\.redacted))
        #expect(checks.allSatisfy { $0.error == nil && $0.httpStatus == 200 && $0.expectedSize == 5 })
        #expect(transport.recording.requests.count == 3)
    }

    @Test func aSourceOfTwoFilesIsAskedOnce() async throws {
        let (transport, time) = (ScriptedTransport(), ManualClock())
        let url = try source("a")
        transport.serve(url, [1])
        let files = try ["x", "y"].map { try plannedFile($0, size: 1, byte: 1, urls: [url]) }
        #expect(try await check(transport, time, files).count == 1)
    }

    @Test func whatFailsForAMomentIsAskedAgainAndWhatFailsForGoodIsNot() async throws {
        let (transport, time) = (ScriptedTransport(), ManualClock())
        let files = [try plannedFile("busy", byte: 1), try plannedFile("gone", byte: 2)]
        transport.script(
            files[0].sources[0], [.failure(.httpStatus, status: 503, isRetryable: true), .file([1])])
        let checks = try await check(transport, time, files)
        #expect(checks.map(\.error?.code) == [nil, .httpNotFound])
        #expect(checks.map(\.httpStatus) == [200, 404])
        #expect(transport.recording.count(files[0].sources[0]) == 2)
        #expect(transport.recording.count(files[1].sources[0]) == 1)
    }

    @Test func aLongWaitIsNotWaitedFor() async throws {
        let (transport, time) = (ScriptedTransport(), ManualClock())
        let file = try plannedFile("busy", byte: 1)
        transport.script(
            file.sources[0],
            [.failure(.httpStatus, status: 429, isRetryable: true, retryAfter: .seconds(120))])
        let checks = try await check(transport, time, [file])
        #expect(checks.map(\.httpStatus) == [429])
        #expect(time.sleeps.isEmpty)
    }

    @Test func twentyAreAskedAtOnce() async throws {
        let (transport, time) = (ScriptedTransport(), ManualClock())
        let files = try (1...50).map { try plannedFile("f\($0)", size: 1, byte: UInt8($0)) }
        for file in files { transport.script(file.sources[0]) { _, _ in .file([1]).hanging() } }
        async let checks = check(transport, time, files)
        await transport.wait { $0.hanging == 20 }
        transport.release()
        #expect(try await checks.count == 50)
        #expect(transport.recording.mostAtOnce == 20)
    }
}
