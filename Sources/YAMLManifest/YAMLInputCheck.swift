import SyncDomain

/// What is refused before libyaml sees it.
enum YAMLInputCheck {
    static let maximumDirectiveCount = 64

    /// - Throws: ``YAMLFailure`` if the input is empty or too large, or would keep libyaml busy without end.
    static func check(_ input: [UInt8]) throws(YAMLFailure) {
        let start = SourceMark(line: 1, column: 1)
        if input.isEmpty {
            throw YAMLFailure(mark: start, message: "the manifest is empty; it starts with 'version: 1'")
        }
        if input.count > YAMLComposer.maximumInputByteCount {
            let limit = YAMLComposer.maximumInputByteCount >> 20
            throw YAMLFailure(
                mark: start, message: "the manifest has \(input.count) bytes; at most \(limit) MiB can be read")
        }
        // libyaml compares each %TAG line with all before it: a few MiB of them would take hours.
        if let offset = offsetOfDirective(pastLimitIn: input) {
            throw YAMLFailure(
                mark: TextPlace.mark(ofByte: offset, in: input.span),
                message:
                    "more than \(maximumDirectiveCount) lines start with '%', as YAML's directives do; a manifest needs none"
            )
        }
    }

    private static func offsetOfDirective(pastLimitIn input: [UInt8]) -> Int? {
        let percent = UInt8(ascii: "%")
        var count = 0
        var index = 0
        while let block = nextBlock(with: percent, from: index, in: input) {
            for offset in block where input[offset] == percent && isLineStart(offset, in: input) {
                count += 1
                if count > maximumDirectiveCount { return offset }
            }
            index = block.upperBound
        }
        return nil
    }

    /// The next few bytes that have `byte` among them: most of a large input is passed by, 32 bytes a step.
    private static func nextBlock(with byte: UInt8, from start: Int, in input: [UInt8]) -> Range<Int>? {
        let wanted = SIMD32(repeating: byte)
        return unsafe input.withUnsafeBytes { bytes in
            var index = start
            while index + 32 <= bytes.count {
                if unsafe any(bytes.loadUnaligned(fromByteOffset: index, as: SIMD32<UInt8>.self) .== wanted) {
                    return index..<index + 32
                }
                index += 32
            }
            return index < bytes.count ? index..<bytes.count : nil
        }
    }

    /// Whether the byte is the first of a line, by any of the breaks that YAML 1.1 knows.
    private static func isLineStart(_ index: Int, in input: [UInt8]) -> Bool {
        if index == 0 { return true }
        return switch input[index - 1] {
        case 0x0A, 0x0D: true
        case 0x85: index >= 2 && input[index - 2] == 0xC2
        case 0xA8, 0xA9: index >= 3 && input[index - 2] == 0x80 && input[index - 3] == 0xE2
        default: false
        }
    }
}
