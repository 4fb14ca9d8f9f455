import SyncDomain
import Testing

@Suite struct RelativePathTests {
    @Test(arguments: [
        "a", "a/b", ".hidden", "...", "a/...b", "a b", "ä/ö", "名前.bin", "a:b", "-", "~", "a\u{A0}b", "con",
        String(repeating: "x", count: 255),
    ])
    func ordinaryPathsAreTaken(_ text: String) throws {
        #expect(try RelativePath(text).text == text)
    }

    @Test(arguments: [
        ("", "the path is empty"),
        ("/", "the path is absolute; write it relative to the model's folder"),
        ("/etc/passwd", "the path is absolute; write it relative to the model's folder"),
        (".", "the path has a '.' or '..' component"),
        ("..", "the path has a '.' or '..' component"),
        ("a/../b", "the path has a '.' or '..' component"),
        ("a/.", "the path has a '.' or '..' component"),
        ("./a", "the path has a '.' or '..' component"),
        ("a//b", "the path has an empty component ('//' or a '/' at its end)"),
        ("a/", "the path has an empty component ('//' or a '/' at its end)"),
        ("a\\b", "the path has a backslash; use '/' between folders"),
        ("a\0b", "the path has a control character"),
        ("a\nb", "the path has a control character"),
        ("a\u{1B}[2J", "the path has a control character"),
        ("a\u{7F}", "the path has a control character"),
        ("a\u{9B}31m", "the path has a control character"),
        ("a/" + String(repeating: "x", count: 256), "a component of the path has 256 bytes; at most 255 are allowed"),
        (String(repeating: "ä", count: 128), "a component of the path has 256 bytes; at most 255 are allowed"),
        (String(repeating: "abc/", count: 256) + "x", "the path has 1025 bytes; at most 1024 are allowed"),
    ])
    func othersAreRefusedWithTheReason(_ text: String, _ reason: String) {
        let error = #expect(throws: InvalidValue.self) { try RelativePath(text) }
        #expect(error?.reason == reason)
    }

    @Test func aPathOf1024BytesIsTheLongest() throws {
        let text = String(repeating: "abc/", count: 255) + "abcd"
        #expect(try RelativePath(text).text.utf8.count == 1024)
    }

    @Test func partsAreTheFolderAndTheLastComponent() throws {
        let path = try RelativePath("a/b/c.bin")
        #expect(path.lastComponent == "c.bin" && path.parent == "a/b")
        let top = try RelativePath("c.bin")
        #expect(top.lastComponent == "c.bin" && top.parent == nil)
    }
}

@Suite struct ModelNameTests {
    @Test(arguments: ["a", "A1", "0", "whisper/large-v3", "a.b/c_d-e", "a/b/c/d", String(repeating: "x", count: 239)])
    func segmentsOfTheseCharactersAreTaken(_ text: String) throws {
        #expect(try ModelName(text).text == text)
    }

    @Test(arguments: [
        "", "/", "/a", "a/", "a//b", ".", "..", "a/..", ".a", "-a", "_a", "a/-b", "a b", "a\\b", "ä", "a\0", "a:b",
        "a*",
        String(repeating: "x", count: 240), String(repeating: "abc/", count: 128) + "a",
    ])
    func othersAreRefused(_ text: String) {
        #expect(throws: InvalidValue.self) { try ModelName(text) }
    }
}
