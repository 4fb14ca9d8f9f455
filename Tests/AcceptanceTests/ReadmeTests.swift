import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// What the README shows is what happens.
    @Suite struct Readme {
        @Test func itsExampleDoesWhatItShows() async throws {
            let readme = try String(contentsOfFile: Repository.root + "/README.md", encoding: .utf8)
            let manifest = try #require(Self.block("yaml", in: readme))
            let session = try #require(Self.block("console", in: readme))
            #expect(manifest.split(separator: "\n").count <= 10)
            try await World.with { world in
                let demo = world.folder.appending("demo")
                try FileManager.default.copyItem(atPath: Repository.root + "/demo", toPath: demo)
                try world.folder.write(Array(manifest.utf8), to: "tone.yaml")
                var program = world.program
                program.workingFolder = world.folder.path
                for step in session.components(separatedBy: "$ modelsync ").dropFirst() {
                    let lines = step.split(separator: "\n").map(String.init)
                    let result = try await program.run(lines[0].split(separator: " ").map(String.init))
                    #expect(result.exitCode == 0)
                    // Two streams are one screen: which of two lines comes first is not told apart here.
                    #expect(
                        Self.redacted(lines.dropFirst())
                            == Self.redacted(result.output.split(separator: "\n").map(String.init)))
                }
            }
        }

        /// The first fenced block of a language.
        private static func block(_ language: String, in text: String) -> String? {
            guard let start = text.range(of: "```\(language)\n"), let end = text[start.upperBound...].range(of: "```")
            else { return nil }
            return String(text[start.upperBound..<end.lowerBound])
        }

        /// Times, rates, run ids and the folder differ from run to run.
        private static func redacted(_ lines: some Sequence<String>) -> [String] {
            lines.map { line in
                line.replacing(/[0-9.]+ (s|[kM]?B\/s)/, with: "N")
                    .replacing(/[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}/, with: "RUN")
                    .replacing(/\/\S*\/store\//, with: "STORE/")
            }.sorted()
        }
    }
}
