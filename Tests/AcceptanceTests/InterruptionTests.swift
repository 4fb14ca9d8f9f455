import Foundation
import Glibc
import TestSupport
import Testing

extension AcceptanceTests {
    @Suite(.needsNginx) struct Interrupting {}
}

extension AcceptanceTests.Interrupting {
    @Test func afterKillNineNothingIsFetchedTwice() async throws {
        try await World.served { world, server in
            let small = try (1...3).map { try world.document("s\($0).bin", 50_000, seed: UInt64($0)) }
            let large = try world.document("large.bin", 15 << 20, seed: 9)
            let stalling = try world.stalling(large, at: 6 << 20)
            let manifest = try world.manifest(
                .init("m/one", files: small.map { $0.file(server.http) } + [large.file(stalling.http)]))
            // Over one connection: what is on its way when another takes over the rest comes twice.
            let started = try world.startApply(manifest, ["--connections", "1"])
            try await started.program.signal(SIGKILL, when: "the small ones and a third are here") {
                world.partialBytes >= 5 << 20
                    && small.allSatisfy { FileManager.default.fileExists(atPath: world.blob($0)) }
            }
            #expect(await started.program.wait().status == .signalled(SIGKILL))
            #expect(!FileManager.default.fileExists(atPath: world.blob(large)))
            // The server must have seen the end before it is let go, or it would count what it sends to nobody.
            await stalling.wait { $0.openConnections == 0 }
            stalling.release()
            let (before, sent) = (try server.requests().count, stalling.recording.bodyBytesSent)

            let run = try await world.apply(manifest, "--connections", "1")
            #expect(run.result.exitCode == 0, "\(run)")
            for document in small + [large] { try world.expectInPlace(document, "m/one") }
            let result = try run.report.result("m/one/large.bin")
            let resumed = try #require(result.bytes_resumed)
            #expect(resumed > 0)
            #expect(result.bytes_downloaded == large.size - resumed)

            #expect(try server.requests().count == before)
            #expect(stalling.recording.ranges("/large.bin") == [nil, "bytes=\(resumed)-"])
            #expect(stalling.recording.requests.last?.headers["if-range"] == "\"v1\"")
            #expect(stalling.recording.bodyBytesSent - sent == Int64(large.size - resumed))
        }
    }

    @Test(arguments: [(SIGINT, 130), (SIGTERM, 143)] as [(Int32, Int32)])
    func aSignalEndsTheRunWithAReportAndKeepsThePartial(signal: Int32, exitCode: Int32) async throws {
        try await World.with { world in
            let document = try world.document("f.bin", 4 << 20, seed: 1)
            let server = try world.stalling(document, at: 2 << 20)
            let manifest = try world.manifest(.init("m/one", files: [document.file(server.http)]))
            let started = try world.startApply(manifest)
            try await started.program.signal(signal, when: "bytes are coming") { world.partialBytes >= 1 << 20 }
            let run = try await started.finish()
            #expect(run.result.exitCode == exitCode, "\(run)")
            #expect(run.report.outcome == "cancelled")
            let cancelled = try run.report.result("m/one/f.bin")
            #expect(cancelled.outcome == "cancelled")
            #expect(cancelled.error?.code == "cancelled")
            #expect(world.partialBytes >= 1 << 20)

            server.release()
            let resumed = try await world.apply(manifest)
            #expect(resumed.result.exitCode == 0, "\(resumed)")
            #expect((resumed.report.summary["bytes_resumed"] ?? 0) >= 1 << 20)
            try world.expectInPlace(document, "m/one")
        }
    }

