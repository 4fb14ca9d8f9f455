/// The argument parser's texts, made to fit a terminal.
enum HelpText {
    private static let width = 80

    /// A line of usage that would run over names its options as `[<options>]`, as the parser does where there are many.
    static func narrowed(_ text: String) -> String {
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        let narrow = lines.map { narrowed(line: $0) }.joined(separator: "\n")
        // As all other errors begin.
        return narrow.hasPrefix("Error: ") ? "error: " + narrow.dropFirst(7) : narrow
    }

    private static func narrowed(line: Substring) -> String {
        guard line.count > width, line.hasPrefix("USAGE: ") || line.hasPrefix("Usage: ") else { return String(line) }
        let words = line.replacing(/\ \[-[^\]]*\]/, with: "").split(separator: " ")
        // `USAGE: modelsync command`, then what it takes.
        return (words.prefix(3) + ["[<options>]"] + words.dropFirst(3)).joined(separator: " ")
    }
}
