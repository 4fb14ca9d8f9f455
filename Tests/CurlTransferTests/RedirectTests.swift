import CurlTransfer
import SyncDomain
import TestSupport
import Testing

/// Redirects and credentials against servers: a host and port never gets what was given for another.
@Suite(.timeLimit(.minutes(1))) struct RedirectTests {
    private let server: FaultServer
    private let other: FaultServer
    private let bytes = pattern(1000)

    init() throws {
        server = try FaultServer()
        other = try FaultServer()
        for server in [server, other] { server.serve("/file", bytes) }
    }

    private func authorizations(_ server: FaultServer) -> [String?] {
        server.recording.requests.map { $0.headers["authorization"] }
    }

    @Test(arguments: [301, 302, 303, 307, 308]) func redirectIsFollowed(_ status: Int) async throws {
        server.script("/a", [.redirect(to: "file?x=1", status: status)])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: 1000, into: sink)
        #expect(outcome.error == nil && outcome.httpStatus == 200 && sink.bytes == bytes)
        #expect(server.recording.requests.map(\.target) == ["/a", "/file?x=1"] && server.recording.connections == 1)
    }

    @Test func rangeIsAskedForAtEachHop() async throws {
        server.script("/a", [.redirect(to: other.url("/file").text)])
        let outcome = try await fetch(server.url("/a"), size: 1000, offset: 10, validator: "\"v\"")
        #expect(server.recording.ranges("/a") == ["bytes=10-"] && other.recording.ranges("/file") == ["bytes=10-"])
        #expect(outcome.error == nil)
    }

    @Test func tenRedirectsAreFollowedAndElevenAreNot() async throws {
        for index in 0..<11 { server.script("/\(index)", [.redirect(to: index < 10 ? "/\(index + 1)" : "/file")]) }
        let tooMany = try await fetch(server.url("/0"), size: 1000)
        #expect(tooMany.error?.code == .httpRedirect && tooMany.error?.isRetryable == false)
        #expect(try await fetch(server.url("/1"), size: 1000).error == nil)
    }

    @Test func loopEnds() async throws {
        server.script("/a", [.redirect(to: "/a")])
        #expect(try await fetch(server.url("/a"), size: 1000).error?.code == .httpRedirect)
        #expect(server.recording.count("/a") == 11)
    }

    @Test(arguments: [
        ("file:///etc/hostname", ErrorCode.policyScheme), ("ftp://127.0.0.1/x", .policyScheme),
        ("http://user:secret@127.0.0.1/", .httpRedirect),
    ])
    func redirectOutOfBoundsIsRefused(_ location: String, _ code: ErrorCode) async throws {
        server.script("/a", [.redirect(to: location)])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: 1000, into: sink)
        #expect(outcome.error?.code == code && sink.begins.isEmpty)
        #expect(outcome.error?.message.contains("secret") == false)
    }

    @Test func bodyOfARedirectDoesNotHoldUpTheNextHop() async throws {
        server.script("/endless", [FaultResponse.redirect(to: "/file").chunked().endless()])
        server.script("/stall", [FaultResponse.redirect(to: "/file").stalled(at: 3)])
        for path in ["/endless", "/stall"] {
            #expect(try await fetch(server.url(path), size: 1000).error == nil)
        }
    }

    @Test func messageNamesTheHopAndTheOrigin() async throws {
        server.script("/a", [.redirect(to: other.url("/gone?sig=secret").text)])
        let message = try await fetch(server.url("/a?key=hidden"), size: 1000).error?.message ?? ""
        #expect(message.contains("demo/tiny a.bin") && message.contains("/gone?sig=REDACTED"))
        #expect(message.contains("redirected from \(server.url("/a").text)?key=REDACTED"))
        #expect(!message.contains("secret") && !message.contains("hidden"))
    }

    // MARK: Credentials

    @Test func tokenGoesToItsHost() async throws {
        let options = quickOptions(credentials: try tokens(["127.0.0.1:\(server.port)": "t0ken"]))
        _ = try await fetch(server.url("/file"), size: 1000, options: options)
        #expect(authorizations(server) == ["Bearer t0ken"])
    }

    @Test func tokenDoesNotFollowToAnotherPort() async throws {
        server.script("/a", [.redirect(to: other.url("/file").text)])
        let options = quickOptions(credentials: try tokens(["127.0.0.1:\(server.port)": "t0ken"]))
        #expect(try await fetch(server.url("/a"), size: 1000, options: options).error == nil)
        #expect(authorizations(server) == ["Bearer t0ken"] && authorizations(other) == [nil])
    }

    @Test func tokenDoesNotFollowToAnotherNameOfTheHost() async throws {
        server.script("/a", [.redirect(to: server.url("/file", host: "localhost").text)])
        let options = quickOptions(credentials: try tokens(["127.0.0.1:\(server.port)": "t0ken"]))
        #expect(try await fetch(server.url("/a"), size: 1000, options: options).error == nil)
        #expect(authorizations(server) == ["Bearer t0ken", nil])
    }

    @Test func eachHopGetsItsOwnTokenAlsoOnTheWayBack() async throws {
        server.script("/a", [.redirect(to: other.url("/b").text)])
        other.script("/b", [.redirect(to: server.url("/file").text)])
        let options = quickOptions(
            credentials: try tokens(["127.0.0.1:\(server.port)": "mine", "127.0.0.1:\(other.port)": "yours"]))
        #expect(try await fetch(server.url("/a"), size: 1000, options: options).error == nil)
        #expect(authorizations(server) == ["Bearer mine", "Bearer mine"] && authorizations(other) == ["Bearer yours"])
    }

    @Test func netrcIsForHostsWithoutAToken() async throws {
        try await TemporaryFolder.with { folder in
            let netrc = try folder.write("machine localhost login me password netrc-secret\n", to: "netrc")
            server.script("/a", [.redirect(to: server.url("/file", host: "localhost").text)])
            server.script("/b", [.redirect(to: other.url("/file").text)])
            let options = quickOptions(
                credentials: try tokens(["127.0.0.1:\(server.port)": "t0ken"]), netrcFile: netrc)
            #expect(try await fetch(server.url("/a"), size: 1000, options: options).error == nil)
            #expect(authorizations(server) == ["Bearer t0ken", "Basic bWU6bmV0cmMtc2VjcmV0"])
            #expect(try await fetch(server.url("/b", host: "localhost"), size: 1000, options: options).error == nil)
            #expect(authorizations(other) == [nil])
        }
    }

    @Test func refusedTokenIsNamedByItsVariableAlone() async throws {
        server.script("/a", [.status(401)])
        let key = try HostKey("127.0.0.1:\(server.port)")
        for (value, words) in [("t0ken", "the token in EXAMPLE_TOKEN was refused"), (nil, "set EXAMPLE_TOKEN")] {
            let credentials = Credentials(hosts: [key: HostSettings(bearerVariable: "EXAMPLE_TOKEN")]) { _ in value }
            let error = try await fetch(server.url("/a"), size: 1000, options: quickOptions(credentials: credentials))
                .error
            #expect(error?.code == .httpUnauthorized && error?.message.contains(words) == true)
            #expect(error?.message.contains("t0ken") == false)
        }
    }
}
