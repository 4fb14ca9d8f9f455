import Foundation

/// Bytes that look random and are the same for the same seed.
public enum Payload {
    /// - Parameter seed: any number; other seeds give other bytes from the first on.
    public static func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
        var dice = Dice(seed: seed)
        return [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
            var index = 0
            while index < count {
                var word = dice.next()
                let end = min(index + 8, count)
                while index < end {
                    buffer.initializeElement(at: index, to: UInt8(truncatingIfNeeded: word))
                    word >>= 8
                    index += 1
                }
            }
            initialized = count
        }
    }

    /// The SHA-256 of the bytes as 64 lower-case hex digits, by the `sha256sum` command.
    public static func sha256(_ bytes: [UInt8]) throws -> String {
        String(try Tool.run("sha256sum", ["-"], input: bytes).prefix(64))
    }

    /// The SHA-256 of a file, by the same.
    public static func sha256(ofFile path: String) throws -> String {
        // With a leading backslash, as sha256sum marks escaped names, the digits would not come first.
        guard let digits = try Tool.run("sha256sum", ["--zero", "--", path]).split(separator: " ").first else {
            throw ToolFailure("sha256sum said nothing of \(path)")
        }
        return String(digits)
    }
}
