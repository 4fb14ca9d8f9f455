import Foundation
import SyncDomain
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// Each kernel that this machine can run, also those that the schedule would never choose on it.
@Suite(.timeLimit(.minutes(1)))
struct HashKernelTests {
    /// Of every length to 17 blocks, each with bytes of its own.
    private static let messages = (0...1100).map { Array(text[$0..<2 * $0]) }
    private static let text = Payload.bytes(2200, seed: 1)
    private static let digests = messages.map { SHA256Digest(of: $0) }

    @Test(arguments: [0, 1, 55, 56, 63, 64, 65, 119, 120, 1100, 1_000_003])
    func theOraclesAgree(_ length: Int) throws {
        let bytes = Payload.bytes(length, seed: 2)
        #expect(SHA256Digest(of: bytes).hex == (try Payload.sha256(bytes)))
    }

    #if arch(x86_64)
        /// A kernel that is missing from the list is missing from all tests.
        @Test(
            .enabled(
                if: ProcessInfo.processInfo.environment["OPENSSL_ia32cap"] == nil,
                "OPENSSL_ia32cap takes instructions away that /proc/cpuinfo shows"))
        func kernelsAreThoseThatTheProcessorHasTheInstructionsFor() throws {
            let line = try #require(readText("/proc/cpuinfo").split(separator: "\n").first { $0.hasPrefix("flags") })
            let flags = Set(line.split(whereSeparator: \.isWhitespace).map(String.init))
            var names = ["openssl"]
            if flags.isSuperset(of: ["sha_ni", "ssse3", "sse4_1"]) { names.append("sha x2") }
            if flags.contains("avx2") { names.append("avx2 x8") }
            if flags.isSuperset(of: ["avx512f", "avx512bw", "avx512vl"]) { names += ["avx512 x8", "avx512 x16"] }
            #expect(HashKernel.all.map(\.name) == names)
        }
    #endif

    @Test(arguments: HashKernel.all)
    func everyLengthHasItsDigest(_ kernel: HashKernel) throws {
        let rig = try LaneRig(kernel)
        #expect(rig.digests(of: Self.messages) == Self.digests)
        #expect(rig.faults == [])
    }

    /// In another order, so that short messages have long neighbours.
    @Test(arguments: HashKernel.all)
    func slicesOfAnyLengthMakeTheSameDigests(_ kernel: HashKernel) throws {
        var dice = Dice(seed: 3)
        let order = Self.messages.indices.shuffled(using: &dice)
        let rig = try LaneRig(kernel)
        let got = rig.digests(of: order.map { Self.messages[$0] }) { dice.number(in: 1...$0) }
        #expect(got == order.map { Self.digests[$0] })
        #expect(rig.faults == [])
    }

    /// With the padding that the service makes, and the bytes of the message before still in the buffer.
    @Test(arguments: HashKernel.all)
    func everyLengthHasItsDigestThroughTheBank(_ kernel: HashKernel) throws {
        try TemporaryFolder.withNow { folder in
            let file = try OpenFile.read(try folder.write(Self.text, to: "text"))
            let schedule = HashSchedule([kernel]) { _ in 1 }
            #expect(schedule.width == kernel.lanes)
            let bank = LaneBank(lanes: kernel.lanes)
            var got: [SHA256Digest] = []
            // From the longest: what is left of it must not be taken for padding.
            for first in stride(from: Self.messages.count - 1, through: 0, by: -kernel.lanes) {
                let lengths = Array((0...first).reversed().prefix(kernel.lanes))
                var left = try lengths.enumerated().map { lane, length in
                    bank.setHash(LaneRig.initial, of: lane)
                    let count = try bank.fill(lane, from: file, at: Int64(length), count: length)
                    #expect(count == length)
                    return bank.pad(lane, after: length, messageBytes: Int64(length))
                }
                while let most = left.max(), most > 0 {
                    let lanes = left.indices.filter { left[$0] > 0 }
                    let blocks = lanes.map { left[$0] }.min() ?? 0
                    bank.advance(lanes, blocks: blocks, by: schedule)
                    for lane in lanes { left[lane] -= blocks }
                }
                got += lengths.indices.map { SHA256Digest(words: bank.hash(of: $0)) }
            }
            #expect(got == Self.digests.reversed())
        }
    }

    /// The schedule's passes over more lanes than one kernel takes.
    @Test func aBankAdvancesAnyNumberOfLanesByAnyKernels() throws {
        try TemporaryFolder.withNow { folder in
            let file = try OpenFile.read(try folder.write(Self.text, to: "text"))
            for last in HashKernel.all {
                let schedule = HashSchedule([.openSSL, last]) { $0 == last ? 1.5 : 1 }
                let bank = LaneBank(lanes: 40)
                for count in 1...40 {
                    for lane in 0..<count {
                        bank.setHash(LaneRig.initial, of: lane)
                        #expect(try bank.fill(lane, from: file, at: Int64(800 + lane), count: 800 + lane) == 800 + lane)
                        #expect(bank.pad(lane, after: 800 + lane, messageBytes: Int64(800 + lane)) > 12)
                    }
                    bank.advance(Array((0..<count).reversed()), blocks: 12, by: schedule)
                    // One by one from here, since they have different lengths.
                    for lane in 0..<count {
                        bank.advance([lane], blocks: (800 + lane + 8) / 64 + 1 - 12, by: schedule)
                    }
                    let got = (0..<count).map { SHA256Digest(words: bank.hash(of: $0)) }
                    #expect(got == Array(Self.digests[800..<800 + count]), "\(count) lanes by \(last.name)")
                }
            }
        }
    }

