import Foundation
import ModelSyncKit
import TestSupport
import Testing

/// A folder with documents, a manifest of them and a place for a store.
struct Place: Sendable {
    let folder: TemporaryFolder
    var configuration: SyncConfiguration

    /// Runs `body` in a folder of its own.
    static func with(_ body: (Place) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            var configuration = SyncConfiguration()
            configuration.workingFolder = folder.path
            configuration.environment = { _ in nil }
            try await body(Place(folder: folder, configuration: configuration))
        }
    }

    var store: String { folder.appending("store") }
    var manager: ModelManager { ModelManager(store: store, configuration: configuration) }
    var loader: ManifestLoader { ManifestLoader(configuration: configuration) }

    /// Writes a document below `documents/` and returns its entry; its URL is relative to the manifest.
    func document(_ name: String, _ bytes: [UInt8]) throws -> ManifestText.File {
        try folder.write(bytes, to: "documents/" + name)
        return .init(name, size: bytes.count, sha256: try Payload.sha256(bytes), urls: ["documents/" + name])
    }

    /// Writes a manifest and loads it.
    func manifest(_ models: ManifestText.Model...) async throws -> Manifest {
        try await loader.load([try folder.write(ManifestText(models).text, to: "manifest.yaml")])
    }

    func view(_ model: String, _ path: String) -> String { "\(store)/models/\(model)/\(path)" }

    func read(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { Array($0) } }

    /// Changes the bytes of a blob, and so of its views.
    func damage(_ file: ManifestText.File, to bytes: [UInt8]) throws {
        let blob = "\(store)/blobs/sha256/\(file.sha256.prefix(2))/\(file.sha256)"
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: blob)
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: blob))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: Data(bytes))
        try handle.close()
    }

    /// The reports that the store keeps.
    var savedReports: [[UInt8]] {
        Repository.files(in: store + "/runs", suffix: ".json").compactMap { read($0) }
    }
}

func bytes(_ count: Int, _ seed: UInt64) -> [UInt8] { Payload.bytes(count, seed: seed) }
