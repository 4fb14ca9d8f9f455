import TestSupport

/// Random numbers that are the same for the same seed, so that a failure can be had again.
struct Dice: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    /// SplitMix64.
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = state
        word = (word ^ (word >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }

    mutating func number(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }
}

/// As ``Payload/bytes(_:seed:)``, and much faster for many: pieces of a text in an order that the dice make.
func noise(_ count: Int, _ dice: inout Dice) -> [UInt8] {
    // The standard library writes to the one empty array that there is: the thread sanitizer sees a race.
    if count == 0 { return [] }
    return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        initialized = 0
        while initialized < count {
            let piece = text[dice.number(in: 0...text.count / 2)...].prefix(min(count - initialized, 99_991))
            let rest = UnsafeMutableBufferPointer(rebasing: buffer[initialized..<initialized + piece.count])
            _ = rest.initialize(fromContentsOf: piece)
            initialized += piece.count
        }
    }
}

private let text = Payload.bytes(1 << 18, seed: 1)
