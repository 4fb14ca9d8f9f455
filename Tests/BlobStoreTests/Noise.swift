import TestSupport

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
