/// The bytes of a manifest to a draft: implemented by YAMLManifest.
public protocol ManifestDecoding: Sendable {
    /// Decodes one manifest, with no look at any other. Pure: it reads nothing but `bytes`.
    ///
    /// - Parameters:
    ///   - bytes: the whole document, UTF-8.
    ///   - path: as the user named it, for messages.
    ///   - base: what relative URLs are relative to.
    /// - Returns: everything that could be decoded, and everything that is wrong. Where there are issues the draft
    ///   lacks the entries that they are about; check it all the same, so that all errors are told in one go.
    func decode(_ bytes: [UInt8], path: String, base: URLBase) async -> (draft: ManifestDraft, issues: ManifestIssues)
}

/// A strong validator of one version of a resource (RFC 9110 section 8.8), for If-Range.
public struct Validator: Sendable, Hashable {
    /// A strong entity tag, with its quotes.
    public var entityTag: String

    /// Nil for a weak tag (`W/"…"`), which must not be used with ranges, or for what is no tag.
    public init?(entityTag: String) {
        guard entityTag.utf8.first == UInt8(ascii: "\""), entityTag.utf8.last == UInt8(ascii: "\""),
            entityTag.utf8.count >= 2, entityTag.utf8.allSatisfy({ $0 > 0x1F && $0 != 0x7F })
        else { return nil }
        self.entityTag = entityTag
    }
}

/// One request for the bytes of one file from one source.
public struct TransferRequest: Sendable {
    /// Where to ask. May hold secrets in its query.
    public var url: SourceURL
    /// What the source must have: any other declared length is refused before the bytes. Nil where it is not known,
    /// as for a manifest that is itself fetched.
    public var expectedSize: Int64?
    /// Bytes that are there already: a range from here on is asked for where this is not 0.
    public var offset: Int64
    /// Where the range that is asked for ends; nil for the end of the file.
    public var end: Int64?
    /// What the bytes that are there came from, if they came from this source.
    public var validator: Validator?
    /// For messages: the model and path that this is about.
    public var subject: String

    /// The whole resource, unless an offset or an end is given.
    public init(
        url: SourceURL, expectedSize: Int64?, offset: Int64 = 0, end: Int64? = nil, validator: Validator? = nil,
        subject: String
    ) {
        self.url = url
        self.expectedSize = expectedSize
        self.offset = offset
        self.end = end
        self.validator = validator
        self.subject = subject
    }

    /// Bytes of the largest file that is small.
    private static let smallBytes: Int64 = 1 << 20

    /// Whether a file of so many bytes would rather share a connection with others than open one.
    package static func isSmall(_ size: Int64) -> Bool { size <= smallBytes }

    /// Whether it is for a small file: ``isSmall(_:)``.
    package var isSmall: Bool { expectedSize.map(Self.isSmall) ?? false }
}

/// Where a transfer puts its bytes. Called on one thread at a time, never after ``Transferring/transfer(_:into:)`` has
/// returned.
public protocol TransferSink: AnyObject, Sendable {
    /// The source answered with the bytes from `offset` on: either the request's offset, or 0, which drops what is
    /// there (the source ignores ranges, or has another version). `validator` is of the version that the source sends,
    /// to ask for the rest of it later; nil if it gave no strong one.
    ///
    /// Throwing ends the transfer with that error.
    func begin(at offset: Int64, validator: Validator?) throws(SyncError)
    /// The next bytes, in order. Throwing ends the transfer with that error.
    func write(_ bytes: RawSpan) throws(SyncError)
}

/// How one request ended.
public struct TransferOutcome: Sendable {
    /// Nil where all bytes of the answer arrived; whether they are the right ones is not the transport's to say.
    public var error: SyncError?
    /// Of the last response; nil if none came, or for `file` URLs.
    public var httpStatus: Int?
    /// Body bytes that were handed to the sink.
    public var bytes: Int64
    /// What the server asked for by Retry-After (RFC 9110 section 10.2.3), never negative.
    public var retryAfter: Duration?
    /// The partial bytes can't be continued from this source: drop them and start from scratch.
    public var mustRestart: Bool
    /// Bytes of the whole file as the source declares them; nil where it does not.
    public var declaredSize: Int64?
    /// The media type that the last response declared, for the diagnosis of wrong bytes.
    public var contentType: String?
    /// Up to 512 bytes of the body from its start, if the answer started there: for the diagnosis of wrong bytes.
    public var firstBytes: [UInt8]
    /// The connection is one that several requests share at once (HTTP/2); of all hops, where there were redirects.
    public var isMultiplexed: Bool

    /// All bytes arrived and there were none, unless it is said.
    public init(
        error: SyncError? = nil, httpStatus: Int? = nil, bytes: Int64 = 0, retryAfter: Duration? = nil,
        mustRestart: Bool = false, declaredSize: Int64? = nil, contentType: String? = nil, firstBytes: [UInt8] = [],
        isMultiplexed: Bool = false
    ) {
        self.error = error
        self.httpStatus = httpStatus
        self.bytes = bytes
        self.retryAfter = retryAfter
        self.mustRestart = mustRestart
        self.declaredSize = declaredSize
        self.contentType = contentType
        self.firstBytes = firstBytes
        self.isMultiplexed = isMultiplexed
    }
}

/// URL to bytes into a sink: implemented by CurlTransfer.
public protocol Transferring: Sendable {
    /// Makes one request, following redirects by the rules, with no retry.
    ///
    /// Cancelling the task ends the transfer within a second with the code `cancelled`, also when it was cancelled
    /// before this was called: then no socket is opened. Any number may run at once.
    func transfer(_ request: TransferRequest, into sink: any TransferSink) async -> TransferOutcome
}

/// The secrets of a run, by host. Printing it prints none of them.
public struct Credentials: Sendable, CustomStringConvertible {
    /// The secret of one host.
    public struct Entry: Sendable {
        /// Whom alone it may be sent to.
        public var host: HostKey
        /// The environment variable that the manifest names.
        public var variable: String
        /// Nil where the variable is not set: no error until the host answers 401 or 403.
        public var token: String?
    }

    private let entries: [Entry]

    /// Reads the variables that the hosts name, now and never again. `environment` answers with a variable's value, or
    /// nil; empty values count as not set.
    public init(hosts: [HostKey: HostSettings] = [:], environment: (String) -> String? = { _ in nil }) {
        entries = hosts.compactMap { host, settings in
            settings.bearerVariable.map { variable in
                let value = environment(variable)
                return Entry(host: host, variable: variable, token: value?.isEmpty == false ? value : nil)
            }
        }
    }

    /// The entry for exactly the host and port of the URL, and no other.
    public func entry(for url: SourceURL) -> Entry? {
        guard let host = url.host else { return nil }
        // "host:port" before "host", should both be there for a default port.
        let covering = entries.filter { $0.host.covers(host, over: url.scheme) }
        return covering.max { ($0.host.port ?? 0) < ($1.host.port ?? 0) }
    }

    /// How many there are, and nothing of them.
    public var description: String { "Credentials(\(entries.count) hosts)" }
}
