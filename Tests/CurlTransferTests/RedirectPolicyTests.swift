import SyncDomain
import Testing

@testable import CurlTransfer

@Suite struct RedirectPolicyTests {
    private func follow(_ location: String, from url: String) throws -> String {
        var policy = RedirectPolicy()
        return try policy.follow(location, from: SourceURL(url)).text
    }

    private func refusal(_ location: String, from url: String = "https://a.example/x") -> TransferFault? {
        #expect(throws: TransferFault.self) { try follow(location, from: url) }
    }

    @Test(arguments: [
        ("https://b.example/y", "https://b.example/y"), ("//b.example/y", "https://b.example/y"),
        ("/y?q=1#f", "https://a.example/y?q=1"),
        ("y", "https://a.example/d/y"), ("../y", "https://a.example/y"), ("HTTPS://b.example/y", "https://b.example/y"),
        ("/a b/ü", "https://a.example/a%20b/%C3%BC"), ("?q=a:b", "https://a.example/d/x?q=a:b"),
    ])
    func targetsAreResolved(_ location: String, _ target: String) throws {
        #expect(try follow(location, from: "https://a.example/d/x") == target)
    }

    @Test func httpMayGoUpToHTTPS() throws {
        #expect(try follow("https://a.example/x", from: "http://a.example/x") == "https://a.example/x")
    }

    @Test func httpsNeverGoesDown() {
        #expect(refusal("http://a.example/x")?.code == .httpRedirect)
    }

    @Test func downgradeIsFoundAtALaterHop() throws {
        var policy = RedirectPolicy()
        let up = try policy.follow("https://b.example/", from: SourceURL("http://a.example/"))
        #expect(throws: TransferFault.self) { try policy.follow("http://a.example/", from: up) }
    }

    @Test(arguments: [
        "file:///etc/passwd", "ftp://a.example/x", "gopher://a.example/", "dict:x", "FILE:///x", "data:text/plain,x",
        "s3://b/k",
    ])
    func otherSchemesAreRefused(_ location: String) {
        #expect(refusal(location)?.code == .policyScheme)
    }

    @Test(arguments: [
        "https://user:secret@b.example/", "https://user@b.example/", "https:///x", "https://b.example:0/",
        "https://b.ex\\ample/", "",
    ])
    func malformedTargetsAreRefusedAndNotQuoted(_ location: String) {
        let fault = refusal(location)
        #expect(fault?.code == .httpRedirect)
        #expect(fault?.what.contains("secret") == false)
    }

    @Test func eleventhRedirectIsTooMany() throws {
        var policy = RedirectPolicy()
        let url = try SourceURL("https://a.example/x")
        for _ in 0..<10 { _ = try policy.follow("/x", from: url) }
        let fault = #expect(throws: TransferFault.self) { try policy.follow("/x", from: url) }
        #expect(fault?.code == .httpRedirect)
    }

    @Test func downgradeMessageHidesTheQuery() {
        #expect(refusal("http://a.example/x?token=secret")?.what.contains("secret") == false)
    }

    // MARK: Credentials

    private func credentials() throws -> Credentials {
        Credentials(
            hosts: [
                try HostKey("a.example"): HostSettings(bearerVariable: "A"),
                try HostKey("b.example:8443"): HostSettings(bearerVariable: "B"),
                try HostKey("unset.example"): HostSettings(bearerVariable: "UNSET"),
                try HostKey("bad.example"): HostSettings(bearerVariable: "BAD"),
                try HostKey("trim.example"): HostSettings(bearerVariable: "TRIM"),
            ], environment: { ["A": "token-a", "B": "token-b", "BAD": "x\r\nHost: evil", "TRIM": "token\n"][$0] })
    }

    @Test(arguments: [
        ("https://a.example/", "token-a"), ("https://A.example:443/", "token-a"), ("https://a.example:8443/", nil),
        ("https://a.example.evil/", nil), ("https://x.a.example/", nil), ("https://b.example:8443/", "token-b"),
        ("https://b.example/", nil), ("https://unset.example/", nil), ("https://trim.example/", "token"),
    ])
    func tokensGoToTheirHostAndPortAlone(_ url: String, _ token: String?) throws {
        #expect(try Authorization(for: SourceURL(url), from: credentials()).bearer == token)
    }

    @Test func tokenThatWouldEndItsHeaderIsRefused() throws {
        let credentials = try credentials()
        let fault = #expect(throws: TransferFault.self) {
            try Authorization(for: SourceURL("https://bad.example/"), from: credentials)
        }
        #expect(
            fault?.code == .httpUnauthorized && fault?.what.contains("BAD") == true
                && fault?.what.contains("evil") == false)
    }
}
