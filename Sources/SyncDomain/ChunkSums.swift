/// What tells which chunks of a large blob have rotted.
///
/// The hash value of SHA-256 (FIPS 180-4, 6.2.2) after a chunk is that after the chunk before and the chunk's own bytes, and
/// nothing else. So with the values that hashing the blob went through, each chunk can be verified by itself, by as many lanes
/// as there are, and they cost nothing to have.
public struct ChunkSums: Sendable, Equatable {
    /// Bytes of a chunk.
    public static let chunkBytes: Int64 = 4 << 20
    /// Smaller blobs have none: they are fetched again.
    public static let leastBytes: Int64 = 32 << 20

    /// Of the blob.
    public let digest: SHA256Digest
    /// Of the blob, in bytes.
    public let size: Int64
    /// After each chunk but the last, whose end the digest is.
    public let marks: [SHA256Digest]

    /// Nil if the marks are too few, or the blob too small to have any.
    public init?(_ digest: SHA256Digest, size: Int64, marks: [SHA256Digest]) {
        guard size >= Self.leastBytes else { return nil }
        let count = Int((size - 1) / Self.chunkBytes)
        guard marks.count >= count else { return nil }
        self.digest = digest
        self.size = size
        self.marks = Array(marks.prefix(count))
    }

    /// How many chunks there are; the last may be short.
    public var count: Int { marks.count + 1 }

    /// Where a chunk is.
    public func range(_ index: Int) -> Range<Int64> {
        let start = Int64(index) * Self.chunkBytes
        return start..<min(size, start + Self.chunkBytes)
    }

    private static let head = "modelsync.sums/1 4194304"

    /// A line that names the form, and a hash value a line.
    public var encoded: [UInt8] {
        var out = Array(Self.head.utf8)
        out.append(UInt8(ascii: "\n"))
        for mark in marks {
            mark.appendHex(to: &out)
            out.append(UInt8(ascii: "\n"))
        }
        return out
    }

    /// Nil for what is of no such form, or not of this blob's size.
    public init?(_ bytes: [UInt8], of digest: SHA256Digest, size: Int64) {
        let lines = bytes.split(separator: UInt8(ascii: "\n"))
        guard let head = lines.first, head.elementsEqual(Self.head.utf8) else { return nil }
        var marks: [SHA256Digest] = []
        for line in lines.dropFirst() {
            guard let mark = try? SHA256Digest(hex: line) else { return nil }
            marks.append(mark)
        }
        self.init(digest, size: size, marks: marks)
    }
}
