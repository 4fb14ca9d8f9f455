import ModelSyncKit

/// The progress of a run as lines for a window: one for each running file, and one for the run.
///
/// No line is wider than the window less a column: in the last one terminals differ in when they go on to the next line.
struct ProgressFrame {
    /// What has been running for less is not shown: names that flash by can't be read.
    private static let leastSeconds = 0.25

    let columns: Int
    let rows: Int

    func lines(_ board: ProgressBoard, at now: Double) -> [String] {
        // The cursor stands on a row of its own, and the last lines above stay in sight.
        guard rows >= 2, columns >= 2 else { return [] }
        let room = max(1, rows - 3) - 1
        let layout = ProgressLayout(columns: columns - 1)
        let files = board.files.filter { now - $0.startedAt >= Self.leastSeconds }
        let shown = files.count <= room ? files.count : max(0, room - 1)
        var lines = files.prefix(shown).map { layout.line(cells($0, now)) }
        if shown < files.count, room > 0 {
            lines.append(layout.text(shown > 0 ? "and \(files.count - shown) more" : "\(files.count) files are coming"))
        }
        return lines + [layout.line(cells(board, now))]
    }

    private func cells(_ file: ProgressBoard.File, _ now: Double) -> ProgressLayout.Cells {
        let name = DisplayText.clean("\(file.name.model)/\(file.name.path)")
        let rate = file.bytesPerSecond(at: now)
        return ProgressLayout.Cells(
            names: [name], count: file.bytes, total: file.size, rate: rate,
            secondsLeft: rate > 0 ? Double(file.size - file.bytes) / rate : nil, state: state(file, now))
    }

    /// In place of a speed, where there is none.
    private func state(_ file: ProgressBoard.File, _ now: Double) -> String? {
        if file.isVerifying { return "verifying" }
        if let retryAt = file.retryAt, retryAt > now { return "retry in \(ProgressLayout.clock(retryAt - now))" }
        return file.silence(at: now).map(noData)
    }

    private func noData(_ seconds: Double) -> String { "no data \(ProgressLayout.clock(seconds))" }

    private func cells(_ board: ProgressBoard, _ now: Double) -> ProgressLayout.Cells {
        let names =
            switch board.phase {
            case .looking: ["looking at the store"]
            case .hashing: ["verifying"]
            case .fetching: fetching(board)
            }
        return ProgressLayout.Cells(
            names: names, count: board.bytes, total: board.total == 0 ? nil : board.total, rate: board.bytesPerSecond,
            secondsLeft: board.secondsLeft, state: board.silence(at: now).map(noData))
    }

    /// The same in ever fewer words.
    private func fetching(_ board: ProgressBoard) -> [String] {
        if board.fileCount == 0 { return ["linking files"] }
        let failed = board.failures > 0 ? ", \(board.failures) failed" : ""
        let (done, all) = (board.filesDone, board.fileCount)
        return ["\(done) of \(all) files\(failed)", "\(done)/\(all) files\(failed)", "\(done)/\(all)\(failed)"]
    }
}

/// Where the parts of a line stand in a window of some width: the same for each line, so that figures stay below each
/// other. As a window gets narrower the bar shrinks, then the bytes go, which the percentage tells nearly as well, then
/// the speed, then the bar; the name, how far it is and how long it takes stay longest.
struct ProgressLayout {
    /// What one line tells.
    struct Cells {
        /// The first that fits is taken, or else the last, cut.
        var names: [String]
        var count: Int64
        /// Nil where it is not known.
        var total: Int64?
        var rate: Double
        var secondsLeft: Double?
        /// In place of speed and time.
        var state: String?
    }

    private static let percentColumns = 4
    private let columns: Int
    private let name: Int
    /// With its brackets; 0 where there is none, as in the others.
    private let bar: Int
    private let bytes: Int
    private let rate: Int
    private let time: Int

