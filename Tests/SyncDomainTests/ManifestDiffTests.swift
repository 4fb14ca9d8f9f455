import SyncDomain
import Testing

/// What a change of manifest means.
@Suite struct ManifestDiffTests {
    private func file(_ path: String, _ byte: UInt8, size: Int64 = 10, host: String = "a.example") throws -> ModelFile {
        ModelFile(
            path: try RelativePath(path), size: size,
            sha256: try SHA256Digest(bytes: [UInt8](repeating: byte, count: 32)),
            sources: [try SourceURL("https://\(host)/\(path)")])
    }

    private func model(_ name: String, version: String? = nil, _ files: [ModelFile]) throws -> Model {
        Model(name: try ModelName(name), version: version, files: files)
    }

    @Test func whatIsTheSameIsNotThere() throws {
        let models = [try model("m", [file("f", 1)])]
        let diff = ManifestDiff(from: models, to: models)
        #expect(diff.models.isEmpty && diff.newHosts.isEmpty && diff.bytesNew == 0)
    }

    @Test func modelsAreAddedChangedAndRemoved() throws {
        let old = [try model("gone", [file("f", 1)]), try model("m", version: "1", [file("f", 2)])]
        let new = [try model("m", version: "2", [file("f", 2)]), try model("new", [file("f", 3, size: 7)])]
        let diff = ManifestDiff(from: old, to: new)
        #expect(diff.models.map(\.name) == ["m", "new", "gone"])
        #expect(diff.models.map(\.change) == [.changed, .added, .removed])
        #expect(diff.models[0].changedFacts == ["version"] && diff.models[0].files.isEmpty)
        #expect(diff.counts == [.added: 1, .changed: 1, .removed: 1])
        #expect(diff.bytesNew == 7)
    }

    @Test func filesAreToldByPathAndBytes() throws {
        let old = [try model("m", [file("kept", 1), file("other", 2), file("moved", 3), file("gone", 4)])]
        let new = [
            try model("m", [file("kept", 1), file("other", 9, size: 20), file("moved", 3, host: "b"), file("new", 5)])
        ]
        let entry = try #require(ManifestDiff(from: old, to: new).models.first)
        #expect(entry.files.map { $0.path?.text } == ["other", "moved", "new", "gone"])
        #expect(entry.files.map(\.change) == [.changed, .sources, .added, .removed])
    }

    @Test func hostsThatWereThereBeforeAreNotNew() throws {
        let old = [try model("m", [file("f", 1, host: "a.example")])]
        let new = [
            try model("m", [file("f", 1, host: "a.example"), file("g", 2, host: "b.example:8443")]),
            try model("n", [file("f", 3, host: "c.example")]),
        ]
        #expect(ManifestDiff(from: old, to: new).newHosts == ["b.example:8443", "c.example"])
    }

    @Test func bytesThatComeTwiceAreNewOnce() throws {
        let new = [try model("m", [file("a", 1), file("b", 1)]), try model("n", [file("c", 1)])]
        #expect(ManifestDiff(from: [], to: new).bytesNew == 10)
    }

    @Test(arguments: [
        ("a.pt", true), ("a.pth", true), ("a.th", true), ("a.BIN", true), ("a.ckpt", true), ("d.bin/a.pkl", true),
        ("a.safetensors", false), ("pt", false), ("d.pt/a", false), ("a.ptx", false),
    ])
    func formatsThatCanRunCodeAreTold(path: String, canRunCode: Bool) throws {
        let diff = ManifestDiff(from: [], to: [try model("m", [file(path, 1)])])
        #expect(diff.models.first?.files.first?.bringsCode == canRunCode)
    }

    @Test func codeThatWasThereBeforeIsNotToldAgain() throws {
        let old = [try model("m", [file("a.bin", 1), file("data", 2)])]
        let new = [try model("m", [file("renamed.bin", 1), file("data.pkl", 2)])]
        let files = try #require(ManifestDiff(from: old, to: new).models.first).files
        #expect(files.filter(\.bringsCode).map { $0.path?.text } == ["data.pkl"])
    }
}
