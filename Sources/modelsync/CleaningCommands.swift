import ArgumentParser
import ModelSyncKit

struct RemoveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Take models out of the store. Their blobs stay until gc.",
        discussion: """
            Examples:
              modelsync remove whisper/tiny
              modelsync remove demucs/htdemucs demucs/htdemucs_ft && modelsync gc
            """)

    @Argument(help: ArgumentHelp("The models' names.", valueName: "name"), completion: Completion.models)
    var names: [String]

    @OptionGroup var global: GlobalOptions

    @Option(help: "text or json.")
    var format = OutputFormat.text

    func run() async throws {
        let manager = ModelManager(store: global.store)
        let names = try names.map(ModelText.name)
        for name in names where try await !manager.knows(name) {
            throw CommandFailure(
                message: "nothing was removed: \(await ModelText.unknown(name, in: manager))", status: .incomplete)
        }
        let cleaning = try await manager.remove(names)
        CleaningText(global: global, format: format).print(cleaning, store: manager.store)
    }
}

struct ClearCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "clear",
        abstract: "Take everything out of the store, but files in models' folders that no manifest knows.",
        discussion: """
            Examples:
              modelsync clear
              modelsync clear --yes --store /srv/models
            """)

    @Flag(help: "Do not ask. Needed where standard input is no terminal.")
    var yes = false

    @OptionGroup var global: GlobalOptions

    @Option(help: "text or json.")
    var format = OutputFormat.text

    func run() async throws {
        let manager = ModelManager(store: global.store)
        if !yes {
            guard Console.canAsk else {
                throw CommandFailure(
                    message: "clear takes everything out of the store \(manager.store); say so by --yes", status: .usage
                )
            }
            guard Console.ask("Take everything out of the store \(manager.store)? [y/N] ") else {
                throw CommandFailure(message: "nothing was removed", status: .incomplete)
            }
        }
        let cleaning = try await manager.clear()
        CleaningText(global: global, format: format).print(cleaning, store: manager.store)
    }
}

struct CollectCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Free what nothing needs: unreferenced blobs, downloads that were given up, what crashes left.",
        discussion: """
            A blob is kept while an applied model, or a manifest named by --keep, has it, or while it has another name. \
            Downloads count as given up after a week.

            Examples:
              modelsync gc --dry-run
              modelsync gc --keep manifests/next.yaml --older-than 30d
            """)

    @Option(
        parsing: .upToNextOption,
        help: ArgumentHelp(
            "Manifests whose blobs are to stay, though they are not applied yet.", valueName: "manifest"),
        completion: Completion.manifests)
    var keep: [String] = []

    @Option(
        help: ArgumentHelp(
            "Only what nobody has touched for so long, as 30d, 12h or 90m; then reports go as well.", valueName: "age"))
    var olderThan: TimeSpan?

    @Flag(help: "Print what would go, and how much, and change nothing.")
    var dryRun = false

    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions

    @Option(help: "text or json.")
    var format = OutputFormat.text

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        let kept = keep.isEmpty ? nil : try await ManifestLoader(configuration: configuration).load(keep)
        let manager = ModelManager(store: global.store, configuration: configuration)
        let cleaning = try await manager.collectGarbage(
            keeping: kept, olderThan: olderThan?.duration, isDryRun: dryRun)
        CleaningText(global: global, format: format, isDryRun: dryRun).print(cleaning, store: manager.store)
    }
}

/// A length of time as it is written on a command line: `30d`, `12h`, `90m`, `45s`.
struct TimeSpan: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86400]
        guard let last = argument.last, let unit = units[last], let number = Int64(argument.dropLast()),
            (0...1_000_000_000).contains(number)
        else { return nil }
        duration = .seconds(number * unit)
    }
}

/// What `--budget` takes: bytes with an upper-case unit, `200G`; or time with a lower-case one, `30m`.
struct BudgetArgument: ExpressibleByArgument {
    let budget: VerifyBudget

    init?(argument: String) {
        if let time = TimeSpan(argument: argument) {
            budget = .time(time.duration)
            return
        }
        let units: [Character: Int64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40]
        let unit = argument.last.flatMap { units[$0] }
        guard let number = Int64(unit == nil ? argument : String(argument.dropLast())), number >= 0 else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: unit ?? 1)
        budget = .bytes(overflow ? .max : bytes)
    }
}

/// What was taken out of a store, for people and for programs.
struct CleaningText {
    let global: GlobalOptions
    let format: OutputFormat
    var isDryRun = false

    func print(_ cleaning: Cleaning, store: String) {
        if format == .json { return Console.write(cleaning.json(store: store, isDryRun: isDryRun)) }
        for note in cleaning.notes { global.console.note("note: \(note)", .warning) }
        if global.quiet { return }
        if isDryRun || global.verbose { printItems(cleaning) }
        Console.print(headline(cleaning))
    }

    private func printItems(_ cleaning: Cleaning) {
        for item in cleaning.views + cleaning.blobs + cleaning.partials + cleaning.reports {
            Console.print("  - \(item.path) (\(HumanFormat.bytes(item.bytes)))")
        }
    }

    private func headline(_ cleaning: Cleaning) -> String {
        let counts = [
            (cleaning.models.count, "model"), (cleaning.views.count, "file"), (cleaning.blobs.count, "blob"),
            (cleaning.partials.count, "partial"), (cleaning.reports.count, "report"),
        ]
        let parts = counts.filter { $0.0 > 0 }.map { ManifestText.count($0.0, $0.1) }
        let what = parts.isEmpty ? "nothing" : parts.joined(separator: ", ")
        var text = "\(isDryRun ? "would remove" : "removed") \(what); \(HumanFormat.bytes(cleaning.bytesFreed)) "
        text += isDryRun ? "would be freed" : "freed"
        guard cleaning.bytesUnreferenced > 0 else { return text }
        return text + ", \(HumanFormat.bytes(cleaning.bytesUnreferenced)) that nothing needs stay until `modelsync gc`"
    }
}
