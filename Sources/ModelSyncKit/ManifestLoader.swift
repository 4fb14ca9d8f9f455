internal import BlobStore
internal import CurlTransfer
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

    /// What to show a person: one line, or one for each issue.
    public var description: String {
        switch self {
        case .notFound(let path): "\(path): no such manifest"
        case .unreadable(let error): error.message
        case .invalid(let issues): issues.description
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
        var drafts: [ManifestDraft] = []
        var issues = ManifestIssues()
        for path in paths {
            let (bytes, base) = try await read(path)
            let shown = path == "-" ? "<stdin>" : SourceURL.isRemote(path) ? SourceURL.redact(path) : path
            // On another core meanwhile: hashing takes a good part of what decoding does.
            async let digest = SHA256Digest(of: bytes)
            var (draft, found) = YAMLManifestDecoder().decode(bytes, path: shown, base: base)
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

    private func read(_ path: String) async throws(ManifestLoadError) -> (bytes: [UInt8], base: URLBase) {
        if SourceURL.isRemote(path) { return try await fetch(path) }
        let folder = configuration.workingFolder
        let absolute = path == "-" ? folder + "/-" : path.hasPrefix("/") ? path : folder + "/" + path
        do throws(SystemFailure) {
            let bytes = try OpenFile.read(path == "-" ? "/dev/stdin" : absolute).readAll(limit: Self.byteLimit)
            return (bytes, .folder(absolute.lastIndex(of: "/").map { String(absolute[..<$0]) } ?? folder))
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
    static func isRemote(_ text: String) -> Bool { text.hasPrefix("https://") || text.hasPrefix("http://") }
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
