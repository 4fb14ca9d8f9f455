import SyncDomain
import Testing

@testable import YAMLManifest

/// Parts of a long manifest are read while the rest is still parsed: nothing may tell.
@Suite struct PartTests {
    /// Of one model, with enough files for several parts and a rest; and, if `hasAlias`, of another that makes the reader read
    /// all in one go.
    private func manifest(files: Int = 4000, hasAlias: Bool, _ file: (Int) -> String = Self.file) -> String {
        var text = "version: 1\nmodels:\n  - name: long\n    tags: &tags [a]\n    files:\n"
        for index in 0..<files { text += file(index) }
        if hasAlias { text += "  - {name: other, tags: *tags, url: a, size: 1, sha256: \(Self.digest(1 << 20))}\n" }
        return text
    }

    private static func digest(_ index: Int) -> String {
        let digits = String(index, radix: 16)
        return String(repeating: "0", count: 64 - digits.utf8.count) + digits
    }

    private static func file(_ index: Int) -> String {
        """
              - path: f\(index)
                size: \(index)
                sha256: \(digest(index))
                urls: [a/\(index), "b\\x2F\(index)"]

        """
    }

    @Test func readsTheSame() async throws {
        let inParts = try await checkedManifest(manifest(hasAlias: false))
        let inOne = try await checkedManifest(manifest(hasAlias: true))
        #expect(inParts.models[0].files.count == 4000 && inParts.models[0] == inOne.models[0])
    }

    @Test func partsAdjoinAndAreMadeWhileThereIsNoAlias() throws {
        var parts: [YAMLPart] = []
        let bytes = Array(manifest(hasAlias: false).utf8)
        _ = try YAMLComposer.compose(bytes, path: "m", partNodes: YAMLPart.usualNodes) { parts.append($0) }
        #expect(parts.count == 5)
        for (part, next) in zip(parts, parts.dropFirst()) { #expect(part.items.upperBound == next.items.lowerBound) }
        parts = []
        let more = bytes + Array("  - {name: b, tags: *tags, files: [{path: p}]}\n".utf8)
        _ = try YAMLComposer.compose(more, path: "m", partNodes: 1) { parts.append($0) }
        #expect(parts.count == 4000)
    }

    /// Every item a part.
    @Test(arguments: FixtureTests.Fixture.all(in: "valid") + FixtureTests.Fixture.all(in: "invalid"))
    func fixturesAreReadTheSame(_ fixture: FixtureTests.Fixture) async throws {
        let bytes = try fixture.bytes()
        let inOne = await YAMLManifestDecoder(partNodes: .max).decode(bytes, path: "m", base: .folder("/"))
        let inParts = await YAMLManifestDecoder(partNodes: 1).decode(bytes, path: "m", base: .folder("/"))
        #expect(inParts.issues.description == inOne.issues.description && inParts.issues.count == inOne.issues.count)
        #expect(inParts.draft.models.map(\.model) == inOne.draft.models.map(\.model))
    }

    @Test func keepsTheMarks() async {
        func marks(hasAlias: Bool) async -> [ManifestDraft.FileMarks] {
            let bytes = Array(manifest(hasAlias: hasAlias).utf8)
            return await YAMLManifestDecoder().decode(bytes, path: "m", base: .folder("/")).draft.models[0].fileMarks
        }
        let (inParts, inOne) = await (marks(hasAlias: false), marks(hasAlias: true))
        #expect(inParts.map(\.path) == inOne.map(\.path) && inParts.map(\.digest) == inOne.map(\.digest))
        // Five lines come first, and each file has four.
        let lastLine: Int32 = 6 + 3999 * 4
        #expect(inParts.last?.path.line == lastLine)
    }

    /// What is wrong is told in the order of the text: an unknown key, a value of the wrong type, an alias of nothing.
    @Test func tellsTheSameErrors() async throws {
        func file(_ index: Int) -> String {
            switch index {
            case 500, 3990: "      - {path: x\(index), sise: 1}\n"
            case 1500: "      - [a, {b: c}]\n"
            case 2500: "      - *nobody\n"
            case 2501: "      - {path: !!float 1, size: 1, sha256: \(Self.digest(index)), url: a}\n"
            default: Self.file(index)
            }
        }
        let inParts = try #require(await issuesOf(manifest(hasAlias: false, file)))
        let inOne = try #require(await issuesOf(manifest(hasAlias: true, file)))
        #expect(inParts.description == inOne.description && inParts.count == inOne.count)
        // Before it, item 500 has one line in place of four.
        let lineOfWrongType: Int32 = 6 + 1500 * 4 - 3
        #expect(inParts.kept.contains { $0.mark.line == lineOfWrongType })
    }

    @Test func ofTooManyErrorsTheFirstAreKept() async throws {
        func file(_ index: Int) -> String { "      - {path: p, x: 1}\n" }
        let inParts = try #require(await issuesOf(manifest(files: 20_000, hasAlias: false, file)))
        let inOne = try #require(await issuesOf(manifest(files: 20_000, hasAlias: true, file)))
        #expect(inParts.description == inOne.description && inParts.count == inOne.count)
        #expect(inParts.kept.count == 50 && inParts.kept.last.map { $0.mark.line < 30 } == true)
    }

    @Test func whatIsNoYAMLInTheEndIsAllThatIsTold() async throws {
        let issues = try #require(await issuesOf(manifest(hasAlias: false) { _ in "      - {path: p, x: 1}\n" } + "]"))
        #expect(issues.count == 1)
    }

    @Test func anotherVersionAtTheEndIsAllThatIsTold() async throws {
        let text =
            manifest(hasAlias: false) { _ in "      - {path: p, x: 1}\n" }
            .replacing("version: 1\n", with: "") + "version: 2\n"
        let issues = try #require(await issuesOf(text))
        #expect(issues.count == 1 && issues.description.contains("version 2 is not known"))
    }

    /// At the depth of `files`, and no list of files.
    @Test func otherLongListsAreWhatTheyWere() async throws {
        let items = (0..<10_000).map { "[a\($0)]" }.joined(separator: ", ")
        let text =
            "version: 1\nmodels:\n  - {name: a, tags: [\(items)], url: a, size: 1, sha256: \(Self.digest(1))}\n"
        let issues = try #require(await issuesOf(text))
        #expect(issues.count == 10_000 && issues.kept[0].message.hasPrefix("an item of 'tags' is text"))
    }
}