    @Test func twoAppliesAtOnceFetchEachFileOnce() async throws {
        try await World.served { world, server in
            let documents = try (1...3).map { try world.document("f\($0).bin", 8 << 20, seed: UInt64($0)) }
            let manifest = try world.manifest(
                .init("m/one", files: documents.map { $0.file(server.http + "/slow") }))
            try server.setSlow(true)
            let first = try world.startApply(manifest, ["--jobs", "2"])
            try await eventually("the first is fetching") {
                world.partialBytes > 0 || first.program.process.status != nil
            }
            let second = try world.startApply(manifest, ["--jobs", "2"])
            let runs = [try await first.finish(), try await second.finish()]
            for run in runs { #expect(run.result.exitCode == 0, "\(run)") }
            for document in documents { try world.expectInPlace(document, "m/one") }
            let requests = try server.requests()
            #expect(requests.map(\.path).sorted() == documents.map { "/slow/" + $0.name }.sorted())
            #expect(requests.allSatisfy { $0.status == 200 })
            #expect(runs.compactMap { $0.report.summary["bytes_downloaded"] }.reduce(0, +) == 3 * (8 << 20))
        }
    }

    /// As two hosts see one folder.
    @Test(.enabled(if: geteuid() == 0, "mounting takes root's rights"))
    func appliesOverTwoMountsOfOneFolderFetchEachFileOnce() async throws {
        try await World.served { world, nginx in
            let documents = try (0..<12).map { try world.document("f\($0).bin", 30_000 + $0, seed: UInt64($0)) }
            let manifest = try world.manifest(.init("m/one", files: documents.map { $0.file(nginx.http) }))
            let begun = try world.manifest(
                .init("m/none", files: [documents[0].file("documents")]), named: "begun.yaml")
            #expect(try await world.apply(begun).result.exitCode == 0)
            let other = world.folder.appending("other")
            try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
            guard (try? Tool.run("mount", ["--bind", world.store, other])) != nil else { return }
            defer { _ = try? Tool.run("umount", ["-l", other]) }
            let first = try world.startApply(manifest)
            let second = try await world.program.run([
                "apply", manifest, "--store", other, "--report", world.folder.appending("r"),
            ])
            let ended = try await first.finish()
            #expect(ended.result.exitCode == 0 && second.exitCode == 0, "\(ended) \(second)")
            let fetched = [ended.report, try world.read(world.folder.appending("r"), of: second)]
                .reduce(0) { $0 + ($1.summary["bytes_downloaded"] ?? 0) }
            #expect(fetched == documents.dropFirst().reduce(0) { $0 + $1.size })
            for document in documents { try world.expectInPlace(document, "m/one") }
        }
    }

    @Test func aStoreInUseIsNotCleaned() async throws {
        try await World.with { world in
            let document = try world.document("large.bin", 4_000_000, seed: 1)
            let server = try world.stalling(document, at: 1_000_000)
            let manifest = try world.manifest(.init("m/one", files: [document.file(server.http)]))
            let run = try world.startApply(manifest)
            try await run.program.wait(until: "bytes are coming") { world.partialBytes >= 100_000 }
            for arguments in [["gc", "--older-than", "0s"], ["clear", "--yes"]] {
                let result = try await world.program.run(arguments + ["--store", world.store])
                #expect(result.exitCode == 75 && result.standardError.contains("in use"), "\(result)")
            }
            server.release()
            let ended = try await run.finish()
            #expect(ended.result.exitCode == 0, "\(ended)")
            #expect(try await world.run("gc", "--older-than", "0s").exitCode == 0)
            try world.expectInPlace(document, "m/one")
        }
    }

    @Test func aSecondSignalEndsTheRunAtOnceAndLosesNothing() async throws {
        try await World.with { world in
            let document = try world.document("f.bin", 4 << 20, seed: 1)
            let server = try world.stalling(document, at: 2 << 20)
            let manifest = try world.manifest(.init("m/one", files: [document.file(server.http)]))
            let started = try world.startApply(manifest)
            try await started.program.signal(SIGINT, when: "bytes are coming") { world.partialBytes >= 1 << 20 }
            started.program.signal(SIGINT)
            #expect(await started.program.wait().exitCode == 130)
            server.release()
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            try world.expectInPlace(document, "m/one")
        }
    }
}
