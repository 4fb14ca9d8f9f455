import Testing

@testable import CurlTransfer

@Suite struct ResponseHeadTests {
    private func read(_ lines: [String]) -> [HeadReader.Event] {
        var reader = HeadReader()
        return lines.map { reader.take(Array(($0 + "\r\n").utf8).span) }
    }

    @Test func fieldsThatDecideAreKeptWhateverTheirCase() {
        var expected = ResponseHead(status: 206)
        expected.contentLengths = ["5"]
        expected.contentRange = "bytes 5-9/10"
        expected.contentType = "text/plain; charset=x"
        expected.entityTag = "\"a\""
        let events = read([
            "HTTP/1.1 206 Partial Content", "content-LENGTH:5", "Content-Range:  bytes 5-9/10 ", "X-Other: 1",
            "Content-Type: text/plain; charset=x", "ETag: \"a\"", "",
        ])
        #expect(events.last == .complete(expected))
        #expect(events.dropLast().allSatisfy { $0 == .more })
    }

    @Test func interimHeadsAreSkipped() {
        let events = read(["HTTP/1.1 103 Early Hints", "ETag: \"no\"", "", "HTTP/2 200 ", ""])
        var expected = ResponseHead(status: 200)
        expected.isMultiplexed = true
        #expect(events.last == .complete(expected))
    }

    @Test func trailersAreNoHead() {
        let events = read(["HTTP/1.1 200 OK", "", "ETag: \"late\"", "HTTP/1.1 404 Not Found", ""])
        #expect(events.dropFirst(2).allSatisfy { $0 == .more })
    }

    @Test(arguments: ["ICY 200 OK", "HTTP/1.1", "HTTP/1.1 20 OK", "HTTP/1.1 2x0 OK", "<html>"])
    func whatIsNoStatusLineIsRefused(_ line: String) {
        guard case .refused = read([line]).last else {
            Issue.record("accepted")
            return
        }
    }

    @Test func floodIsRefused() {
        let flood = (0..<4000).map { "X-Flood-\($0): " + String(repeating: "x", count: 80) }
        guard case .refused = read(["HTTP/1.1 200 OK"] + flood).last else {
            Issue.record("accepted")
            return
        }
    }

    @Test(arguments: [
        ("bytes 0-0/1", Int64(0), Int64(0), Int64?.some(1)), ("Bytes 5-9/10", 5, 9, 10), ("bytes 5-9/*", 5, 9, nil),
    ])
    func contentRangeParses(_ text: String, _ first: Int64, _ last: Int64, _ total: Int64?) {
        let range = ContentRange(text)
        #expect(range?.first == first && range?.last == last && range?.total == total && range != nil)
    }

    @Test(arguments: [
        "", "bytes", "bytes */10", "bytes 5-4/10", "bytes 0-10/10", "bytes -1-4/10", "bytes +1-4/10", "items 0-1/2",
        "bytes 0-1",
        "bytes 0-1/2/3", "bytes 0-1-2/3", "bytes 0-99999999999999999999/100000000000000000000", "bytes=0-1/2",
        "bytes 0 - 1/2",
    ])
    func contentRangeThatNoFileHasIsRefused(_ text: String) {
        #expect(ContentRange(text) == nil)
    }
}
