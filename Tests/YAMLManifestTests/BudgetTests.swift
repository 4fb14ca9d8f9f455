import SyncDomain
import Testing
import YAMLManifest

/// The bounds on what a manifest may ask for, from both sides.
@Suite struct BudgetTests {
    private let digest = String(repeating: "a", count: 64)

    private func nested(_ levels: Int) -> String {
        // The root and `models` are two levels.
        "version: 1\nmodels: " + String(repeating: "[", count: levels - 1) + String(repeating: "]", count: levels - 1)
            + "\n"
    }

    @Test func depth64IsReadAnd65IsNot() async {
        #expect(await issuesOf(nested(64))?.kept.first?.message.hasPrefix("a model is a mapping") == true)
        #expect(await issuesOf(nested(65))?.kept.first?.message == "this is nested deeper than 64 levels")
    }

    @Test func aliasesCountWithTheDepthOfWhatTheyStandFor() async {
        func text(_ outer: Int) -> String {
            let inner = String(repeating: "[", count: 30) + String(repeating: "]", count: 30)
            let wrapped = String(repeating: "[", count: outer) + "*a" + String(repeating: "]", count: outer)
            return "version: 1\nmodels:\n  - &a \(inner)\n  - \(wrapped)\n"
        }
        #expect(await issuesOf(text(32))?.kept.first?.message.hasPrefix("a model is a mapping") == true)
        #expect(await issuesOf(text(33))?.description.contains("nested deeper than 64 levels") == true)
    }

    @Test func nodesAreCountedAsExpanded() async {
        // Each model is an alias of 1,000 tags: just under and just over 10 million nodes.
        func text(_ models: Int) -> String {
            let tags = Array(repeating: "t", count: 999).joined(separator: ",")
            let file = "url: a, size: 1, sha256: \(digest)"
            return "version: 1\nmodels:\n  - {name: m, tags: &t [\(tags)], \(file)}\n  - {x: ["
                + Array(repeating: "*t", count: models).joined(separator: ",") + "]}\n"
        }
        #expect(await issuesOf(text(9_980))?.description.contains("unknown key 'x'") == true)
        #expect(
            await issuesOf(text(10_000))?.description.contains("more than 10000000 nodes with its aliases expanded")
                == true)
    }

    @Test func aMillionAnchorsAreTheMost() async {
        let text = "version: 1\nmodels:\n" + (0...1_000_000).map { "- &\($0)\n" }.joined()
        #expect(await issuesOf(text)?.description == "m.yaml:1000003:3: the manifest has more than 1000000 anchors")
    }

    @Test func anInputOf256MiBIsTheLargest() async {
        let tooLarge = [UInt8](repeating: UInt8(ascii: "#"), count: 256 << 20 | 1)
        #expect(
            await issuesOf(tooLarge)?.description
                == "m.yaml:1:1: the manifest has 268435457 bytes; at most 256 MiB can be read")
    }

    @Test func filesThatAliasesRepeatShareTheirURLs() async throws {
        // 1,000 models of 100 files with one URL list each: what is decoded stays small, and equal.
        let files = (0..<100).map { "{path: f\($0), size: 1, sha256: \(digest), urls: [a, b]}" }.joined(separator: ", ")
        var text = "version: 1\nmodels:\n  - name: m0\n    files: &f [\(files)]\n"
        for index in 1..<1000 { text += "  - {name: m\(index), files: *f}\n" }
        let manifest = try await checkedManifest(text)
        #expect(manifest.models.count == 1000)
        #expect(manifest.models.allSatisfy { $0.files == manifest.models[0].files })
    }

    @Test func mergesOfMergesAreWalkedOnce() async throws {
        // Thirty levels of `<<: [*a, *a]` would be a thousand million mappings.
        var text = "version: 1\nmodels:\n  - &m0 {name: m0, url: a, size: 1, sha256: \(digest)}\n"
        for index in 1...30 { text += "  - &m\(index) {name: m\(index), <<: [*m\(index - 1), *m\(index - 1)]}\n" }
        #expect(await issuesOf(text)?.description.contains("more than 10000000 nodes") == true)
        let chain = (1...20).map { "  - &m\($0) {name: m\($0), <<: *m\($0 - 1)}\n" }.joined()
        let manifest = try await checkedManifest(
            "version: 1\nmodels:\n  - &m0 {name: m0, url: a, size: 1, sha256: \(digest)}\n" + chain)
        #expect(manifest.models.count == 21)
    }

    @Test func errorsBeyondFiftyAreCountedAlone() async {
        let text = "version: 1\nmodels:\n" + String(repeating: "  - x\n", count: 100_000)
        let issues = await issuesOf(text)
        #expect(issues?.kept.count == 50 && issues?.count == 100_000)
    }

    @Test func anyBytesAreAnswered() async {
        // Each prefix of a manifest, and the manifest with each byte replaced: no crash, and a place for each error.
        let text = Array("version: 1\nmodels: [{name: a, <<: &x {url: \"a\\n\"}, size: 1, tags: *x}]\n".utf8)
        for end in text.indices { _ = await issuesOf(Array(text[..<end])) }
        for index in text.indices {
            for byte: UInt8 in [0, 9, 10, 0x21, 0x25, 0x2D, 0x3A, 0x5B, 0x7B, 0x80, 0xC2, 0xFF] {
                var copy = text
                copy[index] = byte
                for issue in await issuesOf(copy)?.kept ?? [] {
                    #expect(issue.mark.line >= 1 && issue.mark.column >= 1)
                }
            }
        }
    }
}
