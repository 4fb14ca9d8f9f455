import Foundation
import SyncDomain
import TestSupport
import Testing

extension AcceptanceTests {
    /// Bars on a terminal.
    @Suite(.enabled(if: TmuxScreen.isInstalled, "tmux is not installed; `make test` installs it")) struct Bars {}
}

extension AcceptanceTests.Bars {
    /// Two files that stop half way until the server is released, in a window of that size; with `isTyped`, `./run` in a shell
    /// starts it.
    private func held(
        columns: Int, rows: Int, options: String = "", isTyped: Bool = false,
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
                    .file(bytes, for: request).dripping(20_000, everyMicroseconds: 60_000).stalled(at: 700_000)
                }
            }
            // Of one host, the second file would wait to see whether a second connection helps.
            let hosts = ["127.0.0.1", "localhost"].map { "http://\($0):\(server.port)" }
            let files = paths.indices.map { documents[$0].file(hosts[$0], path: paths[$0]) }
            let manifest = try world.manifest(.init("speech", files: files))
            let command = "'\(Program.path)' apply '\(manifest)' --store '\(world.store)' \(options)"
            let environment = ["PATH": "/usr/bin:/bin", "HOME": world.folder.path, "LC_ALL": "C.UTF-8"]
            if isTyped { try world.folder.write("exec \(command)\n", to: "run") }
            try await TmuxScreen.with(
                isTyped ? "cd '\(world.folder.path)'; PS1='> ' bash --norc -i" : command, in: world.folder,
                columns: columns, rows: rows, environment: environment
            ) { try await body(world, $0, server) }
        }
    }

    /// Waits until both files have come some way, and the run's line stands below them.
    private func bars(_ screen: TmuxScreen) async throws -> [String] {
        var lines: [String] = []
        do {
            try await eventually("two bars and the run's") {
                lines = try screen.lines()
                return lines.count == 3 && lines.allSatisfy { $0.contains("[=") }
                    && lines[2].hasPrefix("0 of 2 files ")
            }
        } catch {
            throw ToolFailure("\(error)\n\(lines.joined(separator: "\n"))")
        }
        return lines
    }

    /// The end: no bar is left, the cursor is there.
    @discardableResult
    private func ended(
        _ screen: TmuxScreen, _ code: Int, lines: (() throws -> [String])? = nil
    ) async throws -> [String] {
        try await eventually("the end") { try screen.lines().last == "exit \(code)" }
        #expect(try screen.isCursorVisible())
        let lines = try (lines ?? screen.history)()
        #expect(!lines.contains { $0.contains("[=") || $0.contains("0 of 2 files") }, "\(lines)")
        return lines
    }

    @Test(arguments: [(40, 12), (80, 24), (160, 50)])
    func aBarForEachFileAndOneForTheRun(columns: Int, rows: Int) async throws {
        try await held(columns: columns, rows: rows) { _, screen, server in
            let lines = try await bars(screen)
            #expect(lines[0].contains("model-00001-") && lines[1].contains("モデル.bin "), "\(lines)")
            #expect(lines.allSatisfy { $0.contains(" of 1.00 MB") || $0.contains(" of 2.00 MB") } == (columns >= 80))
            server.release()
            let end = try await ended(screen, 0)
            #expect(end.first?.hasPrefix("applied: 2 downloaded") == true, "\(end)")
        }
    }

    @Test func aWindowThatIsResizedIsDrawnAnew() async throws {
        try await held(columns: 40, rows: 12) { _, screen, server in
            for (columns, rows) in [(40, 12), (80, 24), (160, 50), (60, 20)] {
                try screen.resize(columns: columns, rows: rows)
                _ = try await bars(screen)
            }
            server.release()
            // tmux keeps rows of lines that it broke in its history, where nothing can be taken back.
            try await ended(screen, 0, lines: screen.lines)
        }
    }

    @Test func anInterruptClearsTheBarsAndTellsHowToGoOn() async throws {
        try await held(columns: 100, rows: 24) { world, screen, _ in
            _ = try await bars(screen)
            try screen.type("C-c")
            let end = try await ended(screen, 130).joined(separator: "\n")
            let kept = HumanFormat.bytes(Int64(world.partialBytes))
            #expect(
                end.contains("hint: run the same command again to go on: \(kept) of unfinished files are kept"),
                "\(end)")
            #expect(end.contains("cancelled: 2 cancelled"), "\(end)")
        }
    }

    @Test func whatAShellWritesWhileTheRunIsStoppedStays() async throws {
        try await held(columns: 100, rows: 24, isTyped: true) { _, screen, _ in
            try await eventually("a prompt") { try screen.lines() == [">"] }
            try screen.type("sh run", "Enter")
            try await eventually("bars") { try screen.lines().last?.hasPrefix("0 of 2 files ") == true }
            try screen.type("C-z")
            try await eventually("a prompt") { try screen.lines().last == ">" }
            try screen.type("echo here", "Enter")
            try await eventually("its answer") { try screen.lines().suffix(2) == ["here", ">"] }
            try screen.type("fg", "Enter")
            try await eventually("bars below") {
                let lines = try screen.lines()
                let shell = Array(lines.dropLast(3).suffix(4))
                return lines.last?.hasPrefix("0 of 2 files ") == true
                    && shell == ["> echo here", "here", "> fg", "sh run"]
            }
            try screen.type("C-c")
            try await eventually("the summary in their place") {
                let lines = try screen.lines()
                let end = lines.firstIndex(of: "sh run").map { lines[($0 + 1)...] } ?? []
                return end.first?.hasPrefix("cancelled speech/") == true && end.last == ">"
            }
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
            try await ended(screen, 0)
        }
    }
}
