import SyncDomain

/// What ends the reading of a document: nothing after it can be told.
struct YAMLFailure: Error {
    var mark: SourceMark
    /// What is wrong and what would be right.
    var message: String

    /// Words for libyaml's `problem` with the bytes that its reader got, and the byte or code point that it is about.
    static func readerMessage(_ problem: String, value: Int) -> String {
        let number = String(value, radix: 16, uppercase: true)
        if problem.hasPrefix("control characters") {
            let code = String(repeating: "0", count: max(0, 4 - number.count)) + number
            return
                "the character U+\(code) is not allowed in YAML; remove it, or write it as an escape in double quotes"
        }
        return "this is not UTF-8 (\(problem)); save the manifest as UTF-8"
    }

    /// Words for what libyaml's scanner or parser found.
    ///
    /// - Parameters:
    ///   - problem: libyaml's words for it.
    ///   - context: its words for what it was reading, and where that begins.
    ///   - isTab: whether a tab stands at the place of the problem.
    /// - Returns: a message with what would be right, where that can be told.
    static func syntaxMessage(_ problem: String, context: (words: String, mark: SourceMark)?, isTab: Bool) -> String {
        var message = "this is not YAML: \(problem)"
        if let context, context.words != "while scanning for the next token" {
            message += " (\(context.words), from line \(context.mark.line))"
        }
        let hint = isTab ? "indent with spaces, never with tabs" : hint(for: problem)
        if let hint { message += "; \(hint)" }
        return message
    }

    private static func hint(for problem: String) -> String? {
        switch problem {
        case "mapping values are not allowed in this context":
            "put a value that has ': ' in it in quotes, and check the indentation"
        case "did not find expected key", "did not find expected '-' indicator":
            "check the indentation of this line and the ones before it"
        case "could not find expected ':'":
            "a key is followed by ': ' and its value"
        case "found character that cannot start any token":
            "put a value that starts with this character in quotes"
        case "found unexpected end of stream":
            "a quote or a bracket is not closed"
        case "found incompatible YAML document":
            "versions 1.1 and 1.2 of YAML can be read"
        default: nil
        }
    }
}
