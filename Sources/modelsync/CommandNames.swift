import ArgumentParser
import ModelSyncKit

/// What was meant by a command that there is not: the argument parser would call it an unexpected argument.
enum CommandNames {
    /// Names that other tools have for the same thing.
    private static let synonyms = [
        "sync": "apply", "download": "apply", "install": "apply", "pull": "apply", "get": "apply", "check": "verify",
        "ls": "list", "info": "show", "where": "path", "rm": "remove", "delete": "remove", "uninstall": "remove",
        "prune": "gc", "clean": "gc", "lint": "validate",
    ]

    /// The failure to tell for `arguments`, the program's own name left out; nil where they begin with a command or an option.
    static func failure(for arguments: [String], known: [String]) -> CommandFailure? {
        let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
        guard let word = words.first, !word.isEmpty, !word.hasPrefix("-"), !(known + ["help"]).contains(word) else {
            return nil
        }
        let meant =
            Suggestion.nearest(to: word, among: known) ?? synonyms[word].flatMap { known.contains($0) ? $0 : nil }
        let hint = meant.map { "did you mean '\($0)'?" } ?? "see `modelsync --help`"
        return CommandFailure(message: "unknown command '\(word)'; \(hint)", status: .usage)
    }

    /// Of this program.
    static var all: [String] {
        ModelSyncCommand.configuration.subcommands.compactMap { $0.configuration.commandName }
    }
}
