import Foundation
import SyncDomain
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// Which chunks of a rotten blob are right, and a download that brings the others alone.
@Suite(.timeLimit(.minutes(2)))
struct ChunkSumsTests {
    private static let chunk = Int(ChunkSums.chunkBytes)

    /// The store with that many bytes as a blob; nine chunks, the last short unless it is said.
    private func withBlob(
        _ count: Int = 8 * chunk + 1000, _ body: (StoreWorld, DiskStore, Sample) async throws -> Void
    ) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(count, seed: 3)
            try await world.bring(sample)
            try await body(world, try #require(world.store as? DiskStore), sample)
        }
    }

    private func sumsPath(_ world: StoreWorld, _ sample: Sample) -> String {
        "\(world.store.path)/sums/\(sample.digest)"
    }

    private func rot(_ world: StoreWorld, _ sample: Sample, at offsets: Int...) throws {
        var bytes = sample.bytes
        for offset in offsets { bytes[offset] ^= 0x20 }
        try world.damage(sample.digest, to: bytes, keepsSeal: true)
        // As apply does first: it is known then that the blob is rotten.
    }

    private func range(_ index: Int, _ sample: Sample) -> Range<Int64> {
        let start = Int64(index * Self.chunk)
        return start..<min(sample.size, start + Int64(Self.chunk))
    }

    @Test(arguments: [8 * chunk, 8 * chunk + 1, 8 * chunk + 64, 9 * chunk - 1, 17 * chunk + 77])
    func eachChunkIsTellable(_ count: Int) async throws {
        try await withBlob(count) { world, store, sample in
            let sums = try #require(store.sums(of: sample.digest, size: sample.size))
            let blob = try store.folder(StoreLayout.blobs).file(below: StoreLayout.blobPath(sample.digest))
            #expect(sums.count == (count + Self.chunk - 1) / Self.chunk)
            #expect(sums.rightChunks(of: blob) == Array(0..<sums.count))
            let last = sums.count - 1
            try rot(world, sample, at: 0, 3 * Self.chunk - 1, count - 1)
            #expect(sums.rightChunks(of: blob) == (0..<sums.count).filter { ![0, 2, last].contains($0) })
        }
    }

    @Test func onlyWhatRottedIsMissing() async throws {
        try await withBlob { world, store, sample in
            try rot(world, sample, at: 5, 6 * Self.chunk)
            #expect(try await world.survey(sample, .full).blob.isRight == false)
            let ingest = try await world.ready(sample)
            #expect(ingest.missing == [range(0, sample), range(6, sample)], world.dump)
            for part in ingest.missing {
                let segment = try #require(try ingest.segment(at: part.lowerBound))
                try segment.write(Array(sample.bytes[Int(part.lowerBound)..<Int(part.upperBound)]).span.bytes)
                segment.end()
            }
            #expect(try await ingest.commit() == .committed)
            #expect(world.blob(sample.digest) == sample.bytes)
            #expect(try await world.survey(sample, .full).blob == .intact)
        }
    }

    @Test func aSecondProcessGoesOnFromWhatWasSalvaged() async throws {
        try await withBlob { world, store, sample in
            try rot(world, sample, at: 5)
            #expect(try await world.survey(sample, .full).blob.isRight == false)
            try await world.ready(sample).close()
            let other = try DiskStore(path: store.path, access: .change)
            guard case .ready(let ingest) = try await other.ingest(sample.digest, size: sample.size) else {
                throw ToolFailure("not ready")
            }
            #expect(ingest.missing == [range(0, sample)], world.dump)
            ingest.close()
        }
    }

    /// Killed before its journal told what had been copied, or cancelled on the way, or while the rest was fetched.
    @Test(arguments: [[], [[0, 1]], [[0, 3], [7, 8]], [[1, 9]]] as [[[Int]]])
    func aSalvageThatWasInterruptedIsGoneOnWith(_ copied: [[Int]]) async throws {
        try await withBlob { world, store, sample in
            try rot(world, sample, at: 5, 6 * Self.chunk)
            #expect(try await world.survey(sample, .full).blob.isRight == false)
            var partial = Payload.bytes(sample.bytes.count, seed: 4)
            let ranges = copied.map { [$0[0] * Self.chunk, min($0[1] * Self.chunk, sample.bytes.count)] }
            for range in ranges {
                partial.replaceSubrange(range[0]..<range[1], with: sample.bytes[range[0]..<range[1]])
            }
            try world.folder.write(partial, to: "store/partial/\(sample.digest).part")
            try world.folder.write("{\"ranges\": \(ranges)}", to: "store/partial/\(sample.digest).json")
            let ingest = try await world.ready(sample)
            let isHere = [0, 6].map { index in copied.contains { $0[0] <= index && index < $0[1] } }
            let missing = zip([0, 6], isHere).filter { !$1 }.map { range($0.0, sample) }
            #expect(ingest.missing == missing, world.dump)
            for part in missing {
                let segment = try #require(try ingest.segment(at: part.lowerBound))
                try segment.write(Array(sample.bytes[Int(part.lowerBound)..<Int(part.upperBound)]).span.bytes)
                segment.end()
            }
            #expect(try await ingest.commit() == .committed)
            #expect(world.blob(sample.digest) == sample.bytes)
        }
    }

    @Test(arguments: ["none", "of another form", "of another blob", "cut off"])
    func withoutSumsAllIsMissing(_ what: String) async throws {
        try await withBlob { world, store, sample in
            let path = sumsPath(world, sample)
            var lines = String(decoding: contents(path) ?? [], as: UTF8.self).split(separator: "\n")
            switch what {
            case "none": try FileManager.default.removeItem(atPath: path)
            case "of another form": try overwrite(path, Array("modelsync.sums/2 1\n".utf8))
            case "of another blob":
                lines = [lines[0]] + lines.dropFirst().map { String($0.reversed())[...] }
                try overwrite(path, Array(lines.joined(separator: "\n").utf8))
            default: try overwrite(path, Array(lines.prefix(3).joined(separator: "\n").utf8))
            }
            try rot(world, sample, at: 5)
            #expect(try await world.survey(sample, .full).blob.isRight == false)
            let ingest = try await world.ready(sample)
            #expect(ingest.missing == [0..<sample.size], world.dump)
            ingest.close()
        }
    }

    @Test func aVerificationMakesTheSumsThatABlobLacks() async throws {
        try await withBlob { world, store, sample in
            let before = contents(sumsPath(world, sample))
            try FileManager.default.removeItem(atPath: sumsPath(world, sample))
            #expect(try await world.survey(sample, .full).blob == .intact)
            // A plan looks as well, and changes nothing.
            #expect(contents(sumsPath(world, sample)) == nil)
            _ = await store.noteVerified(now: 1)
            #expect(before != nil && contents(sumsPath(world, sample)) == before)
        }
    }

    @Test func marksAreTheSameHoweverTheBytesCome() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = Payload.bytes(3 * Self.chunk + 5, seed: 8)
            let path = try folder.write(bytes, to: "f")
            let hashes = HashService(threads: 2)
            var all: [[SHA256Digest]] = []
            for step in [bytes.count, 1_000_001, 64 << 10, (2 << 20) + 64] {
                let stream = hashes.stream(try OpenFile.read(path))
                for count in stride(from: 0, to: bytes.count, by: step) { stream.advance(to: Int64(count)) }
                #expect(try await stream.digest(of: Int64(bytes.count)) == Payload.digest(bytes))
                all.append(stream.marks)
            }
            #expect(all[0].count == 3 && Set(all).count == 1)
        }
    }
}
