import ArgumentParser
import Glibc
import ModelSyncKit

/// The one entrance and the one exit.
@main
enum Main {
    // Not async: an async entrance has started threads with an open signal mask before its first line.
    static func main() {
        Signals.block()
        Descriptors.raiseLimit()
        Descriptors.makeRoom()
        // The task exists to be cancelled by a signal, and ends the process itself. Detached: this function is the main
        // actor's, and its thread waits for signals.
        let run = Task.detached {
            var code = await runCommand()
            Console.flush()
            if let failure = Console.failure {
                let reason = unsafe String(cString: strerror(failure)).lowercased()
                Console.standard.error("the results can't be written to standard output: \(reason)")
                if code == 0 { code = ExitStatus.inputOutput.rawValue }
            }
            exit(code)
        }
        Signals.wait { run.cancel() }
    }

    private static func runCommand() async -> Int32 {
        do {
            if let failure = CommandNames.failure(
                for: Array(CommandLine.arguments.dropFirst()), known: CommandNames.all)
            {
                throw failure
            }
            var command = try await ModelSyncCommand.asyncParseAsRoot()
            if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                try command.run()
            }
            return 0
        } catch {
            return report(error)
        }
    }

    private static func report(_ error: any Error) -> Int32 {
        switch error {
        case let code as ExitCode: return code.rawValue
        case let failure as CommandFailure: Console.standard.error(failure.message)
        case let failure as SyncError: Console.standard.error(failure.message)
        case let failure as ManifestLoadError: Console.standard.error(failure)
        default:
            // The argument parser's own: help and version go to standard output, usage errors to standard error.
            let code = ModelSyncCommand.exitCode(for: error)
            let text = HelpText.narrowed(ModelSyncCommand.fullMessage(for: error))
            if code.isSuccess {
                Console.print(CompletionScript.mended(text, commands: CommandNames.all))
            } else {
                Console.log(Journal.current.marked(text, .error))
            }
            return code.rawValue
        }
        return ExitStatus(failure: error).rawValue
    }
}
