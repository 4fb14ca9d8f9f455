/// Text from manifests, servers and disks, made fit for a terminal; and how many columns it takes there.
enum DisplayText {
    /// In place of what is cut out of a name.
    private static let mark = ".."

    /// East Asian wide and fullwidth characters (UAX #11, EastAsianWidth.txt, as of 2026), in order; ranges that only code
    /// points without a character part are one. Emoji are told by their own property.
    private static let wide: [ClosedRange<UInt32>] = [
        0x1100...0x115F, 0x2329...0x232A, 0x2630...0x2637, 0x268A...0x268F, 0x2E80...0x303E, 0x3041...0xA4C6,
        0xA960...0xA97C, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE10...0xFE19, 0xFE30...0xFE6B, 0xFF01...0xFF60,
        0xFFE0...0xFFE6, 0x16FE0...0x191D2, 0x1AFF0...0x1B2FB, 0x1D300...0x1D376, 0x1F200...0x1F265,
        0x1FA70...0x1FAFF, 0x20000...0x3FFFD,
    ]

    /// Vowels and finals of Hangul, which are drawn into the syllable before them.
    private static let hangulParts: [ClosedRange<UInt32>] = [0x1160...0x11FF, 0xD7B0...0xD7FB]

    /// Several lines, each as ``clean(_:)`` makes it.
    static func cleanLines(_ text: String) -> String {
        if isPlain(text) { return text }
        return text.split(separator: "\n", omittingEmptySubsequences: false).map { clean(String($0)) }
            .joined(separator: "\n")
    }

    /// The text in one line, with nothing in it that a terminal would obey: control characters become `?`. What is not
    /// seen goes: marks that turn the direction of writing would show another name, and joiners and variation selectors
    /// have another width on each terminal.
    static func clean(_ text: String) -> String {
        if isPlain(text) { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: out.append("?")
            case .format: break
            default: if scalar.value != 0xFE0E && scalar.value != 0xFE0F { out.append(scalar) }
            }
        }
        return String(out)
    }

    /// The columns that clean text takes. Where terminals differ, as over colours of skin, the most.
    static func width(_ text: String) -> Int {
        isPlain(text) ? text.utf8.count : text.unicodeScalars.reduce(0) { $0 + width($1) }
    }

    /// Clean text of at most so many columns, cut between what people see as characters. Of a path its end is kept; where not
    /// even the file's own name fits, more of its start than of its end, since parts of one model differ there.
    static func fitted(_ text: String, columns: Int) -> String {
        if width(text) <= columns { return text }
        let room = max(0, columns - mark.utf8.count)
        let name = text.split(separator: "/").last ?? ""
        if width(String(name)) <= room { return mark + prefix(text.reversed(), room).reversed() }
        let start = prefix(name, room - room / 4)
        return String((start + mark + prefix(name.reversed(), room / 4).reversed()).prefix(columns))
    }

    private static func prefix(_ characters: some Collection<Character>, _ columns: Int) -> [Character] {
        var left = columns
        return Array(
            characters.prefix { character in
                left -= width(String(character))
                return left >= 0
            })
    }

    /// The text with blanks behind it, or before it, up to so many columns.
    static func padded(_ text: String, to columns: Int, isRight: Bool = false) -> String {
        let blanks = String(repeating: " ", count: max(0, columns - width(text)))
        return isRight ? blanks + text : text + blanks
    }

    private static func isPlain(_ text: String) -> Bool { text.utf8.allSatisfy { (0x20..<0x7F).contains($0) } }

    private static func width(_ scalar: Unicode.Scalar) -> Int {
        let properties = scalar.properties
        switch properties.generalCategory {
        case .nonspacingMark, .enclosingMark, .format, .control: return 0
        default: break
        }
        if hangulParts.contains(where: { $0.contains(scalar.value) }) { return 0 }
        // Two of these make one flag.
        if (0x1F1E6...0x1F1FF).contains(scalar.value) { return 1 }
        return properties.isEmojiPresentation || wide.contains { $0.contains(scalar.value) } ? 2 : 1
    }
}
