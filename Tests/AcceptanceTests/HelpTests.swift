import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// What somebody sees who asks, or who mistypes.
    @Suite struct Helping {
        /// What the program says of itself: the commands that it has.
        struct Dump: Decodable {
            struct Command: Decodable {
                let commandName: String
                let abstract: String
                let discussion: String?
                let subcommands: [Command]?
            }
            let command: Command

            static func read() throws -> [Command] {
                let text = try Tool.run(Program.path, ["--experimental-dump-help"])
                let root = try JSONDecoder().decode(Dump.self, from: Data(text.utf8)).command
                return (root.subcommands ?? []).filter { $0.commandName != "help" }
            }
        }

        @Test func everyCommandHasTwoExamplesAndFitsATerminal() async throws {
            try await World.with { world in
                for command in try Dump.read() {
                    let examples = (command.discussion ?? "").components(separatedBy: "Examples:\n").last ?? ""
                    let lines = examples.split(separator: "\n").filter {
                        $0.contains("modelsync \(command.commandName)")
                    }
                    #expect(lines.count >= 2, "\(command.commandName) has \(lines.count) examples")
                    let help = try await world.program.run(["help", command.commandName])
                    let wide = help.standardOutput.split(separator: "\n").filter { $0.count > 80 }
                    #expect(help.exitCode == 0 && wide.isEmpty, "\(wide)")
                }
            }
        }

        @Test(arguments: [
            (["aply"], "did you mean 'apply'?"), (["help", "verfy"], "did you mean 'verify'?"),
            (["ls"], "did you mean 'list'?"),
            (["frobnicate"], "see `modelsync --help`"), (["apply", "--onyl", "x"], "Did you mean '--only'?"),
        ])
        func aMistypedCommandOrOptionIsRecognized(_ arguments: [String], _ hint: String) async throws {
            try await World.with { world in
                let result = try await world.program.run(arguments)
                #expect(result.exitCode == 64, "\(result)")
                #expect(result.standardError.contains(hint) && result.standardOutput.isEmpty, "\(result)")
            }
        }

        @Test func aMistypedModelIsRecognized() async throws {
            try await World.with { world in
                let document = try world.document("a.bin", 10, seed: 1)
                let manifest = try world.manifest(
                    .init("whisper/tiny", tags: ["vad"], files: [document.file("documents")]))
                #expect(try await world.run("apply", manifest).exitCode == 0)
                for (arguments, code, hint) in [
                    (["show", "wisper/tiny"], 1, "'whisper/tiny'"), (["path", "tiny"], 1, "'whisper/tiny'"),
                    (["remove", "whisper/tinny"], 1, "'whisper/tiny'"),
                    (["plan", manifest, "--only", "wisper/*"], 64, "'whisper/*'"),
                    (["apply", manifest, "--only", "tag:vda"], 64, "'tag:vad'"),
                ] as [([String], Int32, String)] {
                    let result = try await world.program.run(arguments + ["--store", world.store])
                    #expect(result.exitCode == code, "\(result)")
                    #expect(result.standardError.contains("did you mean \(hint)?"), "\(result)")
                }
            }
        }
    }
}
