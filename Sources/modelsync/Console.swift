import Glibc
import ModelSyncKit
import Synchronization

/// Standard output for results, standard error for all else; and whether to colour.
struct Console: Sendable {
    /// When to colour.
    enum Color: String, Sendable, CaseIterable {
        case auto, always, never
    }

    /// The colours that mean something, as SGR (ECMA-48) has them.
    enum Paint: Int {
        case red = 31
        case green = 32
        case yellow = 33
    }

    /// For failures that come before the options are known.
    static let standard = Console(color: .auto, isQuiet: false)

    /// Lines for standard error that wait to be written with others: a write each would cost as much as a small file.
    private struct Lines {
        var bytes: [UInt8] = []
        var writtenAt: ContinuousClock.Instant?
        /// Somebody will write them soon.
        var isAwaited = false
    }

    private static let gathering = Duration.milliseconds(50)

    private static let output = Mutex<[UInt8]>([])
    private static let lines = Mutex(Lines())
    private static let outputFailure = Mutex<Int32?>(nil)

    /// Why results could not be written, if they could not: errno(3). A reader that went away is no failure.
    static var failure: Int32? { outputFailure.withLock { $0 == EPIPE ? nil : $0 } }

    /// Nobody gets what is printed from now on.
    static var isOutputGone: Bool { outputFailure.withLock { $0 != nil } }

    /// Whether a write to standard error would not wait: a terminal can be stopped, by ^S.
    static var takesErrors: Bool {
        var poller = pollfd(fd: 2, events: Int16(POLLOUT), revents: 0)
        return unsafe poll(&poller, 1, 0) > 0
    }

    private let isColored: Bool
    /// Of results on standard output.
    private let hasColoredOutput: Bool
    let isQuiet: Bool

    init(color: Color, isQuiet: Bool) {
        self.isQuiet = isQuiet
        isColored =
            switch color {
            case .always: true
            case .never: false
            case .auto: Self.isTerminal && SyncConfiguration().environment("NO_COLOR")?.isEmpty != false
            }
        hasColoredOutput = isColored && (color == .always || isatty(1) == 1)
    }

    /// Whether standard error is a terminal that can do more than print.
    static var isTerminal: Bool {
        guard isatty(2) == 1, let kind = SyncConfiguration().environment("TERM") else { return false }
        return !kind.isEmpty && kind != "dumb"
    }

    /// Whether somebody sits at standard input.
    static var canAsk: Bool { isatty(0) == 1 }

    /// Asks on standard error; anything but yes is no.
    static func ask(_ question: String) -> Bool {
        flush()
        _ = writeAll(Array(question.utf8), to: 2)
        return ["y", "yes"].contains(readLine()?.lowercased())
    }

    /// A line of results on standard output.
    static func print(_ text: String) {
        write(Array(text.utf8) + [UInt8(ascii: "\n")])
    }

    /// Results as they are, on standard output.
    static func write(_ bytes: [UInt8]) {
        let isLarge = output.withLock { output in
            output += bytes
            return output.count > 1 << 16
        }
        if isLarge { flush() }
    }

    /// Writes out what is held back.
    static func flush() {
        output.withLock { output in
            if let code = writeAll(output, to: 1) { outputFailure.withLock { $0 = $0 ?? code } }
            output.removeAll(keepingCapacity: true)
        }
        flushLines()
    }

    private static func flushLines() {
        lines.withLock { lines in
            if !lines.bytes.isEmpty { writeAll(lines.bytes, to: 2) }
            lines.bytes.removeAll(keepingCapacity: true)
            lines.writtenAt = .now
        }
    }

    /// A line on standard error: at once if it is the first for a while, else soon, together with what else comes. In order
    /// with all other lines.
    static func logSoon(_ text: String) {
        let (mustFlush, mustAwait) = lines.withLock { lines in
            lines.bytes += text.utf8
            lines.bytes.append(UInt8(ascii: "\n"))
            let isFirst = lines.writtenAt.map { .now - $0 >= gathering } ?? true
            let mustAwait = !isFirst && !lines.isAwaited
            if mustAwait { lines.isAwaited = true }
            return (isFirst || lines.bytes.count > 1 << 16, mustAwait)
        }
        if mustFlush { flush() }
        guard mustAwait else { return }
        Task {
            try? await Task.sleep(for: gathering)
            lines.withLock { $0.isAwaited = false }
            flush()
        }
    }

    /// A line on standard error, at once.
    static func log(_ text: String) {
        flush()
        writeAll(Array(text.utf8) + [UInt8(ascii: "\n")], to: 2)
    }

    /// A line on standard error that `--quiet` leaves out.
    func note(_ text: String, _ priority: LogPriority = .info) {
        if !isQuiet { Self.logSoon(Journal.current.marked(text, priority)) }
    }

    func error(_ text: String) {
        let text = DisplayText.cleanLines(text)
        Self.log(Journal.current.marked("\(painted("error:", .red, isColored)) \(text)", .error))
    }

    /// What to do about an error. `--quiet` leaves it out.
    func hint(_ text: String) {
        if !isQuiet { Self.log(Journal.current.marked("\(painted("hint:", .yellow, isColored)) \(text)", .info)) }
    }

    /// A word for standard output.
    func painted(_ word: String, _ paint: Paint) -> String { painted(word, paint, hasColoredOutput) }

    private func painted(_ word: String, _ paint: Paint, _ isColored: Bool) -> String {
        isColored ? "\u{1B}[1;\(paint.rawValue)m\(word)\u{1B}[0m" : word
    }

    /// Each of a manifest's errors is a line of its own that starts with its place, as compilers do it.
    func error(_ failure: ManifestLoadError) {
        guard case .invalid(let issues) = failure else { return error(failure.description) }
        Self.log(Journal.current.marked(issues.description, .error))
    }

    /// Bytes as they are, on standard error, after all lines that wait.
    static func writeErrors(_ bytes: [UInt8]) {
        if bytes.isEmpty { return }
        flush()
        writeAll(bytes, to: 2)
    }

    /// Returns errno(3) where it fails.
    @discardableResult
    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Int32? {
        unsafe bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                let count = unsafe Glibc.write(descriptor, rest.baseAddress, rest.count)
                if count < 0 && errno != EINTR { return errno }
                done += max(0, count)
            }
            return nil
        }
    }
}
