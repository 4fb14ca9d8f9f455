import Foundation

/// A report as a user's script reads it.
public struct Report: Decodable, Sendable {
    public struct Failure: Decodable, Sendable {
        public let code: String
        public let message: String
        public let retryable: Bool
        public let diagnosis: String?
    }

    public struct Attempt: Decodable, Sendable {
        public let url: String
        public let bytes: Int
        public let http_status: Int?
        public let error: Failure?
    }

    public struct Result: Decodable, Sendable {
        public let model: String
        public let path: String
        public let sha256: String?
        public let size: Int
        public let outcome: String
        public let success: Bool
        public let file: String?
        public let source: String?
        public let bytes_downloaded: Int?
        public let bytes_resumed: Int?
        public let attempts: [Attempt]?
        public let error: Failure?

        /// `model/path`
        public var name: String { model + "/" + path }
    }

    public let outcome: String
    public let summary: [String: Int]
    public let oldest_verification: String?
    public let results: [Result]
    public let error: Failure?

    /// The one result of that name.
    public func result(_ name: String) throws -> Result {
        let found = results.filter { $0.name == name }
        guard found.count == 1, let result = found.first else {
            throw ToolFailure("\(found.count) results for \(name) among \(results.map(\.name))")
        }
        return result
    }

    /// The names of the results with that outcome, sorted.
    public func names(_ outcome: String) -> [String] {
        results.filter { $0.outcome == outcome }.map(\.name).sorted()
    }

    /// Reads a report and holds it against the schema.
    public static func read(_ path: String) throws -> Report {
        try ReportSchema.report.validate(files: [path])
        return try decode(path)
    }

    /// Reads a report alone.
    public static func decode(_ path: String) throws -> Report {
        try JSONDecoder().decode(Report.self, from: Data(contentsOf: URL(fileURLWithPath: path)))
    }
}

/// A plan as a user's script reads it.
public struct PlanDocument: Decodable, Sendable {
    public struct Item: Decodable, Sendable {
        public let model: String
        public let path: String
        public let action: String
        public let reason: String
        public let bytes_to_fetch: Int
        public let bytes_partial: Int

        /// `model/path`
        public var name: String { model + "/" + path }
    }

    public let items: [Item]
    public let summary: [String: Int]

    /// The names of the items with that action, sorted.
    public func names(_ action: String) -> [String] { items.filter { $0.action == action }.map(\.name).sorted() }

    /// Reads what `plan --format json` printed and holds it against the schema.
    public static func read(_ text: String) throws -> PlanDocument {
        try ReportSchema.plan.validate(text)
        return try JSONDecoder().decode(PlanDocument.self, from: Data(text.utf8))
    }
}
