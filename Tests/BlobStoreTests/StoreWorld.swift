import BlobStore
import Foundation
import SyncDomain
import TestSupport
import Testing

/// Bytes with their digest, and the file of a manifest that names them.
struct Sample: Sendable {
    let bytes: [UInt8]
    let digest: SHA256Digest

    init(_ bytes: [UInt8]) throws {
        self.bytes = bytes
        digest = try Payload.digest(bytes)
    }

    init(_ count: Int, seed: UInt64) throws {
        try self.init(Payload.bytes(count, seed: seed))
    }

    var size: Int64 { Int64(bytes.count) }

    func file(_ path: String) throws -> ModelFile {
        ModelFile(path: try RelativePath(path), size: size, sha256: digest, sources: [try source("origin")])
    }
}

func source(_ name: String) throws -> SourceURL { try SourceURL("https://example.org/\(name)") }

func validator(_ name: String) throws -> Validator { try #require(Validator(entityTag: "\"\(name)\"")) }

func modelOf(_ name: String, _ files: [String: Sample]) throws -> Model {
    Model(name: try ModelName(name), files: try files.sorted { $0.key < $1.key }.map { try $1.file($0) })
}

func manifest(_ models: Model...) -> Manifest { Manifest(applied: models) }

/// The two stores that keep one contract.
enum StoreKind: String, CaseIterable, Sendable {
    case disk, memory
    /// The disk's, of files that are too large to wait in memory.
    case diskOfLargeFiles

    /// What makes a small sample such a file.
    var extra: Int { self == .diskOfLargeFiles ? 1 << 20 : 0 }
}

/// A store, and what is in it as somebody else sees and changes it.
struct StoreWorld {
    let store: any ModelStoring
    let folder: TemporaryFolder

    static func with(_ kind: StoreKind, _ body: (StoreWorld) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let store: any ModelStoring =
                switch kind {
                case .disk, .diskOfLargeFiles: try DiskStore(path: folder.appending("store"), access: .change)
                case .memory: InMemoryStore()
                }
            let world = StoreWorld(store: store, folder: folder)
            do { try await body(world) } catch {
                Issue.record("\(error)\n\(world.dump)")
            }
        }
    }

    /// For messages.
    var dump: Comment {
        if let store = store as? InMemoryStore {
            return "\(store.calls.map { "\($0)" }.joined(separator: "\n"))"
        }
        return "\(tree(store.path).joined(separator: "\n"))"
    }

    func bytes(_ path: String, of model: Model) -> [UInt8]? {
        if let store = store as? InMemoryStore { return store.view(path, of: model.name) }
        return contents(disk(path, model))
    }

    func paths(of model: Model) -> [String] {
        if let store = store as? InMemoryStore { return store.paths(of: model.name) }
        return tree("\(store.path)/models/\(model.name)").filter { !$0.hasSuffix("Directory") }
            .map { String($0.prefix { $0 != " " }) }
    }

    func blob(_ digest: SHA256Digest) -> [UInt8]? {
        if let store = store as? InMemoryStore { return store.blob(digest) }
        return contents(blobPath(digest))
    }

    var blobCount: Int {
        if let store = store as? InMemoryStore { return store.blobs.count }
        return tree("\(store.path)/blobs/sha256").filter { !$0.hasSuffix("Directory") }.count
    }

    func partial(_ digest: SHA256Digest) -> [UInt8]? {
        if let store = store as? InMemoryStore { return store.partial(digest) }
        return contents("\(store.path)/partial/\(digest).part")
    }

    func write(_ bytes: [UInt8], to path: String, of model: Model) throws {
        if let store = store as? InMemoryStore { return store.putFile(bytes, at: path, of: model.name) }
        let place = disk(path, model)
        try? FileManager.default.removeItem(atPath: place)
        try folder.write(bytes, to: String(place.dropFirst(folder.path.count + 1)))
    }

    func removeView(_ path: String, of model: Model) throws {
        if let store = store as? InMemoryStore { return store.removeView(path, of: model.name) }
        try FileManager.default.removeItem(atPath: disk(path, model))
    }

    func removeBlob(_ digest: SHA256Digest) throws {
        if let store = store as? InMemoryStore { return store.removeBlob(digest) }
        try FileManager.default.removeItem(atPath: blobPath(digest))
    }

    /// Writes other bytes into the blob, as a program with the right to do so would.
    func damage(_ digest: SHA256Digest, to bytes: [UInt8], keepsSeal: Bool = false) throws {
        if let store = store as? InMemoryStore { return store.damage(digest, to: bytes, keepsSeal: keepsSeal) }
        let time = try modified(blobPath(digest))
        try overwrite(blobPath(digest), bytes)
        if keepsSeal { try setModified(blobPath(digest), time) }
    }

    func unseal(_ digest: SHA256Digest) throws {
        if let store = store as? InMemoryStore { return store.unseal(digest) }
        try setModified(blobPath(digest), Date(timeIntervalSince1970: 1_700_000_000))
    }

    func blobPath(_ digest: SHA256Digest) -> String { "\(store.path)/blobs/sha256/\(digest.hex.prefix(2))/\(digest)" }

    private func disk(_ path: String, _ model: Model) -> String { "\(store.path)/models/\(model.name)/\(path)" }
}

