import CurlTransfer
import SyncDomain
import TestSupport
import Testing

/// Connections that break, stall or never were, and sinks that refuse.
@Suite(.timeLimit(.minutes(1))) struct FailureTests {
    private let server: FaultServer
    private let bytes = pattern(300_000)

    init() throws { server = try FaultServer() }

    @Test func bodyThatEndsEarlyNamesGotAndExpected() async throws {
        server.script("/length", [.ok(bytes).truncated(at: 1000)])
        server.script("/close", [.ok(bytes).withoutLength().truncated(at: 1000)])
        server.script("/chunked", [.ok(bytes).chunked().truncated(at: 1000)])
        for path in ["/length", "/close", "/chunked"] {
            let sink = CollectingSink()
            let outcome = try await fetch(server.url(path), size: 300_000, into: sink)
            #expect(outcome.error?.code == .networkInterrupted && outcome.error?.isRetryable == true)
            #expect(outcome.error?.diagnosis == .truncated)
            #expect(outcome.error?.message.contains("got 1000 of 300000 bytes") == true)
            #expect(outcome.bytes == 1000 && sink.bytes == Array(bytes.prefix(1000)))
        }
    }

    @Test func resetIsAnInterruption() async throws {
        server.script("/a", [.ok(bytes).reset(at: 1000)])
        server.script("/b", [.ok(bytes).reset(at: 0)])
        for path in ["/a", "/b"] {
            let outcome = try await fetch(server.url(path), size: 300_000)
            #expect(outcome.error?.code == .networkInterrupted && outcome.error?.isRetryable == true)
        }
    }

    @Test func rangeThatEndsEarlyCountsFromTheStartOfTheFile() async throws {
        server.script("/a") { [bytes] request, _ in .file(bytes, for: request).truncated(at: 500) }
        let outcome = try await fetch(server.url("/a"), size: 300_000, offset: 1000)
        #expect(outcome.error?.message.contains("got 1500 of 300000 bytes") == true && outcome.bytes == 500)
    }

    @Test(arguments: ["/stall", "/silent"]) func stallEndsAfterItsLimit(_ path: String) async throws {
        server.script("/stall", [.ok(bytes).stalled(at: 10)])
        server.script("/silent", [.silence])
        var options = quickOptions()
        options.stallTimeout = .seconds(1)
        let outcome = try await fetch(server.url(path), size: 300_000, options: options)
        #expect(outcome.error?.code == .networkStalled && outcome.error?.isRetryable == true)
        #expect(outcome.error?.message.contains("under 1 byte/s for 1 s") == true)
    }

    @Test func dripIsNoStall() async throws {
        server.script("/a", [.ok(Array(bytes.prefix(20))).dripping(1, everyMicroseconds: 150_000)])
        var options = quickOptions()
        options.stallTimeout = .seconds(1)
        let outcome = try await fetch(server.url("/a"), size: 20, options: options)
        #expect(outcome.error == nil && outcome.bytes == 20)
    }

    @Test func refusedConnectionIsToldAsSuch() async throws {
        // Held to the end: a port that was given back may be another test's server by now.
        let port = try LoopbackSocket()
        defer { port.close() }
        let outcome = try await fetch(SourceURL("http://127.0.0.1:\(port.port)/a"), size: 1)
        #expect(
            outcome.error?.code == .networkConnect && outcome.error?.isRetryable == true && outcome.httpStatus == nil)
        #expect(outcome.error?.message.contains("connection refused") == true)
    }

    @Test func unknownHostIsAFailureOfDNS() async throws {
        let outcome = try await fetch(SourceURL("http://no-such-host.invalid/a"), size: 1)
        #expect(outcome.error?.code == .networkDNS && outcome.error?.isRetryable == true)
    }

    @Test func plainServerIsNoTLSServer() async throws {
        server.serve("/a", bytes)
        let outcome = try await fetch(SourceURL("https://127.0.0.1:\(server.port)/a"), size: 1)
        #expect(outcome.error?.code == .networkTLS)
    }

    @Test func whatIsNoHTTPIsAgainstTheProtocol() async throws {
        server.script("/a", [.ok([]).after("220 mail.example.org ESMTP\r\n\r\n")])
        let outcome = try await fetch(server.url("/a"), size: 1)
        #expect(outcome.error?.code == .protocolViolation && outcome.error?.isRetryable == false)
    }

    @Test func headerFloodEndsTheTransfer() async throws {
        var flood = FaultResponse.ok(bytes)
        for index in 0..<5000 { flood = flood.header("X-Flood-\(index)", String(repeating: "x", count: 100)) }
        server.script("/a", [flood])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: 300_000, into: sink)
        #expect(outcome.error != nil && sink.begins.isEmpty)
    }

    @Test func sinkThatThrowsEndsTheTransferWithItsError() async throws {
        server.script("/a", [.ok(bytes).chunked().endless()])
        let full = SyncError(.storeNoSpace, "the disk is full")
        let sink = CollectingSink(onWrite: { count, _ throws(SyncError) in if count > 50_000 { throw full } })
        let outcome = try await fetch(server.url("/a"), size: 1 << 40, into: sink)
        #expect(outcome.error == full && outcome.bytes == Int64(sink.bytes.count) && outcome.httpStatus == 200)
    }

    @Test func sinkThatRefusesToBeginGetsNoBytes() async throws {
        server.serve("/a", bytes)
        let locked = SyncError(.storeLocked, "another process has it")
        let sink = CollectingSink(onBegin: { _ throws(SyncError) in throw locked })
        let outcome = try await fetch(server.url("/a"), size: 300_000, into: sink)
        #expect(outcome.error == locked && sink.writes == 0)
    }

    @Test func proxyIsAskedForTheWholeURL() async throws {
        server.script("http://models.invalid/a", [.ok(bytes)])
        var options = quickOptions()
        options.proxy = "http://127.0.0.1:\(server.port)"
        let outcome = try await fetch(SourceURL("http://models.invalid/a?sig=1"), size: 300_000, options: options)
        #expect(outcome.error == nil && server.recording.requests.first?.target == "http://models.invalid/a?sig=1")
    }

    @Test func proxyThatRefusesTheTunnelIsToldAsSuch() async throws {
        server.script("models.invalid:443", [.status(407), .status(403), .status(503)])
        var options = quickOptions()
        options.proxy = "http://user:secret@127.0.0.1:\(server.port)"
        var errors: [SyncError?] = []
        for _ in 0..<3 {
            errors.append(try await fetch(SourceURL("https://models.invalid/a"), size: 1, options: options).error)
        }
        #expect(errors.map(\.?.code) == [.httpUnauthorized, .networkConnect, .networkConnect])
        #expect(errors.map(\.?.isRetryable) == [false, false, true])
        for error in errors { #expect(error?.message.contains("secret") == false) }
    }
}
