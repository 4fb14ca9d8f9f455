import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

/// Bytes of the right number that are not the right ones, or too few of them.
@Suite(.timeLimit(.minutes(1))) struct WrongBytesTests {
    private static let content = bytes(1000, 7)
    private static let wrong = bytes(1000, 8)
    private static let otherWrong = bytes(1000, 9)
    private static let page = padded("<!DOCTYPE html><title>log in</title>")
    private static let pointer = padded("version https://git-lfs.github.com/spec/v1\noid sha256:0\n")

    private static func padded(_ text: String) -> [UInt8] {
        Array(text.utf8) + [UInt8](repeating: 32, count: 1000 - text.utf8.count)
    }

    /// One source that answers like this.
    private func run(_ answers: ScriptedTransport.Answer...) async throws -> (World, ModelFile, DownloadResult) {
        let world = World()
        let file = try world.file("f", Self.content)
        world.transport.script(file.sources[0], answers)
        let run = try await world.apply(model("m", [file]))
        try await world.expectNothingIsOpen(try model("m", [file]))
        return (world, file, try run.result("m/f"))
    }

    @Test func theSameWrongBytesTwiceAreKeptUnderTheirOwnDigest() async throws {
        let (world, file, result) = try await run(.file(Self.wrong))
        let error = try #require(result.error)
        let got = try Payload.digest(Self.wrong)
        #expect(error.code == .digestMismatch)
        #expect(error.diagnosis == .sourceChanged)
        #expect(error.message.hasPrefix("m/f: "))
        for digest in [got, file.sha256] { #expect(error.message.contains(digest.hex)) }
        #expect(error.message.contains("kept in the store as \(got)"))
        #expect(world.store.blob(got) == Self.wrong)
        #expect(world.store.blob(file.sha256) == nil)
        #expect(world.transport.recording.offsets(file.sources[0]) == [0, 0])
        // It was ended by being kept, and so not closed too; what follows is the look whether it is open.
        let kept = try #require(world.store.calls.firstIndex(of: .keepUnreferenced(file.sha256, as: got)))
        #expect(Array(world.store.calls[(kept + 1)...]) == [.ingest(file.sha256), .close(file.sha256)])

        let corrected = ModelFile(path: file.path, size: file.size, sha256: got, sources: file.sources)
        let again = try await world.apply(model("m", [corrected]))
        #expect(again.results.map(\.outcome) == [.linked])
        #expect(world.transport.recording.requests.count == 2)
    }

    @Test func otherWrongBytesEachTimeAreTheWays() async throws {
        let (world, _, result) = try await run(.file(Self.wrong), .file(Self.otherWrong))
        let error = try #require(result.error)
        #expect(error.diagnosis == .transport)
        for bytes in [Self.wrong, Self.otherWrong] { #expect(error.message.contains(try Payload.digest(bytes).hex)) }
        #expect(world.store.blobs.isEmpty)
        #expect(!error.message.contains("kept in the store"))
    }

    enum Impostor: CaseIterable {
        case page, pointer, typed

        var answer: ScriptedTransport.Answer {
            switch self {
            case .page: .file(WrongBytesTests.page)
            case .pointer: .file(WrongBytesTests.pointer).typed("application/octet-stream")
            case .typed: .file(WrongBytesTests.wrong).typed("text/html; charset=utf-8")
            }
        }
    }

    @Test(arguments: Impostor.allCases)
    func whatIsNoModelFileIsNamedAndNotKept(impostor: Impostor) async throws {
        let (world, file, result) = try await run(impostor.answer)
        #expect(result.error?.code == .digestMismatch)
        #expect(result.error?.diagnosis == (impostor == .pointer ? .lfsPointer : .htmlPage))
        #expect(world.store.blobs.isEmpty)
        #expect(world.transport.recording.count(file.sources[0]) == 2)
    }

    @Test func rightBytesAtTheSecondTryAreTaken() async throws {
        let (world, file, result) = try await run(.file(Self.wrong), .file(Self.content))
        #expect(result.outcome == .downloaded)
        #expect(result.transfer?.bytesDownloaded == 2000)
        #expect(result.transfer?.attempts.map { $0.error?.code } == [.digestMismatch, nil])
        #expect(world.store.blob(file.sha256) == Self.content)
        #expect(world.log.retries.map(\.error.code) == [.digestMismatch])
        #expect(world.log.retries.map(\.delay) == [.zero])
    }

    @Test func aShortAnswerIsTruncatedAndContinued() async throws {
        let (world, file, result) = try await run(.file(Self.content).ended(at: 600), .file(Self.content))
        #expect(result.outcome == .downloaded)
        #expect(world.transport.recording.offsets(file.sources[0]) == [0, 600])
        let error = try #require(result.transfer?.attempts[0].error)
        #expect(error.code == .sizeMismatch)
        #expect(error.diagnosis == .truncated)
        #expect(error.message.contains("600 of 1000 bytes"))
        #expect(world.log.retries.map(\.error.diagnosis) == [.truncated])
    }

    @Test func aSourceThatAlwaysEndsTooSoonFailsAsTruncated() async throws {
        let (world, file, result) = try await run(.whole(Self.content).ended(at: 600))
        #expect(result.error?.code == .sizeMismatch)
        #expect(result.error?.diagnosis == .truncated)
        #expect(world.transport.recording.count(file.sources[0]) == 6)
        #expect(world.store.partial(file.sha256)?.count == 600)
    }

    @Test func aShortWebPageIsNotAskedForAgain() async throws {
        let (world, file, result) = try await run(.file(Array(Self.page.prefix(40))))
        #expect(result.error?.diagnosis == .htmlPage)
        #expect(world.transport.recording.count(file.sources[0]) == 1)
    }

    @Test func aRottenPartialStartsFromScratchAndProvesNothing() async throws {
        for count in [400, 1000] {
            let world = World()
            let file = try world.file("f", Self.content)
            world.store.putPartial(Array(Self.wrong.prefix(count)), of: file.sha256)
            world.transport.script(file.sources[0]) { request, _ in
                .file(request.offset > 0 ? Self.content : Self.wrong)
            }
            let result = try await world.apply(model("m", [file])).results[0]
            #expect(result.error?.diagnosis == .sourceChanged)
            #expect(world.transport.recording.offsets(file.sources[0]) == (count < 1000 ? [400, 0, 0] : [0, 0]))
            #expect(result.transfer?.bytesResumed == 0)
        }
    }

    @Test func bytesOfAnotherMirrorProveNothingEither() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        world.transport.script(
            file.sources[0], [.file(Self.content).cut(at: 300), .failure(.httpNotFound, status: 404)])
        world.transport.serve(file.sources[1], Self.wrong)
        let result = try await world.apply(model("m", [file])).results[0]
        // From 300 on it is a mixture; then twice the mirror's own.
        #expect(world.transport.recording.offsets(file.sources[1]) == [300, 0, 0])
        #expect(result.error?.diagnosis == .sourceChanged)
        #expect(world.store.blobs == [try Payload.digest(Self.wrong)])
    }

    @Test func theNextMirrorHasTheRightBytes() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        world.transport.serve(file.sources[0], Self.wrong)
        world.transport.serve(file.sources[1], Self.content)
        let result = try await world.apply(model("m", [file])).results[0]
        #expect(result.outcome == .downloaded)
        #expect(result.transfer?.source == file.sources[1].text)
        #expect(world.transport.recording.requests.map(\.url.text) == [0, 0, 1].map { file.sources[$0].text })
        #expect(world.store.blob(file.sha256) == Self.content)
        #expect(world.store.blob(try Payload.digest(Self.wrong)) == Self.wrong)
        try await world.expectNothingIsOpen(try model("m", [file]))
    }

    @Test func goodBytesOfTheLastMirrorStayThoughAnEarlierOnesWereWrong() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        world.transport.serve(file.sources[0], Self.wrong)
        world.transport.script(file.sources[1], [.file(Self.content).cut(at: 300), .failure(.networkConnect)])
        let error = try #require(try await world.apply(model("m", [file])).results[0].error)
        #expect(error.code == .digestMismatch)
        #expect(world.store.partial(file.sha256) == Array(Self.content.prefix(300)))
    }

    @Test func whatWasKeptIsToldThoughALaterMirrorHasNothing() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        world.transport.serve(file.sources[0], Self.wrong)
        let error = try #require(try await world.apply(model("m", [file])).results[0].error)
        #expect(error.code == .digestMismatch)
        #expect(error.diagnosis == .sourceChanged)
        #expect(error.message.contains("kept in the store as \(try Payload.digest(Self.wrong))"))
    }

    @Test func allThatWasKeptIsNamed() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        world.transport.serve(file.sources[0], Self.wrong)
        world.transport.serve(file.sources[1], Self.otherWrong)
        let error = try #require(try await world.apply(model("m", [file])).results[0].error)
        #expect(error.diagnosis == .sourceChanged)
        let kept = try [Self.wrong, Self.otherWrong].map { try Payload.digest($0) }
        #expect(world.store.blobs == Set(kept))
        #expect(error.message.contains("kept in the store as \(kept[0]) and \(kept[1])"))
    }

    @Test func wrongBytesThatCanNotBeKeptAreStillTheSourcesFault() async throws {
        let world = World()
        let file = try world.file("f", Self.content, hosts: ["a.example", "b.example"])
        for source in file.sources { world.transport.serve(source, Self.wrong) }
        world.store.fail(.keepUnreferenced, SyncError(.storeIO, "broken"), times: 2)
        let error = try #require(try await world.apply(model("m", [file])).results[0].error)
        #expect(error.code == .digestMismatch)
        #expect(error.diagnosis == .sourceChanged)
        #expect(!error.message.contains("kept in the store"))
        try await world.expectNothingIsOpen(try model("m", [file]))
    }

    @Test func anEmptyFileOfAnotherDigestEnds() async throws {
        let world = World()
        let file = try plannedFile("f", size: 0, byte: 1)
        let result = try await world.apply(model("m", [file])).results[0]
        #expect(result.error?.code == .digestMismatch)
    }
}
