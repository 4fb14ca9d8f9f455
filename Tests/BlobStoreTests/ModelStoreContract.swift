import SyncDomain
import TestSupport
import Testing

/// What any store must do: on disk and in memory.
@Suite(.timeLimit(.minutes(1)))
struct IngestContract {
    @Test(arguments: StoreKind.allCases)
    func commitMakesTheBlobPresent(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(70_000 + kind.extra, seed: 1)
            #expect(try await world.bring(sample) == .committed, world.dump)
            #expect(world.blob(sample.digest) == sample.bytes, world.dump)
            #expect(try await world.survey(sample).blob == .intact, world.dump)
            #expect(world.partial(sample.digest) == nil, world.dump)
            guard case .present = try await world.store.ingest(sample.digest, size: sample.size) else {
                Issue.record("a committed blob is not present\n\(world.dump)")
                return
            }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func commitRefusesWrongDigest(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let (wanted, got) = (try Sample(5000 + kind.extra, seed: 1), try Sample(5000 + kind.extra, seed: 2))
            let ingest = try await world.ready(wanted)
            #expect(try await ingest.fill(got.bytes) == .mismatch(got.digest), world.dump)
            #expect(world.blobCount == 0, world.dump)
            #expect(try await world.survey(wanted).blob == .absent, world.dump)
            // From scratch with the right bytes it goes well, in the same ingest.
            try ingest.restart()
            #expect(ingest.byteCount == 0)
            #expect(try await ingest.fill(wanted.bytes) == .committed, world.dump)
            #expect(world.blob(wanted.digest) == wanted.bytes, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func commitOfTooFewBytesIsAMismatchAndTheRestMayFollow(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(9_000_000, seed: 3)
            let ingest = try await world.ready(sample)
            let half = Array(sample.bytes.prefix(5_000_000))
            #expect(try await ingest.fill(half) == .mismatch(try Payload.digest(half)), world.dump)
            #expect(world.blobCount == 0, world.dump)
            try ingest.begin(5_000_000)
            try ingest.write(sample.bytes.dropFirst(5_000_000))
            #expect(try await ingest.commit() == .committed, world.dump)
            #expect(world.blob(sample.digest) == sample.bytes)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func onlyOneIngestOfABlobIsOpen(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(3000 + kind.extra, seed: 4)
            let first = try await world.ready(sample)
            guard case .busy = try await world.store.ingest(sample.digest, size: sample.size) else {
                Issue.record("two ingests of one blob are open\n\(world.dump)")
                return
            }
            let other = try await world.ready(try Sample(3000 + kind.extra, seed: 5))
            other.close()
            first.close()
            first.close()
            let second = try await world.ready(sample)
            #expect(try await second.fill(sample.bytes) == .committed, world.dump)
            second.close()
            #expect(world.blob(sample.digest) == sample.bytes, world.dump)
            #expect(try await world.bring(sample) == nil, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func closeKeepsPartialBytesForALaterResume(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(2_500_000, seed: 6)
            let first = try await world.ready(sample)
            try first.begin(0)
            try first.write(sample.bytes.prefix(1_500_001))
            first.close()
            #expect(try await world.survey(sample) == FileInventory(partialBytes: 1_500_001), world.dump)
            let second = try await world.ready(sample)
            #expect(second.byteCount == 1_500_001)
            try second.begin(1_500_001)
            try second.write(sample.bytes.dropFirst(1_500_001))
            #expect(second.byteCount == sample.size)
            #expect(try await second.commit() == .committed, world.dump)
            #expect(world.blob(sample.digest) == sample.bytes)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func anEmptyPartialLeavesNothing(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(2_000_000, seed: 7)
            let ingest = try await world.ready(sample)
            try ingest.begin(0, try validator("v"))
            ingest.close()
            #expect(world.partial(sample.digest) == nil, world.dump)
            #expect(try await world.survey(sample) == FileInventory(), world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func restartDropsTheBytes(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(2_000_000, seed: 8)
            let ingest = try await world.ready(sample)
            try ingest.begin(0, try validator("v"))
            try ingest.write([1, 2, 3])
            try ingest.restart()
            #expect(ingest.byteCount == 0)
            #expect(ingest.validator(for: try source("origin")) == nil)
            #expect(world.partial(sample.digest) ?? [] == [], world.dump)
            #expect(try await ingest.fill(sample.bytes) == .committed, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func beginAtTheStartDropsTheBytes(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(4000 + kind.extra, seed: 9)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(Array(sample.bytes.reversed()))
            #expect(try await ingest.fill(sample.bytes) == .committed, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aValidatorIsGivenForItsOwnSourceAlone(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(2_000_000, seed: 10)
            let first = try await world.ready(sample)
            try first.begin(0, try validator("v1"))
            try first.write(sample.bytes.prefix(1000))
            #expect(first.validator(for: try source("origin")) == (try validator("v1")))
            #expect(first.validator(for: try source("mirror")) == nil)
            first.close()
            let second = try await world.ready(sample)
            #expect(second.validator(for: try source("origin")) == (try validator("v1")), world.dump)
            #expect(second.validator(for: try source("mirror")) == nil)
            // Continued from the same version: still so.
            try second.begin(1000, try validator("v1"))
            try second.write(sample.bytes[1000..<2000])
            #expect(second.validator(for: try source("origin")) == (try validator("v1")))
            // Continued from elsewhere: the bytes are of no one version now, here and later.
            try second.begin(2000, from: "mirror", try validator("m"))
            try second.write(sample.bytes[2000..<3000])
            #expect(second.validator(for: try source("origin")) == nil)
            #expect(second.validator(for: try source("mirror")) == nil)
            second.close()
            let third = try await world.ready(sample)
            #expect(third.validator(for: try source("origin")) == nil, world.dump)
            #expect(third.validator(for: try source("mirror")) == nil)
            third.close()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aNewStartReplacesTheValidator(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(2_000_000, seed: 11)
            let first = try await world.ready(sample)
            try first.begin(0, try validator("old"))
            try first.write(sample.bytes.prefix(1000))
            try first.begin(0, from: "mirror", try validator("new"))
            try first.write(sample.bytes.prefix(10))
            first.close()
            let second = try await world.ready(sample)
            #expect(second.byteCount == 10)
            #expect(second.validator(for: try source("origin")) == nil)
            #expect(second.validator(for: try source("mirror")) == (try validator("new")), world.dump)
            try second.begin(0)
            try second.write(sample.bytes.prefix(10))
            second.close()
            let third = try await world.ready(sample)
            #expect(third.validator(for: try source("mirror")) == nil, world.dump)
            third.close()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func writingPastTheSizeIsRefused(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(1000 + kind.extra, seed: 12)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes.prefix(600))
            #expect(await failure { try ingest.write(sample.bytes.prefix(401 + kind.extra)) }?.code == .sizeMismatch)
            #expect(ingest.byteCount == 600)
            try ingest.write(sample.bytes.dropFirst(600))
            #expect(await failure { try ingest.write([1]) }?.code == .sizeMismatch)
            #expect(try await ingest.commit() == .committed, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases, [Int64(1), 599, 601, 1000, -1, .max])
    func beginAtAWrongOffsetIsRefused(_ kind: StoreKind, _ offset: Int64) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(1000 + kind.extra, seed: 13)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes.prefix(600))
            #expect(await failure { try ingest.begin(offset) }?.code == .protocolViolation)
            #expect(ingest.byteCount == 600)
            try ingest.begin(600)
            try ingest.write(sample.bytes.dropFirst(600))
            #expect(try await ingest.commit() == .committed, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func wrongBytesMayBeKeptUnderTheDigestThatTheyHave(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let (wanted, got) = (try Sample(5000 + kind.extra, seed: 14), try Sample(5000 + kind.extra, seed: 15))
            let ingest = try await world.ready(wanted)
            #expect(try await ingest.fill(got.bytes) == .mismatch(got.digest))
            try await ingest.keepUnreferenced(as: got.digest)
            #expect(world.blob(got.digest) == got.bytes, world.dump)
            #expect(world.blob(wanted.digest) == nil, world.dump)
            #expect(world.partial(wanted.digest) == nil, world.dump)
            #expect(try await world.survey(got).blob == .intact, world.dump)
            #expect(try await world.bring(got) == nil, world.dump)
            // The name is free again.
            #expect(try await world.bring(wanted) == .committed, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func fewerBytesAreKeptAsWhatTheyAre(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let (wanted, got) = (try Sample(5000 + kind.extra, seed: 16), try Sample(1234, seed: 17))
            let ingest = try await world.ready(wanted)
            #expect(try await ingest.fill(got.bytes) == .mismatch(got.digest))
            try await ingest.keepUnreferenced(as: got.digest)
            #expect(world.blob(got.digest) == got.bytes, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func bytesAreNotKeptUnderADigestThatTheyDoNotHave(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let (wanted, other) = (try Sample(5000 + kind.extra, seed: 18), try Sample(5000 + kind.extra, seed: 19))
            let ingest = try await world.ready(wanted)
            _ = try await ingest.fill(try Sample(5000 + kind.extra, seed: 20).bytes)
            #expect(await failure { try await ingest.keepUnreferenced(as: other.digest) } != nil)
            #expect(world.blobCount == 0, world.dump)
            ingest.close()
        }
    }

