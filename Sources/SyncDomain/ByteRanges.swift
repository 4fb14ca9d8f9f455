/// Which bytes of a file: ranges that do not overlap or touch, in order.
public struct ByteRanges: Sendable, Hashable {
    /// Apart from each other, and none empty.
    public private(set) var ranges: [Range<Int64>] = []

    /// None, or one range.
    public init(_ range: Range<Int64>? = nil) {
        if let range { insert(range) }
    }

    /// How many bytes.
    public var count: Int64 { ranges.reduce(0) { $0 + Int64($1.count) } }

    /// Where the bytes end that are there from the first on; 0 if the first is not.
    public var frontier: Int64 { ranges.first.map { $0.lowerBound == 0 ? $0.upperBound : 0 } ?? 0 }

    /// Adds the range; what it overlaps or touches becomes one with it.
    public mutating func insert(_ range: Range<Int64>) {
        if range.isEmpty { return }
        // From the end: bytes mostly come behind those that are there.
        let after = (ranges.lastIndex { $0.lowerBound <= range.upperBound } ?? -1) + 1
        var (first, merged) = (after, range)
        while first > 0, ranges[first - 1].upperBound >= range.lowerBound {
            first -= 1
            merged = min(merged.lowerBound, ranges[first].lowerBound)..<max(merged.upperBound, ranges[first].upperBound)
        }
        ranges.replaceSubrange(first..<after, with: CollectionOfOne(merged))
    }

    /// What is not there of the first `size` bytes, in order.
    public func missing(of size: Int64) -> [Range<Int64>] {
        var out: [Range<Int64>] = []
        var end: Int64 = 0
        for range in ranges where range.lowerBound < size {
            if range.lowerBound > end { out.append(end..<range.lowerBound) }
            end = range.upperBound
        }
        if end < size { out.append(end..<size) }
        return out
    }
}
