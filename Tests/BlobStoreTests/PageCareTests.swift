import Foundation
import SyncDomain
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// Some file systems keep all pages, as those in memory do.
private let pagesCanBeDropped: Bool = {
    let answer = try? TemporaryFolder.withNow { folder in
        let file = try OpenFile.read(folder.write(Payload.bytes(1 << 20, seed: 0), to: "file"))
        try drop(file, 1 << 20)
        return !file.isCached(0..<1 << 20)
    }
    return answer ?? false
}()

/// Only pages that are on disk can be dropped.
private func drop(_ file: OpenFile, _ count: Int64) throws {
    try file.synchronize()
    file.adviseUnneeded(0..<count)
}

@Suite(
    .enabled(if: pagesCanBeDropped, "the file system of the temporary folder keeps all pages"), .timeLimit(.minutes(1)))
struct PageCareTests {
    private static let size = (40 << 20) + 5

    private func verify(_ path: String) async throws -> SHA256Digest? {
        let service = HashService(threads: 1)
        defer { withExtendedLifetime(service) {} }
        let batch = service.batch()
        batch.add(
            HashJob(size: Int64(Self.size), open: { () throws(SystemFailure) in try OpenFile.read(path) }) { _ in })
        return await batch.digests()[0]
    }

    @Test func whatWasNotInTheCacheIsNotThereAfterwards() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = Payload.bytes(Self.size, seed: 1)
            let path = try folder.write(bytes, to: "file")
            let file = try OpenFile.read(path)
            try drop(file, Int64(Self.size))
            #expect(try await verify(path) == SHA256Digest(of: bytes))
            #expect(!file.isCached(0..<32 << 20))
            #expect(!file.isCached(32 << 20..<Int64(Self.size)))
        }
    }

    @Test func whatWasInTheCacheStays() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = Payload.bytes(Self.size, seed: 2)
            let path = try folder.write(bytes, to: "file")
            let file = try OpenFile.read(path)
            try file.synchronize()
            #expect(file.isCached(0..<Int64(Self.size)))
            #expect(try await verify(path) == SHA256Digest(of: bytes))
            #expect(file.isCached(0..<Int64(Self.size)))
        }
    }

    /// A model that a program has loaded in part: each part is left as it was.
    @Test func partsAreLeftAsTheyWere() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = Payload.bytes(Self.size, seed: 3)
            let path = try folder.write(bytes, to: "file")
            let file = try OpenFile.read(path)
            try drop(file, 32 << 20)
            #expect(try await verify(path) == SHA256Digest(of: bytes))
            #expect(!file.isCached(0..<32 << 20))
            #expect(file.isCached(32 << 20..<Int64(Self.size)))
        }
    }
}
