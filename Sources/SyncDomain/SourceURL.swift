/// Where bytes come from: an absolute `https`, `http` or `file` URL (RFC 3986) that holds no user and no password.
public struct SourceURL: Sendable, Hashable, CustomStringConvertible {
    /// The schemes that can be fetched. `s3` and `hf` have their place here when they come.
    public enum Scheme: String, Sendable, Hashable, CaseIterable {
        case https, http, file

        /// The port that the scheme implies; nil for `file`.
        public var defaultPort: Int? {
            switch self {
            case .https: 443
            case .http: 80
            case .file: nil
            }
        }
    }

    /// Decides which transport takes it.
    public let scheme: Scheme
    /// The whole URL, without its fragment. It may hold secrets in its query: print ``redacted`` instead.
    public let text: String

    /// - Throws: ``InvalidValue`` with what is wrong with it, never quoting the text, which may hold a secret.
    public init(_ text: String) throws(InvalidValue) {
        let parts = try URLParts(text)
        guard let name = parts.scheme else { throw InvalidValue("the URL has no scheme; write https://…") }
        guard let scheme = Scheme(rawValue: name) ?? Scheme(rawValue: name.lowercased()) else {
            // `user:password@host` looks like a scheme with something after it.
            if name.utf8.count > 16 || text.utf8.contains(UInt8(ascii: "@")) {
                throw InvalidValue("the scheme of the URL is not supported; use https, http or file")
            }
            throw InvalidValue("the scheme '\(name)' is not supported; use https, http or file")
        }
        try Self.check(parts, scheme)
        self.scheme = scheme
        let isNormal = name == scheme.rawValue && !parts.hasFragment
        self.text = isNormal ? text : scheme.rawValue + parts.textAfterScheme
    }

    /// The `file` URL of an absolute path, its bytes percent-encoded as RFC 3986 asks.
    ///
    /// - Throws: ``InvalidValue`` if the path is not absolute or has a NUL.
    public init(absolutePath path: String) throws(InvalidValue) {
        try self.init(absolutePath: path.utf8)
    }

    init(absolutePath path: some Collection<UInt8>) throws(InvalidValue) {
        guard path.first == slash, !path.contains(0) else {
            throw InvalidValue("the path of a file URL is absolute and has no NUL")
        }
        var out = Array("file://".utf8)
        out.reserveCapacity(out.count + path.count)
        PercentEncoding.encodePath(path, into: &out)
        scheme = .file
        text = String(decoding: out, as: UTF8.self)
    }

    /// The host and port that requests go to; nil for `file`. IPv6 addresses keep their brackets.
    public var host: HostKey? {
        guard let port = scheme.defaultPort, let parts = try? URLParts(text), let authority = parts.authority else {
            return nil
        }
        return try? HostKey(authority: authority, defaultPort: port)
    }

    /// The absolute path that a `file` URL names, percent-decoded; nil for others.
    public var filePath: String? {
        guard scheme == .file, let parts = try? URLParts(text) else { return nil }
        return PercentEncoding.decode(parts.path)
    }

    /// The last component of the path, percent-decoded: the default of a file's path. Empty if the path ends in `/`.
    public var lastPathComponent: String {
        guard let parts = try? URLParts(text) else { return "" }
        return PercentEncoding.decode(parts.lastPathComponent) ?? ""
    }

    /// The URL as it may be printed, logged and reported: the values of query parameters are replaced.
    public var redacted: String {
        // Most have nothing to hide, and are asked for several times for each of many files.
        let mayHide = text.utf8.contains { $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "@") }
        return mayHide ? Self.redact(text) : text
    }

    /// As ``redacted``: printing it gives no secret away.
    public var description: String { redacted }

    /// Replaces user info and the values of query parameters in any text of a URL's form.
    public static func redact(_ url: String) -> String {
        guard let parts = try? URLParts(url) else { return "(a malformed URL)" }
        var out = parts.scheme.map { $0 + ":" } ?? ""
        if let authority = parts.authority {
            let at = authority.utf8.lastIndex(of: UInt8(ascii: "@"))
            out += "//" + (at.map { "REDACTED@" + authority[authority.utf8.index(after: $0)...] } ?? authority[...])
        }
        // `user:password@host`, which somebody wrote without a scheme.
        let at = parts.authority == nil ? parts.path.utf8.lastIndex(of: UInt8(ascii: "@")) : nil
        out = at.map { "REDACTED" + parts.path[$0...] } ?? out + parts.path
        guard let query = parts.query else { return out }
        let pairs = query.split(separator: "&", omittingEmptySubsequences: false).map { pair in
            guard let equals = pair.firstIndex(of: "=") else { return pair.isEmpty ? "" : "REDACTED" }
            return pair[...equals] + "REDACTED"
        }
        return out + "?" + pairs.joined(separator: "&")
    }

    private static func check(_ parts: URLParts, _ scheme: Scheme) throws(InvalidValue) {
        guard let range = parts.authorityRange else { throw InvalidValue("the URL has no '//' after its scheme") }
        let authority = parts.text.utf8.span.extracting(range)
        for index in authority.indices where authority[index] == UInt8(ascii: "@") {
            throw InvalidValue("the URL has a user or password in it; use 'bearer_env' under 'hosts', or ~/.netrc")
        }
        if scheme.defaultPort != nil {
            _ = try HostKey.split(authority)
            return
        }
        guard authority.isEmpty || parts.authority == "localhost" else {
            throw InvalidValue("a file URL names a path on this machine: write file:///path")
        }
        let path = parts.path
        guard path.utf8.first == slash, PercentEncoding.decode(path)?.utf8.contains(0) == false else {
            throw InvalidValue("a file URL has an absolute path with valid percent-encoding")
        }
    }
}

