internal import CCurl
internal import Glibc
internal import SyncDomain

/// One request of a transfer.
struct Hop {
    var url: SourceURL
    var bearer: String?
    var offset: Int64
    var end: Int64?
    var validator: Validator?
    var isOfSmallFile: Bool

    fileprivate var headers: [String] {
        var lines = ["Accept-Encoding: identity"]
        if let bearer { lines.append("Authorization: Bearer \(bearer)") }
        guard offset > 0 || end != nil else { return lines }
        lines.append("Range: bytes=\(offset)-\(end.map { String($0 - 1) } ?? "")")
        if let validator { lines.append("If-Range: \(validator.entityTag)") }
        return lines
    }
}

/// Every option of a request is set here and nowhere else: curl_easy_setopt(3).
extension EasyHandle {
    /// Bytes that libcurl reads at once at most.
    private static let bufferBytes = 256 * 1024
    private static let smallBufferBytes = 32 * 1024
    private static let schemes = "http,https"

    /// Sets the handle up for its request. `context` is what the callbacks and CURLINFO_PRIVATE get; it must outlive the
    /// request. `connections` is what the connection's callback gets; it must outlive the connection.
    @unsafe func configure(
        _ hop: Hop, _ options: CurlTransport.Options, _ context: UnsafeMutableRawPointer,
        connections: UnsafeMutableRawPointer
    ) throws(TransferFault) {
        try set(CURLOPT_URL, hop.url.text)
        try set(CURLOPT_PROTOCOLS_STR, Self.schemes)
        try set(CURLOPT_REDIR_PROTOCOLS_STR, Self.schemes)
        try set(CURLOPT_FOLLOWLOCATION, 0)
        try set(CURLOPT_HTTPGET, 1)
        try setHeaders(hop.headers)
        try set(CURLOPT_USERAGENT, options.userAgent)
        try setBody(hop, options)
        try setCredentials(hop, options)
        try setConnection(hop, options)
        try setTrust(options)
        try unsafe setCallbacks(context)
        try unsafe setSockets(context, connections)
    }

