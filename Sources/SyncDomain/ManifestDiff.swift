/// What a change of manifest means, with no look at any store: for whoever reviews it. Pure.
public struct ManifestDiff: Sendable {
    /// The name of the JSON form and its version.
    public static let schema = "modelsync.diff/1"

    /// What became of a model.
    public enum Change: String, Sendable, Hashable, CaseIterable {
        case added, changed, removed
    }

    /// What became of a file.
    public enum FileChange: String, Sendable, Hashable, CaseIterable {
        /// `changed` is other bytes under the same path; `sources` the same bytes from elsewhere.
        case added, changed, removed, sources
    }

    /// One path whose entry is not what it was.
    public struct File: Sendable {
        /// What became of it.
        public var change: FileChange
        /// Nil where it was not there.
        public var before: ModelFile?
        /// Nil where it is gone.
        public var after: ModelFile?

        /// Inside the model.
        public var path: RelativePath? { (after ?? before)?.path }
        /// Bytes that the old manifest did not have, in a format that can run code when it is loaded.
        public var bringsCode = false
    }

    /// One model whose entry is not what it was.
    public struct Entry: Sendable {
        /// What became of it.
        public var change: Change
        /// Nil where it was not there.
        public var before: Model?
        /// Nil where it is gone.
        public var after: Model?
        /// In the order of the new entry, then what it dropped.
        public var files: [File]

        /// The model's name.
        public var name: String { (after ?? before)?.name.text ?? "" }
        /// The manifest's keys, of those that say what the model is, whose values differ.
        public var changedFacts: [String] {
            guard let before, let after else { return [] }
            let keys = zip(before.facts, after.facts).compactMap { $0.value == $1.value ? nil : $0.key }
            return keys + (before.tags == after.tags ? [] : ["tags"])
        }
    }

    /// In the order of the new manifest, then what it dropped. Models that are what they were are not there.
    public var models: [Entry]
    /// Hosts that files come from now and did not come from before, sorted; with their port where it is not the default.
    public var newHosts: [String]
    /// Bytes of files that the old manifest had under no path: what a store that holds the old one has to fetch.
    public var bytesNew: Int64

    /// Compares. Both must be valid, as those of a ``Manifest`` are.
    public init(from old: [Model], to new: [Model]) {
        let before = Dictionary(old.map { ($0.name, $0) }) { first, _ in first }
        let names = Set(new.map(\.name))
        models = new.compactMap { Self.entry(before[$0.name], $0) }
        models += old.filter { !names.contains($0.name) }.compactMap { Self.entry($0, nil) }
        let old = old.flatMap(\.files)
        let reviewed = Set(old.lazy.filter(\.path.canRunCode).map(\.sha256))
        for model in models.indices {
            for file in models[model].files.indices {
                guard let after = models[model].files[file].after else { continue }
                models[model].files[file].bringsCode = after.path.canRunCode && !reviewed.contains(after.sha256)
            }
        }
        newHosts = Self.hosts(new.flatMap(\.files)).subtracting(Self.hosts(old)).sorted()
        var known = Set(old.map(\.sha256))
        bytesNew = 0
        for file in new.flatMap(\.files) where known.insert(file.sha256).inserted { bytesNew += file.size }
    }

    /// How many models have each change.
    public var counts: [Change: Int] {
        var out: [Change: Int] = [:]
        for model in models { out[model.change, default: 0] += 1 }
        return out
    }

    private static func entry(_ before: Model?, _ after: Model?) -> Entry? {
        guard let before, let after else {
            let change = before == nil ? Change.added : .removed
            return Entry(change: change, before: before, after: after, files: files(before, after))
        }
        return before == after
            ? nil : Entry(change: .changed, before: before, after: after, files: files(before, after))
    }

    private static func files(_ before: Model?, _ after: Model?) -> [File] {
        let old = Dictionary((before?.files ?? []).map { ($0.path, $0) }) { first, _ in first }
        let paths = Set((after?.files ?? []).map(\.path))
        let kept = (after?.files ?? []).compactMap { file -> File? in
            guard let was = old[file.path] else { return File(change: .added, after: file) }
            if was == file { return nil }
            let isSame = was.sha256 == file.sha256 && was.size == file.size
            return File(change: isSame ? .sources : .changed, before: was, after: file)
        }
        let gone = (before?.files ?? []).filter { !paths.contains($0.path) }
        return kept + gone.map { File(change: .removed, before: $0) }
    }

    private static func hosts(_ files: [ModelFile]) -> Set<String> {
        Set(files.flatMap { $0.sources.compactMap(\.shownHost) })
    }
}

extension SourceURL {
    /// The host, with its port where that is not the scheme's own; nil for `file`.
    fileprivate var shownHost: String? {
        guard let key = host else { return nil }
        return key.port == scheme.defaultPort ? key.host : key.description
    }
}

extension RelativePath {
    /// Formats that are, or often are, Python pickles: loading one runs whatever code it names.
    private static let codeExtensions: Set<String> = ["pt", "pth", "th", "bin", "ckpt", "pkl"]

    /// Whether programs that load a file of this name may run code that it holds, by its extension alone.
    public var canRunCode: Bool {
        guard let dot = text.utf8.lastIndex(of: UInt8(ascii: ".")) else { return false }
        return Self.codeExtensions.contains(text[text.utf8.index(after: dot)...].lowercased())
    }
}