    init(columns: Int) {
        self.columns = columns
        bytes = columns >= 79 ? 18 : 0
        rate = columns >= 54 ? 9 : 0
        time = columns >= 79 ? 11 : columns >= 30 ? 7 : 0
        let fixed = [Self.percentColumns, bytes, rate, time].reduce(0) { $0 + ($1 > 0 ? $1 + 2 : 0) }
        let free = max(0, columns - fixed)
        bar = columns >= 30 ? min(40, free / 4) : 0
        name = min(60, bar > 0 ? free - bar - 1 : free)
    }

    func text(_ text: String) -> String { DisplayText.fitted(text, columns: columns) }

    func line(_ cells: Cells) -> String {
        // Too narrow for a figure beside the name.
        guard name >= 4 else { return text(cells.names.last ?? "") }
        let fraction = cells.total.map { $0 > 0 ? min(1, max(0, Double(cells.count) / Double($0))) : 1 }
        var line = head(cells.names, fraction)
        // Never 100 before the last byte.
        let percent = fraction.map { "\(Int($0 * 100))%" } ?? ""
        if let state = cells.state, rate > 0 {
            add(percent, Self.percentColumns, to: &line)
            add(count(cells), bytes, to: &line)
            add(state, rate + 2 + time, to: &line)
        } else if let state = cells.state, time > 0 {
            add(state, Self.percentColumns + 2 + time, to: &line)
        } else {
            add(percent, Self.percentColumns, to: &line)
            add(count(cells), bytes, to: &line)
            add(cells.rate >= 1 ? "\(HumanFormat.bytes(Int64(cells.rate)))/s" : "", rate, to: &line)
            add(timeLeft(cells), time, to: &line)
        }
        while line.last == " " { line.removeLast() }
        return line
    }

    /// The name and the bar; the name alone where it needs the bar's room and can't be cut.
    private func head(_ names: [String], _ fraction: Double?) -> String {
        let fitting = names.first { DisplayText.width($0) <= name }
        guard bar > 0, fitting != nil || names.count == 1 else {
            let room = bar > 0 ? name + 1 + bar : name
            let text = names.first { DisplayText.width($0) <= room } ?? names.last ?? ""
            return DisplayText.padded(DisplayText.fitted(text, columns: room), to: room)
        }
        let text = DisplayText.fitted(fitting ?? names[0], columns: name)
        return DisplayText.padded(text, to: name) + " " + drawnBar(fraction)
    }

    private func drawnBar(_ fraction: Double?) -> String {
        guard let fraction else { return String(repeating: " ", count: bar) }
        let room = bar - 2
        let filled = Int(fraction * Double(room))
        let head = filled < room ? ">" : ""
        let line = String(repeating: "=", count: filled) + head
        return "[\(DisplayText.padded(line, to: room))]"
    }

    private func add(_ text: String, _ columns: Int, to line: inout String) {
        guard columns > 0 else { return }
        let cut = DisplayText.width(text) > columns ? String(text.prefix(columns)) : text
        line += "  " + DisplayText.padded(cut, to: columns, isRight: true)
    }

    private func count(_ cells: Cells) -> String {
        let count = cells.count > 0 || cells.total != nil ? HumanFormat.bytes(cells.count) : ""
        return cells.total.map { "\(count) of \(HumanFormat.bytes($0))" } ?? count
    }

    private func timeLeft(_ cells: Cells) -> String {
        guard let seconds = cells.secondsLeft, seconds < 99 * 86400 else { return "" }
        return time > 7 ? "eta \(Self.clock(seconds))" : Self.clock(seconds)
    }

    /// `0:07`, `59:59`, `9:59:59`, `12h 34m`, `9d 3h`: at most seven columns below a hundred days.
    static func clock(_ seconds: Double) -> String {
        let whole = Int(min(max(0, seconds), 1e9).rounded(.up))
        let two = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        let (minutes, hours) = (whole / 60, whole / 3600)
        if hours < 1 { return "\(minutes):\(two(whole % 60))" }
        if hours < 10 { return "\(hours):\(two(minutes % 60)):\(two(whole % 60))" }
        return hours < 100 ? "\(hours)h \(minutes % 60)m" : "\(hours / 24)d \(hours % 24)h"
    }
}
