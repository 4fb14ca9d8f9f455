/// Writes JSON (RFC 8259) as bytes, in the order of the calls, compact. For documents of a hundred thousand entries,
/// where building a tree first would cost more than the work that they tell of.
public struct JSONWriter: Sendable {
    /// The document so far, UTF-8.
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// An empty document.
    public init() {}

    /// Room for so many bytes; for the rest of an array that another writer has begun, if `isContinuation`.
    init(capacity: Int, isContinuation: Bool = false) {
        bytes.reserveCapacity(capacity)
        needsComma = isContinuation
    }

    /// What another writer made for this place.
    mutating func append(_ other: JSONWriter) {
        bytes += other.bytes
        needsComma = other.needsComma
    }

    /// `{ … }`
    public mutating func object(_ body: (inout JSONWriter) -> Void) {
        nested("{", "}", body)
    }

    /// `[ … ]`
    public mutating func array(_ body: (inout JSONWriter) -> Void) {
        nested("[", "]", body)
    }

    /// A member's name; its value is the next call. Names are the program's own and need no escapes.
    public mutating func key(_ name: String) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        bytes += name.utf8
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// A string, escaped where JSON wants it and where a terminal could be led astray (DEL).
    public mutating func string(_ text: String) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        if Self.needsEscapes(text.utf8.span) {
            for byte in text.utf8 { append(escaped: byte) }
        } else {
            bytes += text.utf8
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// In full, also beyond what a double holds exactly.
    public mutating func integer(_ value: some BinaryInteger) {
        comma()
        bytes.append(digits: value)
    }

    /// With three decimals: seconds and rates need no more. What is not finite is written as null.
    public mutating func decimal(_ value: Double) {
        comma()
        guard value.isFinite, abs(value) < 1e15 else { return bytes += Array("null".utf8) }
        let thousandths = Int64((value * 1000).rounded())
        let magnitude = thousandths.magnitude
        if thousandths < 0 { bytes.append(UInt8(ascii: "-")) }
        bytes.append(digits: magnitude / 1000)
        bytes.append(UInt8(ascii: "."))
        bytes.append(digits: magnitude % 1000, 3)
    }

    /// A moment as a string, as RFC 3339 has it.
    public mutating func timestamp(_ value: Timestamp) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        value.appendDescription(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// `true` or `false`
    public mutating func bool(_ value: Bool) {
        comma()
        bytes += Array((value ? "true" : "false").utf8)
    }

    /// `null`
    public mutating func null() {
        comma()
        bytes += Array("null".utf8)
    }

    /// A string of 64 lower-case hex digits.
    public mutating func digest(_ value: SHA256Digest) {
        comma()
        bytes.append(UInt8(ascii: "\""))
        value.appendHex(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// As ``string(_:)``; nil is written as null.
    public mutating func stringOrNull(_ text: String?) {
        if let text { string(text) } else { null() }
    }

    /// An array of strings.
    public mutating func strings(_ values: [String]) {
        array { writer in
            for value in values { writer.string(value) }
        }
    }

    /// A line feed between entries, so that large documents stay readable and diff well.
    public mutating func newLine() {
        bytes.append(UInt8(ascii: "\n"))
    }

    private mutating func nested(_ open: Unicode.Scalar, _ close: Unicode.Scalar, _ body: (inout JSONWriter) -> Void) {
        comma()
        bytes.append(UInt8(ascii: open))
        needsComma = false
        body(&self)
        bytes.append(UInt8(ascii: close))
        needsComma = true
    }

    private mutating func comma() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// Over the span: as a sequence the bytes take several times as long.
    private static func needsEscapes(_ text: Span<UInt8>) -> Bool {
        for index in text.indices where isEscaped(text[index]) { return true }
        return false
    }

    private static func isEscaped(_ byte: UInt8) -> Bool {
        isControl(byte) || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func isControl(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x7F }

    private mutating func append(escaped byte: UInt8) {
        if Self.isControl(byte) {
            let digits = Array("0123456789abcdef".utf8)
            bytes += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        } else {
            if Self.isEscaped(byte) { bytes.append(UInt8(ascii: "\\")) }
            bytes.append(byte)
        }
    }
}
