/// One path inside a model, with the bytes that must be there and where they can be had.
public struct ModelFile: Sendable, Hashable {
    /// Where it is in the model's folder.
    public var path: RelativePath
    /// Bytes, exact.
    public var size: Int64
    /// Of the whole file: its identity in the store.
    public var sha256: SHA256Digest
    /// Never empty: the first is the origin, the others are mirrors.
    public var sources: [SourceURL]

    /// Takes the parts as they are: that they fit together is for ``Manifest`` to check.
    public init(path: RelativePath, size: Int64, sha256: SHA256Digest, sources: [SourceURL]) {
        self.path = path
        self.size = size
        self.sha256 = sha256
        self.sources = sources
    }
}

/// A named set of files, and what is known about it.
public struct Model: Sendable, Hashable {
    /// Unique in a manifest; its folder's place below the store's models.
    public var name: ModelName
    /// For people and for tools that read it; nothing is decided by it. Nil where the manifest does not say.
    public var version: String?
    /// What the model is, in the manifest's words.
    public var description: String?
    /// As the manifest writes it, often an SPDX identifier.
    public var license: String?
    /// Where to read about it. Never fetched.
    public var homepage: String?
    /// What `tag:NAME` selects by.
    public var tags: [String]
    /// In the manifest's order.
    public var files: [ModelFile]

    /// Takes the parts as they are: that they fit together is for ``Manifest`` to check.
    public init(
        name: ModelName, version: String? = nil, description: String? = nil, license: String? = nil,
        homepage: String? = nil, tags: [String] = [], files: [ModelFile] = []
    ) {
        self.name = name
        self.version = version
        self.description = description
        self.license = license
        self.homepage = homepage
        self.tags = tags
        self.files = files
    }

    /// What is known about it in words, by the manifest's keys and in their order; nil for what the manifest left out.
    public var facts: [(key: String, value: String?)] {
        [("version", version), ("description", description), ("license", license), ("homepage", homepage)]
    }

    /// The sum of the sizes of its files, in bytes.
    public var size: Int64 { files.reduce(0) { $0 + $1.size } }
}

/// What to know about a host; never a secret itself.
public struct HostSettings: Sendable, Hashable {
    /// The name of the environment variable that holds the bearer token for this host and port alone.
    public var bearerVariable: String?
    /// Most connections to this host at once, and most requests where small files share one; nil for no bound of its own.
    public var connections: Int?

    /// With neither, as for a host that the manifest does not name.
    public init(bearerVariable: String? = nil, connections: Int? = nil) {
        self.bearerVariable = bearerVariable
        self.connections = connections
    }
}

/// A manifest as it was read: for the report.
public struct ManifestSource: Sendable, Hashable {
    /// As the user named it, redacted if it is a URL; `<stdin>` for standard input.
    public var path: String
    /// Of its bytes.
    public var sha256: SHA256Digest

    /// The name and the digest of what was read under it.
    public init(path: String, sha256: SHA256Digest) {
        self.path = path
        self.sha256 = sha256
    }
}

/// The models that must be there: one valid manifest, or several taken together.
public struct Manifest: Sendable {
    /// What it was read from, in the order given. Empty for one made of records.
    public private(set) var sources: [ManifestSource]
    /// Of all its files together.
    public private(set) var hosts: [HostKey: HostSettings]
    /// In the order of the manifests and of the models in each; no name comes twice.
    public private(set) var models: [Model]
    /// False where each file's digest is known to be its own: then nothing has to be looked up by digest.
    public private(set) var mayShareDigests: Bool

    /// Checks the drafts one by one and together.
    ///
    /// - Parameters:
    ///   - drafts: in the order in which the user named them.
    ///   - issues: what the decoder found already; sorted in with what is found here.
    /// - Throws: ``ManifestIssues`` with everything that is wrong, if anything is.
    public init(checking drafts: [ManifestDraft], issues: ManifestIssues = ManifestIssues()) throws(ManifestIssues) {
        let rules = ManifestRules(checking: drafts, issues: issues)
        guard rules.issues.count == 0 else { throw rules.issues.sorted() }
        sources = drafts.compactMap { draft in draft.sha256.map { ManifestSource(path: draft.path, sha256: $0) } }
        hosts = rules.hosts
        models = drafts.flatMap { $0.models.map(\.model) }
        mayShareDigests = rules.hasSharedDigests
    }

    /// Models that are known to be valid, as the store's records hold them; with no source and no host settings.
    public init(applied models: [Model]) {
        sources = []
        hosts = [:]
        self.models = models
        mayShareDigests = true
    }

    /// Models that are to go from the store: in ``models`` they have no files.
    public private(set) var unwanted: Set<ModelName> = []

    /// The same manifest, and these models, which it must not have, are to go from the store.
    public func removing(_ names: some Sequence<ModelName>) -> Manifest {
        var copy = self
        copy.unwanted.formUnion(names)
        copy.models += names.map { Model(name: $0) }
        return copy
    }

    /// The same manifest with the models that `isIncluded` picks.
    public func filter(_ isIncluded: (Model) -> Bool) -> Manifest {
        var copy = self
        copy.models = models.filter(isIncluded)
        return copy
    }
}

/// What `--only` takes: a glob on model names, or `tag:NAME`.
public struct ModelSelector: Sendable, Hashable {
    private enum Kind: Hashable {
        case tag(String)
        case glob([UInt8])
    }
    private let kind: Kind

    /// - Parameter text: `tag:NAME`, or a glob in which `*` is any run of characters, also over `/`, and `?` any one.
    public init(_ text: String) {
        kind = text.hasPrefix("tag:") ? .tag(String(text.dropFirst(4))) : .glob(Array(text.utf8))
    }

    /// Whether it picks the model: the case of letters counts.
    public func matches(_ model: Model) -> Bool {
        switch kind {
        case .tag(let tag): model.tags.contains(tag)
        case .glob(let pattern): Self.matches(pattern, Array(model.name.text.utf8))
        }
    }

    /// Greedy with one step back to the last star: linear in the product, never exponential.
    private static func matches(_ pattern: [UInt8], _ text: [UInt8]) -> Bool {
        var (p, t) = (0, 0)
        var lastStar: (pattern: Int, text: Int)?
        while t < text.count {
            if p < pattern.count, pattern[p] == UInt8(ascii: "*") {
                lastStar = (p, t)
                p += 1
            } else if p < pattern.count, pattern[p] == UInt8(ascii: "?") || pattern[p] == text[t] {
                p += 1
                t += 1
            } else if let star = lastStar {
                lastStar = (star.pattern, star.text + 1)
                (p, t) = (star.pattern + 1, star.text + 1)
            } else {
                return false
            }
        }
        return pattern[p...].allSatisfy { $0 == UInt8(ascii: "*") }
    }
}
