/// The lines at the lower end of a terminal that are drawn again and again, with the log above them. Pure: it says what is to
/// be written, in one piece for each frame.
///
/// The cursor stands on the row below the lines between two frames: what the terminal echoes there, as `^C`, moves nothing.
struct TerminalScreen {
    /// Both are ignored by terminals that don't know them (DEC private modes 2026 and 25). They begin and end in the same
    /// write: whatever ends the process, no cursor stays hidden.
    private static let begin = "\u{1B}[?2026h\u{1B}[?25l"
    private static let end = "\u{1B}[?25h\u{1B}[?2026l"
    private static let eraseLine = "\u{1B}[K"
    private static let eraseBelow = "\u{1B}[J"
    /// This row and all below, where there are some. Of a window that is erased from its very first place tmux keeps the
    /// text in its history, where bars are not wanted.
    private static let erase = "\u{1B}[K\u{1B}[B\u{1B}[J\u{1B}[A"

    private var drawn: [String] = []
    private var columns = 0

    /// What makes these lines take the place of the last ones, and the log stand above them for good; nothing where nothing
    /// changes. Lines must be narrower than the window.
    mutating func draw(_ lines: [String], below log: [String], columns: Int) -> [UInt8] {
        guard lines != drawn || !log.isEmpty || columns != self.columns && !drawn.isEmpty else { return [] }
        // In a window of another width lines may have been broken: then each row of them goes, as before text that stays.
        let isErased = !log.isEmpty || lines.isEmpty || columns != self.columns
        var text = drawn.isEmpty ? "" : top(columns) + (isErased ? Self.erase : "")
        for line in log { text += line + "\r\n" }
        for line in lines { text += line + (isErased ? "" : Self.eraseLine) + "\r\n" }
        if !drawn.isEmpty && !isErased { text += Self.eraseBelow }
        let hasBars = !drawn.isEmpty || !lines.isEmpty
        (drawn, self.columns) = (lines, columns)
        return Array((hasBars ? Self.begin + text + Self.end : text).utf8)
    }

    /// The lines are no longer where they were: somebody else has written to the terminal.
    mutating func forget() { drawn = [] }

    /// From the row below the lines to the first of them.
    private func top(_ columns: Int) -> String {
        "\r\u{1B}[\(Self.rows(of: drawn, columns: columns))A"
    }

    /// The rows that lines take in a window: those that became too wide are broken.
    static func rows(of lines: [String], columns: Int) -> Int {
        lines.reduce(0) { rows, line in
            rows + max(1, (DisplayText.width(line) + max(1, columns) - 1) / max(1, columns))
        }
    }
}
