import Foundation
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

@Suite(.timeLimit(.minutes(1)))
struct FileWriterTests {
    private static let block = WriteService.blockBytes
    private let service = WriteService()

    /// What was told of the writes.
    private final class Told: Sendable {
        private let ranges = Mutex<[Range<Int64>]>([])
        func add(_ range: Range<Int64>) { ranges.withLock { $0.append(range) } }
        var all: [Range<Int64>] { ranges.withLock { $0 } }
    }

    private func with(_ body: (OpenFile, String) throws -> Void) throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            try body(folder.file("file", .readWriteCreate), temporary.appending("file"))
        }
    }

    private func append(_ bytes: some Collection<UInt8>, isLast: Bool = false, to writer: FileWriter) throws {
        try writer.append(Array(bytes).span.bytes, isLast: isLast)
    }

    @Test(arguments: [1, 1000, 16 << 10, 100_000, block, block + 1, 3 * block - 1, 20_000_000], [false, true])
    func piecesOfAnySizeMakeTheFile(_ piece: Int, _ saysTheLast: Bool) throws {
        let bytes = Payload.bytes(piece == 1 ? 3000 : 20_000_000, seed: UInt64(piece))
        try with { file, path in
            let told = Told()
            let writer = FileWriter(file, from: 0, by: service) { told.add($0) }
            var done = 0
            while done < bytes.count {
                let end = min(done + piece, bytes.count)
                try append(bytes[done..<end], isLast: saysTheLast && end == bytes.count, to: writer)
                done = end
                #expect(writer.position == Int64(done) && writer.written <= done)
            }
            try writer.finish()
            #expect(writer.written == Int64(bytes.count))
            #expect(contents(path) == bytes)
            // In order, with no hole, and in blocks.
            var end: Int64 = 0
            for range in told.all {
                #expect(range.lowerBound == end)
                end = range.upperBound
                #expect(end % Int64(Self.block) == 0 || end == Int64(bytes.count))
            }
            #expect(end == Int64(bytes.count))
        }
    }

    @Test func aSmallFileIsInPlaceWithItsLastByte() throws {
        try with { file, path in
            let writer = FileWriter(file, from: 0, by: service) { _ in }
            try append([1, 2], to: writer)
            #expect(writer.written == 0)
            try append([3], isLast: true, to: writer)
            #expect(writer.written == 3)
            #expect(contents(path) == [1, 2, 3])
        }
    }

    @Test func itGoesOnFromAnOffsetAndComesBackToWholeBlocks() throws {
        let bytes = Payload.bytes(Self.block + 70_000, seed: 1)
        try with { file, path in
            try file.write(bytes.span.bytes.extracting(first: 50_000), at: 0)
            let told = Told()
            let writer = FileWriter(file, from: 50_000, by: service) { told.add($0) }
            #expect(writer.position == 50_000 && writer.written == 50_000)
            try append(bytes[50_000...], to: writer)
            try writer.finish()
            #expect(told.all == [50_000..<Int64(Self.block), Int64(Self.block)..<Int64(bytes.count)])
            #expect(contents(path) == bytes)
        }
    }

    @Test func severalWritersFillOneFile() throws {
        let bytes = Payload.bytes(12_000_000, seed: 4)
        try with { file, path in
            let starts = [0, 3_000_000, 6_000_001, 9_999_999]
            let writers = starts.map { FileWriter(file, from: Int64($0), by: service) { _ in } }
            DispatchQueue.concurrentPerform(iterations: starts.count) { index in
                let end = index + 1 < starts.count ? starts[index + 1] : bytes.count
                for start in stride(from: starts[index], to: end, by: 16 << 10) {
                    #expect(throws: Never.self) {
                        try append(bytes[start..<min(end, start + 16 << 10)], to: writers[index])
                    }
                }
            }
            for writer in writers { try writer.finish() }
            #expect(contents(path) == bytes)
        }
    }

    /// More than may wait: whoever appends would wait for ever if a failed file kept its places.
    @Test func aFailedWriteIsToldAndEndsTheFileAndHoldsUpNoOther() throws {
        let bytes = Payload.bytes(64 * Self.block, seed: 2)
        try with { file, path in
            let readOnly = try OpenFile.read(path)
            let broken = FileWriter(readOnly, from: 0, by: service) { _ in Issue.record("it was written") }
            #expect(throws: SystemFailure.self) {
                for start in stride(from: 0, to: bytes.count, by: Self.block / 2) {
                    try append(bytes[start..<start + Self.block / 2], to: broken)
                }
                try broken.finish()
            }
            #expect(broken.written == 0 && broken.position == 0)
            #expect(throws: SystemFailure.self) { try append([1], to: broken) }
            #expect(throws: SystemFailure.self) { try broken.finish() }
            let writer = FileWriter(file, from: 0, by: service) { _ in }
            try append(bytes, to: writer)
            try writer.finish()
            #expect(contents(path) == bytes)
        }
    }

    @Test func whatIsDiscardedIsNotWrittenLater() throws {
        let bytes = Payload.bytes(20 * Self.block + 5, seed: 3)
        try with { file, path in
            let writer = FileWriter(file, from: 0, by: service) { _ in }
            try append(bytes, to: writer)
            writer.discard()
            let written = writer.written
            #expect(writer.position == written && written % Int64(Self.block) == 0)
            try file.resize(to: 0)
            #expect(throws: SystemFailure.self) { try append([1], to: writer) }
            #expect(throws: SystemFailure.self) { try writer.finish() }
            #expect(contents(path) == [])
        }
    }
}
