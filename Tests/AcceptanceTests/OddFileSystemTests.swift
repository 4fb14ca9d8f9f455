import Foundation
import Glibc
import TestSupport
import Testing

extension AcceptanceTests {
    /// Stores where the file system lacks something, by calls that fail as they would there.
    @Suite(.enabled(if: FaultShim.isUsable, "needs a C compiler and no sanitizer")) struct OddFileSystems {}
}

extension AcceptanceTests.OddFileSystems {
    /// One model of two files with local sources, and a world in which that call fails with that error each time.
    private func with(
        _ call: String, _ error: Int32, _ body: (World, World, [Document], String) async throws -> Void
    ) async throws {
        try await World.with { world in
            let documents = try (0..<2).map {
                try world.document("f\($0).bin", 40_000 + $0 * 1_500_000, seed: UInt64($0))
            }
            let manifest = try world.manifest(.init("m/one", files: documents.map { $0.file("documents") }))
            var plan = FaultShim.Plan(root: world.store)
            (plan.call, plan.at, plan.error, plan.hitsAllAfter) = (call, 1, error, true)
            var odd = world
            odd.environment.merge(plan.environment) { $1 }
            try await body(odd, world, documents, manifest)
        }
    }

    @Test(arguments: [EPERM, EMLINK, EOPNOTSUPP])
    func withoutHardLinksFilesAreCopiedAndItIsSaid(_ error: Int32) async throws {
        try await with("linkat", error) { odd, _, documents, manifest in
            let run = try await odd.apply(manifest)
            #expect(run.result.exitCode == 0 && run.result.standardError.contains("2 files were copied"), "\(run)")
            for document in documents { try odd.expectInPlace(document, "m/one") }
            let again = try await odd.apply(manifest)
            #expect(again.report.names("kept").count == 2 && again.report.summary["bytes_verified"] == 0, "\(again)")
            let removed = try await odd.run("remove", "m/one")
            #expect(removed.exitCode == 0 && !removed.standardOutput.contains(" 0 B freed"), "\(removed)")
        }
    }

    @Test func whereTimesCannotBeSetFilesAreHashedEachTimeAndItIsSaidOnce() async throws {
        try await with("futimens", EPERM) { odd, _, documents, manifest in
            let total = documents.reduce(0) { $0 + $1.size }
            for _ in 0..<2 {
                let run = try await odd.apply(manifest)
                #expect(run.result.exitCode == 0 && run.report.summary["bytes_verified"] == total, "\(run)")
                let said = run.result.standardError.components(separatedBy: "times of files can't be set").count - 1
                #expect(said == 1, "\(run)")
            }
            for document in documents { try odd.expectInPlace(document, "m/one") }
        }
    }

    @Test func withoutExchangesOrFlaggedRenamesModelsChangeInSteps() async throws {
        try await with("renameat2", EINVAL) { odd, world, documents, manifest in
            #expect(try await odd.apply(manifest).result.exitCode == 0)
            let less = try world.manifest(.init("m/one", files: [documents[0].file("documents")]), named: "less.yaml")
            let run = try await odd.apply(less)
            #expect(run.result.exitCode == 0 && run.report.names("removed") == ["m/one/f1.bin"], "\(run)")
            try odd.expectInPlace(documents[0], "m/one")
            #expect(!FileManager.default.fileExists(atPath: odd.view("m/one", "f1.bin")))
        }
    }

    @Test(arguments: [ENOSPC, EDQUOT])
    func aFullDiskOrQuotaFailsTheFileAndKeepsItsPartial(_ error: Int32) async throws {
        try await with("fsync", error) { odd, world, documents, manifest in
            let first = try await world.apply(manifest)
            #expect(first.result.exitCode == 0)
            let more = try world.document("more.bin", 2_000_000, seed: 9)
            let wanted = try world.manifest(
                .init("m/one", files: (documents + [more]).map { $0.file("documents") }), named: "more.yaml")
            let run = try await odd.apply(wanted)
            #expect(run.result.exitCode == 1, "\(run)")
            #expect(try run.report.result("m/one/more.bin").error?.code == "store.no_space", "\(run)")
            #expect(world.partialBytes == more.size, "\(tree(world.store))")
            for document in documents { try world.expectInPlace(document, "m/one") }
            #expect(try await world.apply(wanted).report.summary["bytes_resumed"] == more.size)
        }
    }

    /// The kernel tells once that the disk has not taken bytes, and still has them in memory: they would look right.
    @Test func bytesThatTheDiskHasNotTakenAreFetchedAgain() async throws {
        try await with("fsync", EIO) { odd, world, documents, manifest in
            #expect(try await world.apply(manifest).result.exitCode == 0)
            let more = try world.document("more.bin", 2_000_000, seed: 9)
            let wanted = try world.manifest(
                .init("m/one", files: (documents + [more]).map { $0.file("documents") }), named: "more.yaml")
            let run = try await odd.apply(wanted)
            #expect(try run.report.result("m/one/more.bin").error?.code == "store.io", "\(run)")
            #expect(world.partialBytes == 0, "\(tree(world.store))")
            let next = try await world.apply(wanted)
            #expect(next.result.exitCode == 0 && next.report.summary["bytes_downloaded"] == more.size, "\(next)")
        }
    }

    @Test(.enabled(if: geteuid() == 0, "mounting takes root's rights"))
    func aReadOnlyStoreServesAllThatOnlyLooks() async throws {
        try await with("none", 0) { _, world, documents, manifest in
            #expect(try await world.apply(manifest).result.exitCode == 0)
            guard (try? Tool.run("mount", ["--bind", world.store, world.store])) != nil else { return }
            defer { _ = try? Tool.run("umount", ["-l", world.store]) }
            try Tool.run("mount", ["-o", "remount,bind,ro", world.store])
            for arguments in [
                ["path", "m/one"], ["list"], ["show", "m/one"], ["plan", manifest, "--verify", "full"],
            ] {
                let result = try await world.program.run(arguments + ["--store", world.store])
                #expect(result.exitCode == 0, "\(result)")
            }
            #expect(try await world.verify().result.exitCode == 0)
            #expect(try await world.verify("--budget", "10K").result.exitCode == 0)
            let applied = try await world.run("apply", manifest)
            #expect(applied.exitCode == 73 && applied.standardError.contains("read-only"), "\(applied)")
            #expect(try await world.run("gc").exitCode == 74)
            try world.expectInPlace(documents[0], "m/one")
        }
    }
}
