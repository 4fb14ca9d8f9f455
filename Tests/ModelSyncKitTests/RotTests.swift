import Foundation
import ModelSyncKit
import TestSupport
import Testing

/// What a full pass has found rotten no seal vouches for any more, whatever becomes of the run.
@Suite(.timeLimit(.minutes(1))) struct RotTests {
    private let name = try? ModelName("m")

    /// Two files in one model, applied; one has rotted under its seal. The manifest has them at a host that nobody asks.
    private func withRot(_ body: (Place, _ manifest: Manifest, _ name: ModelName) async throws -> Void) async throws {
        let name = try #require(name)
        try await Place.with { place in
            let files = [try place.document("a", bytes(5000, 1)), try place.document("b", bytes(70, 2))]
            #expect(try await place.manager.apply(try await place.manifest(.init("m", files: files))).outcome == .ok)
            let blob = "\(place.store)/blobs/sha256/\(files[0].sha256.prefix(2))/\(files[0].sha256)"
            let seal = try #require(try FileManager.default.attributesOfItem(atPath: blob)[.modificationDate])
            try place.damage(files[0], to: bytes(5000, 9))
            try FileManager.default.setAttributes([.modificationDate: seal], ofItemAtPath: blob)
            #expect(await place.manager.isAvailable(name))
            var away = files
            for index in away.indices { away[index].urls = ["https://nowhere.invalid/\(away[index].path)"] }
            try await body(place, try await place.manifest(.init("m", files: away)), name)
        }
    }

    private func manager(_ place: Place, isOffline: Bool = false, _ observer: EventLog = EventLog()) -> ModelManager {
        var configuration = place.configuration
        configuration.options.depth = .full
        configuration.options.isOffline = isOffline
        return ModelManager(store: place.store, configuration: configuration, observer: observer)
    }

    private func expectIsKnown(_ place: Place, _ name: ModelName) async throws {
        #expect(await !place.manager.isAvailable(name))
        let error = await #expect(throws: SyncError.self) { try await place.manager.path(of: name) }
        #expect(error?.code == .digestMismatch)
        // Of the other it is known that it was right.
        let dates = place.read(place.store + "/runs/verified").map { String(decoding: $0, as: UTF8.self) } ?? ""
        #expect(dates.split(separator: "\n").count == 1, "\(dates)")
    }

    @Test func anApplyThatMayNotFetchTellsTheNextRunOfRot() async throws {
        try await withRot { place, manifest, name in
            let report = try await manager(place, isOffline: true).apply(manifest)
            #expect(report.results.map(\.outcome) == [.failed, .kept] && report.results[0].error?.code == .offline)
            try await expectIsKnown(place, name)
        }
    }

    @Test func anApplyThatIsCancelledBeforeItFetchesTellsTheNextRunOfRot() async throws {
        try await withRot { place, manifest, name in
            let observer = EventLog { if case .planned = $0 { withUnsafeCurrentTask { $0?.cancel() } } }
            let report = try await Task { try await manager(place, observer).apply(manifest) }.value
            #expect(report.outcome == .cancelled)
            try await expectIsKnown(place, name)
        }
    }
}
