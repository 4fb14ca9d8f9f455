import CSHA256Lanes
import Glibc
import SyncDomain
import Testing

@testable import BlobStore

extension HashKernel: CustomTestStringConvertible {
    public var testDescription: String { name }
}

/// Memory between two pages that nobody may touch: a step past either end kills the process.
final class FencedMemory {
    static let pageBytes = sysconf(Int32(_SC_PAGESIZE))

    let bytes: UnsafeMutableRawBufferPointer
    private let mapping: UnsafeMutableRawPointer

    init(pages: Int) throws {
        let byteCount = (pages + 2) * Self.pageBytes
        let mapping = mmap(nil, byteCount, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        self.mapping = try #require(mapping == MAP_FAILED ? nil : mapping)
        bytes = UnsafeMutableRawBufferPointer(start: self.mapping + Self.pageBytes, count: pages * Self.pageBytes)
        try #require(mprotect(bytes.baseAddress, bytes.count, PROT_READ | PROT_WRITE) == 0)
    }

    deinit {
        munmap(mapping, bytes.count + 2 * Self.pageBytes)
    }
}

/// Lanes for one kernel, each with blocks of its own that end where memory ends.
///
/// Between the lanes lie others that no kernel may write to, though it could find their addresses behind those it was
/// given: as it finds those of the pass before in a ``LaneBank``.
final class LaneRig {
    typealias Lane = modelsync_sha256_lane

    /// What comes behind the addresses of a pass.
    enum Behind: CaseIterable {
        case lanesOfOthers, endOfMemory
    }

    static let initial = HashState().hash

    let kernel: HashKernel
    /// What was wrong, in words: one expectation for thousands of passes.
    private(set) var faults: [String] = []

    private let memory: [FencedMemory]
    private let addresses: FencedMemory
    /// Every other one is a lane, the rest are to stay as they are.
    private let structs: UnsafeMutableBufferPointer<Lane>
    private var loaded: [[UInt8]]

    init(_ kernel: HashKernel, pages: Int = 2) throws {
        self.kernel = kernel
        memory = try (0..<kernel.lanes).map { _ in try FencedMemory(pages: pages) }
        addresses = try FencedMemory(pages: 1)
        structs = .allocate(capacity: 2 * kernel.lanes + 1)
        structs.initialize(repeating: Self.untouched)
        loaded = Array(repeating: [], count: kernel.lanes)
    }

    deinit {
        structs.deallocate()
    }

    private static var untouched: Lane { Lane(hash: (1, 2, 3, 4, 5, 6, 7, 8), blocks: nil) }

    /// Gives a lane blocks that end `gap` bytes before the unreadable page.
    func load(_ lane: Int, _ blocks: [UInt8], hash: SIMD8<UInt32> = initial, gap: Int = 0) {
        let bytes = memory[lane].bytes
        let start = bytes.count - gap - blocks.count
        UnsafeMutableRawBufferPointer(rebasing: bytes[start...]).copyBytes(from: blocks)
        loaded[lane] = blocks
        self[lane].hash = (hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7])
        self[lane].blocks = UnsafePointer(bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))?.advanced(by: start)
    }

    /// Advances the lanes, given in this order.
    func advance(_ lanes: [Int], blocks: Int, behind: Behind = .endOfMemory) {
        let before = lanes.map { self[$0].blocks }
        let pass = table(lanes, behind)
        kernel.advance(UnsafeBufferPointer(start: pass.baseAddress, count: lanes.count), blocks: blocks)
        for (lane, old) in zip(lanes, before) where self[lane].blocks != old?.advanced(by: blocks * 64) {
            faults.append("lane \(lane) of \(lanes.count) is not \(blocks) blocks on")
        }
        for index in stride(from: 0, to: structs.count, by: 2) where !isUntouched(index) {
            faults.append("a pass of \(lanes.count) lanes wrote before or after lane \(index / 2)")
            structs[index] = Self.untouched
        }
    }

    func hash(of lane: Int) -> SIMD8<UInt32> {
        let hash = self[lane].hash
        return SIMD8(hash.0, hash.1, hash.2, hash.3, hash.4, hash.5, hash.6, hash.7)
    }

    /// Whether the blocks that the lane was given, all of which were hashed, are as they were.
    func checkBlocks(of lane: Int) {
        let isSame = loaded[lane].withUnsafeBytes { loaded in
            guard let start = loaded.baseAddress, let end = self[lane].blocks else { return false }
            return memcmp(end - loaded.count, start, loaded.count) == 0
        }
        if !isSame { faults.append("the blocks of lane \(lane) were written to") }
    }

    /// The digests of messages, hashed side by side: a lane that ends one takes the next. A pass is of as many blocks as
    /// `slice` makes of the most that there are in all lanes.
    func digests(of messages: [[UInt8]], slice: (_ most: Int) -> Int = { $0 }) -> [SHA256Digest] {
        var hashes = Array(repeating: Self.initial, count: messages.count)
        var seats: [(lane: Int, message: Int, left: Int)] = []
        var (free, next) = (Array(0..<kernel.lanes), 0)
        while true {
            while next < messages.count, let lane = free.popLast() {
                let blocks = padded(messages[next])
                load(lane, blocks)
                seats.append((lane, next, blocks.count / 64))
                next += 1
            }
            guard let most = seats.map(\.left).min() else { break }
            let blocks = slice(most)
            advance(seats.map(\.lane), blocks: blocks)
            for index in seats.indices { seats[index].left -= blocks }
            for seat in seats where seat.left == 0 {
                hashes[seat.message] = hash(of: seat.lane)
                checkBlocks(of: seat.lane)
                free.append(seat.lane)
            }
            seats.removeAll { $0.left == 0 }
        }
        return hashes.map { SHA256Digest(words: $0) }
    }

    private subscript(lane: Int) -> Lane {
        get { structs[2 * lane + 1] }
        set { structs[2 * lane + 1] = newValue }
    }

    private func table(_ lanes: [Int], _ behind: Behind) -> UnsafeMutableBufferPointer<HashKernel.Lane> {
        let all = addresses.bytes.bindMemory(to: HashKernel.Lane.self)
        let room = behind == .endOfMemory ? lanes.count : kernel.lanes
        let table = UnsafeMutableBufferPointer(rebasing: all[(all.count - room)...])
        guard let first = structs.baseAddress else { return table }
        for index in table.indices {
            table.initializeElement(at: index, to: first + (index < lanes.count ? 2 * lanes[index] + 1 : 2 * index))
        }
        return table
    }

    private func isUntouched(_ index: Int) -> Bool {
        withUnsafeBytes(of: Self.untouched) { expected in
            guard let first = structs.baseAddress, let start = expected.baseAddress else { return false }
            return memcmp(first + index, start, expected.count) == 0
        }
    }
}

/// The message with its padding (FIPS 180-4, 5.1.1): whole blocks.
func padded(_ message: [UInt8]) -> [UInt8] {
    var blocks = message
    blocks.append(0x80)
    blocks += Array(repeating: 0, count: (64 + 56 - blocks.count % 64) % 64)
    withUnsafeBytes(of: UInt64(message.count * 8).bigEndian) { blocks += $0 }
    return blocks
}
