internal import BlobStore
internal import CurlTransfer
internal import SyncEngine
internal import Synchronization
internal import SystemSupport
internal import YAMLManifest

/// Why manifests could not be taken.
public enum ManifestLoadError: Error, Sendable, CustomStringConvertible {
    /// No file is there.
    case notFound(path: String)
    /// It is there and can't be read or fetched.
    case unreadable(SyncError)
    /// It was read and is wrong: all that is wrong, with places.
    case invalid(ManifestIssues)
    /// A saved plan whose manifests have changed since it was made, or that no one can apply; what and why.
    case stale(String)

    /// What to show a person: one line, or one for each issue.
    public var description: String {
        switch self {
        case .notFound(let path): "\(path): no such manifest"
        case .unreadable(let error): error.message
        case .invalid(let issues): issues.description
        case .stale(let reason): reason
        }
    }
}

/// Reads manifests: local files, standard input, or http(s) URLs.
public struct ManifestLoader: Sendable {
    /// A manifest of more bytes is refused.
    public static let byteLimit = 256 << 20

    private let configuration: SyncConfiguration

    /// - Parameter configuration: says how manifests that are URLs are fetched, and what relative paths are relative to.
    public init(configuration: SyncConfiguration = SyncConfiguration()) {
        self.configuration = configuration
    }

    /// Reads and checks the manifests, each alone and all together. They are named by paths of files; by `-` for standard
    /// input, whose relative URLs are relative to the working folder; or by http(s) URLs.
    ///
    /// - Throws: ``ManifestLoadError``. Of several invalid manifests all errors are told at once.
    public func load(_ paths: [String]) async throws(ManifestLoadError) -> Manifest {
        var documents: [Document] = []
        for path in paths { documents.append(try await read(path)) }
        return try await decode(documents)
    }

    /// Reads both sides of a change for ``ManifestDiff``: relative URLs of the old one are taken as if it were where the
    /// new one is, so that a copy of it elsewhere differs in nothing. The old one may be `/dev/null`: no models.
    ///
    /// - Throws: ``ManifestLoadError``.
    public func loadChange(
        from old: String, to new: String
    ) async throws(ManifestLoadError) -> (old: Manifest, new: Manifest) {
        let after = try await read(new)
        guard old != "/dev/null" else { return (Manifest(applied: []), try await decode([after])) }
        var before = try await read(old)
        before.base = after.base
        return (try await decode([before]), try await decode([after]))
    }

    /// What was named: manifests, or one saved plan.
    public enum Wanted: Sendable {
        /// What must be there.
        case manifest(Manifest)
        /// What was planned for it.
        case plan(SavedPlan)
    }

    /// As ``load(_:)``; or, where one path is all and leads to what `plan --out` wrote, the plan and its manifests.
    ///
    /// - Throws: ``ManifestLoadError``, also for a plan whose manifests are not what they were.
    public func loadWanted(_ paths: [String]) async throws(ManifestLoadError) -> Wanted {
        var documents: [Document] = []
        for path in paths { documents.append(try await read(path)) }
        var plans: [SavedPlan.Stored] = []
        for document in documents {
            guard let plan = try SavedPlan.Stored(document.bytes, document.shown) else { continue }
            if documents.count > 1 { throw .stale("\(document.shown): is a plan, and a plan is applied alone") }
            plans.append(plan)
        }
        guard let plan = plans.first else { return .manifest(try await decode(documents)) }
        if plan.manifests.isEmpty {
            throw .stale("\(documents[0].shown): this plan names no manifest; make a new plan")
        }
        var sources: [Document] = []
        for source in plan.manifests {
            let document: Document
            do throws(ManifestLoadError) { document = try await read(source.path) } catch {
                guard case .notFound = error else { throw error }
                throw .notFound(
                    path: "\(source.path), which \(documents[0].shown) was made of, from the folder where it was made")
            }
            let digest = SHA256Digest(of: document.bytes)
            guard digest.hex == source.sha256 else {
                throw .stale(
                    "\(documents[0].shown): \(source.path) has changed since the plan was made "
                        + "(sha256 got \(digest), expected \(source.sha256)); make a new plan")
            }
            sources.append(document)
        }
        return .plan(SavedPlan(plan, documents[0].shown, for: try await decode(sources)))
    }

