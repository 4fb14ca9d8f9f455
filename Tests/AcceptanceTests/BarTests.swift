import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// Bars on a terminal.
    @Suite(.enabled(if: TmuxScreen.isInstalled, "tmux is not installed; `make test` installs it")) struct Bars {}
}

extension AcceptanceTests.Bars {
    /// Two files that stop half way until the server is released, in a window of that size.
    private func held(
        columns: Int, rows: Int, options: String = "",
        _ body: (World, TmuxScreen, FaultServer) async throws -> Void
    ) async throws {
        try await World.with { world in
            let server = try FaultServer()
            defer { server.stop() }
            let paths = ["large/model-00001-of-00002.safetensors", "音声認識/モデル.bin"]
            let documents = try paths.indices.map { try world.document("\($0).bin", 1_000_000, seed: UInt64($0)) }
            for document in documents {
                let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(world.documents)/\(document.name)")))
                // Slowly enough for progress to be told before the stop.
                server.script("/" + document.name) { request, _ in
                    .file(bytes, for: request).dripping(50_000, everyMicroseconds: 60_000).stalled(at: 700_000)
                }
            }
            let base = "http://127.0.0.1:\(server.port)"
            let manifest = try world.manifest(
                .init("speech", files: zip(documents, paths).map { $0.file(base, path: $1) }))
            let command = "'\(Program.path)' apply '\(manifest)' --store '\(world.store)' \(options)"
            let environment = ["PATH": "/usr/bin:/bin", "HOME": world.folder.path, "LC_ALL": "C.UTF-8"]
            try await TmuxScreen.with(
                command, in: world.folder, columns: columns, rows: rows, environment: environment
            ) { try await body(world, $0, server) }
        }
    }

    /// Waits until both files have come to some percentage, and the run's line stands below them.
    private func bars(_ screen: TmuxScreen) async throws -> [String] {
        var lines: [String] = []
        try await eventually("two bars and the run's") {
            lines = try screen.lines()
            return lines.count == 3 && lines.prefix(2).allSatisfy { $0.contains(/\s[1-9][0-9]%/) }
                && lines[2].hasPrefix("0 of 2 files") && lines[2].contains(/\s[1-9][0-9]%/)
        }
        return lines
    }

    /// The end: no bar is left, the cursor is there.
    private func ended(_ screen: TmuxScreen, _ code: Int) async throws -> [String] {
        try await eventually("the end") { try screen.lines().last == "exit \(code)" }
        #expect(try screen.isCursorVisible())
        // In a narrow window a line of text takes several rows.
        let lines = try screen.history()
        #expect(!lines.contains { $0.contains("[=") || $0.contains("0 of 2 files") }, "\(lines)")
        return lines
    }

    @Test(arguments: [(40, 12), (80, 24), (160, 50)])
    func aBarForEachFileAndOneForTheRun(columns: Int, rows: Int) async throws {
        try await held(columns: columns, rows: rows) { _, screen, server in
            let lines = try await bars(screen)
            #expect(lines.allSatisfy { $0.contains("[=") && $0.contains(">") }, "\(lines)")
            #expect(lines[0].contains(".safetensors ") && lines[1].contains("モデル.bin "), "\(lines)")
            #expect(lines.allSatisfy { $0.contains(" of 1.00 MB") || $0.contains(" of 2.00 MB") } == (columns >= 80))
            server.release()
            let end = try await ended(screen, 0)
            #expect(end.first?.hasPrefix("applied: 2 downloaded") == true, "\(end)")
        }
    }

    @Test func aWindowThatIsResizedIsDrawnAnew() async throws {
        try await held(columns: 120, rows: 30) { _, screen, server in
            for (columns, rows) in [(120, 30), (40, 12), (160, 50), (25, 6), (80, 24)] {
                try screen.resize(columns: columns, rows: rows)
                _ = try await bars(screen)
            }
            try screen.resize(columns: 60, rows: 20)
            server.release()
            _ = try await ended(screen, 0)
        }
    }

    @Test func anInterruptClearsTheBarsAndTellsHowToGoOn() async throws {
        try await held(columns: 100, rows: 24) { world, screen, _ in
            _ = try await bars(screen)
            try screen.type("C-c")
            let end = try await ended(screen, 130).joined(separator: "\n")
            #expect(
                end.contains("hint: run the same command again to go on: 1.40 MB of unfinished files are kept"),
                "\(end)")
            #expect(end.contains("cancelled: 2 cancelled"), "\(end)")
            #expect(world.partialBytes == 1_400_000)
        }
    }

    @Test func whatIsWorthALineStandsAboveTheBars() async throws {
        try await held(columns: 100, rows: 24, options: "--verbose") { _, screen, server in
            try await eventually("lines and bars") {
                let lines = try screen.lines()
                return lines.count == 6 && lines[0].hasPrefix("fetching 2.00 MB in 2 files")
                    && lines[1].hasPrefix("started speech/large/") && lines[5].contains("0 of 2 files")
            }
            server.release()
            let end = try await ended(screen, 0)
            #expect(end.count { $0.hasPrefix("downloaded speech/") } == 2, "\(end)")
        }
    }

    @Test func aSimpleTerminalHasLines() async throws {
        try await held(columns: 100, rows: 24, options: "--progress plain") { _, screen, server in
            try await eventually("lines") { try screen.lines() == ["fetching 2.00 MB in 2 files"] }
            server.release()
            _ = try await ended(screen, 0)
        }
    }
}
