import Foundation
import TestSupport
import Testing

/// Large files over several connections, from servers that limit each: 4 MiB a second.
extension AcceptanceTests {
    @Suite("Sharing a file", .needsNginx)
    struct SharedFileTests {
        @Test func aLimitedServerIsAskedForSeveralPartsAtOnce() async throws {
            try await World.served { world, server in
                let document = try world.document("f.bin", 80 << 20, seed: 1)
                let manifest = try world.manifest(.init("m/one", files: [document.file(server.http + "/slow")]))
                try server.setSlow(true)
                let run = try await world.apply(manifest)
                #expect(run.result.exitCode == 0, "\(run)")
                try world.expectInPlace(document, "m/one")
                let requests = try server.requests()
                let parts = requests.filter { $0.status == 206 }
                #expect(parts.count >= 4 && parts.allSatisfy { !$0.ifRange.isEmpty })
                #expect(requests.count { $0.status == 200 } == 1 && requests.count == parts.count + 1)
                // Every byte was taken once, whatever was on its way when a part was cut.
                #expect(try run.report.result("m/one/f.bin").bytes_downloaded == document.size)
            }
        }

        @Test(.needs("strace")) func theDiskBeginsWhilePartsCome() async throws {
            try await World.served { world, server in
                let document = try world.document("f.bin", 80 << 20, seed: 1)
                let manifest = try world.manifest(.init("m/one", files: [document.file(server.http + "/slow")]))
                try server.setSlow(true)
                let trace = world.folder.appending("trace")
                try Tool.run(
                    "strace",
                    [
                        "-f", "-e", "trace=sync_file_range", "-o", trace, Program.path, "apply", manifest, "--store",
                        world.store,
                    ])
                try world.expectInPlace(document, "m/one")
                #expect(try server.requests().count > 1)
                // Once for each 8 MiB or a block more, whichever parts they are of.
                let calls = readText(trace).split(separator: "\n").count { $0.contains(", SYNC_FILE_RANGE_WRITE)") }
                #expect((8...10).contains(calls), "\(calls)")
            }
        }

        @Test func withOneConnectionThereIsOneRequest() async throws {
            try await World.served { world, server in
                let document = try world.document("f.bin", 20 << 20, seed: 1)
                let manifest = try world.manifest(.init("m/one", files: [document.file(server.http + "/slow")]))
                try server.setSlow(true)
                let run = try await world.apply(manifest, "--connections", "1")
                #expect(run.result.exitCode == 0, "\(run)")
                try world.expectInPlace(document, "m/one")
                #expect(try server.requests().map(\.status) == [200])
            }
        }

        @Test func mirrorsBringPartsOfOneFile() async throws {
            try await World.served { world, server in
                let document = try world.document("f.bin", 64 << 20, seed: 2)
                let manifest = try world.manifest(
                    .init("m/one", files: [document.file(server.http + "/slow", server.https + "/slow")]))
                try server.setSlow(true)
                let run = try await world.apply(manifest, "--ca-file", server.ca.file)
                #expect(run.result.exitCode == 0, "\(run)")
                try world.expectInPlace(document, "m/one")
                let result = try run.report.result("m/one/f.bin")
                #expect(result.bytes_downloaded == document.size)
                let used = Set((result.attempts ?? []).filter { $0.bytes > 0 }.map { $0.url.prefix(5) })
                #expect(used == ["http:", "https"], "\(result.attempts ?? []) \(run)")
            }
        }

        @Test func aMirrorThatFailsIsLeftOutAndToldOf() async throws {
            try await World.served { world, server in
                let document = try world.document("f.bin", 48 << 20, seed: 4)
                let manifest = try world.manifest(
                    .init("m/one", files: [document.file(server.http + "/slow", server.https + "/slow")]))
                try server.setSlow(true)
                // Its certificate is not trusted.
                let run = try await world.apply(manifest)
                #expect(run.result.exitCode == 0, "\(run)")
                try world.expectInPlace(document, "m/one")
                let attempts = try run.report.result("m/one/f.bin").attempts ?? []
                #expect(attempts.compactMap { $0.error?.code } == ["network.tls"])
                #expect(run.result.standardError.contains("is asked last for the rest of this run"), "\(run)")
            }
        }

        @Test func aServerWithoutPartsSendsEachByteOnce() async throws {
            try await World.with { world in
                let server = try FaultServer()
                defer { server.stop() }
                let document = try world.document("f.bin", 24 << 20, seed: 5)
                let bytes = Payload.bytes(document.size, seed: 5)
                server.script("/f.bin") { _, _ in .ok(bytes).dripping(128 << 10, everyMicroseconds: 8000) }
                let manifest = try world.manifest(
                    .init("m/one", files: [document.file("http://127.0.0.1:\(server.port)")]))
                let run = try await world.apply(manifest)
                #expect(run.result.exitCode == 0, "\(run)")
                try world.expectInPlace(document, "m/one")
                #expect(server.recording.count("/f.bin") > 1)
                #expect(try run.report.result("m/one/f.bin").bytes_downloaded == document.size, "\(run)")
            }
        }

        /// An apply that gets a signal once three parts at least have been asked for.
        private func start(
            _ manifest: String, in world: World, _ server: NginxServer, endedBy signal: Int32
        ) async throws -> StartedRun {
            try server.setSlow(true)
            let started = try world.startApply(manifest)
            try await started.program.signal(signal, when: "parts are here") {
                (try? server.requests().count { $0.status == 206 } >= 3) == true
            }
            return started
        }

        @Test func aRunThatIsCancelledTellsOfAllThatCame() async throws {
            try await World.served { world, server in
                let document = try world.document("f.bin", 96 << 20, seed: 6)
                let manifest = try world.manifest(.init("m/one", files: [document.file(server.http + "/slow")]))
                let started = try await start(manifest, in: world, server, endedBy: SIGINT)
                let run = try await started.finish()
                #expect(run.result.exitCode == 130, "\(run)")
                let kept = try await world.plan(manifest).plan.items.reduce(0) { $0 + $1.bytes_partial }
                #expect(kept > 0)
                #expect(try run.report.result("m/one/f.bin").bytes_downloaded ?? 0 >= kept, "\(run)")
            }
        }

        /// Killed while parts lie behind gaps: the next run asks for what is missing, and for nothing else.
        @Test func afterAKillTheHolesAreFetched() async throws {
            try await World.served { world, server in
                let document = try world.document("f.bin", 96 << 20, seed: 3)
                let manifest = try world.manifest(.init("m/one", files: [document.file(server.http + "/slow")]))
                let started = try await start(manifest, in: world, server, endedBy: SIGKILL)
                _ = await started.program.wait()
                try server.setSlow(false)
                let run = try await world.apply(manifest)
                #expect(run.result.exitCode == 0, "\(run)")
                try world.expectInPlace(document, "m/one")
                let result = try run.report.result("m/one/f.bin")
                let resumed = try #require(result.bytes_resumed)
                #expect(resumed > 0)
                #expect(result.bytes_downloaded == document.size - resumed)
            }
        }
    }
}
