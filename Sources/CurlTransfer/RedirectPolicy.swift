internal import SyncDomain

/// Where a redirect may lead. Loops need no memory: the count ends them.
struct RedirectPolicy {
    /// Most redirects of one transfer.
    static let limit = 10

    /// How many have been followed.
    private(set) var count = 0

    /// Resolves and judges one redirect.
    ///
    /// - Parameters:
    ///   - location: the value of Location, relative to `url` or absolute.
    ///   - url: the one that answered.
    /// - Returns: where to go; the host is another's, as far as credentials go.
    /// - Throws: `http.redirect`, or `policy.scheme` for a scheme that is no http.
    mutating func follow(_ location: String, from url: SourceURL) throws(TransferFault) -> SourceURL {
        guard count < Self.limit else {
            throw TransferFault(
                .httpRedirect, "more than \(Self.limit) redirects", hint: "use the URL that serves the file itself")
        }
        let reference = Self.encoded(location)
        if let scheme = Self.scheme(of: reference), !["http", "https"].contains(scheme) {
            throw TransferFault(
                .policyScheme,
                "a redirect to the scheme \(Foreign.quoted(scheme)), where http and https alone are followed")
        }
        let target: SourceURL
        do {
            target = try URLBase.url(url).resolve(reference)
        } catch {
            // Not the location itself: it may hold a secret, and is malformed.
            throw TransferFault(.httpRedirect, "a redirect to a URL that can't be used: \(error.reason)")
        }
        if url.scheme == .https && target.scheme != .https {
            throw TransferFault(
                .httpRedirect, "a redirect from https down to \(target.redacted)", hint: "the source must stay on https"
            )
        }
        count += 1
        return target
    }

    /// Spaces and raw UTF-8, which servers do send and browsers do follow, made into what RFC 3986 allows.
    private static func encoded(_ location: String) -> String {
        guard location.utf8.contains(where: { $0 == 0x20 || $0 > 0x7E }) else { return location }
        let digits = Array("0123456789ABCDEF".utf8)
        var out: [UInt8] = []
        for byte in location.utf8 {
            guard byte == 0x20 || byte > 0x7E else {
                out.append(byte)
                continue
            }
            out += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
        return String(decoding: out, as: UTF8.self)
    }

    private static func scheme(of reference: String) -> String? {
        let name = reference.prefix { !":/?#".contains($0) }
        guard name.endIndex < reference.endIndex, reference[name.endIndex] == ":" else { return nil }
        return name.lowercased()
    }
}
