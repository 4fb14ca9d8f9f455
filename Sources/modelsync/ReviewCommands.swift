import ArgumentParser
import ModelSyncKit

struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check manifests; every error is told with its place.",
        discussion: """
            Examples:
              modelsync validate manifests/default.yaml
              modelsync validate manifests/*.yaml --online
            """)

    @Argument(
        help: ArgumentHelp("Manifest files; - for standard input, or http(s) URLs.", valueName: "manifest"),
        completion: Completion.manifests)
    var manifests: [String]

    @Flag(help: "Ask every URL for its size as well; nothing is downloaded but a byte of each.")
    var online = false

    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions

    func validate() throws {
        if manifests.isEmpty { throw ValidationError("Missing expected argument '<manifest> ...'") }
    }

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        if online, configuration.options.isOffline {
            throw ValidationError("--online asks the network, and $MODELSYNC_OFFLINE says not to")
        }
        let loader = ManifestLoader(configuration: configuration)
        var worst: ExitStatus?
        for path in manifests {
            do throws(ManifestLoadError) {
                let manifest = try await loader.load([path])
                if !global.quiet { Console.print("\(SourceURL.redact(path)): ok: \(ManifestText.summary(manifest))") }
                guard online else { continue }
                let isAnswered = try await ask(manifest, loader)
                if !isAnswered { worst = worst ?? .incomplete }
            } catch {
                global.console.error(error)
                worst = worst ?? ExitStatus(error)
            }
        }
        if let worst { throw worst.code }
    }

    /// - Returns: whether every URL answered with the right size.
    private func ask(_ manifest: Manifest, _ loader: ManifestLoader) async throws(ManifestLoadError) -> Bool {
        let checks: [SourceCheck]
        do throws(SyncError) { checks = try await loader.checkSources(of: manifest) } catch {
            throw .unreadable(error)
        }
        OnlineText(checks: checks).print(isQuiet: global.quiet)
        return checks.allSatisfy { $0.error == nil }
    }
}

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Tell what apply would do, and why. Changes nothing.",
        discussion: """
            Examples:
              modelsync plan manifests/default.yaml
              modelsync plan manifests/default.yaml --format markdown --detailed-exitcode
              modelsync plan manifests/default.yaml --out plan.json && modelsync apply plan.json
            """)

    @OptionGroup var manifest: ManifestArguments
    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions

    @Option(help: "quick trusts whole seals, full hashes every file.")
    var verify = VerifyArgument.quick

    @Option(help: "text, markdown or json.")
    var format = ReviewFormat.text

    @Option(
        help: ArgumentHelp(
            "Keep the plan in a file, for apply to do just that; - for standard output.", valueName: "file"),
        completion: .file())
    var out: String?

    @Flag(name: .customLong("detailed-exitcode"), help: "Exit with 2 when changes are pending.")
    var detailedExitCode = false

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        configuration.options.depth = verify.depth
        let wanted = try await manifest.load(configuration)
        let manager = ModelManager(store: global.store, configuration: configuration)
        let target = try planFile(wanted, configuration)
        let plan = try await manager.plan(wanted)
        try CommandFailure.creating { () throws(SyncError) in try target?.write(plan.json(store: manager.store)) }
        switch format {
        case _ where out == "-", .json: Console.write(plan.json(store: manager.store))
        case .markdown:
            let diff = try await manager.difference(wanted)
            Console.write(Array(ReviewMarkdown.text(of: plan, changing: diff, store: manager.store).utf8))
        case .text: PlanText(plan: plan, isVerbose: global.verbose).print()
        }
        if detailedExitCode && plan.hasChanges { throw ExitStatus.changesPending.code }
    }

    /// - Throws: what keeps the plan from being applied later, or from being written, before it is made.
    private func planFile(_ wanted: Manifest, _ configuration: SyncConfiguration) throws -> ReportFile? {
        guard let out else { return nil }
        for source in wanted.sources where source.path == "<stdin>" || !manifest.manifests.contains(source.path) {
            let what = source.path == "<stdin>" ? "standard input" : "a URL with a query, which a plan does not keep"
            throw ValidationError("--out needs manifests that can be read again; one is \(what)")
        }
        if out == "-" { return nil }
        return try CommandFailure.creating { () throws(SyncError) in try ReportFile(configuration.absolute(out)) }
    }
}

/// What the sources of a manifest answered, as a table.
struct OnlineText {
    let checks: [SourceCheck]

    func print(isQuiet: Bool) {
        let failed = checks.filter { $0.error != nil }
        for check in isQuiet ? failed : checks {
            Console.print(DisplayText.clean(line(check)))
            if let error = check.error { Console.print("  " + DisplayText.clean(error.message)) }
        }
        let unknown = checks.count { $0.error == nil && $0.declaredSize == nil }
        var text = "\(ManifestText.count(checks.count, "URL")): "
        text += "\(checks.count - failed.count - unknown) have the file in the right size"
        if unknown > 0 { text += ", \(unknown) answer and do not tell the size" }
        if !failed.isEmpty { text += ", \(failed.count) do not have it" }
        if !isQuiet || !failed.isEmpty { Console.print(text) }
    }

    private func line(_ check: SourceCheck) -> String {
        let verdict = check.error == nil ? (check.declaredSize == nil ? "unknown" : "ok") : "failed"
        let size = check.declaredSize.map(HumanFormat.bytes) ?? "-"
        let cells = [(verdict, 8), (check.httpStatus.map(String.init) ?? "-", 4), (size, 8)]
        let head = cells.map { DisplayText.padded($0, to: $1) }.joined(separator: " ")
        return "\(head) \(check.model)/\(check.path)  \(check.url)"
    }
}
