/// One response's status line and those of its fields that decide anything.
struct ResponseHead: Equatable {
    var status: Int
    /// All values: two that differ are an attack or a broken proxy (RFC 9112 section 6.3).
    var contentLengths: [String] = []
    var contentRange: String?
    var contentType: String?
    var contentEncoding: String?
    var transferEncoding: String?
    var entityTag: String?
    var location: String?

    init(status: Int) {
        self.status = status
    }

    /// 100 to 199: another head follows (RFC 9110 section 15.2).
    var isInterim: Bool { (100..<200).contains(status) }

    fileprivate mutating func take(name: String, value: String) {
        switch name {
        case "content-length": contentLengths.append(value)
        case "content-range": contentRange = value
        case "content-type": contentType = value
        // A field that comes twice is one list.
        case "content-encoding": contentEncoding = contentEncoding.map { $0 + ", " + value } ?? value
        case "transfer-encoding": transferEncoding = transferEncoding.map { $0 + ", " + value } ?? value
        case "etag": entityTag = value
        case "location": location = value
        default: break
        }
    }
}

/// Header lines to heads, one line at a time as libcurl hands them over (CURLOPT_HEADERFUNCTION(3)).
struct HeadReader {
    enum Event: Equatable {
        /// More lines are to come.
        case more
        /// The final head is there. Whatever follows it is not a head: trailers are ignored.
        case complete(ResponseHead)
        /// Not a head, or more of it than any real server sends.
        case refused(String)
    }

    /// Most bytes of all heads of one request.
    static let limitBytes = 256 * 1024

    private var head: ResponseHead?
    private var isComplete = false
    private var bytes = 0

    /// Takes one line, its line end included.
    mutating func take(_ line: String) -> Event {
        if isComplete { return .more }
        bytes += line.utf8.count
        if bytes > Self.limitBytes { return .refused("the answer's header has more than \(Self.limitBytes) bytes") }
        let text = Self.trimmed(line[...])
        if text.isEmpty { return endOfBlock() }
        guard head != nil else { return statusLine(text) }
        // A folded line (RFC 9112 section 5.2) goes on with a field that began before; none that decides is folded.
        guard let first = line.utf8.first, first != 0x20, first != 0x09 else { return .more }
        if let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) {
            let value = Self.trimmed(text[text.utf8.index(after: colon)...])
            head?.take(name: text[..<colon].lowercased(), value: String(value))
        }
        return .more
    }

    private mutating func endOfBlock() -> Event {
        guard let head else { return .more }
        if head.isInterim && head.status != 101 {
            self.head = nil
            return .more
        }
        isComplete = true
        return .complete(head)
    }

    private mutating func statusLine(_ text: Substring) -> Event {
        let words = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
        guard words.count >= 2, words[0].utf8.starts(with: "HTTP/".utf8), words[1].utf8.count == 3,
            let status = Int(words[1]), (100...999).contains(status)
        else { return .refused("the answer does not start with an HTTP status line") }
        head = ResponseHead(status: status)
        return .more
    }

    private static func trimmed(_ text: Substring) -> Substring {
        // By byte: "\r\n" is one Character.
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let start = text.utf8.firstIndex(where: { !isSpace($0) }),
            let end = text.utf8.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return text[start...end]
    }
}
