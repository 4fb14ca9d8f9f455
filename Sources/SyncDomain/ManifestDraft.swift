/// A place in a manifest: both numbers start at 1; columns count characters.
public struct SourceMark: Sendable, Hashable, Comparable {
    /// From 1.
    public var line: Int32
    /// From 1, in characters and not in bytes.
    public var column: Int32

    /// Clamps what is beyond 32 bits.
    public init(line: Int, column: Int) {
        self.line = Int32(clamping: line)
        self.column = Int32(clamping: column)
    }

    /// By line, then by column.
    public static func < (a: SourceMark, b: SourceMark) -> Bool { (a.line, a.column) < (b.line, b.column) }
}

/// A manifest whose values are each valid, and that has not been checked as a whole: what the decoder makes.
public struct ManifestDraft: Sendable {
    /// A model and the marks of what the rules speak about.
    public struct ModelEntry: Sendable {
        /// Its values are valid one by one.
        public var model: Model
        /// Of the name, for what is wrong with the model as a whole.
        public var nameMark: SourceMark
        /// Parallel to `model.files`.
        public var fileMarks: [FileMarks]

        /// Takes the parts as they are; `fileMarks` must be parallel to the model's files.
        public init(model: Model, nameMark: SourceMark, fileMarks: [FileMarks]) {
            self.model = model
            self.nameMark = nameMark
            self.fileMarks = fileMarks
        }
    }

    /// Where a file's values are in the text.
    public struct FileMarks: Sendable {
        /// Of the path, or of the source that it is taken from by default.
        public var path: SourceMark
        /// Of the checksum.
        public var digest: SourceMark

        /// The two places, in one draft.
        public init(path: SourceMark, digest: SourceMark) {
            self.path = path
            self.digest = digest
        }
    }

    /// One entry of `hosts:`.
    public struct HostEntry: Sendable {
        /// Whom the settings are for.
        public var host: HostKey
        /// What the entry says.
        public var settings: HostSettings
        /// Of the host's key.
        public var mark: SourceMark

        /// Takes the parts as they are; hosts that come twice are for the rules to find.
        public init(host: HostKey, settings: HostSettings, mark: SourceMark) {
            self.host = host
            self.settings = settings
            self.mark = mark
        }
    }

    /// As the user named it: the start of every message about it.
    public var path: String
    /// Of the bytes that were decoded; whoever has read them fills it in, and may hash them meanwhile.
    public var sha256: SHA256Digest?
    /// In the manifest's order.
    public var hosts: [HostEntry]
    /// In the manifest's order; names may come twice.
    public var models: [ModelEntry]

    /// Takes the parts as they are.
    public init(path: String, sha256: SHA256Digest? = nil, hosts: [HostEntry] = [], models: [ModelEntry] = []) {
        self.path = path
        self.sha256 = sha256
        self.hosts = hosts
        self.models = models
    }
}

/// One thing that is wrong with a manifest, with its place.
public struct ManifestIssue: Sendable, Hashable, CustomStringConvertible {
    /// The manifest, as the user named it.
    public var path: String
    /// The place that it is about.
    public var mark: SourceMark
    /// What is wrong and what would be right.
    public var message: String

    /// One sentence about one place.
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
    /// More would help nobody, and a hostile manifest has millions.
    public static let maximumKept = 50

    /// In the order found, at most ``maximumKept``.
    public private(set) var kept: [ManifestIssue] = []
    /// Of all, those not kept too.
    public private(set) var count = 0

    /// None yet.
    public init() {}

    /// Counts one more. The message is made only if it is kept: a manifest may have millions of errors.
    public mutating func add(_ path: String, _ mark: SourceMark, _ message: @autoclosure () -> String) {
        count += 1
        if kept.count < Self.maximumKept { kept.append(ManifestIssue(path: path, mark: mark, message: message())) }
    }

    /// Adds another's: all are counted, and kept while there is room.
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
