import Foundation

/// The JSON Schemas that the project ships, and a validator that is not ours: Python's `jsonschema`.
public enum ReportSchema: String, Sendable {
    case report, plan, diff, list, active, cleaning

    /// A Python that has the validator; nil if none has.
    public static let python: String? = {
        let candidates = [Tool.find("python3"), "/usr/bin/python3"].compactMap { $0 }
        return candidates.first { (try? Tool.run($0, ["-c", "import jsonschema"])) != nil }
    }()

    /// - Parameter files: JSON documents.
    /// - Throws: ``ToolFailure`` that says what does not fit, and where.
    public func validate(files: [String]) throws {
        guard let python = Self.python else { throw ToolFailure("python3 has no module jsonschema: run `make test`") }
        let script = Repository.root + "/Tests/TestSupport/validate_report.py"
        let schema = Repository.root + "/docs/\(rawValue).schema.json"
        guard !files.isEmpty else { throw ToolFailure("there is no document to hold against \(schema)") }
        try Tool.run(python, [script, schema] + files)
    }

    /// The same for a document that is not in a file.
    public func validate(_ text: String) throws {
        try TemporaryFolder.withNow { folder in
            try validate(files: [folder.write(text, to: "\(rawValue).json")])
        }
    }
}