    @Test(arguments: StoreKind.allCases)
    func keepingBytesThatAreABlobAlreadyLeavesItAndItsViewsAlone(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let (wanted, got) = (try Sample(5000 + kind.extra, seed: 21), try Sample(5000 + kind.extra, seed: 22))
            let held = try modelOf("held", ["a": got])
            try await world.bring(held, got)
            let ingest = try await world.ready(wanted)
            #expect(try await ingest.fill(got.bytes) == .mismatch(got.digest))
            try await ingest.keepUnreferenced(as: got.digest)
            #expect(world.partial(wanted.digest) == nil, world.dump)
            #expect(try await world.survey(held).files.first?.view == .current, world.dump)
            if kind != .memory {
                #expect(try inode(world.blobPath(got.digest)) == inode("\(world.store.path)/models/held/a"), world.dump)
            }
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aBlobOfNoBytesIsABlob(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let empty = try Sample([])
            let ingest = try await world.ready(empty)
            #expect(try await ingest.commit() == .committed, world.dump)
            ingest.close()
            #expect(world.blob(empty.digest) == [], world.dump)
            let both = try modelOf("empties", ["a": empty, "sub/b": empty])
            _ = try await world.store.publish(both)
            #expect(world.paths(of: both) == ["a", "sub/b"], world.dump)
            #expect(
                try await world.survey(both, .full).files.allSatisfy { $0.blob == .intact && $0.view == .current },
                world.dump)
            #expect(try await world.bring(empty) == nil)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func nothingCanBeDoneWithAnIngestThatHasEnded(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(5000 + kind.extra, seed: 23)
            let committed = try await world.ready(sample)
            _ = try await committed.fill(sample.bytes)
            #expect(await failure { try committed.restart() } != nil)
            #expect(await failure { try committed.begin(0) } != nil)
            #expect(await failure { try committed.write([]) } != nil)
            #expect(world.blob(sample.digest) == sample.bytes, world.dump)
            #expect(try await world.survey(sample).blob == .intact, world.dump)

            let other = try Sample(5000 + kind.extra, seed: 24)
            let closed = try await world.ready(other)
            try closed.begin(0)
            try closed.write(other.bytes.prefix(10))
            closed.close()
            #expect(await failure { try closed.write([0]) } != nil)
            #expect(await failure { try closed.restart() } != nil)
            #expect(world.partial(other.digest) == Array(other.bytes.prefix(10)), world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aCancelledCommitKeepsTheBytesAndMayBeMadeAgain(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let sample = try Sample(300_000 + kind.extra, seed: 25)
            let ingest = try await world.ready(sample)
            try ingest.begin(0)
            try ingest.write(sample.bytes)
            let cancelled = Task {
                while !Task.isCancelled { await Task.yield() }
                return await failure { try await ingest.commit() }
            }
            cancelled.cancel()
            #expect(await cancelled.value?.code == .cancelled)
            #expect(world.blobCount == 0, world.dump)
            #expect(ingest.byteCount == sample.size)
            #expect(try await ingest.commit() == .committed, world.dump)
        }
    }

    @Test(arguments: StoreKind.allCases)
    func aGroupOfIngestsRunsAtOnce(_ kind: StoreKind) async throws {
        try await StoreWorld.with(kind) { world in
            let samples = try (0..<24).map { try Sample(40_000 * $0 + 1, seed: UInt64(100 + $0)) }
            let results = try await withThrowingTaskGroup(of: CommitResult?.self) { group in
                for sample in samples { group.addTask { try await world.bring(sample) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(results == Array(repeating: .committed, count: samples.count), world.dump)
            for sample in samples { #expect(world.blob(sample.digest) == sample.bytes) }
        }
    }
}
