import Foundation

/// A terminal for the program under test: a window of tmux, on a server of its own, that can be looked at and resized.
public struct TmuxScreen: Sendable {
    /// Whether there is a tmux to use.
    public static var isInstalled: Bool { Tool.find("tmux") != nil }

    private let socket: String

    /// Runs a shell command in a window of that size, with `body` looking on; ends both.
    ///
    /// - Parameter environment: the command's whole environment, but for TERM, which tmux sets.
    public static func with<Result>(
        _ command: String, in folder: TemporaryFolder, columns: Int, rows: Int, environment: [String: String],
        _ body: (TmuxScreen) async throws -> Result
    ) async throws -> Result {
        let screen = TmuxScreen(socket: folder.appending("tmux"))
        let variables = environment.map { "\($0.key)=\($0.value)" }.sorted()
        // What stays in the window after the command keeps it open, and shows where the cursor is.
        let script = "trap : INT; \(command); echo \"exit $?\"; trap - INT; exec cat"
        try screen.tmux(
            ["-u", "-f", "/dev/null", "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "env", "-i"] + variables
                + ["TERM=tmux-256color", "/bin/sh", "-c", script])
        defer { _ = try? screen.tmux(["kill-server"]) }
        return try await body(screen)
    }

    /// Its rows from the first to the last that is not empty, without blanks at their ends.
    public func lines() throws -> [String] { try captured([]) }

    /// The same, and before them what has gone out at the top.
    public func history() throws -> [String] { try captured(["-S", "-"]) }

    private func captured(_ options: [String]) throws -> [String] {
        var lines = try tmux(["capture-pane", "-p"] + options).split(separator: "\n", omittingEmptySubsequences: false)
            .map(String.init)
        while lines.last?.isEmpty == true { lines.removeLast() }
        return lines
    }

    public func resize(columns: Int, rows: Int) throws {
        try tmux(["resize-window", "-x", "\(columns)", "-y", "\(rows)"])
    }

    /// As if it were typed: `C-c`, `Enter`, or text.
    public func type(_ keys: String...) throws { try tmux(["send-keys"] + keys) }

    public func isCursorVisible() throws -> Bool {
        try tmux(["display-message", "-p", "#{cursor_flag}"]).hasPrefix("1")
    }

    @discardableResult
    private func tmux(_ arguments: [String]) throws -> String { try Tool.run("tmux", ["-S", socket] + arguments) }
}
