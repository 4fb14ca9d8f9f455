internal import SyncDomain

/// Which connection brings which bytes of one file. A value that only decides.
///
/// One connection has all that is missing up to the next gap. A second takes a piece behind the place where the first is,
/// and from then on all take pieces in order: the bytes from the start on, which are hashed as they follow each other, are
/// never far behind. When no piece is left, whoever is idle takes half of the largest one that is still under way.
struct RangeBoard {
    typealias ID = Int

    /// A part of the file that one connection was given.
    struct Claim: Hashable, Sendable {
        var id: ID
        var range: Range<Int64>
    }

    /// So long that a round trip of 50 ms costs little, so short that the last pieces end together.
    static let pieceBytes: Int64 = 8 << 20
    /// Not worth a connection of its own.
    static let leastBytes: Int64 = 1 << 20

    let size: Int64
    /// Not claimed, in order.
    private var free: ByteRanges
    /// What is still to come of each claim.
    private var claims: [ID: Range<Int64>] = [:]
    private var lastID = 0

    /// All that is missing is free.
    init(size: Int64, missing: [Range<Int64>]) {
        self.size = size
        free = ByteRanges()
        for range in missing { free.insert(range) }
    }

    /// Bytes that are still to come.
    var missingBytes: Int64 { free.count + claims.values.reduce(0) { $0 + Int64($1.count) } }

    /// How many connections have something of it.
    var claimCount: Int { claims.count }

    /// Whether one more connection would find something to do.
    var hasWork: Bool {
        !free.ranges.isEmpty || claims.values.contains { $0.count >= 2 * Self.leastBytes }
    }

    /// A part for one more connection, or nil if all is given away: a piece, or, where no other connection wants anything
    /// of this file (`isAlone`), all up to the next gap.
    mutating func claim(isAlone: Bool) -> Claim? {
        if free.ranges.isEmpty, !isAlone { split() }
        guard let hole = free.ranges.first else { return nil }
        let end = isAlone ? hole.upperBound : min(hole.upperBound, hole.lowerBound + Self.pieceBytes)
        // What would be left alone is too little for a request.
        let range = hole.lowerBound..<(hole.upperBound - end < Self.leastBytes ? hole.upperBound : end)
        free = ByteRanges(free.ranges, without: range)
        lastID += 1
        claims[lastID] = range
        return Claim(id: lastID, range: range)
    }

    /// Takes from the claim that has most left: all behind its next piece if that is much, or else half.
    private mutating func split() {
        guard let (id, left) = claims.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) }),
            left.count >= 2 * Self.leastBytes
        else { return }
        let kept = left.count > 4 * Self.pieceBytes ? Self.pieceBytes : Int64(left.count) / 2
        claims[id] = left.lowerBound..<left.lowerBound + kept
        free.insert(left.lowerBound + kept..<left.upperBound)
    }

    /// Bytes have come for a claim.
    ///
    /// - Returns: how many of them are still the claim's, and whether it has all now.
    mutating func take(_ id: ID, _ count: Int) -> (count: Int, isWhole: Bool) {
        guard let left = claims[id] else { return (0, true) }
        let taken = min(count, left.count)
        claims[id] = left.lowerBound + Int64(taken)..<left.upperBound
        return (taken, taken == left.count)
    }

    /// Whether all of the claim has come, or it is none any more.
    func isWhole(_ id: ID) -> Bool { claims[id]?.isEmpty ?? true }

    /// The connection is done with it; what did not come is free again.
    ///
    /// - Returns: whether all had come.
    @discardableResult
    mutating func release(_ id: ID) -> Bool {
        guard let left = claims.removeValue(forKey: id) else { return true }
        free.insert(left)
        return left.isEmpty
    }

    /// The file comes from its start, to this claim alone: all others have none any more.
    mutating func startOver(_ id: ID) {
        free = ByteRanges()
        claims = [id: 0..<size]
    }

    /// The bytes that were there are gone.
    mutating func startOver() {
        free = ByteRanges(0..<size)
        claims = [:]
    }
}

extension ByteRanges {
    /// Those ranges, but for what `removed` covers.
    fileprivate init(_ ranges: [Range<Int64>], without removed: Range<Int64>) {
        self.init()
        for range in ranges {
            insert(range.lowerBound..<max(range.lowerBound, min(range.upperBound, removed.lowerBound)))
            insert(min(range.upperBound, max(range.lowerBound, removed.upperBound))..<range.upperBound)
        }
    }
}
