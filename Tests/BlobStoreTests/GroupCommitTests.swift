import Foundation
import SyncDomain
import Synchronization
import TestSupport
import Testing

@testable import BlobStore

/// Many small files that end at about the same time.
@Suite(.timeLimit(.minutes(1)))
struct GroupCommitTests {
    private func ready(_ samples: [Sample], in world: StoreWorld) async throws -> [any BlobIngest] {
        var ingests: [any BlobIngest] = []
        for sample in samples {
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes)
            ingests.append(ingest)
        }
        return ingests
    }

    private func commitAll(_ ingests: [any BlobIngest]) async -> [Int: Result<CommitResult, SyncError>] {
        await withTaskGroup(of: (Int, Result<CommitResult, SyncError>).self) { group in
            for (index, ingest) in ingests.enumerated() {
                group.addTask {
                    do throws(SyncError) { return (index, .success(try await ingest.commit())) } catch {
                        return (index, .failure(error))
                    }
                }
            }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Also on a file system where each file must have a name.
    @Test(arguments: [true, false])
    func allAreSealedBlobs(_ canBeNameless: Bool) async throws {
        try await StoreWorld.with(.disk) { world in
            (world.store as? DiskStore)?.canBeNameless.store(canBeNameless, ordering: .relaxed)
            let samples = try (0..<300).map { try Sample(10 + 37 * $0, seed: UInt64($0)) }
            let results = await commitAll(try await ready(samples, in: world))
            #expect(results.values.allSatisfy { $0 == .success(.committed) })
            let model = try modelOf(
                "many", Dictionary(uniqueKeysWithValues: samples.enumerated().map { ("\($0)/file", $1) }))
            let inventory = try await world.survey(model)
            #expect(inventory.files.allSatisfy { $0.blob == .intact })
            #expect(tree("\(world.store.path)/partial").isEmpty, world.dump)
            _ = try await world.store.publish(model)
            for (index, sample) in samples.enumerated() {
                #expect(world.bytes("\(index)/file", of: model) == sample.bytes)
            }
        }
    }

    /// More publications than the store has threads, each waiting for a group that others have filled.
    @Test func manyModelsArePublishedWhileFilesStillCome() async throws {
        try await StoreWorld.with(.disk) { world in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for index in 0..<40 {
                    group.addTask {
                        let samples = try (0..<10).map { try Sample(3_000 + $0, seed: UInt64(index * 100 + $0)) }
                        for result in await commitAll(try await ready(samples, in: world)).values {
                            #expect(result == .success(.committed))
                        }
                        let files = Dictionary(uniqueKeysWithValues: samples.enumerated().map { ("\($0)", $1) })
                        _ = try await world.store.publish(try modelOf("m/\(index)", files))
                    }
                }
                try await group.waitForAll()
            }
            #expect(world.blobCount == 400)
        }
    }

    @Test func wrongBytesSpoilNoOthers() async throws {
        try await StoreWorld.with(.disk) { world in
            let samples = try (0..<40).map { try Sample(5_000 + $0, seed: UInt64($0)) }
            let ingests = try await ready(samples, in: world)
            try ingests[7].restart()
            try ingests[7].begin(0)
            let wrong = try Sample(samples[7].bytes.count, seed: 99)
            try ingests[7].write(wrong.bytes)
            let results = await commitAll(ingests)
            for index in samples.indices {
                #expect(results[index] == .success(index == 7 ? .mismatch(wrong.digest) : .committed))
            }
            #expect(world.blob(samples[7].digest) == nil)
            #expect(world.blobCount == 39, world.dump)
            try await ingests[7].keepUnreferenced(as: wrong.digest)
            #expect(world.blob(wrong.digest) == wrong.bytes)
        }
    }

    @Test func aNameThatIsTakenFailsAlone() async throws {
        try await StoreWorld.with(.disk) { world in
            let samples = try (0..<20).map { try Sample(5_000 + $0, seed: UInt64($0)) }
            let ingests = try await ready(samples, in: world)
            // A file where the blob's folder is to be: no other sample has these first two digits.
            let taken = try #require(
                samples.indices.first { index in
                    samples.count { $0.digest.hex.prefix(2) == samples[index].digest.hex.prefix(2) } == 1
                })
            let folder = "store/blobs/sha256/\(samples[taken].digest.hex.prefix(2))"
            try world.folder.write([1], to: folder)
            let results = await commitAll(ingests)
            for index in samples.indices where index != taken { #expect(results[index] == .success(.committed)) }
            guard case .failure(let error) = results[taken] else {
                Issue.record("\(String(describing: results[taken]))")
                return
            }
            #expect(error.code == .storeIO)
            #expect(ingests[taken].byteCount == samples[taken].size)
            try FileManager.default.removeItem(atPath: world.folder.appending(folder))
            #expect(try await ingests[taken].commit() == .committed)
        }
    }

    @Test func aBlobThatIsThereIsNotReplaced() async throws {
        try await StoreWorld.with(.disk) { world in
            let samples = try (0..<8).map { try Sample(5_000 + $0, seed: UInt64($0)) }
            let ingests = try await ready(samples, in: world)
            // As another process with no locks would have brought it.
            let other = try DiskStore(path: world.folder.appending("other"), access: .change)
            let start = try await other.ingest(samples[3].digest, size: samples[3].size)
            guard case .ready(let ingest) = start else { throw ToolFailure("\(start)") }
            _ = try await ingest.fill(samples[3].bytes)
            let path = world.blobPath(samples[3].digest)
            try FileManager.default.createDirectory(
                atPath: String(path.prefix(path.count - 65)), withIntermediateDirectories: true)
            try FileManager.default.moveItem(
                atPath: path.replacingOccurrences(of: world.store.path, with: other.path), toPath: path)
            let inode = try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64
            let results = await commitAll(ingests)
            #expect(results.values.allSatisfy { $0 == .success(.committed) })
            #expect(try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? UInt64 == inode)
            #expect(tree("\(world.store.path)/partial").isEmpty, world.dump)
        }
    }

    /// By itself, and as one of a group: over the rotten one's name, and with nothing left beside it.
    @Test(arguments: [1, 8], [true, false])
    func aRottenBlobIsReplaced(_ count: Int, _ canBeNameless: Bool) async throws {
        try await StoreWorld.with(.disk) { world in
            (world.store as? DiskStore)?.canBeNameless.store(canBeNameless, ordering: .relaxed)
            let samples = try (0..<count).map { try Sample(5_000 + $0, seed: UInt64($0)) }
            let model = try modelOf("m", ["a": samples[0]])
            try await world.bring(model, samples[0])
            try world.damage(samples[0].digest, to: Array(samples[0].bytes.reversed()))
            #expect(try await world.survey(model).files.first?.blob != .intact)
            let results = await commitAll(try await ready(samples, in: world))
            #expect(results.values.allSatisfy { $0 == .success(.committed) })
            #expect(contents(world.blobPath(samples[0].digest)) == samples[0].bytes)
            #expect(tree("\(world.store.path)/partial").isEmpty, world.dump)
        }
    }

    /// Where nothing can be shown nothing stays of it either, but what an unfinished download keeps.
    @Test(arguments: [1, 8])
    func whatCantBeShownLeavesNoFile(_ count: Int) async throws {
        try await StoreWorld.with(.disk) { world in
            let samples = try (0..<count).map { try Sample(5_000 + $0, seed: UInt64($0)) }
            let ingests = try await ready(samples, in: world)
            for sample in samples {
                try world.folder.write([1], to: "store/blobs/sha256/\(sample.digest.hex.prefix(2))")
            }
            let results = await commitAll(ingests)
            #expect(results.values.allSatisfy { if case .failure = $0 { true } else { false } })
            #expect(tree("\(world.store.path)/partial").isEmpty, world.dump)
            for ingest in ingests { ingest.close() }
            for (sample, ingest) in zip(samples, ingests) {
                #expect(ingest.byteCount == sample.size && world.partial(sample.digest) == sample.bytes)
            }
        }
    }

    /// It is another's, and may be locked: what can't be kept is not told as kept.
    @Test func bytesAreNotKeptOverWhatIsThere() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(5_000, seed: 1)
            let ingest = try #require(try await ready([sample], in: world).first)
            try world.folder.write("other", to: "store/partial/\(sample.digest).part")
            ingest.close()
            #expect(ingest.byteCount == 0)
            #expect(world.partial(sample.digest) == Array("other".utf8))
        }
    }
}
