import Foundation
import ModelSyncKit
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct AvailabilityTests {
    /// A model of three files, applied.
    private func withModel(
        _ body: (Place, _ name: ModelName, _ manifest: Manifest, _ files: [ManifestText.File]) async throws -> Void
    ) async throws {
        try await Place.with { place in
            let files = try (0..<3).map { try place.document("f\($0).bin", bytes(1000 + $0, UInt64($0))) }
            let manifest = try await place.manifest(.init("kind/one", files: files))
            #expect(try await place.manager.apply(manifest).outcome == .ok)
            try await body(place, try ModelName("kind/one"), manifest, files)
        }
    }

    @Test func checkModelAvailabilityTellsOfEachFileWhatItLacks() async throws {
        try await withModel { place, name, _, files in
            let whole = try await place.manager.checkModelAvailability(of: name)
            #expect(whole.isAvailable && whole.files.map(\.path.text) == ["f0.bin", "f1.bin", "f2.bin"])
            #expect(whole.files.map(\.size) == [1000, 1001, 1002])
            try FileManager.default.removeItem(atPath: place.view("kind/one", "f1.bin"))
            try place.damage(files[2], to: [1, 2, 3])
            let found = try await place.manager.checkModelAvailability(of: name)
            #expect(!found.isAvailable && found.files.prefix(2).map(\.state) == [.available, .missing])
            guard case .damaged(let error) = found.files[2].state else {
                Issue.record("\(found.files[2])")
                return
            }
            #expect(error.code == .sizeMismatch && error.message.hasPrefix("kind/one/f2.bin: "))
        }
    }

    @Test func checkModelAvailabilityInFullFindsWhatASealHides() async throws {
        try await withModel { place, name, _, files in
            let blob = "\(place.store)/blobs/sha256/\(files[0].sha256.prefix(2))/\(files[0].sha256)"
            let date = try FileManager.default.attributesOfItem(atPath: blob)[.modificationDate] ?? Date()
            try place.damage(files[0], to: bytes(1000, 77))
            try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: blob)
            #expect(try await place.manager.checkModelAvailability(of: name).isAvailable)
            #expect(try await !place.manager.checkModelAvailability(of: name, depth: .full).isAvailable)
        }
    }

    @Test func checkModelAvailabilityOfAManifestsModelNeedsNoRecord() async throws {
        try await Place.with { place in
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(10, 1))]))
            let found = try await place.manager.checkModelAvailability(of: manifest.models[0])
            #expect(found.files.map(\.state) == [.missing])
            let unknown = try await place.manager.checkModelAvailability(of: ModelName("m"))
            #expect(unknown.files.isEmpty && !unknown.isAvailable)
            #expect(!FileManager.default.fileExists(atPath: place.store))
        }
    }

    @Test func pathWithIntegrityCheckGivesOnlyWhatIsWhole() async throws {
        try await withModel { place, name, _, files in
            for depth in VerifyDepth.allCases {
                #expect(try await place.manager.path(of: name, depth: depth) == place.store + "/models/kind/one")
            }
            let blob = "\(place.store)/blobs/sha256/\(files[0].sha256.prefix(2))/\(files[0].sha256)"
            let date = try FileManager.default.attributesOfItem(atPath: blob)[.modificationDate] ?? Date()
            try place.damage(files[0], to: bytes(1000, 77))
            try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: blob)
            let error = await #expect(throws: SyncError.self) {
                try await place.manager.path(of: name, file: "f0.bin", depth: .full)
            }
            #expect(error?.code == .digestMismatch)
            #expect(try await place.manager.path(of: name, file: "f1.bin", depth: .full).hasSuffix("/f1.bin"))
        }
    }

    @Test func listNamesWhatWasApplied() async throws {
        try await withModel { place, name, _, _ in
            let models = try await place.manager.list()
            #expect(models.map(\.name) == [name])
        }
    }

    @Test func metadataIsTheManifestsEntry() async throws {
        try await withModel { place, name, manifest, _ in
            let model = try await place.manager.metadata(of: name)
            #expect(model == manifest.models[0])
        }
    }

    @Test func clearTakesEverythingOut() async throws {
        try await withModel { place, name, _, _ in
            let cleaning = try await place.manager.clear()
            #expect(cleaning.models == [name] && cleaning.blobs.count == 3)
            #expect(try await place.manager.list().isEmpty)
            #expect(await !place.manager.isAvailable(name))
        }
    }

    @Test func freeSpaceIsToldWithATenthMoreThanIsToCome() async throws {
        try await Place.with { place in
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(1005, 1))]))
            let space = try await ModelDownloader(manager: place.manager).checkFreeSpace(for: manifest)
            #expect(space.bytesToFetch == 1005 && space.bytesNeeded == 1106)
            #expect(space.bytesFree > 0 && space.isEnough)
            #expect(try await place.manager.freeBytes() > 0)
            let huge = ManifestText.File("huge", size: 1 << 60, sha256: String(repeating: "ab", count: 32), urls: ["x"])
            let short = try await place.manager.checkFreeSpace(for: place.manifest(.init("h", files: [huge])))
            #expect(!short.isEnough && short.bytesNeeded == (1 << 60) + (1 << 60) / 10 + 1)
        }
    }
}
