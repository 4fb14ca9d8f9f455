import ArgumentParser
import ModelSyncKit

/// What shells offer after a TAB. It is silent whatever goes wrong, changes nothing and reaches no network.
enum Completion {
    static let manifests = CompletionKind.file(extensions: ["yaml", "yml"])

    /// Names of models in the store.
    static let models = CompletionKind.custom { words, _, _ in
        await offered { try await CompletionLine(words).manager.names().map(\.text) }
    }

    /// The files of the model that the line names.
    static let files = CompletionKind.custom { words, index, _ in
        await offered {
            let line = CompletionLine(words)
            guard let text = line.arguments(before: index).first, let name = try? ModelName(text) else { return [] }
            return try await line.manager.metadata(of: name)?.files.map(\.path.text) ?? []
        }
    }

    /// What `--only` takes, from the manifests that the line names, else from the store.
    static let selectors = CompletionKind.custom { words, _, _ in
        await offered {
            let line = CompletionLine(words)
            let loaded = line.manifests.isEmpty ? nil : try await ManifestLoader().load(line.manifests).models
            let models = if let loaded { loaded } else { try await line.manager.list() }
            return models.map(\.name.text) + Set(models.flatMap(\.tags)).sorted().map { "tag:" + $0 }
        }
    }

    /// Bash expands what it is offered: a tag may come from a stranger's manifest, and is only offered if it is plain.
    private static func offered(_ candidates: () async throws -> [String]) async -> [String] {
        let all = (try? await candidates()) ?? []
        let plain = all.filter { !$0.isEmpty && $0.utf8.allSatisfy(isPlain) }
        // Zsh takes what follows a colon for the description.
        return CompletionShell.requesting == .zsh ? plain.map { $0.replacing(":", with: "\\:") } : plain
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "._-/+:@,%".utf8.contains(byte)
        }
    }
}

/// A command line as a shell gives it: words may be quoted.
struct CompletionLine {
    private let words: [String]

    init(_ words: [String]) {
        self.words = words.map(Self.unquoted)
    }

    /// For the store that the line names, else for the default one.
    var manager: ModelManager { ModelManager(store: value(of: "--store")) }

    /// Local files that look like manifests.
    var manifests: [String] {
        words.dropFirst().filter {
            !$0.hasPrefix("-") && ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.contains("://")
        }
    }

    /// What is neither the program, nor its command, nor an option, nor the value of one that `path` takes.
    func arguments(before index: Int) -> [String] {
        var out: [String] = []
        var isValue = false
        for word in words.prefix(index).dropFirst(2) {
            if !isValue, !word.hasPrefix("-") { out.append(word) }
            isValue = Self.takesValue.contains(word)
        }
        return out
    }

    private static let takesValue: Set = ["--store", "--color"]

    private func value(of option: String) -> String? {
        if let joined = words.last(where: { $0.hasPrefix(option + "=") }) {
            return String(joined.dropFirst(option.count + 1))
        }
        guard let place = words.lastIndex(of: option) else { return nil }
        return words.dropFirst(place + 1).first
    }

    /// Without quotes and backslashes, and with the home folder for `~/`.
    private static func unquoted(_ word: String) -> String {
        var out = ""
        var quote: Character?
        var isEscaped = false
        for character in word {
            if isEscaped {
                out.append(character)
                isEscaped = false
            } else if character == "\\", quote != "'" {
                isEscaped = true
            } else if character == quote {
                quote = nil
            } else if quote == nil, character == "'" || character == "\"" {
                quote = character
            } else {
                out.append(character)
            }
        }
        guard word.hasPrefix("~/"), let home = SyncConfiguration().environment("HOME") else { return out }
        return home + out.dropFirst()
    }
}