    /// Asks every URL of the manifest for its size; nothing is downloaded but a byte.
    ///
    /// - Returns: one answer a URL, in the manifest's order.
    /// - Throws: ``SyncError`` if the network can't be set up.
    public func checkSources(of manifest: Manifest) async throws(SyncError) -> [SourceCheck] {
        let transport = try configuration.makeTransport(hosts: manifest.hosts)
        defer { transport.shutDown() }
        return await SourceChecker(transport: transport, clock: .system).check(manifest)
    }

    /// What was read under one name.
    private struct Document {
        var shown: String
        var bytes: [UInt8]
        var base: URLBase
    }

    private func decode(_ documents: [Document]) async throws(ManifestLoadError) -> Manifest {
        var drafts: [ManifestDraft] = []
        var issues = ManifestIssues()
        for document in documents {
            // On another core meanwhile: hashing takes a good part of what decoding does.
            async let digest = SHA256Digest(of: document.bytes)
            var (draft, found) = await YAMLManifestDecoder()
                .decode(document.bytes, path: document.shown, base: document.base)
            draft.sha256 = await digest
            drafts.append(draft)
            issues.append(found)
        }
        do throws(ManifestIssues) {
            return try Manifest(checking: drafts, issues: issues)
        } catch {
            throw .invalid(error)
        }
    }

    private func read(_ path: String) async throws(ManifestLoadError) -> Document {
        if SourceURL.isRemote(path) {
            let (bytes, base) = try await fetch(path)
            return Document(shown: SourceURL.redact(path), bytes: bytes, base: base)
        }
        let folder = configuration.workingFolder
        let absolute = path == "-" ? folder + "/-" : path.hasPrefix("/") ? path : folder + "/" + path
        do throws(SystemFailure) {
            let bytes = try OpenFile.read(path == "-" ? "/dev/stdin" : absolute).readAll(limit: Self.byteLimit)
            let base = absolute.lastIndex(of: "/").map { String(absolute[..<$0]) } ?? folder
            return Document(shown: path == "-" ? "<stdin>" : path, bytes: bytes, base: .folder(base))
        } catch {
            if error.isNotFound { throw .notFound(path: path) }
            throw .unreadable(SyncError(.storeIO, "\(path): \(error.reason)"))
        }
    }

    private func fetch(_ text: String) async throws(ManifestLoadError) -> (bytes: [UInt8], base: URLBase) {
        let url: SourceURL
        do throws(InvalidValue) { url = try SourceURL(text) } catch {
            throw .unreadable(SyncError(.policyScheme, "\(SourceURL.redact(text)): \(error.reason)"))
        }
        guard !configuration.options.isOffline else {
            throw .unreadable(
                SyncError(.offline, "\(url): a manifest can't be fetched with --offline; name a local copy"))
        }
        let sink = MemorySink(limit: Self.byteLimit, subject: url.redacted)
        do throws(SyncError) {
            let transport = try configuration.makeTransport(hosts: [:])
            defer { transport.shutDown() }
            let request = TransferRequest(url: url, expectedSize: nil, subject: url.redacted)
            if let error = await transport.transfer(request, into: sink).error { throw error }
        } catch {
            if error.code == .httpNotFound { throw .notFound(path: url.redacted) }
            throw .unreadable(error)
        }
        return (sink.bytes, .url(url))
    }
}

extension SourceURL {
    /// Whether a command's argument is a URL and no path.
    static func isRemote(_ text: String) -> Bool {
        let start = text.prefix(8).lowercased()
        return start.hasPrefix("https://") || start.hasPrefix("http://")
    }
}

/// Takes a small document into memory.
private final class MemorySink: TransferSink {
    private let limit: Int
    private let subject: String
    private let state = Mutex<[UInt8]>([])

    init(limit: Int, subject: String) {
        self.limit = limit
        self.subject = subject
    }

    var bytes: [UInt8] { state.withLock { $0 } }

    func begin(at offset: Int64, validator: Validator?) throws(SyncError) {
        state.withLock { $0.removeAll() }
    }

    func write(_ bytes: RawSpan) throws(SyncError) {
        let isTooLong = state.withLock { state in
            unsafe bytes.withUnsafeBytes { unsafe state.append(contentsOf: $0) }
            return state.count > limit
        }
        if isTooLong { throw SyncError(.sizeMismatch, "\(subject): a manifest has at most \(limit) bytes") }
    }
}
