import CSHA256Lanes
import Foundation
import Glibc
import SyncDomain
import TestSupport
import Testing

@testable import BlobStore

/// The test vectors of NIST's Cryptographic Algorithm Validation Program for SHA-256, byte-oriented (CAVS 11).
@Suite(.timeLimit(.minutes(1)))
struct HashVectorTests {
    private struct Vector {
        var message: [UInt8]
        var digest: SHA256Digest
    }

    /// All messages in one go: lanes side by side have messages of different lengths.
    @Test(arguments: HashKernel.all)
    func messagesHaveTheirDigests(_ kernel: HashKernel) throws {
        let vectors = try Self.vectors.get()
        #expect(vectors.count == 65 + 64)
        var dice = Dice(seed: 1)
        let order = vectors.shuffled(using: &dice)
        let rig = try LaneRig(kernel)
        let got = rig.digests(of: order.map(\.message)) { dice.number(in: 1...$0) }
        #expect(got == order.map(\.digest))
        #expect(rig.faults == [])
    }

    /// SHAVS, section 6.4: a hundred links, each a thousand digests made of those before. A link begins with the value
    /// that the one before is to end with, so that links can be hashed side by side and still prove the whole chain.
    @Test(arguments: HashKernel.all)
    func theMonteCarloChainHasItsLinks(_ kernel: HashKernel) throws {
        let values = try entries("SHA256Monte.rsp").compactMap { ["Seed", "MD"].contains($0.key) ? $0.value : nil }
        #expect(values.count == 101)
        for first in stride(from: 0, to: 100, by: kernel.lanes) {
            let links = first..<min(first + kernel.lanes, 100)
            let ends = links.map { Link(seed: values[$0]) }
            let lanes = ends.map(\.lane)
            for _ in 0..<1000 {
                lanes.withUnsafeBufferPointer { kernel.advance($0, blocks: 2) }
                for link in ends { link.shift() }
            }
            #expect(ends.map(\.last) == links.map { values[$0 + 1] }, "links \(links)")
        }
    }

    /// Parsed once for all kernels.
    private static let vectors = Result {
        try ["SHA256ShortMsg.rsp", "SHA256LongMsg.rsp"].flatMap { name in
            var (length, message) = (0, [UInt8]())
            var vectors: [Vector] = []
            for (key, value, text) in try entries(name) {
                switch key {
                case "Len": length = try #require(Int(text)) / 8
                // An empty message is written as one zero.
                case "Msg": message = Array(value.prefix(length))
                case "MD":
                    #expect(message.count == length)
                    vectors.append(Vector(message: message, digest: try SHA256Digest(bytes: value)))
                default: continue
                }
            }
            return vectors
        }
    }
}

/// One link of the Monte Carlo chain: a lane whose message is the three digests before.
private final class Link {
    /// Three digests and their padding.
    private let words: UnsafeMutablePointer<UInt32>
    let lane: HashKernel.Lane
    private let start: modelsync_sha256_lane

    init(seed: [UInt8]) {
        words = .allocate(capacity: 32)
        lane = .allocate(capacity: 1)
        let blocks = padded(seed + seed + seed)
        memcpy(words, blocks, blocks.count)
        let hash = LaneRig.initial
        start = modelsync_sha256_lane(
            hash: (hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7]),
            blocks: UnsafeRawPointer(words).assumingMemoryBound(to: UInt8.self))
        lane.initialize(to: start)
    }

    deinit {
        lane.deallocate()
        words.deallocate()
    }

    /// Drops the oldest digest for the one that the lane now has, and begins the next message.
    func shift() {
        memmove(words, words + 8, 64)
        let hash = lane.pointee.hash
        words[16] = hash.0.bigEndian
        words[17] = hash.1.bigEndian
        words[18] = hash.2.bigEndian
        words[19] = hash.3.bigEndian
        words[20] = hash.4.bigEndian
        words[21] = hash.5.bigEndian
        words[22] = hash.6.bigEndian
        words[23] = hash.7.bigEndian
        lane.pointee = start
    }

    var last: [UInt8] { Array(UnsafeRawBufferPointer(start: words + 16, count: 32)) }
}

/// The lines `key = value` of a response file, the values also as bytes where they are hex digits.
private func entries(_ name: String) throws -> [(key: String, value: [UInt8], text: String)] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    let file = try [UInt8](Data(contentsOf: folder.appending(path: name)))
    return file.split(separator: UInt8(ascii: "\n")).compactMap { line in
        // Lines end as on Windows.
        let parts = (line.last == 13 ? line.dropLast() : line).split(separator: UInt8(ascii: "="), maxSplits: 1)
        guard parts.count == 2, line.first != UInt8(ascii: "#"), line.first != UInt8(ascii: "[") else { return nil }
        let (key, value) = (parts[0].dropLast(), parts[1].dropFirst())
        return (String(decoding: key, as: UTF8.self), bytes(hex: value), String(decoding: value, as: UTF8.self))
    }
}

private func bytes(hex: ArraySlice<UInt8>) -> [UInt8] {
    if hex.count < 2 { return [] }
    return hex.withUnsafeBufferPointer { hex in
        [UInt8](unsafeUninitializedCapacity: hex.count / 2) { bytes, count in
            count = hex.count / 2
            for index in 0..<count {
                bytes.initializeElement(at: index, to: digit(hex[2 * index]) << 4 | digit(hex[2 * index + 1]))
            }
        }
    }
}

private func digit(_ character: UInt8) -> UInt8 { character & 0x0F &+ (character > UInt8(ascii: "9") ? 9 : 0) }
