/// One response's status line and those of its fields that decide anything.
struct ResponseHead: Equatable {
    var status: Int
    /// HTTP/2 or later: other requests may share the connection.
    var isMultiplexed = false
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

    /// A field whose name, of whatever case, is one of those that decide anything.
    fileprivate mutating func take(name: Span<UInt8>, value: Span<UInt8>) {
        // By length first: most fields decide nothing, and ten thousand small files have ten each.
        switch name.count {
        case 4 where name.isField("etag"): entityTag = value.text
        case 8 where name.isField("location"): location = value.text
        case 12 where name.isField("content-type"): contentType = value.text
        case 13 where name.isField("content-range"): contentRange = value.text
        case 14 where name.isField("content-length"): contentLengths.append(value.text)
        // A field that comes twice is one list.
        case 16 where name.isField("content-encoding"):
            contentEncoding = contentEncoding.map { $0 + ", " + value.text } ?? value.text
        case 17 where name.isField("transfer-encoding"):
            transferEncoding = transferEncoding.map { $0 + ", " + value.text } ?? value.text
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
    mutating func take(_ line: Span<UInt8>) -> Event {
        if isComplete { return .more }
        bytes += line.count
        if bytes > Self.limitBytes { return .refused("the answer's header has more than \(Self.limitBytes) bytes") }
        let text = line.extracting(line.trimmed())
        if text.isEmpty { return endOfBlock() }
        guard head != nil else { return statusLine(text.text) }
        // A folded line (RFC 9112 section 5.2) goes on with a field that began before; none that decides is folded.
        if line[0] == 0x20 || line[0] == 0x09 { return .more }
        if let colon = text.indices.first(where: { text[$0] == UInt8(ascii: ":") }) {
            head?.take(name: text.extracting(..<colon), value: text.extracting(text.trimmed(from: colon + 1)))
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

    private mutating func statusLine(_ text: String) -> Event {
        let words = text.split(separator: " ", maxSplits: 2, omittingEmptySubsequences: true)
        guard words.count >= 2, words[0].utf8.starts(with: "HTTP/".utf8), words[1].utf8.count == 3,
            let status = Int(words[1]), (100...999).contains(status)
        else { return .refused("the answer does not start with an HTTP status line") }
        head = ResponseHead(status: status)
        head?.isMultiplexed = words[0].utf8.dropFirst(5).first.map { $0 >= UInt8(ascii: "2") } ?? false
        return .more
    }
}

extension Span<UInt8> {
    /// Where the text from there on is, without the white space around it.
    fileprivate func trimmed(from start: Int = 0) -> Range<Int> {
        var (start, end) = (start, count)
        while start < end, Self.isSpace(self[start]) { start += 1 }
        while end > start, Self.isSpace(self[end - 1]) { end -= 1 }
        return start..<end
    }

    fileprivate var text: String { unsafe withUnsafeBufferPointer { unsafe String(decoding: $0, as: UTF8.self) } }

    /// Whether it is that name, lower case and as long as this, in whatever case.
    fileprivate func isField(_ name: StaticString) -> Bool {
        name.withUTF8Buffer { name in
            indices.allSatisfy { index in
                let byte = self[index]
                return unsafe (byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte) == name[index]
            }
        }
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
}
