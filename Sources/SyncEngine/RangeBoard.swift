internal import SyncDomain

/// Which connection brings which bytes of one file. A value that only decides.
///
/// One connection has all that is missing up to the next gap. A second takes a piece behind the place where the first is,
/// and from then on all take pieces in order: the bytes from the start on, which are hashed as they follow each other, are
/// never far behind. Where one comes late, whoever asks for a piece and is quicker takes so much of what is left of it that both
/// end together. When no piece is left, whoever is idle takes all of one that has gone silent, or else so much of the largest one
/// that is still under way.
struct RangeBoard {
    typealias ID = Int

    /// A part of the file that one connection was given.
    struct Claim: Hashable, Sendable {
        var id: ID
        var range: Range<Int64>
    }

    /// What a connection brought before.
    struct Brought: Sendable {
        var bytes: Int64 = 0
        var seconds = 0.0

        var bytesPerSecond: Double { bytes > 0 ? Double(bytes) / max(0.001, seconds) : 0 }
    }

    /// The first piece of a connection; after it, what it brings in ``pieceSeconds``, and at most twice this or what it brought
    /// before: so long that a round trip costs little, so short that the bytes that are hashed are near, and that the last
    /// pieces end together.
    static let pieceBytes: Int64 = 4 << 20
    private static let pieceSeconds = 0.4
    private static let mostPieceBytes: Int64 = 64 << 20
    /// From one ``tick()`` to the next.
    static let tickSeconds = 0.1
    /// So many ticks without a byte, and a connection is silent: it lost its last packets, or worse.
    static let silentTicks = 3
    /// A piece is late that will take so much longer, at less than this part of the speed of whoever asks. So soon after its
    /// first byte, or in twice the time that it needed for that, it may still be coming up to speed.
    private static let longWaitSeconds = 0.3
    private static let slowness = 0.5
    private static let youngTicks = 3
    private static let mostYoungTicks = 20
    /// Not worth a connection of its own.
    static let leastBytes: Int64 = 256 << 10
    private static let leastPieceBytes: Int64 = 2 << 20

    let size: Int64
    /// Not claimed, in order.
    private var free: ByteRanges
    private struct Work {
        /// What is still to come.
        var left: Range<Int64>
        let start: Int64
        /// Where the bytes end that were asked for.
        let end: Int64
        /// Where it was at the last tick, and how many ticks it has been there.
        var seen: Int64
        private var silentTicks = 0
        /// Whole ticks before its first byte, and since; and bytes in each since, of which the last ones count most.
        private var waitTicks = 0
        private var ticks = 0
        private var pace = 0.0

        init(_ left: Range<Int64>) {
            self.left = left
            (start, end) = (left.lowerBound, left.upperBound)
            seen = left.lowerBound
        }

        /// It has something to bring, and has brought nothing.
        var isUntouched: Bool { left.lowerBound == start && !left.isEmpty }
        /// It has stopped in the middle. What has brought nothing at all is left to the timeouts: its answer may be far away, and
        /// whoever took over its bytes would wait as long.
        var isSilent: Bool { silentTicks >= RangeBoard.silentTicks && !left.isEmpty && left.lowerBound > start }
        /// Nil while it may still be coming up to speed.
        var bytesPerSecond: Double? {
            let youth = min(max(RangeBoard.youngTicks, 2 * waitTicks), RangeBoard.mostYoungTicks)
            return ticks < youth ? nil : pace / RangeBoard.tickSeconds
        }

        /// Whoever brings so much would have it much sooner.
        func isLate(beside other: Double) -> Bool {
            guard left.count >= 2 * RangeBoard.leastBytes, let speed = bytesPerSecond else { return false }
            return speed < RangeBoard.slowness * other && Double(left.count) > RangeBoard.longWaitSeconds * speed
        }

        mutating func tick() {
            if seen == start {
                waitTicks += 1
            } else {
                let bytes = Double(left.lowerBound - seen)
                pace = ticks == 0 ? bytes : (pace + bytes) / 2
                ticks += 1
            }
            silentTicks = left.lowerBound == seen ? silentTicks + 1 : 0
            seen = left.lowerBound
        }
    }

    private var claims: [ID: Work] = [:]
    private var lastID = 0
    private var silenced: [ID] = []
    /// More than one connection has had a part.
    private var isShared = false

    /// All that is missing is free.
    init(size: Int64, missing: [Range<Int64>]) {
        self.size = size
        free = ByteRanges()
        for range in missing { free.insert(range) }
    }

    /// Bytes that are still to come.
    var missingBytes: Int64 { free.count + claims.values.reduce(0) { $0 + Int64($1.left.count) } }

    /// How many connections have something of it.
    var claimCount: Int { claims.count }

    /// Whether one more connection would find something to do; one that must be alone (`isAlone`) takes nothing from others.
    func hasWork(isAlone: Bool) -> Bool {
        if !free.ranges.isEmpty || isAlone { return !free.ranges.isEmpty }
        return silent != nil || claims.values.contains { $0.left.count >= 2 * Self.leastBytes }
    }

    /// A claim that others wait for while it brings nothing more; never that of a connection that was always alone.
    private var silent: ID? {
        guard free.ranges.isEmpty, isShared else { return nil }
        return claims.filter { $0.value.isSilent }.keys.min()
    }

    /// Some time has passed; always the same.
    ///
    /// - Returns: whether a claim is silent that others could go on with.
    mutating func tick() -> Bool {
        for id in claims.keys { claims[id]?.tick() }
        return silent != nil
    }

