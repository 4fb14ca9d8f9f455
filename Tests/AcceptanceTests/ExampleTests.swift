import Foundation
import SyncDomain
import TestSupport
import Testing

extension AcceptanceTests {
    /// The program that embeds the library, and the article that quotes it.
    @Suite struct ExampleTests {}
}

extension AcceptanceTests.ExampleTests {
    @Test func theExampleBringsAModelAndSaysWhereItIs() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let bytes = Payload.bytes(70_000, seed: 1)
            server.serve("/f.bin", bytes)
            let file = ManifestText.File(
                "f.bin", size: bytes.count, sha256: try Payload.sha256(bytes), urls: [server.url("/f.bin").text])
            let manifest = try world.manifest(.init("m/one", files: [file]))
            let program = URL(fileURLWithPath: Program.path).deletingLastPathComponent()
                .appendingPathComponent("embed-example").path
            let first = try Tool.run(program, [manifest, world.store, "m/one"]).split(separator: "\n")
            // Where half a second has passed before, a smaller part is told first.
            #expect(first.contains { $0.hasPrefix("f.bin: 100% of 70.0 kB, ") }, "\(first)")
            #expect(first.last.map(String.init) == world.store + "/models/m/one")
            #expect(FileManager.default.contents(atPath: world.view("m/one", "f.bin")) == Data(bytes))
            server.stop()
            // Neither the server nor the manifest is needed any more.
            let second = try Tool.run(program, ["none.yaml", world.store, "m/one"])
            #expect(second == world.store + "/models/m/one\n")
        }
    }

    /// Each block of Swift in the article stands in the example as it is, but for its place in the line: so it compiles.
    @Test func theArticleQuotesTheExample() throws {
        let example = Self.lines(try Self.text("Examples/Embed/Embed.swift"))
        let article = try Self.text("Sources/ModelSyncKit/ModelSyncKit.docc/Embedding.md")
        let blocks = article.components(separatedBy: "```swift\n").dropFirst()
            .map { Self.lines($0.components(separatedBy: "\n```")[0]) }
        #expect(blocks.count >= 5)
        for block in blocks {
            let isThere = example.indices.contains { example[$0...].starts(with: block) }
            #expect(isThere, "not in the example:\n\(block.joined(separator: "\n"))")
        }
    }

    private static func text(_ path: String) throws -> String {
        try String(contentsOfFile: Repository.root + "/" + path, encoding: .utf8)
    }

    private static func lines(_ text: String) -> [String] {
        text.components(separatedBy: "\n").map { $0.trimmingCharacters(in: .whitespaces) }
    }
}
