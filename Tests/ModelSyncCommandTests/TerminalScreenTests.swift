import Testing

@testable import modelsync

/// A terminal that knows what the program uses, and breaks its lines anew when it gets another width, as many do.
private struct Terminal {
    private(set) var columns: Int
    /// Each with whether it goes on in the next.
    private var rows: [(text: [Character], isBroken: Bool)] = [([], false)]
    private var row = 0
    private var column = 0
    private(set) var isCursorVisible = true
    private(set) var writes = 0

    init(columns: Int) { self.columns = columns }

    /// Down to the row of the cursor: below it nothing may be.
    var text: [String] {
        #expect(rows[(row + 1)...].allSatisfy { $0.text.isEmpty })
        return rows[...row].map { String($0.text) }
    }
    var cursorRow: Int { row }

    mutating func write(_ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        writes += 1
        var rest = String(decoding: bytes, as: UTF8.self).unicodeScalars[...]
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\r": column = 0
            case "\n": lineFeed()
            case "\u{1B}": obey(&rest)
            default: put(Character(scalar))
            }
        }
    }

    private mutating func lineFeed() {
        row += 1
        if row == rows.count { rows.append(([], false)) }
    }

    private mutating func put(_ character: Character) {
        if column == columns {
            rows[row].isBroken = true
            column = 0
            lineFeed()
        }
        while rows[row].text.count < column { rows[row].text.append(" ") }
        if column < rows[row].text.count {
            rows[row].text[column] = character
        } else {
            rows[row].text.append(character)
        }
        column += 1
    }

    private mutating func obey(_ rest: inout Substring.UnicodeScalarView) {
        #expect(rest.popFirst() == "[")
        let parameters = String(String.UnicodeScalarView(rest.prefix { !("A"..."z").contains($0) }))
        rest = rest.dropFirst(parameters.unicodeScalars.count)
        switch (rest.popFirst(), parameters) {
        case ("A", _): row = max(0, row - (Int(parameters) ?? 1))
        case ("B", ""): row = min(rows.count - 1, row + 1)
        case ("K", ""): eraseLine()
        case ("J", ""):
            eraseLine()
            rows.removeLast(rows.count - row - 1)
        case ("h", "?25"): isCursorVisible = true
        case ("l", "?25"): isCursorVisible = false
        case ("h", "?2026"), ("l", "?2026"): break
        case (let final, _): Issue.record("CSI \(parameters) \(String(describing: final))")
        }
    }

    private mutating func eraseLine() {
        rows[row] = (Array(rows[row].text.prefix(column)), false)
    }

    mutating func resize(_ columns: Int) {
        var lines: [(text: [Character], hasCursor: Bool)] = []
        var goesOn = false
        for (index, line) in rows.enumerated() {
            if !goesOn { lines.append(([], false)) }
            lines[lines.count - 1].text += line.text
            if index == row { lines[lines.count - 1].hasCursor = true }
            goesOn = line.isBroken
        }
        self.columns = columns
        rows = []
        for line in lines {
            var text = line.text[...]
            repeat {
                if line.hasCursor { row = rows.count }
                rows.append((Array(text.prefix(columns)), text.count > columns))
                text = text.dropFirst(columns)
            } while !text.isEmpty
        }
    }
}

@Suite struct TerminalScreenTests {
    @Test func linesTakeThePlaceOfTheLastOnes() {
        var (screen, terminal) = (TerminalScreen(), Terminal(columns: 20))
        terminal.write(screen.draw(["one", "two", "three"], below: [], columns: 20))
        #expect(terminal.text == ["one", "two", "three", ""])
        terminal.write(screen.draw(["1", "2"], below: [], columns: 20))
        #expect(terminal.text == ["1", "2", ""])
        #expect(terminal.cursorRow == 2 && terminal.isCursorVisible)
    }

    @Test func nothingIsWrittenWhereNothingChanges() {
        var screen = TerminalScreen()
        #expect(screen.draw([], below: [], columns: 20).isEmpty)
        #expect(!screen.draw(["a"], below: [], columns: 20).isEmpty)
        #expect(screen.draw(["a"], below: [], columns: 20).isEmpty)
        #expect(!screen.draw([], below: [], columns: 20).isEmpty)
        #expect(screen.draw([], below: [], columns: 30).isEmpty)
    }

    @Test func theLogStandsAbove() {
        var (screen, terminal) = (TerminalScreen(), Terminal(columns: 10))
        terminal.write(screen.draw(["a", "b"], below: [], columns: 10))
        // Also where it fills its rows to the last column.
        let log = ["0123456789", "01234567890123456789", "short"]
        terminal.write(screen.draw(["a", "c"], below: log, columns: 10))
        #expect(terminal.text == ["0123456789", "0123456789", "0123456789", "short", "a", "c", ""])
        terminal.write(screen.draw([], below: ["last"], columns: 10))
        #expect(terminal.text == ["0123456789", "0123456789", "0123456789", "short", "last", ""])
        #expect(terminal.writes == 3)
    }

    @Test(arguments: [3, 5, 9, 10, 19, 20, 40, 100])
    func nothingIsLeftOverAfterAResize(columns: Int) {
        var (screen, terminal) = (TerminalScreen(), Terminal(columns: 40))
        terminal.write(screen.draw(["0123456789012345678", "012345678", ""], below: ["log"], columns: 40))
        terminal.resize(columns)
        terminal.write(screen.draw(["a", "b"], below: [], columns: columns))
        #expect(terminal.text == ["log", "a", "b", ""])
        terminal.write(screen.draw([], below: [], columns: columns))
        #expect(terminal.text == ["log", ""])
    }

    @Test(
        arguments: [
            ([], 10, 0), (["a"], 10, 1), ([""], 10, 1), (["0123456789"], 10, 1), (["0123456789"], 9, 2),
            (["0123456789", "abc"], 4, 4), (["音声認識"], 8, 1), (["音声認識"], 7, 2), (["abc"], 0, 3),
        ] as [([String], Int, Int)])
    func rowsAreThoseOfBrokenLines(lines: [String], columns: Int, rows: Int) {
        #expect(TerminalScreen.rows(of: lines, columns: columns) == rows)
    }

    @Test func whatIsEchoedBelowMovesNothing() {
        var (screen, terminal) = (TerminalScreen(), Terminal(columns: 20))
        terminal.write(screen.draw(["one", "two"], below: [], columns: 20))
        terminal.write(Array("^C".utf8))
        terminal.write(screen.draw([], below: [], columns: 20))
        #expect(terminal.text == [""])
    }

    @Test func afterOthersWroteTheBarsBeginAnew() {
        var (screen, terminal) = (TerminalScreen(), Terminal(columns: 20))
        terminal.write(screen.draw(["one"], below: [], columns: 20))
        terminal.write(Array("$ fg\r\n".utf8))
        screen.forget()
        terminal.write(screen.draw(["one"], below: [], columns: 20))
        #expect(terminal.text == ["one", "$ fg", "one", ""])
    }
}
