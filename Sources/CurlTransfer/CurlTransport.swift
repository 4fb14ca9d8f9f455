internal import CCurl
internal import Glibc
public import SyncDomain
internal import SystemSupport

/// URLs to bytes over libcurl: `https` and `http` on one thread of its own, `file` on a few others.
///
/// Any number of transfers may run at once, from any threads; how many is for the caller to bound. Connections are kept
/// and shared between them. It makes no retries and keeps no state of files.
public final class CurlTransport: Transferring, Sendable {
    /// What is the same for all transfers of one transport.
    public struct Options: Sendable {
        /// Most time for a name to be resolved and a connection to be made, TLS included. Rounded up to milliseconds.
        public var connectTimeout: Duration
        /// How long a transfer may go with under 1 byte/s before it ends as stalled. Rounded up to seconds, at least 1.
        public var stallTimeout: Duration
        /// A PEM file of authorities to trust; nil for `$SSL_CERT_FILE`, or else the system's.
        public var caFile: String?
        /// A PEM file with a certificate of this side, for servers that ask for one; nil for none.
        public var clientCertificate: String?
        /// A PEM file with its key, without a pass phrase; nil for the same file.
        public var clientKey: String?
        /// A proxy's URL, as CURLOPT_PROXY(3) takes it; nil for `http_proxy`, `https_proxy` and `no_proxy`.
        public var proxy: String?
        /// A file in the format of netrc(5); nil for `~/.netrc`. It need not be there.
        public var netrcFile: String?
        /// Whether that file was there when the transport was made.
        var hasNetrc = true
        /// Bytes a second, over all transfers of `https` and `http` together; nil for no limit. With one they all speak
        /// HTTP/1.1, and the timeouts are longer by what 1 MiB takes at the rate.
        public var limitRate: Int64?
        /// The value of User-Agent: printable ASCII.
        public var userAgent: String
        /// Tokens, each for its own host and port alone. A host that has none gets what the netrc file says of it.
        public var credentials: Credentials

        /// All as users expect it who have said nothing.
        public init(
            connectTimeout: Duration = .seconds(30), stallTimeout: Duration = .seconds(30), caFile: String? = nil,
            clientCertificate: String? = nil, clientKey: String? = nil, proxy: String? = nil,
            netrcFile: String? = nil, limitRate: Int64? = nil, userAgent: String = "modelsync",
            credentials: Credentials = Credentials()
        ) {
            self.connectTimeout = connectTimeout
            self.stallTimeout = stallTimeout
            self.caFile = caFile
            self.clientCertificate = clientCertificate
            self.clientKey = clientKey
            self.proxy = proxy
            self.netrcFile = netrcFile
            self.limitRate = limitRate
            self.userAgent = userAgent
            self.credentials = credentials
        }
    }

    private let mailbox: Mailbox
    private let thread: WorkerThread
    private let files: LocalFileTransport

    /// Starts the thread; opens no connection. The environment is read here and not later.
    ///
    /// - Throws: ``SyncError`` with the code `protocol` if libcurl can't be set up.
    public init(options: Options = Options()) throws(SyncError) {
        var options = options
        // Debian's libcurl has a file compiled in, and so does not ask OpenSSL, which would read this variable.
        options.caFile = options.caFile ?? Self.environment("SSL_CERT_FILE")
        // Looked for once: libcurl would look for each request.
        let netrc = options.netrcFile ?? Self.environment("HOME").map { "\($0)/.netrc" }
        options.hasNetrc = netrc.map { unsafe access($0, R_OK) == 0 } ?? true
        guard Library.isReady, let raw = unsafe curl_multi_init() else {
            throw SyncError(
                .protocolViolation, "libcurl could not be set up; check its installation and the free memory")
        }
        let multi = unsafe MultiHandle(raw: raw)
        let mailbox = Mailbox(waking: multi)
        self.mailbox = mailbox
        // Where cores are short the hashing, which takes longer than anything else, goes first, and the network waits: a
        // single file of 4 GiB came 5 to 7% sooner.
        thread = WorkerThread(name: "curl", niceness: 10, steppingAsideFor: .process) { [options] in
            TransferLoop(multi, mailbox, options).run()
        }
        files = LocalFileTransport()
    }

    deinit {
        shutDown()
    }

    /// Ends all transfers as cancelled, closes all connections, and waits for the threads to end: milliseconds, unless
    /// a sink or a disk blocks. A second call returns at once or with the first. Not from within a sink.
    ///
    /// To be called before the process exits: libcurl and OpenSSL must not be at work while `exit` takes them down.
    public func shutDown() {
        mailbox.close()
        files.shutDown()
        thread.join()
    }

    /// Makes one request, following redirects by the rules, with no retry; see ``Transferring``.
    ///
    /// After ``shutDown()`` it returns the code `cancelled`.
    public func transfer(_ request: TransferRequest, into sink: any TransferSink) async -> TransferOutcome {
        if request.url.scheme == .file { return await files.transfer(request, into: sink) }
        let id = mailbox.reserve()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                mailbox.submit(id, TransferJob(request: request, sink: sink, continuation: continuation))
            }
        } onCancel: {
            mailbox.cancel(id)
        }
    }

    private static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        let text = unsafe String(cString: value)
        return text.isEmpty ? nil : text
    }
}

/// The process-wide part of libcurl, set up once and never taken down: others may use it as well.
private enum Library {
    static let isReady: Bool = {
        // First: curl_global_init lets OpenSSL register a handler that frees its state at exit, while a connection's
        // thread may still be using it.
        guard modelsync_openssl_init_without_atexit() == 1 else { return false }
        return curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK
    }()
}
