import CurlTransfer
import SyncDomain
import TestSupport
import Testing

/// What each answer of a server does to the sink and the outcome.
@Suite(.timeLimit(.minutes(1))) struct AnswerTests {
    private let server: FaultServer
    private let bytes = pattern(300_000)
    private var size: Int64 { Int64(bytes.count) }

    init() throws { server = try FaultServer() }

    @Test func wholeFileArrivesWithItsValidatorAndFirstBytes() async throws {
        server.serve("/a", bytes, etag: "\"v1\"")
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: size, into: sink)
        #expect(outcome.error == nil && outcome.httpStatus == 200 && outcome.bytes == size && !outcome.mustRestart)
        #expect(sink.bytes == bytes)
        #expect(sink.begins == [.init(offset: 0, validator: Validator(entityTag: "\"v1\""))])
        #expect(outcome.firstBytes == Array(bytes.prefix(512)))
        let headers = server.recording.requests.first?.headers
        #expect(headers?["accept-encoding"] == "identity" && headers?["range"] == nil && headers?["expect"] == nil)
        #expect(headers?["authorization"] == nil && headers?["cookie"] == nil && headers?["user-agent"] == "modelsync")
    }

    @Test func emptyFileBeginsAndEnds() async throws {
        server.serve("/a", [])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: 0, into: sink)
        #expect(outcome.error == nil && outcome.bytes == 0 && sink.begins.count == 1 && sink.writes == 0)
    }

    @Test func restIsAskedForWithRangeAndIfRange() async throws {
        server.serve("/a", bytes, etag: "\"v1\"")
        let sink = CollectingSink(Array(bytes.prefix(1000)))
        let outcome = try await fetch(server.url("/a"), size: size, offset: 1000, validator: "\"v1\"", into: sink)
        #expect(
            outcome.error == nil && outcome.httpStatus == 206 && outcome.bytes == size - 1000
                && outcome.firstBytes.isEmpty)
        #expect(sink.bytes == bytes && sink.begins.map(\.offset) == [1000])
        #expect(server.recording.requests.first?.headers["if-range"] == "\"v1\"")
        #expect(server.recording.ranges("/a") == ["bytes=1000-"])
    }

    @Test func changedFileStartsOverByIfRange() async throws {
        server.serve("/a", bytes, etag: "\"v2\"")
        let sink = CollectingSink([9, 9, 9])
        let outcome = try await fetch(server.url("/a"), size: size, offset: 3, validator: "\"v1\"", into: sink)
        #expect(outcome.error == nil && sink.bytes == bytes && outcome.firstBytes.count == 512)
        #expect(sink.begins == [.init(offset: 0, validator: Validator(entityTag: "\"v2\""))])
    }

    @Test func serverWithoutRangesStartsOver() async throws {
        server.script("/a", [.ok(bytes)])
        let sink = CollectingSink(Array(bytes.prefix(10)))
        let outcome = try await fetch(server.url("/a"), size: size, offset: 10, into: sink)
        #expect(outcome.error == nil && outcome.bytes == size && sink.bytes == bytes)
    }

    @Test(arguments: ["bytes 11-299999/300000", "bytes 0-299999/300000", "bytes 10-20/300000", "nonsense", nil])
    func wrongRangeMustRestart(_ range: String?) async throws {
        server.script("/a", [.part(Array(bytes[10...]), contentRange: range)])
        let sink = CollectingSink(Array(bytes.prefix(10)))
        let outcome = try await fetch(server.url("/a"), size: size, offset: 10, into: sink)
        #expect(outcome.error?.code == .protocolViolation && outcome.mustRestart && outcome.bytes == 0)
        #expect(sink.begins.isEmpty)
    }

    @Test func wrongTotalIsASizeMismatchBeforeTheBytes() async throws {
        server.script("/a", [.part(Array(bytes[10...]), contentRange: "bytes 10-300000/300001")])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: size, offset: 10, into: sink)
        #expect(outcome.error?.code == .sizeMismatch && sink.begins.isEmpty)
        #expect(outcome.error?.message.contains("got a file of 300001 bytes, expected 300000") == true)
    }

    @Test func changedTagOfARangeMustRestart() async throws {
        server.script("/a", [.part(Array(bytes[10...]), contentRange: "bytes 10-299999/300000", etag: "\"v2\"")])
        let outcome = try await fetch(server.url("/a"), size: size, offset: 10, validator: "\"v1\"")
        #expect(outcome.mustRestart && outcome.error?.isRetryable == true && outcome.bytes == 0)
    }

    @Test func rangeNotSatisfiableMustRestart() async throws {
        server.script("/a", [.status(416)])
        let outcome = try await fetch(server.url("/a"), size: size, offset: 10)
        #expect(outcome.httpStatus == 416 && outcome.mustRestart && outcome.error?.isRetryable == true)
    }

    @Test func rangeNotSatisfiableForAnotherSizeIsRefused() async throws {
        server.serve("/a", Array(bytes.prefix(5)))
        let outcome = try await fetch(server.url("/a"), size: size, offset: 10)
        #expect(outcome.error?.code == .sizeMismatch && outcome.error?.isRetryable == false)
    }

    @Test func partThatWasNotAskedForIsRefused() async throws {
        server.script("/a", [.part(bytes, contentRange: "bytes 0-299999/300000")])
        let outcome = try await fetch(server.url("/a"), size: size)
        #expect(outcome.error?.code == .protocolViolation && outcome.bytes == 0)
    }

    @Test func largeBodyOfOtherLengthIsRefusedUnread() async throws {
        server.script("/a", [.ok(bytes).declaring(1 << 40).endless()])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: size, into: sink)
        #expect(outcome.error?.code == .sizeMismatch && outcome.error?.isRetryable == false)
        #expect(sink.begins.isEmpty && outcome.firstBytes.isEmpty)
    }

    @Test func webPageIsDiagnosed() async throws {
        let page = Array("<!doctype html><title>log in</title>".utf8)
        server.script("/a", [.ok(page).header("Content-Type", "text/html")])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: size, into: sink)
        #expect(outcome.error?.code == .sizeMismatch && outcome.error?.diagnosis == .htmlPage)
        #expect(outcome.error?.message.contains("web page") == true)
        #expect(outcome.firstBytes == page && outcome.contentType == "text/html" && sink.begins.isEmpty)
    }

    @Test func webPageOfUnknownLengthIsDiagnosedAtItsEnd() async throws {
        let page = Array("<!doctype html><title>log in</title>".utf8)
        server.script("/a", [.ok(page).header("Content-Type", "text/html").chunked()])
        let outcome = try await fetch(server.url("/a"), size: size)
        #expect(outcome.error?.code == .sizeMismatch && outcome.error?.diagnosis == .htmlPage)
        #expect(outcome.error?.isRetryable == false && outcome.mustRestart)
    }

    @Test func pointerFileIsDiagnosed() async throws {
        let pointer = Array("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n".utf8)
        server.script("/a", [.ok(pointer)])
        let outcome = try await fetch(server.url("/a"), size: size)
        #expect(outcome.error?.diagnosis == .lfsPointer && outcome.bytes == 0)
    }

    @Test func endlessPageIsReadNoFurtherThanNeeded() async throws {
        let page = Array("<html>".utf8) + [UInt8](repeating: 32, count: 1000)
        server.script("/a", [.ok(page).header("Content-Type", "text/html").declaring(1 << 40).endless()])
        let outcome = try await fetch(server.url("/a"), size: size)
        #expect(outcome.error?.diagnosis == .htmlPage && outcome.firstBytes.count == 512)
    }

    @Test func bodyWithoutALengthIsFine() async throws {
        server.script("/chunked", [.ok(bytes).chunked()])
        server.script("/close", [.ok(bytes).withoutLength()])
        for path in ["/chunked", "/close"] {
            let sink = CollectingSink()
            let outcome = try await fetch(server.url(path), size: size, into: sink)
            #expect(outcome.error == nil && sink.bytes == bytes)
        }
    }

    @Test func bodyThatRunsPastItsSizeIsCutThere() async throws {
        server.script("/a", [.ok(pattern(1000)).chunked().endless()])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: 2500, into: sink)
        #expect(outcome.error?.code == .sizeMismatch && outcome.bytes == 2500 && sink.bytes.count == 2500)
    }

    @Test func unknownSizeTakesAnyLength() async throws {
        server.serve("/a", bytes)
        let outcome = try await fetch(server.url("/a"))
        #expect(outcome.error == nil && outcome.bytes == size)
    }

    @Test func encodedAnswerIsRefused() async throws {
        server.script("/a", [.ok(bytes).header("Content-Encoding", "gzip")])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: size, into: sink)
        #expect(outcome.error?.code == .protocolViolation && sink.begins.isEmpty)
    }

    @Test func interimHeadsAndTrailersAreNotTheAnswer() async throws {
        server.script("/a", [.ok(bytes).after("HTTP/1.1 103 Early Hints\r\nETag: \"no\"\r\nContent-Length: 3\r\n\r\n")])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: size, into: sink)
        #expect(outcome.error == nil && sink.begins == [.init(offset: 0, validator: nil)])
    }

    @Test(arguments: [204, 201, 304, 300]) func otherStatusesAreAgainstTheProtocol(_ status: Int) async throws {
        server.script("/a", [FaultResponse(status: status)])
        let outcome = try await fetch(server.url("/a"), size: size)
        #expect(outcome.error?.code == .protocolViolation && outcome.httpStatus == status)
    }

    @Test func retryAfterIsPassedOnAndNeverNegative() async throws {
        let cases: [(String, Duration?)] = [
            ("7", .seconds(7)), ("Thu, 01 Jan 1970 00:00:10 GMT", .zero), ("nonsense", nil),
            ("86400000", .seconds(86_400_000)),
        ]
        for (index, (text, expected)) in cases.enumerated() {
            server.script("/\(index)", [.status(429, retryAfter: text)])
            let outcome = try await fetch(server.url("/\(index)"), size: size)
            #expect(outcome.error?.code == .httpStatus && outcome.error?.isRetryable == true)
            #expect(outcome.retryAfter == expected, "\(text)")
        }
        server.script("/date", [.status(503, retryAfter: "Fri, 31 Dec 2999 23:59:59 GMT")])
        #expect(try await fetch(server.url("/date")).retryAfter.map { $0 > .seconds(86_400) } == true)
    }

    @Test func bodyOfAnErrorNeverReachesTheSink() async throws {
        server.script("/a", [FaultResponse(status: 500, body: bytes).endless().chunked()])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: size, into: sink)
        #expect(outcome.error?.code == .httpStatus && sink.begins.isEmpty && outcome.bytes == 0)
    }

    @Test func bodyOfAnErrorThatDoesNotEndIsNotWaitedFor() async throws {
        server.script("/a", [FaultResponse(status: 503, headers: [("Retry-After", "3")], body: bytes).stalled(at: 5)])
        let outcome = try await fetch(server.url("/a"), size: size)
        #expect(outcome.error?.code == .httpStatus && outcome.retryAfter == .seconds(3))
    }

    @Test func statusThenSuccessReusesTheConnection() async throws {
        server.script("/a", [.status(503), .ok(bytes)])
        let statuses = try await withTransport(quickOptions()) { [server] transport in
            var statuses: [Int?] = []
            for _ in 0..<2 {
                let request = TransferRequest(url: server.url("/a"), expectedSize: nil, subject: "a")
                statuses.append(await transport.transfer(request, into: CollectingSink()).httpStatus)
            }
            return statuses
        }
        #expect(statuses == [503, 200] && server.recording.connections == 1)
    }
}
