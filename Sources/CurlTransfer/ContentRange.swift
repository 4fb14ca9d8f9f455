/// The value of Content-Range in a 206 answer (RFC 9110 section 14.4).
struct ContentRange: Equatable {
    var first: Int64
    var last: Int64
    /// Nil for `*`: the server does not say.
    var total: Int64?

    /// - Returns: nil for what is not `bytes first-last/total`, and for ranges that no file can have.
    init?(_ text: String) {
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bytes" else { return nil }
        let halves = words[1].split(separator: "/", omittingEmptySubsequences: false)
        guard halves.count == 2 else { return nil }
        let ends = halves[0].split(separator: "-", omittingEmptySubsequences: false)
        guard ends.count == 2, let first = Decimal.parse(ends[0]), let last = Decimal.parse(ends[1]), first <= last
        else { return nil }
        self.first = first
        self.last = last
        if halves[1] != "*" {
            guard let total = Decimal.parse(halves[1]), last < total else { return nil }
            self.total = total
        }
    }

    /// The size of the file as a 416 answer tells it: `bytes */total`; nil for anything else.
    static func unsatisfiedTotal(_ text: String) -> Int64? {
        let words = text.split(separator: " ", omittingEmptySubsequences: true)
        guard words.count == 2, words[0].lowercased() == "bytes", words[1].hasPrefix("*/") else { return nil }
        return Decimal.parse(words[1].dropFirst(2))
    }
}

/// Whole numbers as HTTP writes them: digits alone.
enum Decimal {
    static func parse(_ text: some StringProtocol) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }) else { return nil }
        return Int64(text)
    }
}
