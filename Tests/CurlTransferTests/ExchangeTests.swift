import SyncDomain
import TestSupport
import Testing

@testable import CurlTransfer

@Suite struct ExchangeTests {
    /// Heads as libcurl hands them over, of one hop.
    private func answer(_ exchange: Exchange, _ lines: String...) -> Bool {
        exchange.beginHop(.none)
        return (lines + [""]).allSatisfy { line in
            let bytes = Array((line + "\r\n").utf8)
            return exchange.header(bytes.span)
        }
    }

    @Test(arguments: [("HTTP/1.1", "HTTP/2", false), ("HTTP/2", "HTTP/1.1", false), ("HTTP/2", "HTTP/2", true)])
    func aConnectionCountsAsSharedIfThoseOfAllHopsAre(_ first: String, _ last: String, _ expected: Bool) throws {
        let request = TransferRequest(url: try SourceURL("https://a.example/f"), expectedSize: 1, subject: "m/f")
        let exchange = Exchange(request, into: CollectingSink())
        let isRedirected = answer(exchange, first + " 302", "location: https://b.example/f")
        #expect(isRedirected && exchange.isMultiplexed == (first == "HTTP/2"))
        guard case .hop = exchange.end(nil, retryAfter: nil) else {
            Issue.record("no hop")
            return
        }
        let isAnswered = answer(exchange, last + " 200", "content-length: 1")
        // The corked ones are of this hop alone.
        #expect(isAnswered && exchange.isMultiplexed == (last == "HTTP/2"))
        let bytes: [UInt8] = [7]
        let isTaken = exchange.body(bytes.span.bytes)
        #expect(isTaken)
        guard case .done(let outcome) = exchange.end(nil, retryAfter: nil) else {
            Issue.record("no end")
            return
        }
        #expect(outcome.error == nil && outcome.isMultiplexed == expected)
    }
}
