import SyncDomain

/// Finds places in a text of which libyaml tells less than is needed.
enum TextPlace {
    /// The line and the column of a byte.
    static func mark(ofByte offset: Int, in text: Span<UInt8>) -> SourceMark {
        var line = 1
        var column = 1
        var previous: UInt8 = 0
        for index in 0..<min(max(offset, 0), text.count) {
            let byte = text[index]
            switch byte {
            case UInt8(ascii: "\n") where previous == UInt8(ascii: "\r"): break
            case UInt8(ascii: "\n"), UInt8(ascii: "\r"):
                line += 1
                column = 1
            case 0x80...0xBF: break
            default: column += 1
            }
            previous = byte
        }
        return SourceMark(line: line, column: column)
    }

    /// The first byte of the character at a mark; nil at the end of the text.
    static func byte(at mark: SourceMark, in text: Span<UInt8>) -> UInt8? {
        var index = 0
        var line: Int32 = 1
        while line < mark.line, index < text.count {
            if text[index] == UInt8(ascii: "\n") { line += 1 }
            index += 1
        }
        var column: Int32 = 1
        while index < text.count {
            if text[index] & 0xC0 != 0x80 {
                if column == mark.column { return text[index] }
                column += 1
            }
            index += 1
        }
        return nil
    }
}
