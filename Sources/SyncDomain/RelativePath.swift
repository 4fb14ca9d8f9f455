/// A file's path inside a model: relative, normal, and safe to create below a folder on any of the systems that
/// a store may be carried to.
public struct RelativePath: Sendable, Hashable, CustomStringConvertible {
    /// In UTF-8: leaves room for the store's own folders below the 4096 of Linux.
    public static let maximumByteCount = 1024
    /// In UTF-8: what common file systems take as one name.
    public static let maximumComponentByteCount = 255

    /// As it was given, with `/` between folders.
    public let text: String

    /// Checks the text; it is never changed to make it fit.
    ///
    /// - Throws: ``InvalidValue`` for a path that is empty, absolute or too long, or has an empty component, `.` or
    ///   `..`, a backslash or a control character.
    public init(_ text: String) throws(InvalidValue) {
        try Self.check(text.utf8)
        self.text = text
    }

    /// The last component.
    public var lastComponent: Substring {
        text[(text.utf8.lastIndex(of: slash).map(text.utf8.index(after:)) ?? text.startIndex)...]
    }

    /// The text of the folder that holds the file, or nil for a file at the top.
    public var parent: Substring? {
        text.utf8.lastIndex(of: slash).map { text[..<$0] }
    }

    /// The text itself.
    public var description: String { text }

    private static func check(_ bytes: String.UTF8View) throws(InvalidValue) {
        if bytes.isEmpty { throw InvalidValue("the path is empty") }
        if bytes.first == slash { throw InvalidValue("the path is absolute; write it relative to the model's folder") }
        if bytes.count > maximumByteCount {
            throw InvalidValue("the path has \(bytes.count) bytes; at most \(maximumByteCount) are allowed")
        }
        var component = ComponentCheck()
        var previous: UInt8 = 0
        for byte in bytes {
            if byte == slash {
                try component.end()
            } else {
                try refuseForbidden(byte, after: previous)
                component.push(byte)
            }
            previous = byte
        }
        try component.end()
    }

    private static func refuseForbidden(_ byte: UInt8, after previous: UInt8) throws(InvalidValue) {
        if byte == UInt8(ascii: "\\") { throw InvalidValue("the path has a backslash; use '/' between folders") }
        // C0 and DEL; and C1 (U+0080 to U+009F), which terminals obey too and UTF-8 writes as C2 80 to C2 9F.
        if byte < 0x20 || byte == 0x7F || (previous == 0xC2 && byte < 0xA0) {
            throw InvalidValue("the path has a control character")
        }
    }

    private struct ComponentCheck {
        var count = 0
        var dots = 0

        mutating func push(_ byte: UInt8) {
            count += 1
            if byte == UInt8(ascii: ".") { dots += 1 }
        }

        mutating func end() throws(InvalidValue) {
            if count == 0 { throw InvalidValue("the path has an empty component ('//' or a '/' at its end)") }
            if count == dots && count <= 2 { throw InvalidValue("the path has a '.' or '..' component") }
            if count > maximumComponentByteCount {
                throw InvalidValue(
                    "a component of the path has \(count) bytes; at most \(maximumComponentByteCount) are allowed")
            }
            self = ComponentCheck()
        }
    }
}

/// A model's name: segments of `[A-Za-z0-9][A-Za-z0-9._-]*` joined by `/`.
public struct ModelName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// As it was given: upper and lower case differ.
    public let text: String

    /// Checks the text; it is never changed to make it fit.
    ///
    /// - Throws: ``InvalidValue`` for anything else, or for what would be too long as a path.
    public init(_ text: String) throws(InvalidValue) {
        // The longest file below `records/` is the name and `.json`; leave room for it.
        let limit = RelativePath.maximumComponentByteCount - 16
        var count = 0
        var atStart = true
        for byte in text.utf8 {
            if byte == slash && !atStart {
                atStart = true
                count = 0
                continue
            }
            guard Self.isAllowed(byte, atStart: atStart) else {
                throw InvalidValue("a model's name is segments of [A-Za-z0-9][A-Za-z0-9._-]* joined by '/'")
            }
            atStart = false
            count += 1
            if count > limit { throw InvalidValue("a segment of the model's name is longer than \(limit) bytes") }
        }
        if atStart { throw InvalidValue(text.isEmpty ? "the model's name is empty" : "the model's name ends in '/'") }
        if text.utf8.count > 512 { throw InvalidValue("the model's name is longer than 512 bytes") }
        self.text = text
    }

    /// The text itself.
    public var description: String { text }

    /// By the text, which is ASCII.
    public static func < (a: ModelName, b: ModelName) -> Bool { a.text < b.text }

    private static func isAllowed(_ byte: UInt8, atStart: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"): !atStart
        default: false
        }
    }
}

let slash = UInt8(ascii: "/")
