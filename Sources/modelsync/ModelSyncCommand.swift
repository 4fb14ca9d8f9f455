import ArgumentParser
import ModelSyncKit

/// The root: it only names the commands.
struct ModelSyncCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "modelsync",
        abstract:
            "Makes the AI models that a manifest lists be on this machine: whole, verified, and ready to load offline.",
        discussion: """
            Results go to standard output; progress and errors to standard error.
            Exit codes: 0 all is as the manifest says; 1 something failed, is missing or corrupt; 2 changes are pending \
            (plan --detailed-exitcode); 64 usage; 65 invalid manifest or stale plan; 66 no such manifest; 73 the store or report can't be \
            created; 74 input/output error; 75 locked, try again; 130 and 143 ended by a signal.
            """,
        version: "modelsync \(ModelSyncVersion.current)",
        subcommands: [
            ValidateCommand.self, PlanCommand.self, DiffCommand.self, ApplyCommand.self, VerifyCommand.self,
            ListCommand.self,
            ShowCommand.self, PathCommand.self, RemoveCommand.self, ClearCommand.self, CollectCommand.self,
            ActiveCommand.self, CancelCommand.self, ReportCommand.self,
        ])
}