    /// A part for one more connection, or nil if all is given away: a piece, or, where no other connection wants anything
    /// of this file (`isAlone`), all up to the next gap.
    mutating func claim(isAlone: Bool, after brought: Brought = Brought()) -> Claim? {
        if !isAlone {
            isShared = true
            if free.ranges.isEmpty { split(for: brought) } else { relieve(for: brought) }
        }
        guard let hole = free.ranges.first else { return nil }
        let end = isAlone ? hole.upperBound : min(hole.upperBound, hole.lowerBound + pieceBytes(after: brought))
        // What would be left alone is too little for a request.
        let range = hole.lowerBound..<(hole.upperBound - end < Self.leastBytes ? hole.upperBound : end)
        free = ByteRanges(free.ranges, without: range)
        lastID += 1
        claims[lastID] = Work(range)
        return Claim(id: lastID, range: range)
    }

    /// Smaller towards the end, so that all connections end together.
    private func pieceBytes(after brought: Brought) -> Int64 {
        let most = min(Self.mostPieceBytes, 2 * max(brought.bytes, Self.pieceBytes))
        let wanted = brought.bytes > 0 ? Int64(brought.bytesPerSecond * Self.pieceSeconds) : Self.pieceBytes
        return max(Self.leastPieceBytes, min(wanted, most, free.count / Int64(2 * (claims.count + 1))))
    }

    /// Takes from the first claim that is late beside `brought`: what comes behind it can't be hashed before it has come.
    private mutating func relieve(for brought: Brought) {
        guard let first = free.ranges.first else { return }
        let speeds = claims.values.compactMap(\.bytesPerSecond)
        // Others may share the line with whoever asks by now: it is no quicker than the quickest of them.
        let quickest = speeds.count > 1 ? min(brought.bytesPerSecond, speeds.max() ?? 0) : brought.bytesPerSecond
        let late = claims.filter {
            $0.value.left.upperBound <= first.lowerBound && $0.value.isLate(beside: quickest)
        }
        if let id = late.min(by: { $0.value.start < $1.value.start })?.key { cut(id, for: brought) }
    }

    /// Takes all of a claim that is silent, or else from the one that has most left.
    private mutating func split(for brought: Brought) {
        if let silent, let left = claims[silent]?.left {
            claims[silent]?.left = left.upperBound..<left.upperBound
            silenced.append(silent)
            return free.insert(left)
        }
        guard let (id, work) = claims.max(by: { ($0.value.left.count, $1.key) < ($1.value.left.count, $0.key) }),
            work.left.count >= 2 * Self.leastBytes
        else { return }
        cut(id, for: brought)
    }

    /// Takes all but what it brings soon if that is much; else so much that both end together, or half where a speed is not known.
    private mutating func cut(_ id: ID, for brought: Brought) {
        guard let work = claims[id] else { return }
        let left = work.left
        var kept = Int64(left.count) / 2
        if left.count > 4 * Self.pieceBytes {
            kept = work.bytesPerSecond.map { min(Int64($0 * Self.pieceSeconds), Self.pieceBytes) } ?? Self.pieceBytes
        } else if let speed = work.bytesPerSecond, brought.bytes > 0 {
            kept = Int64(Double(left.count) * speed / (speed + brought.bytesPerSecond))
        }
        // Neither part may be too little for a request; of nothing the connection would not know that it is over.
        kept = max(Self.leastBytes, min(kept, Int64(left.count) - Self.leastBytes))
        claims[id]?.left = left.lowerBound..<left.lowerBound + kept
        free.insert(left.lowerBound + kept..<left.upperBound)
    }

    /// The claims that lost all they had left, since this was last asked.
    mutating func takeSilenced() -> [ID] {
        defer { silenced = [] }
        return silenced
    }

    /// Bytes have come for a claim.
    ///
    /// - Returns: how many of them are still the claim's, and whether it has all now.
    mutating func take(_ id: ID, _ count: Int) -> (count: Int, isWhole: Bool) {
        guard let left = claims[id]?.left else { return (0, true) }
        let taken = min(count, left.count)
        claims[id]?.left = left.lowerBound + Int64(taken)..<left.upperBound
        return (taken, taken == left.count)
    }

    /// Whether all of the claim has come, or it is none any more.
    func isWhole(_ id: ID) -> Bool { claims[id]?.left.isEmpty ?? true }

    /// The connection is done with it; what did not come is free again.
    ///
    /// - Returns: whether all had come.
    @discardableResult
    mutating func release(_ id: ID) -> Bool {
        guard let left = claims.removeValue(forKey: id)?.left else { return true }
        free.insert(left)
        return left.isEmpty
    }

    /// What comes next of what was cut off a claim is its own again, if it was asked for and nothing of it has come: a piece, or
    /// what another has claimed. Where the source has no parts, its connection would else be ended before the file is, and all
    /// come again from its start. No more than that, or the answers that tell whether there are parts would never come.
    ///
    /// - Returns: whether that is more than it had. Whoever lost all for it is silenced.
    mutating func takeBack(_ id: ID) -> Bool {
        guard let work = claims[id], work.left.upperBound < work.end else { return false }
        let start = work.left.upperBound
        var end = start
        if let next = free.ranges.first(where: { $0.lowerBound == start }) {
            end = min(next.upperBound, work.end, start + Self.pieceBytes)
            free = ByteRanges(free.ranges, without: start..<end)
        } else if let other = claims.first(where: { $0.value.left.lowerBound == start && $0.value.isUntouched }),
            other.value.left.upperBound <= work.end
        {
            end = other.value.left.upperBound
            claims[other.key]?.left = end..<end
            silenced.append(other.key)
        }
        claims[id]?.left = work.left.lowerBound..<end
        return end > start
    }

    /// The file comes from its start, to this claim alone: all others have none any more.
    mutating func startOver(_ id: ID) {
        free = ByteRanges()
        claims = [id: Work(0..<size)]
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
