import ArgumentParser
import Glibc
import ModelSyncKit

struct ActiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "active", abstract: "Show what is being downloaded into the store now, by any process.",
        discussion: """
            For the store's owner alone. On hosts that share the store, their downloads are shown as well.

            Examples:
              modelsync active
              modelsync active --watch --store /srv/models
            """)

    @Flag(help: "Show it again each second, until nothing runs or ^C.")
    var watch = false

    @Option(help: "text or json.")
    var format = OutputFormat.text

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if watch && format == .json {
            throw ValidationError("--watch shows a table: --format json is one document of one moment")
        }
    }

    func run() async throws {
        let manager = ModelManager(store: global.store)
        if format == .json {
            return Console.write(ActiveRun.json(try await manager.activeRuns(), store: manager.store))
        }
        var hasShown = false
        while true {
            let runs = try await manager.activeRuns()
            if watch && isatty(1) == 1 {
                // Home, and what was below is cleared: as watch(1) does it, whatever the window's width is now.
                Console.print("\u{1B}[H\u{1B}[2J" + ActiveText(runs: runs).text)
            } else if !runs.isEmpty || !hasShown {
                Console.print(ActiveText(runs: runs).text)
            }
            hasShown = true
            guard watch, !runs.isEmpty else { return }
            Console.flush()
            if Console.isOutputGone { return }
            try await Task.sleep(for: .seconds(1))
        }
    }
}

struct CancelCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Cancel the downloads of models, in whichever process they run.",
        discussion: """
            What has arrived is kept, and the next apply goes on from there. The runs go on with their other models; their reports \
            say cancelled.

            Examples:
              modelsync cancel whisper/large-v3
              modelsync cancel --all --store /srv/models
            """)

    @Argument(help: ArgumentHelp("The models' names.", valueName: "name"))
    var names: [String] = []

    @Flag(help: "Cancel all that is being downloaded.")
    var all = false

    @OptionGroup var global: GlobalOptions

    func validate() throws {
        if names.isEmpty != all { throw ValidationError("name the models to cancel, or say --all") }
    }

    func run() async throws {
        let manager = ModelManager(store: global.store)
        let names = try names.map(ModelText.name)
        let cancelled = all ? try await manager.cancelAll() : try await manager.cancel(names)
        if !global.quiet {
            for model in cancelled {
                Console.print(
                    "cancelled \(model.name) in run \(model.run.runID) (process \(model.run.processID) on \(model.run.host))"
                )
            }
        }
        let unknown = names.filter { name in !cancelled.contains { $0.name == name } }.map(\.text)
        guard all ? cancelled.isEmpty : !unknown.isEmpty else { return }
        let what = all ? "nothing is" : unknown.joined(separator: ", ") + (unknown.count == 1 ? " is not" : " are not")
        throw CommandFailure(
            message: "\(what) being downloaded into the store \(manager.store); see `modelsync active`",
            status: .incomplete)
    }
}

/// What runs, as a table for people.
struct ActiveText {
    let runs: [ActiveRun]

    var text: String {
        guard !runs.isEmpty else { return "nothing is being downloaded" }
        return runs.map(Self.text).joined(separator: "\n\n")
    }

    private static func text(_ run: ActiveRun) -> String {
        let head = DisplayText.clean("run \(run.runID): \(run.command), process \(run.processID) on \(run.host)")
        if run.files.isEmpty { return head + "\n  between files" }
        let rows = run.files.map(cells)
        let widths = (0..<5).map { column in rows.map { DisplayText.width($0[column]) }.max() ?? 0 }
        let lines = rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                DisplayText.padded(cell.0, to: cell.1, isRight: index > 0)
            }.joined(separator: "  ")
        }
        return ([head] + lines.map { "  " + $0 }).joined(separator: "\n")
    }

    private static func cells(_ file: ActiveRun.File) -> [String] {
        let progress = file.progress
        let percent = progress.total > 0 ? "\(Int(progress.percent))%" : "-"
        let isWaiting = file.state == .waiting
        let bytes = isWaiting ? "-" : "\(HumanFormat.bytes(progress.bytes)) of \(HumanFormat.bytes(progress.total))"
        let rate = progress.bytesPerSecond > 0 ? HumanFormat.bytes(Int64(progress.bytesPerSecond)) + "/s" : "-"
        let left = progress.secondsLeft.map { "ETA " + HumanFormat.duration($0) } ?? file.state.rawValue
        return [DisplayText.clean("\(progress.model)/\(progress.path)"), percent, bytes, rate, left]
    }
}
