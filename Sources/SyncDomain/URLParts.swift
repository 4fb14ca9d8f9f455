/// The components of a URI reference, split as RFC 3986 appendix B says, with nothing decoded: places in the text, so
/// that a manifest of many URLs is checked without a string for each part.
struct URLParts {
    let text: String
    private let schemeEnd: Int?
    /// Byte offsets into `text.utf8`, as are the others.
    let authorityRange: Range<Int>?
    private let pathRange: Range<Int>
    private let queryRange: Range<Int>?

    /// - Throws: ``InvalidValue`` if a character is there that no URL may have as it stands.
    init(_ text: String) throws(InvalidValue) {
        let bytes = text.utf8.span
        let marks = try Self.scan(bytes)
        let hierarchyEnd = marks.query ?? marks.end
        var start = 0
        var schemeEnd: Int?
        if let colon = marks.colon, colon < hierarchyEnd, Self.isScheme(bytes.extracting(..<colon)) {
            schemeEnd = colon
            start = colon + 1
        }
        if start + 2 <= hierarchyEnd, bytes[start] == slash, bytes[start + 1] == slash {
            var end = start + 2
            while end < hierarchyEnd, bytes[end] != slash { end += 1 }
            authorityRange = start + 2..<end
            start = end
        } else {
            authorityRange = nil
        }
        self.text = text
        self.schemeEnd = schemeEnd
        pathRange = start..<hierarchyEnd
        queryRange = marks.query.map { $0 + 1..<marks.end }
    }

    var scheme: String? { schemeEnd.map { string(0..<$0) } }
    var authority: String? { authorityRange.map { string($0) } }
    var path: String { string(pathRange) }
    var query: String? { queryRange.map { string($0) } }
    /// The path's last component, not decoded: empty where the path ends in a slash.
    var lastPathComponent: String {
        let bytes = text.utf8.span
        var start = pathRange.upperBound
        while start > pathRange.lowerBound, bytes[start - 1] != slash { start -= 1 }
        return string(start..<pathRange.upperBound)
    }

    /// Whether the text ends in a fragment, which is no part of what can be fetched.
    var hasFragment: Bool { (queryRange ?? pathRange).upperBound < text.utf8.count }

    /// The reference from its colon on, without its fragment; of use only where there is a scheme.
    var textAfterScheme: String { string((schemeEnd ?? 0)..<(queryRange ?? pathRange).upperBound) }

    private func string(_ range: Range<Int>) -> String {
        let bytes = text.utf8
        let start = bytes.index(bytes.startIndex, offsetBy: range.lowerBound)
        return String(text[start..<bytes.index(start, offsetBy: range.count)])
    }

    /// The first colon and the first question mark, and where the fragment or the text ends.
    private static func scan(_ bytes: Span<UInt8>) throws(InvalidValue) -> (colon: Int?, query: Int?, end: Int) {
        var colon: Int?
        var query: Int?
        var end: Int?
        var previous: UInt8 = 0
        for index in bytes.indices {
            let byte = bytes[index]
            // Letters and digits, which most bytes are, need no more.
            defer { previous = byte }
            if byte > 0x3F && byte < 0x7F && byte != UInt8(ascii: "\\") { continue }
            // C0, space and DEL; and C1 (U+0080 to U+009F), which terminals obey too and UTF-8 writes as C2 80 to C2 9F.
            if byte <= 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\") || (previous == 0xC2 && byte < 0xA0) {
                throw InvalidValue("the URL has a space, a control character or a backslash; percent-encode it")
            }
            if end != nil { continue }
            switch byte {
            case UInt8(ascii: "#"): end = index
            case UInt8(ascii: "?"): query = query ?? index
            case UInt8(ascii: ":"): colon = colon ?? index
            default: break
            }
        }
        return (colon, query, end ?? bytes.count)
    }

    private static func isScheme(_ bytes: Span<UInt8>) -> Bool {
        guard !bytes.isEmpty, isLetter(bytes[0]) else { return false }
        for index in bytes.indices where !isSchemeByte(bytes[index]) { return false }
        return true
    }

    /// Whether a byte may stand in a scheme, after its first letter.
    static func isSchemeByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: isLetter(byte)
        }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x41...0x5A).contains(byte & 0xDF) }
}

/// Percent-encoding of paths (RFC 3986 section 2.1).
enum PercentEncoding {
    static func encodePath(_ path: some Sequence<UInt8>, into out: inout [UInt8]) {
        for byte in path {
            if isAllowedInPath(byte) {
                out.append(byte)
            } else {
                out += [UInt8(ascii: "%"), hexDigit(byte >> 4), hexDigit(byte & 15)]
            }
        }
    }

    /// nil where a `%` is not followed by two hex digits, or the result is not UTF-8.
    static func decode(_ text: String) -> String? {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return text }
        var out: [UInt8] = []
        var bytes = text.utf8.makeIterator()
        while let byte = bytes.next() {
            guard byte == UInt8(ascii: "%") else {
                out.append(byte)
                continue
            }
            guard let high = bytes.next().flatMap(nibble), let low = bytes.next().flatMap(nibble) else { return nil }
            out.append(high << 4 | low)
        }
        return String(validating: out, as: UTF8.self)
    }

    private static func hexDigit(_ nibble: UInt8) -> UInt8 {
        nibble < 10 ? UInt8(ascii: "0") + nibble : UInt8(ascii: "A") + nibble - 10
    }

    private static func nibble(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// `pchar` of RFC 3986 without the percent sign, and the slash.
    private static func isAllowedInPath(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x3B, 0x40...0x5A, 0x61...0x7A: true  // digits, ':', ';', '@', letters
        case 0x26...0x2F, 0x21, 0x24, 0x3D, 0x5F, 0x7E: true  // & ' ( ) * + , - . / and ! $ = _ ~
        default: false
        }
    }
}