/// A host and a port: what a credential is given for and what connections are counted by.
public struct HostKey: Sendable, Hashable, CustomStringConvertible {
    /// Lower case; an IPv6 address is in brackets.
    public let host: String
    /// nil stands for the default port of either scheme, as a manifest's `hosts:` may say it.
    public let port: Int?

    /// A key of the manifest's `hosts:`: `host`, or `host:port`.
    ///
    /// - Throws: ``InvalidValue`` for an empty host, characters no host has, or a port out of 1 to 65535.
    public init(_ text: String) throws(InvalidValue) {
        try self.init(authority: text, port: nil)
    }

    init(authority: String, defaultPort: Int) throws(InvalidValue) {
        try self.init(authority: authority, port: defaultPort)
    }

    /// Whether a credential or bound given for this key covers that host and port, reached over `scheme`.
    public func covers(_ other: HostKey, over scheme: SourceURL.Scheme) -> Bool {
        host == other.host && (port ?? scheme.defaultPort) == (other.port ?? scheme.defaultPort)
    }

    /// `host`, or `host:port` where a port is known.
    public var description: String { port.map { "\(host):\($0)" } ?? host }

    private init(authority: String, port defaultPort: Int?) throws(InvalidValue) {
        let (count, port) = try Self.split(authority.utf8.span)
        host = String(decoding: authority.utf8.prefix(count), as: UTF8.self).lowercased()
        self.port = port ?? defaultPort
    }

    /// Checks `host` or `host:port`.
    ///
    /// - Returns: how many bytes the host has, and the port if there is one.
    static func split(_ authority: Span<UInt8>) throws(InvalidValue) -> (hostByteCount: Int, port: Int?) {
        var end = authority.count
        var port: Int?
        if end > 0, authority[end - 1] != UInt8(ascii: "]") {
            while end > 0, authority[end - 1] != UInt8(ascii: ":") { end -= 1 }
            if end > 0 {
                port = try parsePort(authority.extracting(end...))
                end -= 1
            } else {
                end = authority.count
            }
        }
        try check(authority.extracting(..<end))
        return (end, port)
    }

    private static func parsePort(_ digits: Span<UInt8>) throws(InvalidValue) -> Int {
        var port = 0
        for index in digits.indices {
            let digit = digits[index] &- UInt8(ascii: "0")
            port = digit < 10 && port <= 65535 ? port * 10 + Int(digit) : .max
            if port == .max { break }
        }
        guard (1...65535).contains(port) else { throw InvalidValue("the port is a number from 1 to 65535") }
        return port
    }

    private static func check(_ name: Span<UInt8>) throws(InvalidValue) {
        if name.isEmpty { throw InvalidValue("the host is empty") }
        if name[0] == UInt8(ascii: "[") {
            guard isAddressInBrackets(name) else { throw InvalidValue("the IPv6 address is not one") }
            return
        }
        var previous: UInt8 = 0
        for index in name.indices {
            let byte = name[index]
            if !mayBeInHost(byte) || (previous == 0xC2 && byte < 0xA0) {
                throw InvalidValue("the host has a character that no host has")
            }
            previous = byte
        }
    }

    private static func isAddressInBrackets(_ name: Span<UInt8>) -> Bool {
        guard name.count > 2, name[name.count - 1] == UInt8(ascii: "]") else { return false }
        var hasColon = false
        for index in 1..<name.count - 1 {
            switch name[index] {
            case UInt8(ascii: ":"): hasColon = true
            case 0x30...0x39, 0x41...0x46, 0x61...0x66, UInt8(ascii: "."): break
            default: return false
            }
        }
        return hasColon
    }

    /// Non-ASCII is let through for libcurl's IDN; what a host can never have is refused.
    private static func mayBeInHost(_ byte: UInt8) -> Bool {
        switch byte {
        case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x80...0xFF: true
        case UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"): true
        default: false
        }
    }
}
