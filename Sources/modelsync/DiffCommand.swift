import ArgumentParser
import ModelSyncKit

struct DiffCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "Tell what a change of manifest means. Looks at no store.",
        discussion: """
            Relative URLs of OLD are taken as if it were where NEW is. /dev/null for OLD is a manifest with no models.

            Examples:
              git show main:models.yaml > old.yaml && modelsync diff old.yaml models.yaml
              modelsync diff old.yaml models.yaml --format markdown > comment.md
            """)

    @Argument(
        help: ArgumentHelp("The manifest as it was; - for standard input.", valueName: "old"),
        completion: Completion.manifests)
    var old: String

    @Argument(help: ArgumentHelp("The manifest as it is to be.", valueName: "new"), completion: Completion.manifests)
    var new: String

    @OptionGroup var global: GlobalOptions
    @OptionGroup var network: NetworkOptions

    @Option(help: "text, markdown or json.")
    var format = ReviewFormat.text

    func run() async throws {
        var configuration = SyncConfiguration()
        network.apply(to: &configuration)
        let (before, after) = try await ManifestLoader(configuration: configuration).loadChange(from: old, to: new)
        let diff = ManifestDiff(from: before.models, to: after.models)
        switch format {
        case .json: Console.write(diff.json(old: before.sources, new: after.sources))
        case .markdown: Console.write(Array(ReviewMarkdown.text(of: diff).utf8))
        case .text: DiffText(diff: diff).print()
        }
    }
}

/// How what is to be reviewed is printed.
enum ReviewFormat: String, ExpressibleByArgument, CaseIterable {
    case text, markdown, json
}

/// A difference for people at a terminal.
struct DiffText {
    let diff: ManifestDiff

    func print() {
        for model in diff.models {
            Console.print(DisplayText.clean(headline(model)))
            for file in model.files { Console.print("  " + DisplayText.clean(line(file))) }
        }
        if !diff.newHosts.isEmpty {
            Console.print(DisplayText.clean("new source hosts: \(diff.newHosts.joined(separator: ", "))"))
        }
        let code = diff.codeFiles.count
        if code > 0 {
            Console.print(
                "\(ManifestText.count(code, "new file")) can run code when loaded: review where they come from")
        }
        Console.print(diff.summary)
    }

    private func headline(_ model: ManifestDiff.Entry) -> String {
        var facts: [String] = []
        for (name, key) in [("version", \Model.version), ("licence", \Model.license)] {
            let (before, after) = (model.before?[keyPath: key], model.after?[keyPath: key])
            if model.change == .changed, before != after {
                facts.append("\(name) \(before ?? "none") -> \(after ?? "none")")
            } else if model.change != .changed, let value = after ?? before {
                facts.append("\(name) \(value)")
            }
        }
        let others = model.changedFacts.filter { !["version", "license"].contains($0) }
        if !others.isEmpty { facts.append("other \(others.joined(separator: ", "))") }
        facts.append(model.bytesText)
        return "\(model.change.sign) \(model.name): \(facts.joined(separator: "; "))"
    }

    private func line(_ file: ManifestDiff.File) -> String {
        var text = "\(file.change.sign) \(file.path?.text ?? "") (\(file.bytesText))"
        if file.change == .sources { text += ": the same bytes from other sources" }
        if file.bringsCode { text += ": can run code when loaded" }
        return text
    }
}

extension ManifestDiff {
    /// The new files of formats that can run code, with the models that they are in.
    var codeFiles: [(model: String, path: String)] {
        models.flatMap { model in
            model.files.filter(\.bringsCode).map { (model.name, $0.path?.text ?? "") }
        }
    }

    var summary: String {
        if models.isEmpty { return "no model is added, removed or changed" }
        let parts = Change.allCases.compactMap { change in counts[change].map { "\($0) \(change.rawValue)" } }
        return "\(ManifestText.count(models.count, "model")): \(parts.joined(separator: ", ")); "
            + "\(HumanFormat.bytes(bytesNew)) of new bytes"
    }
}

extension ManifestDiff.Change {
    var sign: String {
        switch self {
        case .added: "+"
        case .changed: "~"
        case .removed: "-"
        }
    }
}

extension ManifestDiff.FileChange {
    var sign: String {
        switch self {
        case .added: "+"
        case .changed: "~"
        case .removed: "-"
        case .sources: "="
        }
    }
}

extension ManifestDiff.Entry {
    /// `84.1 MB`, or `84.1 MB -> 90.0 MB`.
    var bytesText: String { Self.text(before?.size, after?.size) }

    static func text(_ before: Int64?, _ after: Int64?) -> String {
        guard let before, let after, before != after else { return HumanFormat.bytes(after ?? before ?? 0) }
        return "\(HumanFormat.bytes(before)) -> \(HumanFormat.bytes(after))"
    }
}

extension ManifestDiff.File {
    var bytesText: String { ManifestDiff.Entry.text(before?.size, after?.size) }
}
