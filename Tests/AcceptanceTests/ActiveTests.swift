import Foundation
import Glibc
import SyncDomain
import TestSupport
import Testing

extension AcceptanceTests {
    /// What runs, as another process sees and ends it.
    @Suite struct ActiveTests {}
}

/// `active --format json` as a user's script reads it.
private struct ActiveDocument: Decodable {
    struct File: Decodable {
        let model: String
        let path: String
        let state: String
        let bytes: Int
        let total: Int
        let bytes_per_second: Int
        let seconds_left: Double?
    }

    struct Run: Decodable {
        let run_id: String
        let command: String
        let host: String
        let pid: Int32
        let started_at: String
        let files: [File]
    }

    let schema: String
    let store: String
    let runs: [Run]

    init(_ text: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(text.utf8)) }
}

extension World {
    fileprivate func active() async throws -> ActiveDocument { try ActiveDocument(try await activeText()) }

    private func activeText() async throws -> String {
        let result = try await run("active", "--format", "json")
        guard result.exitCode == 0 else { throw ToolFailure("\(result)") }
        return result.standardOutput
    }

    /// The one run, once it tells of so many files and bytes.
    fileprivate func activeRun(files: Int, bytes: Int = 0) async throws -> ActiveDocument.Run {
        while true {
            let text = try await activeText()
            if let run = try ActiveDocument(text).runs.first, run.files.count == files,
                run.files.reduce(0, { $0 + $1.bytes }) >= bytes
            {
                try ReportSchema.active.validate(text)
                return run
            }
        }
    }

    fileprivate var activeNames: [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: store + "/active")) ?? []
    }

    fileprivate func mode(_ path: String) throws -> Int? {
        try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
    }
}

/// A file of a server that sends a part of it, and then nothing until it is released.
private func stalling(_ server: FaultServer, _ name: String, _ bytes: [UInt8], at: Int) throws -> ManifestText.File {
    server.script("/" + name) { request, _ in .file(bytes, etag: "\"v1\"", for: request).stalled(at: at) }
    return try file(server, name, bytes)
}

private func file(_ server: FaultServer, _ name: String, _ bytes: [UInt8]) throws -> ManifestText.File {
    .init(name, size: bytes.count, sha256: try Payload.sha256(bytes), urls: [server.url("/" + name).text])
}

