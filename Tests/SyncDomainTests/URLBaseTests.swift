import SyncDomain
import Testing

@Suite struct URLBaseTests {
    /// The examples of RFC 3986 sections 5.4.1 and 5.4.2 that name something that can be fetched.
    @Test(arguments: [
        ("g", "http://a/b/c/g"), ("./g", "http://a/b/c/g"), ("g/", "http://a/b/c/g/"), ("/g", "http://a/g"),
        ("//g", "http://g/"),
        ("?y", "http://a/b/c/d;p?y"), ("g?y", "http://a/b/c/g?y"), ("#s", "http://a/b/c/d;p?q"),
        ("g#s", "http://a/b/c/g"),
        ("g?y#s", "http://a/b/c/g?y"), (";x", "http://a/b/c/;x"), ("g;x", "http://a/b/c/g;x"), (".", "http://a/b/c/"),
        ("./", "http://a/b/c/"), ("..", "http://a/b/"), ("../", "http://a/b/"), ("../g", "http://a/b/g"),
        ("../..", "http://a/"),
        ("../../", "http://a/"), ("../../g", "http://a/g"), ("../../../g", "http://a/g"), ("/./g", "http://a/g"),
        ("/../g", "http://a/g"), ("g.", "http://a/b/c/g."), (".g", "http://a/b/c/.g"), ("g..", "http://a/b/c/g.."),
        ("..g", "http://a/b/c/..g"), ("./../g", "http://a/b/g"), ("./g/.", "http://a/b/c/g/"),
        ("g/./h", "http://a/b/c/g/h"),
        ("g/../h", "http://a/b/c/h"), ("g;x=1/./y", "http://a/b/c/g;x=1/y"), ("g;x=1/../y", "http://a/b/c/y"),
        ("g?y/./x", "http://a/b/c/g?y/./x"), ("g?y/../x", "http://a/b/c/g?y/../x"), ("https://g/h", "https://g/h"),
    ])
    func referencesAreResolvedAsTheStandardSays(_ reference: String, _ url: String) throws {
        let base = URLBase.url(try SourceURL("http://a/b/c/d;p?q"))
        #expect(try base.resolve(reference).text == url)
    }

    @Test func aBaseWithoutAPathIsItsRoot() throws {
        #expect(try URLBase.url(SourceURL("https://h")).resolve("a/b").text == "https://h/a/b")
    }

    @Test(arguments: [
        ("a", "file:///m/s/a"), ("./a", "file:///m/s/a"), ("../a", "file:///m/a"), ("../../../a", "file:///a"),
        ("/a/../b", "file:///b"),
        ("a/..", "file:///m/s/"), ("..", "file:///m/"), ("a//b", "file:///m/s/a//b"),
        ("a b?c#d", "file:///m/s/a%20b%3Fc%23d"),
        ("100%", "file:///m/s/100%25"), ("~", "file:///m/s/~"), ("ä", "file:///m/s/%C3%A4"), (":a", "file:///m/s/:a"),
        ("https://h/a", "https://h/a"), ("file:///a", "file:///a"),
    ])
    func referencesInAFolderArePaths(_ reference: String, _ url: String) throws {
        #expect(try URLBase.folder("/m/s").resolve(reference).text == url)
    }

    @Test(arguments: [
        ("", "the URL is empty"),
        ("//h/a", "the URL has no scheme; write https://…"),
        ("a\\b", "the path has a control character or a backslash; use '/' between folders"),
        ("a\tb", "the path has a control character or a backslash; use '/' between folders"),
        ("a\u{85}b", "the path has a control character or a backslash; use '/' between folders"),
        ("C:/a", "the scheme 'C' is not supported; use https, http or file"),
        ("1:2", "the URL has no scheme; write https://…"),
    ])
    func whatIsNoPathIsRefused(_ reference: String, _ reason: String) {
        let error = #expect(throws: InvalidValue.self) { try URLBase.folder("/m/s").resolve(reference) }
        #expect(error?.reason == reason)
    }
}
