import SyncDomain
import Testing

/// Rules over several manifests; those over one are held by the fixtures of the decoder.
@Suite struct ManifestRulesTests {
    private func file(_ path: String, digest: Int = 1, size: Int64 = 1) throws -> ModelFile {
        ModelFile(
            path: try RelativePath(path), size: size,
            sha256: try SHA256Digest(bytes: repeatElement(UInt8(digest), count: 32)),
            sources: [try SourceURL("https://h.example.org/\(digest)")])
    }

    private func entry(_ name: String, line: Int = 3, _ files: [ModelFile]) throws -> ManifestDraft.ModelEntry {
        let marks = files.indices.map { index in
            ManifestDraft.FileMarks(
                path: SourceMark(line: line + 1 + index, column: 5),
                digest: SourceMark(line: line + 1 + index, column: 9))
        }
        let model = Model(name: try ModelName(name), files: files)
        return ManifestDraft.ModelEntry(model: model, nameMark: SourceMark(line: line, column: 1), fileMarks: marks)
    }

    private func draft(_ path: String, hosts: [ManifestDraft.HostEntry] = [], _ models: [ManifestDraft.ModelEntry])
        throws
        -> ManifestDraft
    {
        ManifestDraft(
            path: path, sha256: try SHA256Digest(bytes: repeatElement(0, count: 32)), hosts: hosts, models: models)
    }

    private func issues(_ drafts: [ManifestDraft], before: ManifestIssues = ManifestIssues()) -> String {
        do throws(ManifestIssues) {
            _ = try Manifest(checking: drafts, issues: before)
            return ""
        } catch { return error.description }
    }

    @Test func severalManifestsAreOne() throws {
        let first = try draft("a.yaml", [entry("a/x", [file("f")])])
        let manifest = try Manifest(checking: [first, draft("b.yaml", [entry("a/y", [file("f")])])])
        #expect(
            manifest.models.map(\.name.text) == ["a/x", "a/y"] && manifest.sources.map(\.path) == ["a.yaml", "b.yaml"])
    }

    @Test func aNameIsUniqueOverAllManifests() throws {
        let drafts = try [
            draft("a.yaml", [entry("a", [file("f")])]), draft("b.yaml", [entry("a", line: 8, [file("f")])]),
        ]
        #expect(issues(drafts) == "b.yaml:8:1: model 'a' is already defined at a.yaml:3; names are unique")
    }

    @Test func aNameIsNoFolderOfAnotherInAnyManifest() throws {
        let drafts = try [
            draft("a.yaml", [entry("a/b/c", [file("f")])]), draft("b.yaml", [entry("a", line: 8, [file("f")])]),
        ]
        #expect(issues(drafts) == "a.yaml:3:1: model 'a/b/c' lies in the folder of model 'a' at b.yaml:8; rename one")
    }

    @Test func aDigestHasOneSizeOverAllManifests() throws {
        let drafts = try [
            draft("a.yaml", [entry("a", [file("f", size: 1)])]),
            draft("b.yaml", [entry("b", [file("f", size: 2), file("g", size: 1)])]),
        ]
        #expect(
            issues(drafts) == "b.yaml:4:9: this sha256 has size 2 here and 1 at a.yaml:4; the same bytes have one size")
    }

    @Test func hostsHaveTheSameSettingsOverAllManifests() throws {
        func hosts(_ connections: Int, line: Int) throws -> [ManifestDraft.HostEntry] {
            let settings = HostSettings(connections: connections)
            return [.init(host: try HostKey("h"), settings: settings, mark: SourceMark(line: line, column: 3))]
        }
        #expect(
            try issues([draft("a.yaml", hosts: hosts(1, line: 2), []), draft("b.yaml", hosts: hosts(1, line: 2), [])])
                == "")
        #expect(
            try issues([draft("a.yaml", hosts: hosts(1, line: 2), []), draft("b.yaml", hosts: hosts(2, line: 4), [])])
                == "b.yaml:4:3: host 'h' has other settings elsewhere in these manifests; give it the same ones")
    }

    @Test func pathsOfOneModelNeitherRepeatNorNest() throws {
        let files = try [file("a"), file("b/c/d"), file("A"), file("b"), file("x/y"), file("b/c"), file("a")]
        #expect(
            try issues([draft("m", [entry("n", line: 1, files)])]).split(separator: "\n") == [
                "m:3:5: 'b/c/d' lies under 'b', which is a file at line 5; rename one",
                "m:3:5: 'b/c/d' lies under 'b/c', which is a file at line 7; rename one",
                "m:4:5: 'A' and 'a' at line 2 differ only in case; rename one",
                "m:7:5: 'b/c' lies under 'b', which is a file at line 5; rename one",
                "m:8:5: model 'n' already has a file at 'a', at line 2",
            ])
    }

    @Test func pathsThatOnlyBeginAlikeAreFine() throws {
        let files = try [
            file("a"), file("a.b/c"), file("ab/c"), file("a-b"), file("d/e"), file("d/ef/g"), file("ä/x"), file("Ä/y"),
        ]
        #expect(try issues([draft("m", [entry("n", files)])]) == "")
    }

    @Test func longPathsOfManyFoldersTakeNoMemory() throws {
        let files = try (0..<2000).map { try file("\($0)/" + String(repeating: "a/", count: 500) + "x") }
        #expect(try issues([draft("m", [entry("n", files)])]) == "")
    }

    @Test func theSumOfAllSizesStaysInRange() throws {
        let half = Int64(1) << 61
        #expect(
            try issues([draft("m", [entry("n", [file("a", size: half), file("b", digest: 2, size: half)])])]) == "")
        let files = try (1...4).map { try file("f\($0)", digest: $0, size: .max) }
        #expect(
            try issues([draft("m", [entry("n", files)])])
                == "m:4:9: all files together have more than 4 EiB from here on; check the sizes")
        #expect(
            try issues([
                draft("m", [entry("n", [file("a", size: half), file("b", size: half), file("c", size: half)])])
            ]) == "")
    }

    @Test func issuesOfDecodingAndOfRulesAreSortedByFileAndPlace() throws {
        var before = ManifestIssues()
        before.add("a.yaml", SourceMark(line: 9, column: 1), "late")
        before.add("b.yaml", SourceMark(line: 1, column: 1), "early in the other")
        let drafts = try [draft("a.yaml", [entry("a", [file("f"), file("f")])])]
        #expect(
            issues(drafts, before: before).split(separator: "\n") == [
                "a.yaml:5:5: model 'a' already has a file at 'f', at line 4", "a.yaml:9:1: late",
                "b.yaml:1:1: early in the other",
            ])
    }
}

@Suite struct ManifestIssuesTests {
    @Test func fiftyAreKeptAndAllAreCounted() {
        var issues = ManifestIssues()
        for index in 1...51 { issues.add("m", SourceMark(line: index, column: 1), "wrong") }
        #expect(issues.kept.count == 50 && issues.count == 51)
        #expect(issues.description.hasSuffix("m:50:1: wrong\nand 1 more error"))
        var all = issues
        all.append(issues)
        #expect(all.kept.count == 50 && all.count == 102 && all.description.hasSuffix("and 52 more errors"))
    }

    @Test func messagesThatAreNotKeptAreNotMade() {
        var issues = ManifestIssues()
        var made = 0
        func message() -> String {
            made += 1
            return "wrong"
        }
        for _ in 0..<1000 { issues.add("m", SourceMark(line: 1, column: 1), message()) }
        #expect(made == ManifestIssues.maximumKept)
    }
}
