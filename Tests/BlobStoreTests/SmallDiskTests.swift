import BlobStore
import Foundation
import Glibc
import SyncDomain
import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
    /// Skips where the test can't mount a file system of its own.
    static var needsMounts: Self {
        .enabled(if: geteuid() == 0 && canMount, "mounting a file system takes root's rights")
    }

    /// Skips for root, whom no mode keeps out.
    static var needsAnOrdinaryUser: Self { .enabled(if: geteuid() != 0, "permissions do not bind root") }
}

/// Containers have a root that may not.
private let canMount: Bool = {
    let mounted = try? TemporaryFolder.withNow { folder in
        try Tool.run("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path])
        return try Tool.run("umount", [folder.path])
    }
    return mounted != nil
}()

/// A store on a disk of a few megabytes.
@Suite(.needsMounts, .serialized, .timeLimit(.minutes(1)))
struct SmallDiskTests {
    private func with(_ megabytes: Int, _ body: (StoreWorld) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            try Tool.run("mount", ["-t", "tmpfs", "-o", "size=\(megabytes)m,mode=700", "tmpfs", folder.path])
            defer { _ = try? Tool.run("umount", ["-l", folder.path]) }
            let store = try DiskStore(path: folder.appending("store"), access: .change)
            try await body(StoreWorld(store: store, folder: folder))
        }
    }

    @Test func aFullDiskIsToldAndKeepsThePartial() async throws {
        try await with(4) { world in
            let sample = try Sample(3_000_000, seed: 1)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes.prefix(1_000_000))
            ingest.close()
            let fill = try world.folder.write([UInt8](repeating: 1, count: 2_200_000), to: "fill")
            let again = try await world.ready(sample)
            let error = await failure {
                try again.begin(1_000_000)
                try again.write(sample.bytes.dropFirst(1_000_000))
            }
            #expect(error?.code == .storeNoSpace, world.dump)
            again.close()
            #expect(try await world.survey(sample).partialBytes >= 1_000_000, world.dump)
            #expect(world.blobCount == 0)

            try FileManager.default.removeItem(atPath: fill)
            let last = try await world.ready(sample)
            try last.begin(last.byteCount)
            try last.write(sample.bytes.dropFirst(Int(last.byteCount)))
            #expect(try await last.commit() == .committed, world.dump)
        }
    }

    /// Where the room is taken between the reservation and the bytes, or could not be reserved.
    @Test func aDiskThatFillsUpWhileBytesComeIsToldAndKeepsThem() async throws {
        try await with(4) { world in
            let sample = try Sample(2_000_000, seed: 2)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes.prefix(500_000))
            ingest.close()
            _ = try world.folder.write([UInt8](repeating: 1, count: 3_300_000), to: "fill")
            let again = try await world.ready(sample)
            again.expect(from: try source("origin"))
            // Told with the bytes, or by what comes next: they are written behind the back of whoever brings them.
            let error = await failure {
                try again.write(sample.bytes.dropFirst(500_000))
                _ = try await again.commit()
            }
            #expect(error?.code == .storeNoSpace)
            #expect((500_000..<2_000_000).contains(again.byteCount))
            again.close()
            #expect(
                world.partial(sample.digest).map { Array($0.prefix(500_000)) } == Array(sample.bytes.prefix(500_000)))
        }
    }

    @Test func roomThatWasReservedIsGivenBackOnClose() async throws {
        try await with(8) { world in
            let sample = try Sample(6_000_000, seed: 3)
            let before = try await free(world, sample)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes.prefix(100_000))
            #expect(try used(world, sample) >= 6_000_000, "this file system reserves")
            ingest.close()
            #expect(try used(world, sample) < 200_000)
            #expect(before - (try await free(world, sample)) < 200_000)
        }
    }

    /// A killed process gives nothing back: what it reserved is room for the rest of the same file.
    @Test func roomThatAKilledDownloadReservedCountsAsFreeForItAlone() async throws {
        try await with(8) { world in
            let sample = try Sample(6_000_000, seed: 4)
            let before = try await free(world, sample)
            try world.folder.write(Array(sample.bytes.prefix(100_000)), to: "store/partial/\(sample.digest).part")
            try Tool.run(
                "fallocate",
                ["--keep-size", "--length", "6000000", "\(world.store.path)/partial/\(sample.digest).part"])
            #expect(before - (try await free(world, sample)) < 200_000)
            #expect(before - (try await free(world, try Sample(6_000_000, seed: 5))) >= 6_000_000)
            #expect(try await world.bring(sample) == .committed, world.dump)
        }
    }

    @Test func aFullDiskFailsAPublicationAndLeavesTheModelAsItWas() async throws {
        try await with(2) { world in
            let (one, two) = (try Sample(10_000, seed: 6), try Sample(10_000, seed: 7))
            let old = try modelOf("m", ["a": one])
            try await world.bring(old, one, two)
            // tmpfs needs a page for a file's bytes, and none for a name.
            var fillers = 0
            while (try? world.folder.write([UInt8](repeating: 1, count: 4096), to: "fill\(fillers)")) != nil {
                fillers += 1
            }
            let error = await failure { try await world.store.publish(try modelOf("m", ["a": two])) }
            #expect(error?.code == .storeNoSpace, world.dump)
            #expect(["a"] == world.paths(of: old), world.dump)
            for index in 0..<fillers {
                try FileManager.default.removeItem(atPath: world.folder.appending("fill\(index)"))
            }
            _ = try await world.store.publish(try modelOf("m", ["a": two]))
            #expect(world.bytes("a", of: old) == two.bytes)
        }
    }

    private func free(_ world: StoreWorld, _ sample: Sample) async throws -> Int64 {
        try await world.store.survey(manifest(try modelOf("m", ["a": sample])), depth: .quick) { _ in }.bytesFree
    }

    private func used(_ world: StoreWorld, _ sample: Sample) throws -> Int {
        var status = stat()
        stat("\(world.store.path)/partial/\(sample.digest).part", &status)
        return Int(status.st_blocks) * 512
    }
}

/// What modes keep out.
@Suite(.needsAnOrdinaryUser, .timeLimit(.minutes(1)))
struct PermissionTests {
    @Test func aStoreThatCantBeWrittenIsToldAndCanBeLookedAt() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(100, seed: 1)
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            for name in ["blobs/sha256", "partial", "models", "records", "runs"] {
                try FileManager.default.setAttributes(
                    [.posixPermissions: 0o555], ofItemAtPath: "\(world.store.path)/\(name)")
            }
            #expect(try await world.survey(model, .full).files[0].view == .current)
            let other = try Sample(100, seed: 2)
            #expect(await failure { try await world.bring(other) }?.code == .storePermission)
            #expect(
                await failure { try await world.store.publish(try modelOf("n", ["a": sample])) }?.code
                    == .storePermission)
            #expect(await failure { try await world.store.save(report: [], runID: "r") }?.code == .storePermission)
        }
    }

    @Test func aBlobThatCantBeReadIsDamagedAndRepaired() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(100, seed: 3)
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            try world.unseal(sample.digest)
            try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: world.blobPath(sample.digest))
            guard case .damaged(.storeIO, _) = try await world.survey(model).files[0].blob else {
                Issue.record("\(world.dump)")
                return
            }
            #expect(try await world.bring(sample) == .committed)
        }
    }

    @Test func aFolderThatCantBeMadeIsTold() async throws {
        try await TemporaryFolder.with { folder in
            try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder.path)
            #expect(
                await failure { try DiskStore(path: folder.appending("a/b"), access: .change) }?.code
                    == .storePermission)
        }
    }
}
