import Foundation
import SyncDomain
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// The whole service against OpenSSL's EVP interface, which it does not use.
@Suite(.timeLimit(.minutes(1)))
struct HashServiceDifferentialTests {
    /// Each into a file that grows while it is hashed: bytes that are read before they are announced are not there.
    @Test(arguments: 1...40)
    func anyNumberOfStreamsAtOnceHaveTheirDigests(_ count: Int) async throws {
        var dice = Dice(seed: UInt64(count))
        let lengths = (0..<count).map { _ in Self.length(&dice) }
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: 1 + count % 3)
            defer { withExtendedLifetime(service) {} }
            try await Self.hashGrowing(lengths, in: folder, by: service, seed: UInt64(count))
        }
    }

    /// Also those that the schedule would never choose on this machine.
    @Test(arguments: HashKernel.all)
    func everyKernelServes(_ kernel: HashKernel) async throws {
        let schedule = HashSchedule([.openSSL, kernel]) { $0 == kernel ? 1 : 1e6 }
        #expect((1...40).allSatisfy { schedule.kernel(for: $0) == kernel })
        #expect(schedule.width == kernel.lanes)
        var dice = Dice(seed: 100)
        let service = HashService(threads: 2, schedule: schedule)
        defer { withExtendedLifetime(service) {} }
        for count in [1, kernel.lanes, 2 * kernel.lanes + 3] {
            let lengths = (0..<count).map { _ in Self.length(&dice) }
            try await TemporaryFolder.with { folder in
                try await Self.hashGrowing(lengths, in: folder, by: service, seed: UInt64(count))
                try await Self.hashTogether(lengths + [0, 1, 64, 5_000_000, 0], in: folder, by: service, seed: 101)
            }
        }
    }

    @Test func aLargeFileHasItsDigest() async throws {
        var dice = Dice(seed: 200)
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: 2)
            defer { withExtendedLifetime(service) {} }
            let length = dice.number(in: 32 << 20...64 << 20)
            try await Self.hashGrowing([length, 5, 100_000], in: folder, by: service, seed: 201)
        }
    }

    @Test(arguments: [1, 2, 5])
    func aBatchHasItsDigestsInOrder(_ threads: Int) async throws {
        var dice = Dice(seed: 300)
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: threads)
            defer { withExtendedLifetime(service) {} }
            #expect(await service.digests([]) == [])
            try await Self.hashTogether([0], in: folder, by: service, seed: 301)
            let large = [
                Int(PageCare.threshold), Int(HashStream.turnBytes) + 1, LaneBank.bufferBytes(lanes: 1),
                LaneBank.bufferBytes(lanes: 16),
            ]
            let lengths = [0, 0] + (0..<150).map { _ in Self.length(&dice) } + large + [0]
            try await Self.hashTogether(lengths.shuffled(using: &dice), in: folder, by: service, seed: 302)
        }
    }

    /// Streams and several batches share the lanes.
    @Test func batchesAndStreamsDoNotMixUpTheirBytes() async throws {
        var dice = Dice(seed: 400)
        let lengths = (0..<5).map { _ in (0..<20).map { _ in Self.length(&dice) } }
        let service = HashService(threads: 2)
        defer { withExtendedLifetime(service) {} }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, lengths) in lengths.enumerated() {
                group.addTask {
                    try await TemporaryFolder.with { folder in
                        if index < 3 {
                            try await Self.hashTogether(lengths, in: folder, by: service, seed: 401 + UInt64(index))
                        } else {
                            try await Self.hashGrowing(lengths, in: folder, by: service, seed: 401 + UInt64(index))
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// Mostly small, as models' files are; now and then several turns long.
    private static func length(_ dice: inout Dice) -> Int {
        switch dice.number(in: 0...19) {
        case 0, 1: dice.number(in: 0...(6 << 20))
        case 2...4: dice.number(in: 0...300_000)
        case 5: 64 * dice.number(in: 0...2000)
        default: dice.number(in: 0...3000)
        }
    }

    private static func hashGrowing(
        _ lengths: [Int], in folder: TemporaryFolder, by service: HashService, seed: UInt64
    ) async throws {
        let open = try Folder.open(folder.path)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for (index, length) in lengths.enumerated() {
                group.addTask {
                    var dice = Dice(seed: seed &* 1000 &+ UInt64(index))
                    let bytes = noise(length, &dice)
                    let file = try open.file("growing \(index)", .createNew)
                    let told = Counter()
                    let stream = service.stream(file) { told.add($0) }
                    try await grow(file, bytes, stream, &dice)
                    let digest = try await stream.digest(of: Int64(length))
                    #expect(digest == SHA256Digest(of: bytes), "stream \(index) of \(lengths), seed \(seed)")
                    #expect(told.sum == length, "as much is told as there is: no byte is hashed twice")
                }
            }
            try await group.waitForAll()
        }
        for index in lengths.indices { try open.removeFile("growing \(index)") }
    }

    private static func grow(_ file: OpenFile, _ bytes: [UInt8], _ stream: HashStream, _ dice: inout Dice) async throws
    {
        // The last bytes are announced by the question for the digest alone.
        let last = bytes.count - dice.number(in: 0...bytes.count) / 4
        await withTaskGroup(of: Void.self) { group in
            var there = 0
            while there < last {
                let end = min(last, there + dice.number(in: 1...max(1, bytes.count / 3)))
                try? file.write(bytes.span.bytes.extracting(there..<end), at: Int64(there))
                there = end
                // Several at once and in any order, as the parts of a download end.
                group.addTask { [there] in stream.advance(to: Int64(there)) }
                if dice.number(in: 0...2) == 0 { await Task.yield() }
            }
        }
        try file.write(bytes.span.bytes.extracting(last..<bytes.count), at: Int64(last))
    }

    private static func hashTogether(
        _ lengths: [Int], in folder: TemporaryFolder, by service: HashService, seed: UInt64
    ) async throws {
        var dice = Dice(seed: seed)
        var jobs: [HashJob] = []
        var expected: [SHA256Digest?] = []
        let told = Counter()
        for (index, length) in lengths.enumerated() {
            let bytes = noise(length, &dice)
            let path = try folder.write(bytes, to: "batch \(index)")
            expected.append(SHA256Digest(of: bytes))
            jobs.append(
                HashJob(size: Int64(length), open: { () throws(SystemFailure) in try .read(path) }) { told.add($0) })
        }
        #expect(await service.digests(jobs) == expected, "\(lengths), seed \(seed)")
        #expect(told.sum == Int64(lengths.reduce(0, +)))
    }
}

/// Many small messages, side by side.
struct MessageHasherTests {
    @Test func messagesOfAllLengthsHaveTheirDigests() throws {
        let lengths =
            Array(0...200) + [
                16_383, 16_384, LaneBank.bufferBytes(lanes: 16), LaneBank.bufferBytes(lanes: 16) + 1,
                LaneBank.bufferBytes(lanes: 1), 1_000_000,
            ]
        let samples = try lengths.shuffled().enumerated().map { try Sample($1, seed: UInt64($0)) }
        for kernel in HashKernel.all {
            let kernels = kernel == .openSSL ? [kernel] : [.openSSL, kernel]
            let schedule = HashSchedule(kernels) { $0 == kernel ? 1 : 1_000 }
            let digests = MessageHasher(schedule).digests(of: samples.map(\.bytes))
            #expect(digests == samples.map(\.digest), "\(kernel.name)")
        }
        #expect(MessageHasher().digests(of: []) == [])
    }
}