    /// The bytes as they are: nothing is undone.
    private func setBody(_ hop: Hop, _ options: CurlTransport.Options) throws(TransferFault) {
        try set(CURLOPT_HTTP_CONTENT_DECODING, 0)
        try set(CURLOPT_HTTP09_ALLOWED, 0)
        try set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1)
        let turn = options.limitRate.map { Throttle.turnBytes($0, atMost: Self.bufferBytes) }
        // Each request has a buffer of its own, made anew: of a small file it is no larger than the answer.
        let needed = hop.isOfSmallFile ? Self.smallBufferBytes : Self.bufferBytes
        try set(CURLOPT_BUFFERSIZE, turn ?? needed)
    }

    private func setCredentials(_ hop: Hop, _ options: CurlTransport.Options) throws(TransferFault) {
        let netrc = hop.bearer == nil && options.hasNetrc ? CURL_NETRC_OPTIONAL : CURL_NETRC_IGNORED
        try set(CURLOPT_NETRC, Int(netrc.rawValue))
        if let file = options.netrcFile { try set(CURLOPT_NETRC_FILE, file) }
    }

    private func setConnection(_ hop: Hop, _ options: CurlTransport.Options) throws(TransferFault) {
        try set(CURLOPT_NOSIGNAL, 1)
        // A cancel must not wait for the resolver's thread, which may take as long as DNS does.
        try set(CURLOPT_QUICK_EXIT, 1)
        try set(CURLOPT_CONNECTTIMEOUT_MS, options.connectTimeout.wholeMilliseconds)
        try set(CURLOPT_LOW_SPEED_LIMIT, 1)
        try set(CURLOPT_LOW_SPEED_TIME, options.stallTimeout.wholeSeconds)
        try set(CURLOPT_TCP_KEEPALIVE, 1)
        // Large files would share one connection of HTTP/2, with its window and its losses. Under a limit transfers are paused,
        // and a paused stream holds up those it shares its connection with.
        let isShared = hop.isOfSmallFile && hop.url.scheme == .https && options.limitRate == nil
        try set(CURLOPT_HTTP_VERSION, Int(isShared ? CURL_HTTP_VERSION_2TLS : CURL_HTTP_VERSION_1_1))
        // Without TLS there is nothing to share, and a first answer that stalls would hold up all that wait for it.
        try set(CURLOPT_PIPEWAIT, isShared ? 1 : 0)
        if let proxy = options.proxy { try set(CURLOPT_PROXY, proxy) }
    }

    private func setTrust(_ options: CurlTransport.Options) throws(TransferFault) {
        try set(CURLOPT_SSL_VERIFYPEER, 1)
        try set(CURLOPT_SSL_VERIFYHOST, 2)
        if let file = options.caFile {
            try set(CURLOPT_CAINFO, file)
            try set(CURLOPT_PROXY_CAINFO, file)
        }
        if let file = options.clientCertificate {
            try set(CURLOPT_SSLCERT, file)
            try set(CURLOPT_SSLKEY, options.clientKey ?? file)
            // OpenSSL would ask the terminal for the pass phrase of a key that has one, and the loop would wait for it.
            try set(CURLOPT_KEYPASSWD, "")
        }
    }

    @unsafe private func setCallbacks(_ context: UnsafeMutableRawPointer) throws(TransferFault) {
        try unsafe setPointer(CURLOPT_PRIVATE, context)
        try unsafe setPointer(CURLOPT_HEADERDATA, context)
        try unsafe setPointer(CURLOPT_WRITEDATA, context)
        try unsafe set(CURLOPT_HEADERFUNCTION) { bytes, size, count, context in
            guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
            let line = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count).bindMemory(to: UInt8.self)
            let exchange = unsafe RunningTransfer.at(context).exchange
            return unsafe exchange.header(line.span) ? line.count : refusal
        }
        try unsafe set(CURLOPT_WRITEFUNCTION) { bytes, size, count, context in
            guard let bytes = unsafe bytes, let context = unsafe context else { return 0 }
            let body = unsafe UnsafeRawBufferPointer(start: bytes, count: size * count)
            return unsafe RunningTransfer.at(context).receive(body.bytes)
        }
    }

    @unsafe private func setSockets(
        _ context: UnsafeMutableRawPointer, _ connections: UnsafeMutableRawPointer
    ) throws(TransferFault) {
        try unsafe setPointer(CURLOPT_SOCKOPTDATA, context)
        try unsafe setOpening { context, socket, _ in
            if let context = unsafe context { unsafe RunningTransfer.at(context).didOpen(socket) }
            return CURL_SOCKOPT_OK
        }
        try unsafe setPointer(CURLOPT_CLOSESOCKETDATA, connections)
        try unsafe setClosing { connections, socket in
            if let connections = unsafe connections { unsafe SharedConnections.at(connections).willClose(socket) }
            return close(socket)
        }
    }
}

/// What a callback returns to end its request: CURL_WRITEFUNC_ERROR, which Swift does not see.
let refusal = 0xFFFF_FFFF
/// What a write callback returns to get the same bytes again later: CURL_WRITEFUNC_PAUSE.
let pause = Int(CURL_WRITEFUNC_PAUSE)

extension Duration {
    /// Rounded up, at least 1: libcurl takes 0 for its own default.
    fileprivate var wholeMilliseconds: Int {
        let (seconds, attoseconds) = components
        // A week is for ever, and fits whatever libcurl makes of it.
        let milliseconds = min(seconds, 604_800) * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
        return Int(max(1, milliseconds))
    }

    /// Rounded up, at least 1: libcurl takes 0 for no limit.
    fileprivate var wholeSeconds: Int {
        let (seconds, attoseconds) = components
        return Int(max(1, min(seconds, 604_800) + (attoseconds > 0 ? 1 : 0)))
    }
}
