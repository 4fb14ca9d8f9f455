import Foundation
import SyncDomain
import TestSupport
import Testing

@testable import BlobStore

/// Parts of one file that come in any order.
@Suite(.timeLimit(.minutes(1)))
struct SegmentTests {
    private func with(_ body: (StoreWorld) async throws -> Void) async throws {
        try await StoreWorld.with(.disk, body)
    }

    private func write(_ sample: Sample, _ range: Range<Int>, into ingest: any BlobIngest) throws -> any BlobSegment {
        let segment = try #require(try ingest.segment(at: Int64(range.lowerBound)))
        for start in stride(from: range.lowerBound, to: range.upperBound, by: 70_000) {
            let piece = ContiguousArray(sample.bytes[start..<min(range.upperBound, start + 70_000)])
            try segment.write(piece.span.bytes)
        }
        return segment
    }

    @Test func partsInAnyOrderMakeTheBlob() async throws {
        try await with { world in
            let sample = try Sample(9_000_000, seed: 1)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try write(sample, 5_000_000..<7_000_000, into: ingest).end()
            try ingest.write(sample.bytes[..<3_000_001])
            #expect(ingest.missing == [3_000_001..<5_000_000, 7_000_000..<9_000_000])
            #expect(ingest.byteCount == 5_000_001)
            try write(sample, 7_000_000..<9_000_000, into: ingest).end()
            try write(sample, 3_000_001..<5_000_000, into: ingest).end()
            #expect(ingest.missing == [])
            #expect(try await ingest.commit() == .committed, world.dump)
            #expect(world.blob(sample.digest) == sample.bytes)
            #expect(tree("\(world.store.path)/partial") == [])
        }
    }

    @Test(arguments: [false, true])
    func aLaterRunFetchesTheHolesAlone(_ hasValidator: Bool) async throws {
        try await with { world in
            let sample = try Sample(6_000_000, seed: 2)
            let validator = hasValidator ? Validator(entityTag: "\"1\"") : nil
            let first = try await world.ready(sample)
            try first.begin(0, validator)
            try first.write(sample.bytes[..<1_000_000])
            try write(sample, 4_000_000..<5_000_000, into: first).end()
            first.close()
            let model = try modelOf("m", ["file": sample])
            #expect(try await world.survey(model).files.first?.partialBytes == 2_000_000)
            let second = try await world.ready(sample)
            #expect(second.missing == [1_000_000..<4_000_000, 5_000_000..<6_000_000])
            #expect(second.validator(for: try source("origin")) == validator)
            try second.begin(1_000_000, validator)
            try second.write(sample.bytes[1_000_000..<4_000_000])
            try write(sample, 5_000_000..<6_000_000, into: second).end()
            #expect(try await second.commit() == .committed, world.dump)
        }
    }

    /// What a kill leaves: the journal's last word, and a file that is longer than what is there.
    @Test func theJournalComesBeforeTheFirstByteBehindAGap() async throws {
        try await with { world in
            let sample = try Sample(60_000_000, seed: 3)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            let segment = try write(sample, 20_000_000..<50_000_000, into: ingest)
            let journal = try #require(contents("\(world.store.path)/partial/\(sample.digest).json"))
            let ranges = try #require(PartialJournal.decode(journal)?.ranges)
            for range in ranges { #expect(range[0] == 20_000_000 && range[1] <= 50_000_000) }
            let length = try #require(world.partial(sample.digest)?.count)
            #expect(PartialJournal.decode(journal)?.present(in: Int64(length)).frontier == 0)
            segment.end()
            ingest.close()
        }
    }

    @Test func aJournalThatTellsOfMoreThanTheFileHasIsCutDown() throws {
        let json = #"{"ranges": [[0, 10], [20, 40], [50, 60], [-5, 3], [7], [70, 65]]}"#
        let journal = try #require(PartialJournal.decode(Array(json.utf8)))
        #expect(journal.present(in: 30).ranges == [0..<10, 20..<30])
        #expect(journal.present(in: 0).ranges == [])
        #expect(journal.present(in: 100).ranges == [0..<10, 20..<40, 50..<60])
        #expect(journal.validated == nil)
    }

    @Test func afterARestartNothingOfAnOldSegmentIsTaken() async throws {
        try await with { world in
            let sample = try Sample(3_000_000, seed: 4)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            let old = try write(sample, 2_000_000..<2_500_000, into: ingest)
            try ingest.restart()
            #expect(ingest.missing == [0..<3_000_000])
            #expect(throws: SyncError.self) { try old.write([1, 2, 3].span.bytes) }
            old.end()
            #expect(ingest.byteCount == 0)
            #expect(contents("\(world.store.path)/partial/\(sample.digest).json") == nil)
            #expect(try await ingest.fill(sample.bytes) == .committed, world.dump)
        }
    }

    @Test func afterTheEndASegmentTakesNothing() async throws {
        try await with { world in
            let sample = try Sample(3_000_000, seed: 5)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            let segment = try write(sample, 2_000_000..<2_500_000, into: ingest)
            ingest.close()
            #expect(throws: SyncError.self) { try segment.write([1].span.bytes) }
            #expect(throws: SyncError.self) { try ingest.segment(at: 0) }
            let again = try await world.ready(sample)
            #expect(again.missing == [0..<2_000_000, 2_500_000..<3_000_000])
            again.close()
        }
    }

    @Test func aSegmentCannotRunPastTheFile() async throws {
        try await with { world in
            let sample = try Sample(2_000_000, seed: 6)
            let ingest = try await world.ready(sample)
            let segment = try #require(try ingest.segment(at: 1_999_999))
            let error = await failure { try segment.write([1, 2].span.bytes) }
            #expect(error?.code == .sizeMismatch)
            ingest.close()
        }
    }
}