    @Test(arguments: HashKernel.all)
    func blocksNeedNoAlignment(_ kernel: HashKernel) throws {
        let rig = try LaneRig(kernel)
        for alignment in 0..<64 {
            let messages = (0..<kernel.lanes).map { 120 + 13 * $0 % 64 }
            for lane in 0..<kernel.lanes {
                rig.load(lane, padded(Self.messages[messages[lane]]), gap: (alignment + lane) % 64)
            }
            rig.advance(Array(0..<kernel.lanes), blocks: 3)
            for lane in 0..<kernel.lanes { rig.checkBlocks(of: lane) }
            let got = (0..<kernel.lanes).map { SHA256Digest(words: rig.hash(of: $0)) }
            #expect(got == messages.map { Self.digests[$0] }, "\(alignment) bytes before a multiple of 64")
        }
        #expect(rig.faults == [])
    }

    /// Fewer than the kernel has, in any order; the others neither change nor matter.
    @Test(arguments: HashKernel.all, LaneRig.Behind.allCases)
    func everyNumberOfLanesIsHashedAndNoOther(_ kernel: HashKernel, _ behind: LaneRig.Behind) throws {
        var dice = Dice(seed: 4)
        let rig = try LaneRig(kernel)
        for count in 1...kernel.lanes {
            for _ in 0..<4 {
                let order = Array((0..<kernel.lanes).shuffled(using: &dice))
                let idle: SIMD8<UInt32> = .random(in: 0 ... .max, using: &dice)
                for lane in 0..<kernel.lanes { rig.load(lane, padded(Self.messages[450 + lane % 16]), hash: idle) }
                for lane in order.prefix(count) { rig.load(lane, padded(Self.messages[450 + lane])) }
                rig.advance(Array(order.prefix(count)), blocks: 8, behind: behind)
                for lane in order.prefix(count) {
                    #expect(SHA256Digest(words: rig.hash(of: lane)) == Self.digests[450 + lane], "\(order) \(count)")
                }
                for lane in order.dropFirst(count) { #expect(rig.hash(of: lane) == idle, "\(order) \(count)") }
            }
        }
        #expect(rig.faults == [])
    }

    /// From hash values that no message is known to have, with carries everywhere.
    @Test(arguments: HashKernel.all)
    func everyHashValueAdvancesAsByOpenSSL(_ kernel: HashKernel) throws {
        var dice = Dice(seed: 5)
        let (rig, oracle) = (try LaneRig(kernel), try LaneRig(.openSSL))
        let lanes = Array(0..<kernel.lanes)
        for round in 0..<200 {
            let hashes = lanes.map { _ in
                round % 3 == 0 ? SIMD8(repeating: UInt32.max) : .random(in: 0 ... .max, using: &dice)
            }
            let blocks = lanes.map { lane -> [UInt8] in
                switch (round + lane) % 4 {
                case 0: Array(repeating: 0xFF, count: 128)
                case 1: Array(repeating: 0, count: 128)
                default: Array(Self.text[dice.number(in: 0...2000)...].prefix(128))
                }
            }
            for lane in lanes { rig.load(lane, blocks[lane], hash: hashes[lane]) }
            rig.advance(lanes, blocks: 2)
            let expected = lanes.map { lane in
                oracle.load(0, blocks[lane], hash: hashes[lane])
                oracle.advance([0], blocks: 2)
                return oracle.hash(of: 0)
            }
            #expect(lanes.map(rig.hash) == expected, "round \(round)")
        }
        #expect(rig.faults + oracle.faults == [])
    }

    /// Memory ends on both sides of the blocks.
    @Test(arguments: HashKernel.all)
    func nothingIsReadBeforeOrAfterTheBlocks(_ kernel: HashKernel) throws {
        let rig = try LaneRig(kernel, pages: 1)
        let bytes = Payload.bytes(FencedMemory.pageBytes - 64, seed: 6)
        for count in 1...kernel.lanes {
            for lane in 0..<count { rig.load(lane, padded(bytes)) }
            rig.advance(Array(0..<count), blocks: FencedMemory.pageBytes / 64)
            let digest = SHA256Digest(of: bytes)
            #expect((0..<count).allSatisfy { SHA256Digest(words: rig.hash(of: $0)) == digest }, "\(count) lanes")
        }
        #expect(rig.faults == [])
    }

    @Test(arguments: HashKernel.all)
    func noBlocksChangeNothing(_ kernel: HashKernel) throws {
        let rig = try LaneRig(kernel)
        let hash: SIMD8<UInt32> = [9, 8, 7, 6, 5, 4, 3, 2]
        for lane in 0..<kernel.lanes { rig.load(lane, [], hash: hash) }
        for count in 1...kernel.lanes { rig.advance(Array(0..<count), blocks: 0) }
        #expect((0..<kernel.lanes).allSatisfy { rig.hash(of: $0) == hash })
        #expect(rig.faults == [])
    }
}
