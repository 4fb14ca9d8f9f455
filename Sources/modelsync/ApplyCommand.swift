import ArgumentParser
import ModelSyncKit

struct ApplyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make the store match the manifest.",
        discussion: """
            Examples:
              modelsync apply manifests/default.yaml
              modelsync apply manifests/default.yaml --only 'whisper/*' --report report.json
              modelsync plan manifests/default.yaml --out plan.json && modelsync apply plan.json
            """)

    @OptionGroup var manifest: ManifestArguments
    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions
    @OptionGroup var arguments: RunArguments

    @Option(help: "quick trusts whole seals, full hashes every file.")
    var verify = VerifyArgument.quick

    @Flag(help: "Print the plan and change nothing.")
    var dryRun = false

    @Flag(help: "Take models out of the store that the manifest does not have, and their blobs.")
    var prune = false

    func validate() throws {
        if prune, !manifest.only.isEmpty {
            throw ValidationError("--prune and --only do not go together: what is left out would be taken out")
        }
        if dryRun, arguments.metrics != nil {
            throw ValidationError("--dry-run makes no run that --metrics could tell of")
        }
    }

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        let metrics = try MetricsTarget(arguments, global, configuration, "apply", manifests: manifest.manifests)
        try await metrics.covering { try await run(configuration, metrics) }
    }

    private func run(_ configuration: SyncConfiguration, _ metrics: MetricsTarget) async throws {
        var configuration = configuration
        try arguments.apply(to: &configuration)
        configuration.options.depth = verify.depth
        let wanted: Manifest
        switch try await manifest.loadWanted(configuration) {
        case .plan(let saved): return try await apply(saved, configuration, metrics)
        case .manifest(let manifest): wanted = manifest
        }
        if dryRun {
            let manager = ModelManager(store: global.store, configuration: configuration)
            let plan = try await manager.plan(wanted, prune: prune)
            return PlanText(plan: plan, isVerbose: global.verbose).print()
        }
        let runner = Runner(global: global, arguments: arguments, configuration: configuration, metrics: metrics)
        let prune = prune
        try await runner.run { manager in try await manager.apply(wanted, prune: prune) }
    }

    private func apply(
        _ saved: SavedPlan, _ configuration: SyncConfiguration, _ metrics: MetricsTarget
    ) async throws {
        guard !prune, !dryRun, manifest.only.isEmpty else {
            throw ValidationError(
                "\(saved.path) is a plan: what is done is what it says, with no --only, --prune or --dry-run")
        }
        // Where no flag says otherwise, the store that was planned for.
        let runner = Runner(
            global: global, arguments: arguments, configuration: configuration, metrics: metrics,
            store: global.store ?? saved.store)
        try await runner.run { manager in try await manager.apply(saved) }
    }
}

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Hash every file that the store, or the manifest, holds.",
        discussion: """
            Examples:
              modelsync verify
              modelsync verify manifests/default.yaml --repair
              modelsync verify --budget 200G
            """)

    @Argument(
        help: ArgumentHelp("Manifest files; none: all models that were applied to the store.", valueName: "manifest"),
        completion: Completion.manifests)
    var manifests: [String] = []

    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions
    @OptionGroup var arguments: RunArguments

    @Flag(help: "Fetch again what is missing or corrupt.")
    var repair = false

    @Option(
        help: ArgumentHelp(
            "Hash only so much, what was verified longest ago first: bytes as 200G, or time as 30m.",
            valueName: "bytes|time"))
    var budget: BudgetArgument?

    func validate() throws {
        if repair && budget != nil { throw ValidationError("--repair hashes everything: it takes no --budget") }
    }

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        let metrics = try MetricsTarget(arguments, global, configuration, "verify", manifests: manifests)
        try await metrics.covering { try await run(configuration, metrics) }
    }

    private func run(_ configuration: SyncConfiguration, _ metrics: MetricsTarget) async throws {
        var configuration = configuration
        try arguments.apply(to: &configuration)
        let wanted = manifests.isEmpty ? nil : try await ManifestLoader(configuration: configuration).load(manifests)
        let runner = Runner(
            global: global, arguments: arguments, configuration: configuration, metrics: metrics, createsStore: repair)
        let (isRepair, budget) = (repair, budget?.budget)
        try await runner.run { manager in
            isRepair ? try await manager.repair(wanted) : try await manager.verify(wanted, budget: budget)
        }
    }
}

/// A run with its progress, its summary, its report and its exit code.
struct Runner {
    let global: GlobalOptions
    let arguments: RunArguments
    let configuration: SyncConfiguration
    let metrics: MetricsTarget
    /// Whether what keeps it from beginning is a store that can't be created.
    var createsStore = true
    /// In place of the one that the flags name.
    var store: String?

    func run(_ body: (ModelManager) async throws -> SyncReport) async throws {
        Signals.beginRun()
        let target = try reportFile()
        let style = arguments.progress.resolved(isQuiet: global.quiet, isTerminal: Console.isTerminal)
        let report: SyncReport
        do {
            report = try await ProgressPrinter.tell(style, isVerbose: global.verbose, console: global.console) {
                observer in
                try await body(
                    ModelManager(
                        store: store ?? global.store, configuration: configuration, observer: observer))
            }
        } catch let error as SyncError {
            throw cannotBegin(error)
        } catch let error as StalePlan {
            throw CommandFailure(message: error.description, status: .invalidData)
        }
        var status = ExitStatus(report)
        if arguments.report == "-" { Console.write(report.json) }
        do throws(SyncError) { try target?.write(report.json) } catch {
            global.console.error(error.message)
            status = .cannotCreate
        }
        try metrics.write(report, status: status)
        SummaryText(report: report, target: target?.path, console: global.console, isJSON: style == .json)
            .print(toStandardOutput: arguments.report != "-" && arguments.metrics != "-", isQuiet: global.quiet)
        if status != .success { throw status.code }
    }

    private func reportFile() throws -> ReportFile? {
        guard let path = arguments.report, path != "-" else { return nil }
        return try CommandFailure.creating { () throws(SyncError) in try ReportFile(configuration.absolute(path)) }
    }

    private func cannotBegin(_ error: SyncError) -> CommandFailure {
        let isStore = createsStore && [.storeIO, .storePermission, .storeNoSpace].contains(error.code)
        return CommandFailure(message: error.message, status: isStore ? .cannotCreate : ExitStatus(error), cause: error)
    }
}
