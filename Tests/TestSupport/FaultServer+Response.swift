/// One request, as it came.
public struct FaultRequest: Sendable {
    /// `GET`, `HEAD`…
    public var method: String
    /// The path without its query: what scripts are found by.
    public var path: String
    /// The whole target, query included; a whole URL where the server is used as a proxy.
    public var target: String
    /// By lower-case name; the last of each.
    public var headers: [String: String]

    /// The first byte asked for by Range, if one was.
    public var rangeStart: Int? {
        guard let range = headers["range"], range.hasPrefix("bytes=") else { return nil }
        return Int(range.dropFirst(6).prefix { $0 != "-" })
    }

    /// The last byte asked for by Range, if there was one.
    public var rangeEnd: Int? {
        guard let range = headers["range"], let dash = range.firstIndex(of: "-") else { return nil }
        return Int(range[range.index(after: dash)...])
    }
}

/// What the server answers, and how it goes wrong on the way: start with one of the makers, add faults.
///
///     .file(bytes, etag: "\"v1\"", for: request).reset(at: 1000)
public struct FaultResponse: Sendable {
    /// How the end of the body is told.
    public enum Framing: Sendable, Equatable {
        /// Content-Length, of the body or of what is claimed.
        case length(Int?)
        /// Transfer-Encoding: chunked.
        case chunked
        /// By closing the connection.
        case close
    }

    /// What happens at some byte of the body.
    public enum Fault: Sendable, Equatable {
        /// The connection is closed, in order.
        case truncate
        /// The connection is reset.
        case reset
        /// Nothing more comes until the test calls ``FaultServer/release()`` or the client goes away.
        case stall
    }

    public var status: Int
    /// In the order in which they are sent.
    public var headers: [(name: String, value: String)]
    public var body: [UInt8]
    public var framing: Framing
    /// The body is sent again and again, without an end.
    public var isEndless = false
    /// Nothing is sent at all, not even a status line, until the test calls ``FaultServer/release()``.
    public var isSilent = false
    /// The connection is closed in place of an answer.
    public var isMute = false
    /// The connection is closed once all is sent, and no header said so.
    public var isLast = false
    public var fault: (at: Int, kind: Fault)?
    /// Bytes sent at once, and the pause after each, in microseconds.
    public var drip: (bytes: Int, pauseMicroseconds: UInt32)?
    /// Sent before the real head, as they are: interim heads, or what is no HTTP.
    public var prelude: [UInt8] = []

    public init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
        framing = .length(nil)
    }

    /// The whole body with status 200, whatever range was asked for.
    public static func ok(_ body: [UInt8], etag: String? = nil) -> FaultResponse {
        FaultResponse(status: 200, headers: etag.map { [("ETag", $0)] } ?? [], body: body)
    }

    /// A status with a short text.
    public static func status(_ status: Int, retryAfter: String? = nil) -> FaultResponse {
        let headers = retryAfter.map { [(name: "Retry-After", value: $0)] } ?? []
        return FaultResponse(status: status, headers: headers, body: Array("status \(status)\n".utf8))
    }

    /// A redirect to any text.
    public static func redirect(to location: String, status: Int = 302) -> FaultResponse {
        FaultResponse(status: status, headers: [("Location", location)], body: Array("elsewhere\n".utf8))
    }

    /// A part of the file with any Content-Range.
    public static func part(_ body: [UInt8], contentRange: String?, etag: String? = nil) -> FaultResponse {
        var headers = contentRange.map { [(name: "Content-Range", value: $0)] } ?? []
        if let etag { headers.append(("ETag", etag)) }
        return FaultResponse(status: 206, headers: headers, body: body)
    }

    /// Nothing at all.
    public static var silence: FaultResponse {
        var response = FaultResponse(status: 200)
        response.isSilent = true
        return response
    }

    /// A closed connection, and nothing else.
    public static var hangUp: FaultResponse {
        var response = FaultResponse(status: 200)
        response.isMute = true
        return response
    }

    /// What a right server answers: ranges, If-Range, 416 past the end.
    public static func file(_ bytes: [UInt8], etag: String? = nil, for request: FaultRequest) -> FaultResponse {
        var response = ok(bytes, etag: etag).header("Accept-Ranges", "bytes")
        guard let start = request.rangeStart else { return response }
        if let condition = request.headers["if-range"], condition != etag { return response }
        guard start < bytes.count else {
            return FaultResponse(status: 416, headers: [("Content-Range", "bytes */\(bytes.count)")])
        }
        let end = min(request.rangeEnd ?? bytes.count - 1, bytes.count - 1)
        response.status = 206
        response.body = Array(bytes[start...max(start, end)])
        return response.header("Content-Range", "bytes \(start)-\(end)/\(bytes.count)")
    }

    public func header(_ name: String, _ value: String) -> FaultResponse { with { $0.headers.append((name, value)) } }
    public func truncated(at byte: Int) -> FaultResponse { with { $0.fault = (byte, .truncate) } }
    public func reset(at byte: Int) -> FaultResponse { with { $0.fault = (byte, .reset) } }
    public func stalled(at byte: Int) -> FaultResponse { with { $0.fault = (byte, .stall) } }
    public func chunked() -> FaultResponse { with { $0.framing = .chunked } }
    public func withoutLength() -> FaultResponse { with { $0.framing = .close } }
    /// Claims a length that the body need not have.
    public func declaring(_ length: Int) -> FaultResponse { with { $0.framing = .length(length) } }
    public func last() -> FaultResponse { with { $0.isLast = true } }
    public func endless() -> FaultResponse { with { $0.isEndless = true } }
    public func after(_ prelude: String) -> FaultResponse { with { $0.prelude = Array(prelude.utf8) } }

    public func dripping(_ bytes: Int, everyMicroseconds pause: UInt32) -> FaultResponse {
        with { $0.drip = (bytes, pause) }
    }

    /// Goes out as it is, and is not long.
    var isShort: Bool {
        (framing == .length(nil) || framing == .length(body.count)) && fault == nil && drip == nil && !isEndless
            && body.count <= 16 << 10
    }

    private func with(_ change: (inout FaultResponse) -> Void) -> FaultResponse {
        var response = self
        change(&response)
        return response
    }
}
