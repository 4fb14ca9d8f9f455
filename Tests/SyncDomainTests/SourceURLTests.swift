import SyncDomain
import Testing

@Suite struct SourceURLTests {
    @Test(arguments: [
        ("https://h.example.org/a", "https://h.example.org/a"),
        ("HTTPS://h.example.org/a#part", "https://h.example.org/a"),
        ("http://h.example.org", "http://h.example.org"),
        ("http://h.example.org:8080/a?b=c#d", "http://h.example.org:8080/a?b=c"),
        ("https://[2001:db8::1]:444/x", "https://[2001:db8::1]:444/x"),
        ("https://bücher.example/ä", "https://bücher.example/ä"),
        ("https://h.example.org/?", "https://h.example.org/?"),
        ("https://h.example.org/a:b@c", "https://h.example.org/a:b@c"),
        ("file:///srv/a%20b", "file:///srv/a%20b"),
        ("file://localhost/srv", "file://localhost/srv"),
    ])
    func absoluteURLsAreTakenWithoutTheirFragment(_ text: String, _ normal: String) throws {
        #expect(try SourceURL(text).text == normal)
    }

    @Test(arguments: [
        ("", "the URL has no scheme; write https://…"),
        ("a/b", "the URL has no scheme; write https://…"),
        ("//h/a", "the URL has no scheme; write https://…"),
        ("1a://h/a", "the URL has no scheme; write https://…"),
        ("ftp://h/a", "the scheme 'ftp' is not supported; use https, http or file"),
        ("S3://bucket/a", "the scheme 'S3' is not supported; use https, http or file"),
        ("s3cret:password@h/a", "the scheme of the URL is not supported; use https, http or file"),
        ("abcdefghijklmnopqrst://h/a", "the scheme of the URL is not supported; use https, http or file"),
        ("https:/h/a", "the URL has no '//' after its scheme"),
        ("https:", "the URL has no '//' after its scheme"),
        ("https://u:p@h/a", "the URL has a user or password in it; use 'bearer_env' under 'hosts', or ~/.netrc"),
        ("http://@h/a", "the URL has a user or password in it; use 'bearer_env' under 'hosts', or ~/.netrc"),
        ("https://", "the host is empty"),
        ("https:///a", "the host is empty"),
        ("https://:80/a", "the host is empty"),
        ("https://h:/a", "the port is a number from 1 to 65535"),
        ("https://h:0/a", "the port is a number from 1 to 65535"),
        ("https://h:65536/a", "the port is a number from 1 to 65535"),
        ("https://h:99999999999999999999999/a", "the port is a number from 1 to 65535"),
        ("https://h:+80/a", "the port is a number from 1 to 65535"),
        ("https://h*/a", "the host has a character that no host has"),
        ("https://h%2e/a", "the host has a character that no host has"),
        ("https://[::1/a", "the IPv6 address is not one"),
        ("https://[]/a", "the IPv6 address is not one"),
        ("https://[12]/a", "the IPv6 address is not one"),
        ("https://[::g]/a", "the IPv6 address is not one"),
        ("https://h/a b", "the URL has a space, a control character or a backslash; percent-encode it"),
        ("https://h/a\n", "the URL has a space, a control character or a backslash; percent-encode it"),
        ("https://h\\a", "the URL has a space, a control character or a backslash; percent-encode it"),
        ("https://h/\u{9B}", "the URL has a space, a control character or a backslash; percent-encode it"),
        ("https://h/#\u{7F}", "the URL has a space, a control character or a backslash; percent-encode it"),
        ("file://server/a", "a file URL names a path on this machine: write file:///path"),
        ("file://", "a file URL has an absolute path with valid percent-encoding"),
        ("file:///a%0", "a file URL has an absolute path with valid percent-encoding"),
        ("file:///a%-0", "a file URL has an absolute path with valid percent-encoding"),
        ("file:///a%00", "a file URL has an absolute path with valid percent-encoding"),
        ("file:///a%ff", "a file URL has an absolute path with valid percent-encoding"),
    ])
    func othersAreRefusedWithTheReason(_ text: String, _ reason: String) {
        let error = #expect(throws: InvalidValue.self) { try SourceURL(text) }
        #expect(error?.reason == reason)
    }

