import BlobStore
import Foundation
import SyncDomain
import TestSupport
import Testing

/// What may be found in the store that modelsync did not put there.
@Suite(.timeLimit(.minutes(1)))
struct DamageTests {
    enum Damage: CaseIterable, Sendable {
        case cut, emptied, bitFlip, folder, emptyFolder, link, danglingLink, fifo
    }

    @Test(arguments: Damage.allCases)
    func everyDamageOfABlobIsFoundAndRepaired(_ damage: Damage) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(100_000, seed: 1)
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            let blob = world.blobPath(sample.digest)
            let outside = try world.folder.write(sample.bytes, to: "outside")
            try inflict(damage, on: blob, sample, outside: outside)
            guard case .damaged = try await world.survey(model).files[0].blob else {
                Issue.record("not found\n\(world.dump)")
                return
            }
            let before = try attributes(outside)
            #expect(try await world.bring(sample) == .committed, world.dump)
            _ = try await world.store.publish(model)
            #expect(
                try await world.survey(model, .full).files[0]
                    == FileInventory(blob: .intact, view: .current, recorded: .sameBytes), world.dump)
            #expect(contents(blob) == sample.bytes)
            // Nothing outside is written through a link, and what was in a folder is somewhere still.
            #expect(contents(outside) == sample.bytes)
            #expect(try modified(outside) == before[.modificationDate] as? Date)
            if damage == .folder {
                #expect(
                    tree("\(world.store.path)/partial").contains { $0.hasSuffix("/mine NSFileTypeRegular 4") },
                    world.dump)
            }
        }
    }

    private func inflict(_ damage: Damage, on blob: String, _ sample: Sample, outside: String) throws {
        let files = FileManager.default
        switch damage {
        case .cut: return try overwrite(blob, Array(sample.bytes.prefix(500)))
        case .emptied: return try overwrite(blob, [])
        case .bitFlip:
            var bytes = sample.bytes
            bytes[77_777] ^= 8
            return try overwrite(blob, bytes)
        case .folder, .emptyFolder, .link, .danglingLink, .fifo: try files.removeItem(atPath: blob)
        }
        switch damage {
        case .folder:
            try files.createDirectory(atPath: blob, withIntermediateDirectories: false)
            try Data("mine".utf8).write(to: URL(fileURLWithPath: blob + "/mine"))
        case .emptyFolder: try files.createDirectory(atPath: blob, withIntermediateDirectories: false)
        case .link: try files.createSymbolicLink(atPath: blob, withDestinationPath: outside)
        case .danglingLink: try files.createSymbolicLink(atPath: blob, withDestinationPath: "nowhere")
        case .fifo: try Tool.run("mkfifo", [blob])
        default: break
        }
    }

    enum Planted: CaseIterable, Sendable {
        case link, danglingLink, hardLink, folder, fullFolder, fifo
    }

    @Test(arguments: Planted.allCases, [50_000, 1_200_000])
    func aPartialThatIsNotOursIsNeverWrittenThrough(_ planted: Planted, size: Int) async throws {
        for readOnly in [false, true] {
            try await expectNotWrittenThrough(planted, readOnly, try Sample(size, seed: 2))
        }
    }

    private func expectNotWrittenThrough(_ planted: Planted, _ readOnly: Bool, _ sample: Sample) async throws {
        try await StoreWorld.with(.disk) { world in
            let outside = try world.folder.write("precious", to: "outside")
            if readOnly { try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: outside) }
            let modeBefore = try mode(outside)
            let partial = "\(world.store.path)/partial/\(sample.digest).part"
            let files = FileManager.default
            switch planted {
            case .link: try files.createSymbolicLink(atPath: partial, withDestinationPath: outside)
            case .danglingLink:
                try files.createSymbolicLink(atPath: partial, withDestinationPath: world.folder.appending("new"))
            case .hardLink: try files.linkItem(atPath: outside, toPath: partial)
            case .folder: try files.createDirectory(atPath: partial, withIntermediateDirectories: false)
            case .fullFolder:
                try files.createDirectory(atPath: partial, withIntermediateDirectories: false)
                try files.createSymbolicLink(atPath: partial + "/link", withDestinationPath: world.folder.path)
            case .fifo: try Tool.run("mkfifo", [partial])
            }
            #expect(try await world.survey(sample).partialBytes == (planted == .hardLink ? 8 : 0), world.dump)
            #expect(try await world.bring(sample) == .committed, world.dump)
            #expect(contents(world.blobPath(sample.digest)) == sample.bytes)
            #expect(readText(outside) == "precious")
            #expect(try mode(outside) == modeBefore)
            #expect(!exists(world.folder.appending("new")))
        }
    }

    @Test(arguments: [300_000, 1_200_000])
    func aCompleteReadOnlyPartialThatACrashLeftIsCommitted(_ size: Int) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(size, seed: 3)
            let partial = try world.folder.write(sample.bytes, to: "store/partial/\(sample.digest).part")
            try setModified(partial, Date(timeIntervalSince1970: 1_000_000_000))
            try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: partial)
            let ingest = try await world.ready(sample)
            #expect(ingest.byteCount == sample.size)
            #expect(try await ingest.commit() == .committed, world.dump)
            #expect(try await world.survey(sample).blob == .intact, world.dump)
        }
    }

    @Test(arguments: [1000, 1_200_000])
    func aPartialThatIsTooLongIsStartedAnew(_ size: Int) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(size, seed: 4)
            try world.folder.write(sample.bytes + [0], to: "store/partial/\(sample.digest).part")
            #expect(try await world.survey(sample).partialBytes == 0, world.dump)
            let ingest = try await world.ready(sample)
            #expect(ingest.byteCount == 0)
            #expect(try await ingest.fill(sample.bytes) == .committed, world.dump)
        }
    }

    @Test(arguments: [
        "", "{", "null", "[]", "{\"source_sha256\": 1}", "{\"source_sha256\": \"x\", \"etag\": \"\\\"v\\\"\"}",
        "\u{0}\u{1}",
    ])
    func aJournalThatCantBeReadCostsTheValidatorAlone(_ text: String) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1_500_000, seed: 5)
            let first = try await world.ready(sample)
            try first.begin(0, try validator("v"))
            try first.write(sample.bytes.prefix(1000))
            first.close()
            try world.folder.write(text, to: "store/partial/\(sample.digest).json")
            let second = try await world.ready(sample)
            #expect(second.byteCount == 1000)
            #expect(second.validator(for: try source("origin")) == nil)
            try second.begin(1000)
            try second.write(sample.bytes.dropFirst(1000))
            #expect(try await second.commit() == .committed, world.dump)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/partial") == [], world.dump)
        }
    }

    @Test(arguments: ["", "garbage", "{\"schema\": \"modelsync.record/2\"}"])
    func aRecordThatCantBeReadIsToldAndWrittenAnew(_ text: String) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 6)
            let model = try modelOf("kind/m", ["a": sample])
            try await world.bring(model, sample)
            try world.folder.write(text, to: "store/records/kind/m.json")
            let store = try #require(world.store as? DiskStore)
            let told = try #require(await failure { try await store.records() })
            #expect(told.code == .storeIO && told.message.contains("records/kind/m.json"))
            #expect(try await world.survey(model).files[0].recorded == .unknown)
            _ = try await store.publish(model)
            #expect(try await store.records() == [model])
        }
    }

    @Test func aFolderInAViewsPlaceIsToldUnlessItIsEmpty() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 7)
            let model = try modelOf("m", ["a": sample, "b": sample])
            try await world.bring(model, sample)
            for name in ["a", "b"] {
                try FileManager.default.removeItem(atPath: "\(world.store.path)/models/m/\(name)")
                try FileManager.default.createDirectory(
                    atPath: "\(world.store.path)/models/m/\(name)", withIntermediateDirectories: false)
            }
            #expect(try await world.survey(model).files.map(\.view) == [.other, .other], world.dump)
            _ = try await world.store.publish(model)
            #expect(world.paths(of: model) == ["a", "b"], world.dump)
            try FileManager.default.removeItem(atPath: "\(world.store.path)/models/m/a")
            try world.folder.write("mine", to: "store/models/m/a/file")
            #expect(await failure { try await world.store.publish(model) }?.code == .storeIO)
            #expect(readText("\(world.store.path)/models/m/a/file") == "mine")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/partial") == [], world.dump)
        }
    }

    /// One that took the place of a file of the record does not hide others from the count.
    @Test func aFolderInADroppedFilesPlaceIsNotDroppedAndItsFilesAreUnmanaged() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(1000, seed: 8)
            try await world.bring(try modelOf("m", ["a": sample, "b": sample]), sample)
            try FileManager.default.removeItem(atPath: "\(world.store.path)/models/m/b")
            try world.folder.write("mine", to: "store/models/m/b/file")
            let found = try await world.survey(try modelOf("m", ["a": sample]))
            #expect(found.dropped == [], world.dump)
            #expect(found.unmanaged == [ExtraFile(path: "b/file", size: 4)], world.dump)
        }
    }
}
