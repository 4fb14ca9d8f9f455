/// A place in a manifest: both numbers start at 1; columns count characters.
public struct SourceMark: Sendable, Hashable, Comparable {
    public var line: Int32
    public var column: Int32

    public init(line: Int, column: Int) {
        self.line = Int32(clamping: line)
        self.column = Int32(clamping: column)
    }

    public static func < (a: SourceMark, b: SourceMark) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// A manifest whose values are each valid, and that has not been checked as a whole: what the decoder makes.
public struct ManifestDraft: Sendable {
    /// A model and the marks of what the rules speak about.
    public struct ModelEntry: Sendable {
        public var model: Model
        public var nameMark: SourceMark
        /// Parallel to `model.files`.
        public var fileMarks: [FileMarks]

        public init(model: Model, nameMark: SourceMark, fileMarks: [FileMarks]) {
            self.model = model
            self.nameMark = nameMark
            self.fileMarks = fileMarks
        }
    }

    public struct FileMarks: Sendable {
        public var path: SourceMark
        public var digest: SourceMark

        public init(path: SourceMark, digest: SourceMark) {
            self.path = path
            self.digest = digest
        }
    }

    public struct HostEntry: Sendable {
        public var host: HostKey
        public var settings: HostSettings
        public var mark: SourceMark

        public init(host: HostKey, settings: HostSettings, mark: SourceMark) {
            self.host = host
            self.settings = settings
            self.mark = mark
        }
    }

    /// As the user named it: the start of every message about it.
    public var path: String
    /// Of the bytes that were decoded.
    public var sha256: SHA256Digest
    public var hosts: [HostEntry]
    public var models: [ModelEntry]

    public init(path: String, sha256: SHA256Digest, hosts: [HostEntry] = [], models: [ModelEntry] = []) {
        self.path = path
        self.sha256 = sha256
        self.hosts = hosts
        self.models = models
    }
}

/// One thing that is wrong with a manifest, with its place.
public struct ManifestIssue: Sendable, Hashable, CustomStringConvertible {
    public var path: String
    public var mark: SourceMark
    /// What is wrong and what would be right.
    public var message: String

    public init(path: String, mark: SourceMark, message: String) {
        self.path = path
        self.mark = mark
        self.message = message
    }

    /// `path:line:column: message`
    public var description: String { "\(path):\(mark.line):\(mark.column): \(message)" }
}

/// All that is wrong with the manifests of a run: the first ``maximumKept`` and how many there are in all.
public struct ManifestIssues: Error, Sendable, CustomStringConvertible {
    public static let maximumKept = 50

    public private(set) var kept: [ManifestIssue] = []
    /// Of all, those not kept too.
    public private(set) var count = 0

    public init() {}

    /// - Parameter message: made only if it is kept: a manifest may have millions of errors.
    public mutating func add(_ path: String, _ mark: SourceMark, _ message: @autoclosure () -> String) {
        count += 1
        if kept.count < Self.maximumKept { kept.append(ManifestIssue(path: path, mark: mark, message: message())) }
    }

    public mutating func append(_ other: ManifestIssues) {
        kept += other.kept.prefix(Self.maximumKept - kept.count)
        count += other.count
    }

    /// By file in order of first appearance, then by place.
    func sorted() -> ManifestIssues {
        var order: [String: Int] = [:]
        for issue in kept where order[issue.path] == nil { order[issue.path] = order.count }
        var copy = self
        copy.kept.sort { a, b in
            a.path == b.path ? a.mark < b.mark : (order[a.path] ?? 0) < (order[b.path] ?? 0)
        }
        return copy
    }

    /// A line each, then how many more there are.
    public var description: String {
        var lines = kept.map(\.description)
        let more = count - kept.count
        if more > 0 { lines.append("and \(more) more \(more == 1 ? "error" : "errors")") }
        return lines.joined(separator: "\n")
    }
}
