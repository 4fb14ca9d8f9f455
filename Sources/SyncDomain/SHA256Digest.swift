/// A SHA-256 message digest (FIPS 180-4): 32 bytes, held in line as four big-endian words.
public struct SHA256Digest: Sendable, Hashable, Comparable, CustomStringConvertible {
    let words: (UInt64, UInt64, UInt64, UInt64)

    /// - Parameter bytes: the 32 bytes that a hash function returned.
    /// - Throws: ``InvalidValue`` if there are not 32.
    public init(bytes: some Sequence<UInt8>) throws(InvalidValue) {
        var parser = WordParser()
        for byte in bytes { parser.push(UInt64(byte), bits: 8) }
        guard parser.bitCount == 256 else {
            throw InvalidValue("a SHA-256 digest has 32 bytes, got \(parser.bitCount / 8)")
        }
        words = parser.words
    }

    /// - Parameter words: the eight words of the final hash value (FIPS 180-4, 6.2.2), as numbers.
    public init(words: SIMD8<UInt32>) {
        func pair(_ index: Int) -> UInt64 { UInt64(words[index]) << 32 | UInt64(words[index + 1]) }
        self.words = (pair(0), pair(2), pair(4), pair(6))
    }

    /// The eight words of the hash value, as ``init(words:)`` takes them.
    public var hashWords: SIMD8<UInt32> {
        func pair(_ word: UInt64) -> [UInt32] { [UInt32(word >> 32), UInt32(truncatingIfNeeded: word)] }
        return SIMD8(pair(words.0) + pair(words.1) + pair(words.2) + pair(words.3))
    }

    /// - Parameter hex: 64 hex digits of either case, ASCII, nothing around them.
    /// - Throws: ``InvalidValue`` with what was got instead.
    public init(hex: some Sequence<UInt8>) throws(InvalidValue) {
        let digits = Array(hex)
        try self.init(hex: digits.span)
    }

    /// - Parameter hex: 64 hex digits of either case.
    /// - Throws: ``InvalidValue`` with what was got instead.
    public init(hex: String) throws(InvalidValue) {
        try self.init(hex: hex.utf8.span)
    }

    /// The way without a copy for manifests of many files.
    ///
    /// - Parameter hex: 64 hex digits of either case, ASCII, nothing around them.
    /// - Throws: ``InvalidValue`` with what was got instead.
    public init(hex: Span<UInt8>) throws(InvalidValue) {
        guard hex.count == 64 else { throw Self.invalid(hex) }
        guard let first = Self.word(hex, from: 0), let second = Self.word(hex, from: 16),
            let third = Self.word(hex, from: 32), let fourth = Self.word(hex, from: 48)
        else { throw Self.invalid(hex) }
        words = (first, second, third, fourth)
    }

    /// 64 lower-case hex digits.
    public var hex: String { String(decoding: hexBytes, as: UTF8.self) }

    /// 64 lower-case hex digits, ASCII.
    public var hexBytes: [UInt8] {
        var out: [UInt8] = []
        out.reserveCapacity(64)
        appendHex(to: &out)
        return out
    }

    /// Appends 64 lower-case hex digits, ASCII: the way without a string for paths and reports of many files.
    public func appendHex(to out: inout [UInt8]) {
        let digits = (
            Self.hexDigits(words.0 >> 32), Self.hexDigits(words.0), Self.hexDigits(words.1 >> 32),
            Self.hexDigits(words.1), Self.hexDigits(words.2 >> 32), Self.hexDigits(words.2),
            Self.hexDigits(words.3 >> 32), Self.hexDigits(words.3)
        )
        unsafe withUnsafeBytes(of: digits) { unsafe out.append(contentsOf: $0) }
    }

    /// The first 32 bits, big-endian: uniform over digests, for fan-out and seals.
    public var leadingWord: UInt32 { UInt32(truncatingIfNeeded: words.0 >> 32) }

    /// As ``hex``.
    public var description: String { hex }

    /// Equal where all bytes are.
    public static func == (a: SHA256Digest, b: SHA256Digest) -> Bool { a.words == b.words }

    /// As the hex digits sort.
    public static func < (a: SHA256Digest, b: SHA256Digest) -> Bool { a.words < b.words }

    /// Feeds all 32 bytes.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(words.0)
        hasher.combine(words.1)
        hasher.combine(words.2)
        hasher.combine(words.3)
    }

    /// The number that 16 digits write, or nil where one is none.
    private static func word(_ hex: Span<UInt8>, from start: Int) -> UInt64? {
        guard let high = halfWord(hex, from: start), let low = halfWord(hex, from: start + 8) else { return nil }
        return high << 32 | low
    }

    /// The number that 8 digits write, all 8 at once in the bytes of one word: this is a good part of what reading a
    /// large manifest takes. No sum below carries into the next byte.
    private static func halfWord(_ hex: Span<UInt8>, from start: Int) -> UInt64? {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var digits: UInt64 = 0
        for index in start..<start + 8 { digits = digits << 8 | UInt64(hex[index]) }
        // Bit 6 tells letters, of either case, from decimal digits.
        let letters = digits >> 6 & ones
        let values = (digits & (0x0F &* ones)) &+ letters &* 9
        // Where a byte is a digit, its value gives the byte back, letters are those from 10 on, and none is above 15.
        let isSame = (digits | letters << 5) == values &+ 0x30 &* ones &+ letters &* 0x27
        let isInRange = (values &+ 6 &* ones) >> 4 & ones == letters && values & (0xF0 &* ones) == 0
        guard isSame, isInRange else { return nil }
        let pairs = (values | values >> 4) & 0x00FF_00FF_00FF_00FF
        let quads = (pairs | pairs >> 8) & 0x0000_FFFF_0000_FFFF
        return (quads | quads >> 16) & 0xFFFF_FFFF
    }

    private static func invalid(_ hex: Span<UInt8>) -> InvalidValue {
        for index in hex.indices where !isHex(hex[index]) {
            return InvalidValue("a SHA-256 checksum is 64 hex digits; this has other characters")
        }
        return InvalidValue("a SHA-256 checksum is 64 hex digits; this has \(hex.count)")
    }

    private static func isHex(_ byte: UInt8) -> Bool { byte &- 0x30 < 10 || (byte | 0x20) &- 0x61 < 6 }

    /// The eight digits of the lower 32 bits, in memory's order; all at once, a nibble a byte.
    private static func hexDigits(_ word: UInt64) -> UInt64 {
        var nibbles = (word & 0xFFFF_0000) << 16 | word & 0xFFFF
        nibbles = (nibbles << 8 | nibbles) & 0x00FF_00FF_00FF_00FF
        nibbles = (nibbles << 4 | nibbles) & 0x0F0F_0F0F_0F0F_0F0F
        // 1 in each byte that is 10 or more.
        let letters = (nibbles + 0x0606_0606_0606_0606) >> 4 & 0x0101_0101_0101_0101
        let step = UInt64(UInt8(ascii: "a") - UInt8(ascii: "9") - 1)
        return (nibbles + 0x3030_3030_3030_3030 + letters * step).bigEndian
    }

    /// Collects 256 bits, most significant first; counts on past them so that the caller can say how many came.
    private struct WordParser {
        var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)
        var bitCount = 0

        mutating func push(_ value: UInt64, bits: Int) {
            let shift = UInt64(64 - bits - bitCount % 64)
            switch bitCount / 64 {
            case 0: words.0 |= value << shift
            case 1: words.1 |= value << shift
            case 2: words.2 |= value << shift
            case 3: words.3 |= value << shift
            default: break
            }
            bitCount += bits
        }
    }
}
