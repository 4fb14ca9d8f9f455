import Foundation
import SyncDomain
import Testing
import YAMLManifest

/// What valid manifests mean.
@Suite struct DecodingTests {
    private func fixture(_ name: String, base: URLBase = .folder("/srv/manifests")) async throws -> Manifest {
        try await checkedManifest(FixtureTests.Fixture(folder: "valid", name: name + ".yaml").bytes(), base: base)
    }

    private func urls(_ file: ModelFile) -> [String] { file.sources.map(\.text) }

    @Test func theExampleOfTheDocumentationMeansWhatItSays() async throws {
        let manifest = try await fixture("from-the-documentation")
        let settings = HostSettings(bearerVariable: "EXAMPLE_TOKEN", connections: 8)
        #expect(manifest.hosts == [try HostKey("models.example.org"): settings])
        #expect(manifest.models.map(\.name.text) == ["demucs/htdemucs", "demo/tiny"])
        let model = try #require(manifest.models.first)
        #expect(model.version == "4.0" && model.license == "MIT" && model.tags == ["separation"])
        #expect(model.description == nil && model.homepage == nil)
        let file = try #require(model.files.first)
        #expect(file.path.text == "955717e8-8726e21a.th" && file.size == 84_141_911)
        #expect(file.sha256.hex == "955717e8726e21a0c8d0d6b8b4d6f4a5e7d1c3b29f8e7d6c5b4a392817161514")
        let path = "example.org/955717e8-8726e21a.th"
        #expect(urls(file) == ["https://origin.\(path)", "https://mirror.example.net/955717e8-8726e21a.th"])
        let tiny = try #require(manifest.models.last?.files.first)
        #expect(tiny.path.text == "tiny.bin" && urls(tiny) == ["file:///srv/demo/tiny.bin"])
    }

