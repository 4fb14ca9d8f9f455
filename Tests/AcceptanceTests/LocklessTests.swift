import Foundation
import Glibc
import SyncDomain
import TestSupport
import Testing

extension AcceptanceTests {
    /// Where flock(2) does nothing, as on some network file systems: files may be fetched twice, wrong bytes are never shown.
    @Suite(.enabled(if: FaultShim.isUsable, "needs a C compiler and no sanitizer"), .needsNginx) struct Lockless {}
}

extension AcceptanceTests.Lockless {
    private func withoutLocks(_ world: World) -> World {
        var plan = FaultShim.Plan(root: world.store)
        plan.hasNoLocks = true
        var lockless = world
        lockless.environment.merge(plan.environment) { $1 }
        return lockless
    }

    @Test func severalAppliesAtOnceEndWithTheRightBytes() async throws {
        try await World.served { world, nginx in
            let sizes = [10, 5000, 70_000, 900_000, 1_500_000, 3_000_000]
            let documents = try sizes.enumerated().map { try world.document("f\($0).bin", $1, seed: UInt64($0)) }
            let manifest = try world.manifest(.init("m/one", files: documents.map { $0.file(nginx.http) }))
            let lockless = withoutLocks(world)
            for _ in 0..<3 {
                try? FileManager.default.removeItem(atPath: world.store)
                let runs = try (0..<3).map { _ in try lockless.startApply(manifest) }
                for run in runs {
                    let ended = try await run.finish()
                    #expect(ended.result.exitCode == 0, "\(ended)")
                }
                for document in documents { try world.expectInPlace(document, "m/one") }
                #expect(try await world.verify().result.exitCode == 0)
                #expect(world.partialBytes == 0, "\(tree(world.store))")
            }
        }
    }

    @Test func oneWithASourceOfWrongBytesHarmsNoOther() async throws {
        try await World.served { world, nginx in
            let right = try world.document("right.bin", 3_000_000, seed: 1)
            let wrong = try world.document("wrong.bin", 3_000_000, seed: 2)
            let manifest = try world.manifest(.init("m/one", files: [right.file(nginx.http)]))
            let misled = Document(name: "wrong.bin", size: right.size, sha256: right.sha256)
            let bad = try world.manifest(
                .init("m/one", files: [misled.file(nginx.http, path: "right.bin")]), named: "bad.yaml")
            let lockless = withoutLocks(world)
            for _ in 0..<3 {
                try? FileManager.default.removeItem(atPath: world.store)
                let runs = try [bad, manifest, bad].map { try lockless.startApply($0, ["--retries", "1"]) }
                let ends = [try await runs[0].finish(), try await runs[1].finish(), try await runs[2].finish()]
                #expect(ends[1].result.exitCode == 0, "\(ends[1])")
                for end in [ends[0], ends[2]] where end.result.exitCode != 0 {
                    #expect(end.report.results.first?.error?.code == "digest.mismatch", "\(end)")
                }
                try world.expectInPlace(right, "m/one")
                #expect(try await world.verify().result.exitCode == 0)
            }
            #expect(wrong.sha256 != right.sha256)
        }
    }

    @Test func whatACancelledRunHasFetchedIsGoneOnFrom() async throws {
        try await World.with { world in
            let document = try world.document("large.bin", 8_000_000, seed: 1)
            let server = try world.stalling(document, at: 4_000_000)
            let manifest = try world.manifest(.init("m/one", files: [document.file(server.http)]))
            let lockless = withoutLocks(world)
            let run = try lockless.startApply(manifest)
            try await run.program.signal(SIGINT, when: "a quarter is here") { world.partialBytes >= 2_000_000 }
            let ended = try await run.finish()
            #expect(ended.result.exitCode == 130, "\(ended)")
            server.release()
            let next = try await lockless.apply(manifest)
            #expect(next.result.exitCode == 0 && (next.report.summary["bytes_resumed"] ?? 0) >= 2_000_000, "\(next)")
            try world.expectInPlace(document, "m/one")
        }
    }

    @Test func whatRunsIsToldByItsProcess() async throws {
        try await World.with { world in
            let server = try FaultServer()
            let bytes = Payload.bytes(90_000, seed: 1)
            server.script("/f.bin") { request, _ in .file(bytes, for: request).stalled(at: 4000) }
            let file = ManifestText.File(
                "f.bin", size: bytes.count, sha256: try Payload.sha256(bytes), urls: [server.url("/f.bin").text])
            let lockless = withoutLocks(world)
            let run = try lockless.startApply(try world.manifest(.init("m/one", files: [file])))
            while try await !lockless.run("active").standardOutput.contains("m/one/f.bin") {}
            run.program.signal(SIGKILL)
            _ = await run.program.wait()
            #expect(try await lockless.run("active").standardOutput == "nothing is being downloaded\n")
            #expect(tree(world.store + "/active") == [])
            server.stop()
        }
    }
}