extension StoreWorld {
    func ready(_ sample: Sample) async throws -> any BlobIngest {
        let start = try await store.ingest(sample.digest, size: sample.size)
        guard case .ready(let ingest) = start else { throw ToolFailure("the store is not ready but \(start)\n\(dump)") }
        return ingest
    }

    /// Brings the sample's bytes and commits them.
    @discardableResult
    func bring(_ sample: Sample) async throws -> CommitResult? {
        guard case .ready(let ingest) = try await store.ingest(sample.digest, size: sample.size) else { return nil }
        return try await ingest.fill(sample.bytes)
    }

    func bring(_ model: Model, _ samples: Sample...) async throws {
        for sample in samples { try await bring(sample) }
        _ = try await store.publish(model)
    }

    func survey(_ model: Model, _ depth: VerifyDepth = .quick) async throws -> ModelInventory {
        let inventory = try await store.survey(manifest(model), depth: depth) { _ in }
        return try #require(inventory.models.first)
    }

    func survey(_ sample: Sample, _ depth: VerifyDepth = .quick) async throws -> FileInventory {
        try #require(try await survey(try modelOf("survey", ["file": sample]), depth).files.first)
    }
}

extension BlobIngest {
    func begin(_ offset: Int64, from name: String = "origin", _ validator: Validator? = nil) throws {
        expect(from: try source(name))
        try begin(at: offset, validator: validator)
    }

    func write(_ bytes: some Collection<UInt8>) throws {
        let copy = ContiguousArray(bytes)
        try write(copy.span.bytes)
    }

    /// Everything from the start, and the commit.
    func fill(_ bytes: [UInt8]) async throws -> CommitResult {
        try begin(0)
        var rest = bytes[...]
        while !rest.isEmpty {
            try write(rest.prefix(100_000))
            rest = rest.dropFirst(100_000)
        }
        return try await commit()
    }
}

/// The error that the store throws.
func failure<Value>(_ body: () async throws -> Value) async -> SyncError? {
    do {
        _ = try await body()
        return nil
    } catch {
        return error as? SyncError ?? SyncError(.protocolViolation, "another error: \(error)")
    }
}

func contents(_ path: String) -> [UInt8]? { FileManager.default.contents(atPath: path).map { [UInt8]($0) } }

func exists(_ path: String) -> Bool { (try? FileManager.default.attributesOfItem(atPath: path)) != nil }

func attributes(_ path: String) throws -> [FileAttributeKey: Any] {
    try FileManager.default.attributesOfItem(atPath: path)
}

func mode(_ path: String) throws -> Int { try #require(try attributes(path)[.posixPermissions] as? Int) }

func inode(_ path: String) throws -> Int { try #require(try attributes(path)[.systemFileNumber] as? Int) }

func modified(_ path: String) throws -> Date { try #require(try attributes(path)[.modificationDate] as? Date) }

func setModified(_ path: String, _ date: Date) throws {
    try FileManager.default.setAttributes([.modificationDate: date], ofItemAtPath: path)
}

/// Writes into the file that is there, under whatever names.
func overwrite(_ path: String, _ bytes: [UInt8]) throws {
    let before = try mode(path)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
    let handle = try #require(FileHandle(forWritingAtPath: path))
    try handle.truncate(atOffset: 0)
    try handle.write(contentsOf: bytes)
    try handle.close()
    try FileManager.default.setAttributes([.posixPermissions: before], ofItemAtPath: path)
}