    @Test func pathsBecomeFileURLsAndBack() throws {
        let path = "/srv/a b/%/?#[]ä\u{1F600}'\"\\\n:;@&=+$,-._~!*()"
        let url = try SourceURL(absolutePath: path)
        #expect(url.filePath == path)
        #expect(try SourceURL(url.text) == url)
        #expect(throws: InvalidValue.self) { try SourceURL(absolutePath: "a") }
        #expect(throws: InvalidValue.self) { try SourceURL(absolutePath: "/a\0") }
        #expect(try SourceURL("https://h/a").filePath == nil)
    }

    @Test(arguments: [
        ("https://h/a/b.bin", "b.bin"), ("https://h/a/b%20c?x=/y", "b c"), ("https://h/a/", ""), ("https://h", ""),
        ("https://h/a%2Fb", "a/b"), ("https://h/a%zz", ""), ("https://h/%C3%A4", "ä"), ("file:///x", "x"),
    ])
    func theLastPathComponentIsDecoded(_ text: String, _ last: String) throws {
        #expect(try SourceURL(text).lastPathComponent == last)
    }

    @Test(arguments: [
        ("https://h/a?token=s3cret&x=1", "https://h/a?token=REDACTED&x=REDACTED"),
        ("https://h/a?s3cret", "https://h/a?REDACTED"),
        ("https://h/a?", "https://h/a?"),
        ("https://h/a?a=b=c&&d", "https://h/a?a=REDACTED&&REDACTED"),
        ("https://u:s3cret@h/a", "https://REDACTED@h/a"),
        ("https://u@s3cret@h/a", "https://REDACTED@h/a"),
        ("u:s3cret@h/a", "REDACTED@h/a"),
        ("s3cret@h", "REDACTED@h"),
        ("https://h/a@b#s3cret", "https://h/a@b"),
        ("a/b", "a/b"),
        ("https://h/ s3cret", "(a malformed URL)"),
    ])
    func userInfoAndQueryValuesAreRedacted(_ text: String, _ redacted: String) {
        #expect(SourceURL.redact(text) == redacted)
    }

    @Test func printingAURLPrintsNoSecret() throws {
        let url = try SourceURL("https://h/a?token=s3cret")
        #expect("\(url)" == "https://h/a?token=REDACTED" && url.redacted == url.description)
    }
}

@Suite struct HostKeyTests {
    @Test(arguments: [
        ("h.example.org", "h.example.org"), ("H.Example.ORG:8080", "h.example.org:8080"), ("[::1]", "[::1]"),
        ("[2001:DB8::1]:443", "[2001:db8::1]:443"), ("192.0.2.1:1", "192.0.2.1:1"), ("a_b", "a_b"),
    ])
    func hostsAreKeptInLowerCaseWithTheirPort(_ text: String, _ normal: String) throws {
        #expect(try HostKey(text).description == normal)
    }

    @Test(arguments: [
        "", ":80", "h:", "h:0", "h:65536", "h:8o", "a b", "h/", "u@h", "[::1", "::1]", "h\u{1B}", "h\u{9B}", "a,b",
    ])
    func othersAreRefused(_ text: String) {
        #expect(throws: InvalidValue.self) { try HostKey(text) }
    }

    @Test func aURLHasTheDefaultPortOfItsScheme() throws {
        #expect(try SourceURL("https://H.example.org/a").host?.description == "h.example.org:443")
        #expect(try SourceURL("http://h.example.org/a").host?.port == 80)
        #expect(try SourceURL("http://[::1]:81").host?.description == "[::1]:81")
        #expect(try SourceURL("file:///a").host == nil)
    }

    @Test func aKeyCoversItsHostAndPortAlone() throws {
        let other = try HostKey("h.example.org:443")
        #expect(try HostKey("h.example.org").covers(other, over: .https))
        #expect(try HostKey("H.example.org:443").covers(other, over: .https))
        #expect(try !HostKey("h.example.org").covers(HostKey("h.example.org:8443"), over: .https))
        #expect(try !HostKey("h.example.org").covers(other, over: .http))
        #expect(try !HostKey("example.org").covers(other, over: .https))
        #expect(try !HostKey("h.example.org").covers(HostKey("h.example.org.evil.example:443"), over: .https))
    }
}
