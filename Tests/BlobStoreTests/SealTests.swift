import Foundation
import SyncDomain
import TestSupport
import Testing

@testable import BlobStore

/// What a seal vouches for, and what it does not.
@Suite(.timeLimit(.minutes(1)))
struct SealTests {
    @Test(arguments: 0..<200)
    func sealIsAWholeEvenSecondFrom2000To2017(_ seed: Int) throws {
        let digest = try SHA256Digest(bytes: Payload.bytes(32, seed: UInt64(seed)))
        let seconds = Seal.seconds(for: digest)
        #expect(seconds % 2 == 0)
        #expect((946_684_800..<1_483_228_800).contains(seconds))
    }

    @Test(arguments: [UInt8(0), 255])
    func sealsOfTheFirstAndTheLastDigestAreInTheRange(_ byte: UInt8) throws {
        let digest = try SHA256Digest(bytes: [UInt8](repeating: byte, count: 32))
        #expect((946_684_800..<1_483_228_800).contains(Seal.seconds(for: digest)))
    }

    @Test func aBlobHasItsSealAndModeAndSoHasItsView() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 1)
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            let expected = Date(timeIntervalSince1970: Double(Seal.seconds(for: sample.digest)))
            for path in [world.blobPath(sample.digest), "\(world.store.path)/models/m/a"] {
                #expect(try modified(path) == expected)
                #expect(try mode(path) == 0o444 & ~mask())
            }
            #expect(try inode(world.blobPath(sample.digest)) == inode("\(world.store.path)/models/m/a"))
        }
    }

    @Test func aPartialIsTheOwnersAlone() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(2_000_000, seed: 1)
            let ingest = try await world.ready(sample)
            try ingest.begin(0, try validator("v"))
            try ingest.write([1])
            ingest.close()
            #expect(try mode("\(world.store.path)/partial/\(sample.digest).part") == 0o600)
            #expect(try mode("\(world.store.path)/partial/\(sample.digest).json") == 0o600)
        }
    }

    enum Tampering: CaseIterable, Sendable {
        case append, rewrite, touch, rewriteThroughView
    }

    @Test(arguments: Tampering.allCases)
    func tamperingBreaksTheSeal(_ kind: Tampering) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 2)
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            let blob = world.blobPath(sample.digest)
            switch kind {
            case .append: try overwrite(blob, sample.bytes + [0])
            case .rewrite: try overwrite(blob, Payload.bytes(1000, seed: 3))
            case .rewriteThroughView: try overwrite("\(world.store.path)/models/m/a", Payload.bytes(1000, seed: 3))
            case .touch: try setModified(blob, Date())
            }
            let found = try await world.survey(model).files[0].blob
            switch kind {
            case .append:
                guard case .damaged(.sizeMismatch, _) = found else { return #expect(found == .absent, world.dump) }
            case .rewrite, .rewriteThroughView:
                guard case .damaged(.digestMismatch, _) = found else { return #expect(found == .absent, world.dump) }
            case .touch:
                #expect(found == .unsealed, world.dump)
                await world.store.reseal(sample.digest)
                #expect(try await world.survey(model).files[0].blob == .intact, world.dump)
                #expect(try mode(blob) == 0o444 & ~mask())
            }
        }
    }

    @Test func aBlobThatWasWrittenToAfterItWasHashedIsNotSealedAgain() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 4)
            try await world.bring(sample)
            try world.unseal(sample.digest)
            #expect(try await world.survey(sample).blob == .unsealed)
            try overwrite(world.blobPath(sample.digest), Payload.bytes(1000, seed: 5))
            await world.store.reseal(sample.digest)
            #expect(try await world.survey(sample).blob.isRight == false, world.dump)
        }
    }

    @Test func aFileThatWasWrittenToAfterItWasHashedIsNotAdopted() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 6)
            let model = try modelOf("m", ["a": sample])
            try world.write(sample.bytes, to: "a", of: model)
            #expect(try await world.survey(model).files[0].view == .holdsBytes)
            try overwrite("\(world.store.path)/models/m/a", Payload.bytes(1000, seed: 7))
            #expect(
                await failure { try await world.store.adopt(try RelativePath("a"), of: model.name, as: sample.digest) }
                    != nil)
            #expect(world.blobCount == 0, world.dump)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/partial") == [], world.dump)
        }
    }

    /// As archives and file systems without hard links leave them.
    @Test func aSealedCopyIsTheViewUntilAFullSurveyFindsItRotten() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 8)
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            let view = "\(world.store.path)/models/m/a"
            try world.write(sample.bytes, to: "a", of: model)
            let seal = Date(timeIntervalSince1970: Double(Seal.seconds(for: sample.digest)))
            try setModified(view, seal)
            #expect(try inode(view) != inode(world.blobPath(sample.digest)))
            #expect(try await world.survey(model).files[0].view == .current)
            #expect(
                try await world.survey(model, .full).files[0].view == .current, "right bytes, whole seal: nothing to do"
            )

            try overwrite(view, Payload.bytes(1000, seed: 9))
            try setModified(view, seal)
            #expect(
                try await world.survey(model, .full).files[0]
                    == FileInventory(blob: .intact, view: .other, recorded: .sameBytes))
            _ = try await world.store.publish(model)
            #expect(world.bytes("a", of: model) == sample.bytes, world.dump)
            #expect(try await world.survey(model, .full).files[0].view == .current, world.dump)
        }
    }

    /// A crash after the repair of a blob and before its views leaves views of the rotten bytes.
    @Test func viewsOfARottenBlobAreNotTakenForRightByALaterRun() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 10)
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            try world.damage(sample.digest, to: Payload.bytes(1000, seed: 11), keepsSeal: true)
            _ = try await world.survey(model, .full)
            #expect(try await world.bring(sample) == .committed)
            let later = try DiskStore(path: world.store.path, access: .change)
            let found = try await later.survey(manifest(model), depth: .quick) { _ in }
            #expect(found.models[0].files[0].view == .other, world.dump)
            _ = try await later.publish(model)
            #expect(world.bytes("a", of: model) == sample.bytes, world.dump)
        }
    }

    @Test func aRottenBlobIsReplacedByAViewThatHoldsTheBytesAndItsOtherViewsAreNotTrusted() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 12)
            let (good, bad) = (try modelOf("good", ["a": sample]), try modelOf("bad", ["a": sample]))
            try await world.bring(good, sample)
            _ = try await world.store.publish(bad)
            try world.write(sample.bytes, to: "a", of: good)
            try world.damage(sample.digest, to: Payload.bytes(1000, seed: 13), keepsSeal: true)
            #expect(try await world.survey(good, .full).files[0].view == .holdsBytes, world.dump)
            try await world.store.adopt(try RelativePath("a"), of: good.name, as: sample.digest)
            #expect(try await world.survey(good).files[0].view == .current, world.dump)
            #expect(try await world.survey(bad).files[0].view == .other, world.dump)
        }
    }
}

/// The permission bits that new files lack.
func mask() -> Int {
    let line = readText("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("Umask:") } ?? "0022"
    return Int(line.split(separator: "\t").last ?? "0022", radix: 8) ?? 0o022
}
