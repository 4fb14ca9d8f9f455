internal import CSHA256Lanes
internal import SystemSupport

/// The memory of one hash thread: for each lane a hash value, and a buffer whose next blocks wait to be hashed.
///
/// One thread at a time.
@safe final class LaneBank {
    /// The most that a lane's buffer takes, and room for the padding, which takes one block or two. What is never filled
    /// takes no memory.
    private static let mostBytes = 256 << 10
    private static let stride = mostBytes + 2 * HashState.blockBytes

    /// How much to read at a time for each of so many lanes: small enough that their buffers together stay in the
    /// second-level cache until they are hashed, large enough that the work around it does not count.
    static func bufferBytes(lanes count: Int) -> Int { count <= 2 ? mostBytes : mostBytes / 4 }

    private let lanes: UnsafeMutableBufferPointer<modelsync_sha256_lane>
    private let memory: UnsafeMutableRawBufferPointer
    /// The lanes of a pass, one after another.
    private let pass: UnsafeMutableBufferPointer<HashKernel.Lane>

    init(lanes count: Int) {
        unsafe lanes = .allocate(capacity: count)
        unsafe lanes.initialize(repeating: modelsync_sha256_lane())
        unsafe memory = .allocate(byteCount: count * Self.stride, alignment: 64)
        unsafe pass = .allocate(capacity: count)
    }

    deinit {
        unsafe pass.deallocate()
        unsafe memory.deallocate()
        unsafe lanes.deallocate()
    }

    func setHash(_ hash: SIMD8<UInt32>, of lane: Int) {
        unsafe lanes[lane].hash = (hash[0], hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7])
    }

    func hash(of lane: Int) -> SIMD8<UInt32> {
        let hash = unsafe lanes[lane].hash
        return SIMD8(hash.0, hash.1, hash.2, hash.3, hash.4, hash.5, hash.6, hash.7)
    }

    /// Reads `count` bytes at `offset` into the lane's buffer, from its start; at most what ``bufferBytes(lanes:)``
    /// says.
    ///
    /// - Returns: how many there were.
    func fill(_ lane: Int, from file: OpenFile, at offset: Int64, count: Int) throws(SystemFailure) -> Int {
        let buffer = unsafe buffer(of: lane)
        unsafe lanes[lane].blocks = UnsafePointer(buffer.baseAddress?.assumingMemoryBound(to: UInt8.self))
        return try unsafe file.read(into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]), at: offset)
    }

    /// As the other, from memory.
    func fill(_ lane: Int, with bytes: ArraySlice<UInt8>) {
        let buffer = unsafe buffer(of: lane)
        unsafe lanes[lane].blocks = UnsafePointer(buffer.baseAddress?.assumingMemoryBound(to: UInt8.self))
        unsafe buffer.copyBytes(from: bytes)
    }

    /// Appends the padding (FIPS 180-4, 5.1.1) to the `count` bytes in the lane's buffer, the last of a message.
    ///
    /// - Returns: the blocks that it makes.
    func pad(_ lane: Int, after count: Int, messageBytes: Int64) -> Int {
        let blocks = (count + 1 + 8 + HashState.blockBytes - 1) / HashState.blockBytes
        let end = blocks * HashState.blockBytes
        let buffer = unsafe buffer(of: lane)
        unsafe buffer[count] = 0x80
        for index in count + 1..<end - 8 { unsafe buffer[index] = 0 }
        unsafe buffer.storeBytes(of: UInt64(messageBytes * 8).bigEndian, toByteOffset: end - 8, as: UInt64.self)
        return blocks
    }

    /// Hashes the next blocks of the lanes given, as many of each.
    func advance(_ indices: [Int], blocks: Int, by schedule: HashSchedule) {
        var rest = indices[...]
        while !rest.isEmpty {
            let kernel = schedule.kernel(for: rest.count)
            advance(rest.prefix(kernel.lanes), blocks: blocks, by: kernel)
            rest = rest.dropFirst(kernel.lanes)
        }
    }

    /// As the other, by one kernel; no more lanes than it has.
    func advance(_ indices: some Collection<Int>, blocks: Int, by kernel: HashKernel) {
        guard let first = unsafe lanes.baseAddress else { return }
        var count = 0
        for index in indices {
            unsafe pass[count] = first + index
            count += 1
        }
        unsafe kernel.advance(UnsafeBufferPointer(rebasing: pass[..<count]), blocks: blocks)
    }

    /// Gives every lane so many blocks of zeros: for timing.
    func clear(blocks: Int) {
        for lane in unsafe lanes.indices {
            let bytes = unsafe buffer(of: lane).prefix(blocks * HashState.blockBytes)
            unsafe UnsafeMutableRawBufferPointer(rebasing: bytes).initializeMemory(as: UInt8.self, repeating: 0)
        }
        rewind()
    }

    /// Has every lane hash its buffer again, from its start: for timing.
    func rewind() {
        for lane in unsafe lanes.indices {
            unsafe lanes[lane].blocks = UnsafePointer(buffer(of: lane).baseAddress?.assumingMemoryBound(to: UInt8.self))
        }
    }

    private func buffer(of lane: Int) -> UnsafeMutableRawBufferPointer {
        unsafe UnsafeMutableRawBufferPointer(rebasing: memory[lane * Self.stride..<(lane + 1) * Self.stride])
    }
}