    @Test func allKeysAreRead() async throws {
        let manifest = try await fixture("all-keys")
        let model = try #require(manifest.models.first)
        #expect(model.version == "4.0" && model.description == "Two lines of text." && model.license == "Apache-2.0")
        #expect(model.homepage == "https://example.org/?q=1" && model.tags == ["speech", "2", "yes", "3.5"])
        let file = try #require(model.files.first)
        #expect(file.path.text == "folder/model.bin" && file.size == 9_223_372_036_854_775)
        #expect(file.sha256.hex == String(repeating: "a", count: 64))
        #expect(urls(file) == ["https://a.example.org/x?token=1", "http://B.example.org:80/x", "file:///srv/x%20y"])
        #expect(manifest.hosts[try HostKey("a.example.org")] == HostSettings())
        #expect(
            manifest.hosts[try HostKey("a.example.org:8443")] == HostSettings(bearerVariable: "_A1", connections: 1))
        #expect(manifest.hosts[try HostKey("[2001:db8::1]:443")]?.connections == 1024)
    }

    @Test func scalarsOfAnyKindAreTakenAsTheirText() async throws {
        let models = try await fixture("scalars-as-text").models
        #expect(models[0].name.text == "123" && models[0].version == "1_000" && models[0].description == "true")
        #expect(models[0].license == "0x10" && models[0].homepage == ".inf")
        #expect(models[0].files[0].sha256.hex == String(repeating: "1234567890123456", count: 4))
        #expect(models[0].files[0].size == 0 && models[0].files[0].path.text == "yes")
        #expect(models[1].name.text == "no" && models[1].version == "" && models[1].files[0].size == 12)
        #expect(models[1].files[0].sha256.hex == String(repeating: "12e4567890123456", count: 4))
    }

    @Test func explicitKeysWinOverMergedOnesAndEarlierOverLater() async throws {
        let models = try await fixture("merge").models
        #expect(models[1].files[0].path.text == "b.bin" && models[1].files[0].size == 10)
        #expect(models[2].license == "Apache-2.0" && models[2].version == "1" && models[2].files == models[1].files)
        let merged = models[3]
        #expect(merged.license == "first" && merged.homepage == "inner" && merged.version == "inner")
        #expect(merged.description == "last" && merged.files == models[1].files)
    }

    @Test func ownURLsTakeThePlaceOfAMergedURL() async throws {
        let files = try await fixture("merge").models[4].files
        #expect(urls(files[0]) == ["https://h.example.org/e1", "https://h.example.org/e2"])
    }

    @Test func mergingWorksInHosts() async throws {
        let hosts = try await fixture("merge-hosts").hosts
        #expect(hosts[try HostKey("a.example.org")] == HostSettings(bearerVariable: "A_TOKEN", connections: 4))
        #expect(hosts[try HostKey("b.example.org")] == HostSettings(bearerVariable: "A_TOKEN", connections: 8))
        #expect(hosts[try HostKey("c.example.org")] == HostSettings(connections: 2))
    }

    @Test func aliasesStandForTheirNodes() async throws {
        let models = try await fixture("aliases").models
        #expect(models[1].files == models[0].files && models[1].tags == ["a", "b"] && models[1].license == "MIT")
        #expect(models[2].files == models[0].files && models[2].description == "one/model")
        #expect(models[3].tags == ["c"] && models[3].files[0].size == 10)
        #expect(models[4].tags == ["c"], "an anchor that is set again means the later node")
        #expect(try await fixture("alias-as-key").models[1].license == "MIT")
    }

    @Test func relativeURLsOfALocalManifestArePaths() async throws {
        let files = try await fixture("relative-urls").models[0].files
        #expect(
            files.flatMap(urls) == [
                "file:///srv/manifests/a.bin", "file:///srv/manifests/sub/b%20c.bin", "file:///up.bin",
                "file:///abs/d.bin", "file:///srv/manifests/odd%25%3F%23%C3%A4.bin",
            ])
        #expect(files.map(\.path.text) == ["a.bin", "b c.bin", "up.bin", "d.bin", "odd%?#ä.bin"])
    }

    @Test func relativeURLsOfARemoteManifestAreResolvedAgainstItsURL() async throws {
        let base = URLBase.url(try SourceURL("https://h.example.org/sets/m.yaml?rev=2"))
        let text = """
            version: 1
            models:
              - name: a
                size: 1
                sha256: \(String(repeating: "a", count: 64))
                urls: [a.bin, ../b.bin?x=1, /c.bin, //i.example.org/d.bin, "http://j.example.org/e.bin"]
            """
        let file = try #require(try await checkedManifest(text, base: base).models.first?.files.first)
        #expect(
            urls(file) == [
                "https://h.example.org/sets/a.bin", "https://h.example.org/b.bin?x=1", "https://h.example.org/c.bin",
                "https://i.example.org/d.bin", "http://j.example.org/e.bin",
            ])
        #expect(file.path.text == "a.bin")
    }

    @Test func thePathIsByDefaultTheLastComponentOfTheFirstURL() async throws {
        let files = try await fixture("default-paths").models[0].files
        #expect(files.map(\.path.text) == ["plain.bin", "with space.bin", "first.bin"])
    }

    @Test(arguments: ["crlf", "cr", "bom", "bom-crlf", "document-markers", "no-newline-at-end", "quoted-keys"])
    func theFormOfTheTextMakesNoDifference(_ name: String) async throws {
        let models = try await fixture(name).models
        #expect(models.map(\.name.text) == ["demo/tiny"])
        #expect(models[0].files.map(\.size) == [4096] && models[0].files[0].path.text == "tiny.bin")
        #expect(urls(models[0].files[0]) == ["https://h.example.org/tiny.bin"])
    }

    @Test func theDraftCarriesPathDigestAndMarks() async throws {
        let bytes = try FixtureTests.Fixture(folder: "valid", name: "from-the-documentation.yaml").bytes()
        let (draft, issues) = await YAMLManifestDecoder().decode(
            bytes, path: "dir/m.yaml", base: .folder("/"))
        #expect(issues.count == 0 && draft.path == "dir/m.yaml")
        #expect(draft.models[0].nameMark == SourceMark(line: 7, column: 11))
        #expect(draft.models[0].fileMarks[0].path == SourceMark(line: 12, column: 15))
        #expect(draft.models[0].fileMarks[0].digest == SourceMark(line: 14, column: 17))
        #expect(draft.hosts[0].mark == SourceMark(line: 3, column: 3))
    }

    @Test func entriesWithErrorsAreNotInTheDraft() async throws {
        let digest = String(repeating: "a", count: 64)
        let text = """
            version: 1
            models:
              - name: bad name
                files: [{path: a, size: 1, sha256: \(digest), url: a}]
              - name: good
                files:
                  - {path: a, size: 1, sha256: \(digest), url: a}
                  - {path: b, size: -1, sha256: \(digest), url: a}
            """
        let (draft, issues) = await YAMLManifestDecoder().decode(
            Array(text.utf8), path: "m", base: .folder("/"))
        #expect(issues.count == 2)
        #expect(draft.models.map(\.model.name.text) == ["good"])
        #expect(draft.models[0].model.files.map(\.path.text) == ["a"] && draft.models[0].fileMarks.count == 1)
    }
}
