public import SyncDomain

/// A web server on the loopback address for tests: right where a script says nothing, wrong where it says so.
///
///     let server = try FaultServer()
///     server.serve("/a", bytes, etag: "\"v1\"")
///     server.script("/b") { request, attempt in
///         attempt == 1 ? .status(503, retryAfter: "1") : .file(bytes, for: request)
///     }
///     … server.url("/a") …
///     #expect(server.recording.requests.count == 2)
///
/// HTTP/1.1 with kept connections, a thread a connection. All its methods may be called on any thread.
public final class FaultServer: Sendable {
    public typealias Request = FaultRequest
    public typealias Response = FaultResponse
    /// - Parameters:
    ///   - attempt: 1 for the first request to the path.
    public typealias Script = @Sendable (_ request: Request, _ attempt: Int) -> Response

    /// What has happened since the server was made.
    public struct Recording: Sendable {
        public var requests: [Request] = []
        /// Bytes of bodies that were handed to the kernel.
        public var bodyBytesSent: Int64 = 0
        /// Connections accepted, open now, and the most that were open at once.
        public var connections = 0
        public var openConnections = 0
        public var maxOpenConnections = 0
        /// Responses that have come to the byte at which they stall, silent ones included.
        public var stalls = 0
        /// Stalled responses whose client went away.
        public var abandoned = 0

        /// How often a path was asked for.
        public func count(_ path: String) -> Int { requests.count { $0.path == path } }

        /// The Range of each request to a path; nil where it had none.
        public func ranges(_ path: String) -> [String?] {
            requests.filter { $0.path == path }.map { $0.headers["range"] }
        }
    }

    /// Of the loopback address.
    public let port: Int
    private let core: FaultServerCore

    /// Listens on a free port of 127.0.0.1.
    ///
    /// - Throws: ``FaultServerFailure`` if there is no socket to be had.
    public init() throws {
        core = try FaultServerCore()
        port = core.port
        core.start()
    }

    deinit {
        core.stop()
    }

    /// Closes everything and waits for the threads. A second call does nothing. A freed server is stopped.
    public func stop() { core.stop() }

    /// Answers requests to the path as a right server does: ranges and If-Range included.
    public func serve(_ path: String, _ bytes: [UInt8], etag: String? = nil) {
        script(path) { request, _ in .file(bytes, etag: etag, for: request) }
    }

    /// Answers requests to the path as the closure says. Replaces what was said before.
    public func script(_ path: String, _ respond: @escaping Script) { core.setScript(path, respond) }

    /// Answers the first requests to the path with these, one each, and all later ones with the last.
    public func script(_ path: String, _ responses: [Response]) {
        script(path) { _, attempt in responses[min(attempt, responses.count) - 1] }
    }

    /// Lets everything that stalls now or later go on.
    public func release() { core.release() }

    /// What has happened so far.
    public var recording: Recording { core.recording }

    /// Waits until the recording is so; returns at once if it is already, and when the test's time limit cancels it.
    public func wait(until condition: @escaping @Sendable (Recording) -> Bool) async {
        await core.wait(until: condition)
    }

    /// The URL of a path, under any name of this machine.
    public func url(_ path: String, host: String = "127.0.0.1") -> SourceURL {
        guard let url = try? SourceURL("http://\(host):\(port)\(path)") else {
            preconditionFailure("the test's path '\(path)' makes no URL")
        }
        return url
    }
}

/// A system call of the server that failed.
public struct FaultServerFailure: Error {
    public var call: String
    public var code: Int32
}
