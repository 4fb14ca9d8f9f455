/// What a manifest's relative URLs are relative to.
public enum URLBase: Sendable, Hashable {
    /// The folder of a local manifest, absolute: a relative URL is a path, taken as it is written.
    case folder(String)
    /// The URL of the manifest: a relative URL is resolved as RFC 3986 section 5 says.
    case url(SourceURL)

    /// - Throws: ``InvalidValue`` with what is wrong with the reference.
    public func resolve(_ reference: String) throws(InvalidValue) -> SourceURL {
        if Self.hasScheme(reference) { return try SourceURL(reference) }
        if reference.isEmpty { throw InvalidValue("the URL is empty") }
        switch self {
        case .folder(let folder): return try Self.resolve(path: reference, in: folder)
        case .url(let base):
            return try SourceURL(Self.resolve(try URLParts(reference), against: try URLParts(base.text)))
        }
    }

    /// Whether the text starts with `letters:`, and so is no relative reference (RFC 3986 section 4.2).
    static func hasScheme(_ text: String) -> Bool {
        let bytes = text.utf8.span
        var index = 0
        while index < bytes.count, URLParts.isSchemeByte(bytes[index]) { index += 1 }
        return index > 0 && index < bytes.count && bytes[index] == UInt8(ascii: ":")
    }

    private static func resolve(path: String, in folder: String) throws(InvalidValue) -> SourceURL {
        var previous: UInt8 = 0
        for byte in path.utf8 {
            if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\") || (previous == 0xC2 && byte < 0xA0) {
                throw InvalidValue("the path has a control character or a backslash; use '/' between folders")
            }
            previous = byte
        }
        if path.utf8.starts(with: [slash, slash]) { throw InvalidValue("the URL has no scheme; write https://…") }
        let joined = path.utf8.first == slash ? path : folder + "/" + path
        return try SourceURL(absolutePath: removeDotSegments(joined))
    }

    private static func resolve(_ reference: URLParts, against base: URLParts) -> String {
        var (authority, path, query) = (base.authority, base.path, reference.query)
        if let other = reference.authority {
            authority = other
            path = text(removeDotSegments(reference.path))
        } else if reference.path.isEmpty {
            query = query ?? base.query
        } else if reference.path.utf8.first == slash {
            path = text(removeDotSegments(reference.path))
        } else {
            let folder = base.path.utf8.lastIndex(of: slash).map { base.path[...$0] } ?? "/"
            path = text(removeDotSegments(folder + reference.path))
        }
        let prefix = (base.scheme ?? "https") + ":" + (authority.map { "//" + $0 } ?? "")
        return prefix + path + (query.map { "?" + $0 } ?? "")
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    /// RFC 3986 section 5.2.4, for an absolute path.
    private static func removeDotSegments(_ path: String) -> [UInt8] {
        let bytes = path.utf8.span
        var out: [UInt8] = []
        out.reserveCapacity(bytes.count)
        var start = 0
        while start < bytes.count {
            // A segment and the slash before it.
            var end = start + 1
            while end < bytes.count, bytes[end] != slash { end += 1 }
            let dots = dotCount(bytes.extracting(start + 1..<end))
            if dots == 2, let parent = out.lastIndex(of: slash) { out.removeSubrange(parent...) }
            if dots == 0 {
                for index in start..<end { out.append(bytes[index]) }
            } else if end == bytes.count {
                out.append(slash)
            }
            start = end
        }
        return out.isEmpty ? [slash] : out
    }

    /// 1 for `.`, 2 for `..`, and 0 for all else.
    private static func dotCount(_ segment: Span<UInt8>) -> Int {
        guard segment.count == 1 || segment.count == 2 else { return 0 }
        for index in segment.indices where segment[index] != UInt8(ascii: ".") { return 0 }
        return segment.count
    }
}