extension AcceptanceTests.ActiveTests {
    @Test func oneOfTwoModelsIsCancelledAndTheOtherArrives() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let (one, two) = (Payload.bytes(900_000, seed: 1), Payload.bytes(800_000, seed: 2))
            let manifest = try world.manifest(
                .init("m/one", files: [try stalling(server, "one.bin", one, at: 400_000)]),
                .init("m/two", files: [try stalling(server, "two.bin", two, at: 300_000)]))
            let started = try world.startApply(manifest)
            await server.wait { $0.stalls == 2 }
            let run = try await world.activeRun(files: 2)
            #expect(run.pid == started.program.process.pid && run.command == "apply" && !run.host.isEmpty)
            #expect(run.files.map(\.model).sorted() == ["m/one", "m/two"])
            #expect(run.files.map(\.path).sorted() == ["one.bin", "two.bin"])
            #expect(
                run.files.allSatisfy { $0.state == "transferring" && $0.total >= 800_000 && $0.bytes_per_second >= 0 })
            let shown = try await world.run("active")
            #expect(
                shown.standardOutput.contains("m/one/one.bin") && shown.standardOutput.contains(run.run_id), "\(shown)")

            let cancelled = try await world.run("cancel", "m/one")
            #expect(cancelled.exitCode == 0, "\(cancelled)")
            #expect(cancelled.standardOutput.hasPrefix("cancelled m/one in run \(run.run_id) (process \(run.pid) on "))
            await server.wait { $0.abandoned == 1 }
            let again = try await world.run("cancel", "m/one", "m/three")
            #expect(again.exitCode == 1 && again.standardError.contains("m/three"), "\(again)")
            server.release()
            let ended = try await started.finish()
            #expect(ended.result.exitCode == 1, "\(ended)")
            #expect(ended.report.outcome == "cancelled")
            #expect(ended.report.names("cancelled") == ["m/one/one.bin"])
            #expect(try ended.report.result("m/one/one.bin").error?.code == "cancelled")
            #expect(ended.report.names("downloaded") == ["m/two/two.bin"])
            #expect(FileManager.default.contents(atPath: world.view("m/two", "two.bin")) == Data(two))
            #expect(!FileManager.default.fileExists(atPath: world.store + "/models/m/one"))
            let kept = world.partialBytes
            #expect(kept > 0 && kept <= 400_000)
            #expect(world.activeNames == [])

            let next = try await world.apply(manifest)
            #expect(next.result.exitCode == 0, "\(next)")
            #expect(try next.report.result("m/one/one.bin").bytes_resumed == kept)
            #expect(server.recording.ranges("/one.bin") == [nil, "bytes=\(kept)-"])
        }
    }

    @Test func allIsCancelledAtOnceAndThenThereIsNothing() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let files = try (0..<3).map { index in
                try stalling(server, "f\(index).bin", Payload.bytes(90_000 + index, seed: UInt64(index)), at: 4000)
            }
            let manifest = try world.manifest(
                .init("m/one", files: Array(files[..<2])), .init("m/two", files: [files[2]]))
            let started = try world.startApply(manifest)
            await server.wait { $0.stalls == 3 }
            let cancelled = try await world.run("cancel", "--all")
            #expect(cancelled.exitCode == 0 && cancelled.standardOutput.contains("m/one"), "\(cancelled)")
            #expect(cancelled.standardOutput.contains("m/two"), "\(cancelled)")
            let ended = try await started.finish()
            #expect(ended.result.exitCode == 1 && ended.report.outcome == "cancelled", "\(ended)")
            #expect(ended.report.names("cancelled").count == 3)
            #expect(try await world.active().runs.isEmpty)
            let nothing = try await world.run("cancel", "--all")
            #expect(
                nothing.exitCode == 1 && nothing.standardError.contains("nothing is being downloaded"), "\(nothing)")
            #expect(try await world.run("active").standardOutput == "nothing is being downloaded\n")
        }
    }

    @Test func aKilledRunIsNoLongerTold() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let manifest = try world.manifest(
                .init("m/one", files: [try stalling(server, "f.bin", Payload.bytes(90_000, seed: 1), at: 4000)]))
            let started = try world.startApply(manifest)
            _ = try await world.activeRun(files: 1)
            let live = try await world.run("gc", "--dry-run", "--older-than", "0s")
            #expect(!live.standardOutput.contains("active/"), "\(live)")
            started.program.signal(SIGKILL)
            _ = await started.program.wait()
            #expect(world.activeNames.count >= 2)
            #expect(try await world.active().runs.isEmpty)
            #expect(world.activeNames == [])
            let refused = try await world.run("cancel", "m/one")
            #expect(refused.exitCode == 1, "\(refused)")
        }
    }

    @Test func whatAKilledRunLeftIsCollected() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let manifest = try world.manifest(
                .init("m/one", files: [try stalling(server, "f.bin", Payload.bytes(90_000, seed: 1), at: 4000)]))
            let started = try world.startApply(manifest)
            _ = try await world.activeRun(files: 1)
            started.program.signal(SIGKILL)
            _ = await started.program.wait()
            let planned = try await world.run("gc", "--dry-run")
            #expect(planned.standardOutput.contains("active/"), "\(planned)")
            #expect(try await world.run("gc").exitCode == 0)
            #expect(world.activeNames == [])
        }
    }

    @Test func onlyTheOwnerCanSeeAndCancelWhatRuns() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let manifest = try world.manifest(
                .init("m/one", files: [try stalling(server, "f.bin", Payload.bytes(90_000, seed: 1), at: 4000)]))
            let started = try world.startApply(manifest)
            _ = try await world.activeRun(files: 1)
            #expect(try world.mode(world.store + "/active") == 0o700)
            for name in world.activeNames { #expect(try world.mode(world.store + "/active/" + name) == 0o600) }
            #expect(try await world.run("cancel", "--all").exitCode == 0)
            _ = try await started.finish()
        }
    }

    /// As root another's store is used now and then: what it leaves there must not lock the owner out.
    @Test(.enabled(if: geteuid() == 0, "only root can give files away"))
    func whatRootMakesInAnothersStoreIsTheOwners() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let manifest = try world.manifest(
                .init("m/one", files: [try stalling(server, "f.bin", Payload.bytes(90_000, seed: 1), at: 4000)]))
            try FileManager.default.createDirectory(atPath: world.store, withIntermediateDirectories: false)
            try FileManager.default.setAttributes([.ownerAccountID: 4321], ofItemAtPath: world.store)
            let started = try world.startApply(manifest)
            _ = try await world.activeRun(files: 1)
            for path in ["/active"] + world.activeNames.map({ "/active/" + $0 }) {
                let attributes = try FileManager.default.attributesOfItem(atPath: world.store + path)
                #expect(attributes[.ownerAccountID] as? Int == 4321, "\(path)")
            }
            #expect(try await world.run("cancel", "--all").exitCode == 0)
            _ = try await started.finish()
        }
    }

    @Test func aRepairIsToldOfAndCanBeCancelled() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let bytes = Payload.bytes(90_000, seed: 1)
            server.serve("/f.bin", bytes)
            let manifest = try world.manifest(.init("m/one", files: [try file(server, "f.bin", bytes)]))
            #expect(try await world.apply(manifest).result.exitCode == 0)
            let document = Document(name: "f.bin", size: bytes.count, sha256: try Payload.sha256(bytes))
            try damage(world.blob(document)) { $0[7] ^= 1 }
            _ = try stalling(server, "f.bin", bytes, at: 4000)
            let report = world.folder.appending("repair.json")
            let started = try world.program.start(["verify", "--repair", "--store", world.store, "--report", report])
            #expect(try await world.activeRun(files: 1).command == "verify")
            #expect(try await world.run("cancel", "m/one").exitCode == 0)
            let ended = await started.wait()
            #expect(ended.exitCode == 1, "\(ended)")
            #expect(try Report.read(report).outcome == "cancelled")
        }
    }

    @Test func aRunThatFetchesNothingLeavesNoTrace() async throws {
        try await World.with { world in
            let document = try world.document("f.bin", 5000, seed: 1)
            let manifest = try world.manifest(.init("m/one", files: [document.file("documents")]))
            #expect(try await world.apply(manifest).result.exitCode == 0)
            try FileManager.default.removeItem(atPath: world.store + "/active")
            #expect(try await world.apply(manifest).result.exitCode == 0)
            #expect(!FileManager.default.fileExists(atPath: world.store + "/active"))
            // As in a store of an older program, and in one that is not there.
            #expect(try await world.active().runs.isEmpty)
            let none = try await world.program.run(["active", "--store", world.folder.appending("none")])
            #expect(none.exitCode == 0 && none.standardOutput == "nothing is being downloaded\n", "\(none)")
        }
    }

    @Test func watchingEndsWhenNothingRuns() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let manifest = try world.manifest(
                .init("m/one", files: [try stalling(server, "f.bin", Payload.bytes(90_000, seed: 1), at: 4000)]))
            let started = try world.startApply(manifest)
            _ = try await world.activeRun(files: 1)
            let watching = try world.program.start(["active", "--watch", "--store", world.store])
            try await eventually("the file is shown") { watching.standardOutputSoFar.contains("m/one/f.bin") }
            server.release()
            #expect(try await started.finish().result.exitCode == 0)
            #expect(await watching.wait().exitCode == 0)
            let refused = try await world.run("active", "--watch", "--format", "json")
            #expect(refused.exitCode == 64, "\(refused)")
        }
    }
}
