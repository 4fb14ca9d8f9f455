import ArgumentParser
import ModelSyncKit

/// The root: it only names the commands.
struct ModelSyncCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "modelsync",
        abstract:
            "Makes the AI models that a manifest lists be on this machine: whole, verified, and ready to load offline.",
        discussion: """
            Results go to standard output; progress and errors to standard error.
            Exit codes: 0 all is as the manifest says; 1 something failed, is missing or corrupt; 2 changes are pending \
            (plan --detailed-exitcode); 64 usage; 65 invalid manifest; 66 no such manifest; 73 the store or report can't be \
            created; 74 input/output error; 75 locked, try again; 130 and 143 ended by a signal.
            """,
        version: "modelsync \(ModelSyncVersion.current)",
        subcommands: [
            ValidateCommand.self, PlanCommand.self, ApplyCommand.self, VerifyCommand.self, ListCommand.self,
            ShowCommand.self, PathCommand.self, RemoveCommand.self, ClearCommand.self, CollectCommand.self,
        ])
}

struct ValidateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "validate", abstract: "Check manifests; every error is told with its place.",
        discussion: """
            Examples:
              modelsync validate manifests/default.yaml
              modelsync validate manifests/*.yaml
            """)

    @Argument(help: ArgumentHelp("Manifest files; - for standard input, or http(s) URLs.", valueName: "manifest"))
    var manifests: [String]
    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions

    func validate() throws {
        if manifests.isEmpty { throw ValidationError("Missing expected argument '<manifest> ...'") }
    }

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        let loader = ManifestLoader(configuration: configuration)
        var worst: ExitStatus?
        for path in manifests {
            do throws(ManifestLoadError) {
                let manifest = try await loader.load([path])
                if !global.quiet { Console.print("\(path): ok: \(ManifestText.summary(manifest))") }
            } catch {
                global.console.error(error)
                worst = worst ?? ExitStatus(error)
            }
        }
        if let worst { throw worst.code }
    }
}

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan", abstract: "Tell what apply would do, and why. Changes nothing.",
        discussion: """
            Examples:
              modelsync plan manifests/default.yaml
              modelsync plan manifests/default.yaml --format json --detailed-exitcode
            """)

    @OptionGroup var manifest: ManifestArguments
    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions

    @Option(help: "quick trusts whole seals, full hashes every file.")
    var verify = VerifyArgument.quick

    @Option(help: "text or json.")
    var format = OutputFormat.text

    @Flag(name: .customLong("detailed-exitcode"), help: "Exit with 2 when changes are pending.")
    var detailedExitCode = false

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        configuration.options.depth = verify.depth
        let wanted = try await manifest.load(configuration)
        let manager = ModelManager(store: global.store, configuration: configuration)
        let plan = try await manager.plan(wanted)
        switch format {
        case .json: Console.write(plan.json(store: manager.store))
        case .text: PlanText(plan: plan, isVerbose: global.verbose).print()
        }
        if detailedExitCode && plan.hasChanges { throw ExitStatus.changesPending.code }
    }
}
