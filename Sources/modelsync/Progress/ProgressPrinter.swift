import ArgumentParser
import Glibc
import ModelSyncKit
import Synchronization

/// How progress is told on standard error.
enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
    case auto, bar, plain, json, none

    /// What it comes to. Bars are drawn on a terminal alone: elsewhere they would be a heap of control characters.
    func resolved(isQuiet: Bool, isTerminal: Bool) -> ProgressStyle {
        switch self {
        case .auto where isQuiet: .none
        case .auto, .bar: isTerminal ? .bar : .plain
        case .plain, .json, .none: self
        }
    }
}

/// Tells what happens during a run: as bars or lines for people, or as JSON Lines for programs.
///
/// Events only change values under a lock, as many as ten thousand a second do; a thread of its own writes to the terminal.
final class ProgressPrinter: SyncObserver {
    private struct State {
        var board: ProgressBoard
        /// For above the bars, in order.
        var log: [String] = []
        var lastLineAt: Double
    }

    /// A silent log looks like a hang.
    private static let lifeSeconds = 30.0
    /// Bars move when no event comes, too.
    private static let beatMilliseconds: Int32 = 500

    private let style: ProgressStyle
    private let text: ProgressText
    private let console: Console
    private let state: Mutex<State>
    private let screen = Mutex(TerminalScreen())
    private let stops = Mutex(Signals.stops)

    private init(style: ProgressStyle, isVerbose: Bool, console: Console) {
        self.style = style
        self.console = console
        text = ProgressText(isVerbose: isVerbose, hasBars: style == .bar)
        state = Mutex(State(board: ProgressBoard(now: Self.now), lastLineAt: Self.now))
    }

    /// Runs `body` with an observer that tells of it. When this returns nothing more is told, and no bar is left.
    static func tell<Value>(
        _ style: ProgressStyle, isVerbose: Bool, console: Console,
        _ body: (any SyncObserver) async throws -> Value
    ) async throws -> Value {
        let printer = ProgressPrinter(style: style, isVerbose: isVerbose, console: console)
        guard style == .bar || style == .plain else { return try await body(printer) }
        let ticker = Ticker { printer.beat() }
        defer {
            ticker.end()
            printer.clear()
        }
        return try await body(style == .bar ? NudgingObserver(printer: printer, ticker: ticker) : printer)
    }

    func observe(_ event: SyncEvent) {
        switch style {
        case .none, .auto: break
        case .json: Console.logSoon(String(decoding: ProgressJSON.line(event), as: UTF8.self))
        case .plain, .bar: note(event)
        }
    }

    /// That wait for a terminal which is stopped: the report has what else there is to tell.
    private static let mostLines = 1000

    private static var now: Double { ContinuousClock.now.seconds }

    private func note(_ event: SyncEvent) {
        let line = console.isQuiet ? nil : text.line(event).map(DisplayText.clean)
        let now = Self.now
        state.withLock { state in
            state.board.apply(event, at: now)
            guard let line else { return }
            state.lastLineAt = now
            if style == .bar, state.log.count < Self.mostLines { state.log.append(line) }
        }
        if style == .plain, let line { console.note(line, Self.priority(of: event)) }
    }

    private static func priority(of event: SyncEvent) -> LogPriority {
        if case .retrying = event { .warning } else { .info }
    }

    /// On the ticker's thread.
    ///
    /// - Returns: milliseconds until it is to be called again.
    private func beat() -> Int32 {
        if style == .plain { return tellLife() }
        draw()
        return Self.beatMilliseconds
    }

    private func tellLife() -> Int32 {
        let now = Self.now
        let (line, due): (String?, Double) = state.withLock { state in
            let due = state.lastLineAt + Self.lifeSeconds
            guard now >= due else { return (nil, due) }
            state.lastLineAt = now
            state.board.measure(at: now)
            return (text.life(state.board, at: now), now + Self.lifeSeconds)
        }
        if let line { console.note(line) }
        return Int32(max(1, ((due - now) * 1000).rounded(.up)))
    }

    private func draw() {
        // Of a terminal that is stopped the run must not wait, nor its end.
        guard Console.takesErrors else { return }
        let now = Self.now
        let (board, log) = state.withLock { state in
            state.board.measure(at: now)
            defer { state.log = [] }
            return (state.board, state.log)
        }
        // In the background the terminal is another's: only the log is for its eyes.
        let size = TerminalSize.current
        let foreground = tcgetpgrp(2)
        let isMine = foreground == getpgrp() || foreground < 0
        let lines = isMine ? ProgressFrame(columns: size.columns, rows: size.rows).lines(board, at: now) : []
        if wasStopped || !isMine { screen.withLock { $0.forget() } }
        Console.writeErrors(screen.withLock { $0.draw(lines, below: log, columns: size.columns) })
    }

    /// Since the last frame: a shell has written to the terminal meanwhile.
    private var wasStopped: Bool {
        stops.withLock { last in
            defer { last = Signals.stops }
            return last != Signals.stops
        }
    }

    /// Takes the bars away. After the last beat.
    private func clear() {
        guard Console.takesErrors else { return }
        let log = state.withLock { state in
            defer { state.log = [] }
            return state.log
        }
        Console.writeErrors(screen.withLock { $0.draw([], below: log, columns: TerminalSize.current.columns) })
    }
}

/// Wakes the thread that draws.
private struct NudgingObserver: SyncObserver {
    let printer: ProgressPrinter
    let ticker: Ticker

    func observe(_ event: SyncEvent) {
        printer.observe(event)
        ticker.nudge()
    }
}

/// The window of standard error, in characters.
struct TerminalSize {
    let columns: Int
    let rows: Int

    /// As it is now; 80 by 24 where the terminal does not know.
    static var current: TerminalSize {
        var size = winsize()
        guard unsafe ioctl(2, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return TerminalSize(columns: 80, rows: 24)
        }
        return TerminalSize(columns: Int(size.ws_col), rows: Int(size.ws_row))
    }
}

extension ContinuousClock.Instant {
    private static let origin = ContinuousClock.now

    /// Since the program's first look at the clock.
    fileprivate var seconds: Double { (self - Self.origin).seconds }
}
