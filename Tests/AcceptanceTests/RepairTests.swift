import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    @Suite struct Repairing {}
}

extension AcceptanceTests.Repairing {
    /// Seven files in one model, their manifest with local sources, applied.
    private func withAppliedModel(_ body: (World, [Document], String) async throws -> Void) async throws {
        try await World.with { world in
            let documents = try (0..<7).map { try world.document("f\($0).bin", 40_000 + $0, seed: UInt64($0)) }
            let manifest = try world.manifest(.init("m/one", files: documents.map { $0.file("documents") }))
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            try await body(world, documents, manifest)
        }
    }

    @Test func oneApplyMendsExactlyWhatWasDamagedInFiveWays() async throws {
        try await withAppliedModel { world, documents, manifest in
            try damage(world.blob(documents[1])) { $0.removeLast(1000) }
            try damage(world.blob(documents[2])) { $0.removeAll() }
            try damage(world.blob(documents[3])) { $0[20_000] ^= 0x10 }
            try FileManager.default.removeItem(atPath: world.blob(documents[4]))
            let blob = world.blob(documents[5])
            try FileManager.default.removeItem(atPath: blob)
            try FileManager.default.createDirectory(atPath: blob, withIntermediateDirectories: false)

            let damaged = (1...5).map { "m/one/f\($0).bin" }
            let (result, plan) = try await world.plan(manifest, "--detailed-exitcode")
            #expect(result.exitCode == 2, "\(result)")
            #expect(plan.names("keep") == ["m/one/f0.bin", "m/one/f6.bin"])

            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(run.report.names("kept") == ["m/one/f0.bin", "m/one/f6.bin"])
            #expect(run.report.results.filter { $0.outcome != "kept" }.map(\.name).sorted() == damaged)
            for document in documents { try world.expectInPlace(document, "m/one") }

            let again = try await world.apply(manifest)
            #expect(again.report.names("kept").count == 7, "\(again)")
            #expect(try await world.verify().result.exitCode == 0)
        }
    }

    /// Bits that turn in a disk change no time: the seal goes on vouching for them.
    @Test func whatVerifyFindsRottenTheNextApplyMends() async throws {
        try await withAppliedModel { world, documents, manifest in
            try rot(world.blob(documents[2]), at: 20_000)
            #expect(try await world.apply(manifest).report.names("kept").count == 7)
            #expect(try await world.verify().result.exitCode == 1)
            #expect(try await world.run("path", "m/one").exitCode == 1)
            let run = try await world.apply(manifest)
            #expect(run.report.names("repaired") == ["m/one/f2.bin"], "\(run)")
            try world.expectInPlace(documents[2], "m/one")
        }
    }

    @Test func verifyHashesNoMoreThanItsBudget() async throws {
        try await withAppliedModel { world, _, _ in
            let nights = [try await world.verify("--budget", "100K"), try await world.verify("--budget", "0s")]
            for night in nights { #expect(night.result.exitCode == 0, "\(night)") }
            #expect(nights[0].report.summary["bytes_verified"] ?? 0 <= 100 << 10)
            #expect((40_000..<80_020).contains(nights[1].report.summary["bytes_verified"] ?? 0), "\(nights[1])")
            #expect(nights[0].report.oldest_verification != nil)
            for wrong in ["5x", "-1", "1.5G", ""] {
                #expect(try await world.run("verify", "--budget", wrong).exitCode == 64)
            }
        }
    }

    @Test(.needsNginx) func threeRottenBytesOfALargeFileCostThreeChunks() async throws {
        try await World.served { world, nginx in
            let document = try world.document("large.bin", 40 << 20, seed: 1)
            let manifest = try world.manifest(.init("m/one", files: [document.file(nginx.http)]))
            #expect(try await world.apply(manifest).result.exitCode == 0)
            try damage(world.blob(document)) { bytes in
                for offset in [7, 20 << 20, (40 << 20) - 1] { bytes[offset] ^= 4 }
            }
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0 && run.report.names("repaired") == ["m/one/large.bin"], "\(run)")
            #expect(run.report.summary["bytes_downloaded"] == 12 << 20, "\(run)")
            try world.expectInPlace(document, "m/one")
            #expect(try await world.verify().result.exitCode == 0)
        }
    }

    @Test func verifyFindsADamagedFileAndRepairMendsIt() async throws {
        try await withAppliedModel { world, documents, manifest in
            #expect(try await world.verify().result.exitCode == 0)
            try damage(world.blob(documents[3])) { $0[5] ^= 1 }
            let verified = try await world.verify()
            #expect(verified.result.exitCode == 1, "\(verified)")
            #expect(verified.report.outcome == "failed")
            let failed = try verified.report.result("m/one/f3.bin")
            #expect(failed.error?.code == "digest.mismatch")
            #expect(verified.report.results.filter { !$0.success }.map(\.name) == ["m/one/f3.bin"])
            #expect(try await world.apply(manifest).report.names("repaired") == ["m/one/f3.bin"])
            #expect(try await world.verify().result.exitCode == 0)
        }
    }

    /// With no `verify` before, which would break the seal.
    @Test func fullVerificationFindsDamageThatKeepsTheSeal() async throws {
        try await withAppliedModel { world, documents, manifest in
            try rot(world.blob(documents[2]), at: 7)
            #expect(try await world.apply(manifest).report.names("kept").count == 7)
            let run = try await world.apply(manifest, "--verify", "full")
            #expect(run.report.names("repaired") == ["m/one/f2.bin"], "\(run)")
            try world.expectInPlace(documents[2], "m/one")
        }
    }

    @Test func aTouchedFileIsHashedAndKept() async throws {
        try await withAppliedModel { world, documents, manifest in
            try FileManager.default.setAttributes([.modificationDate: Date()], ofItemAtPath: world.blob(documents[1]))
            let run = try await world.apply(manifest)
            #expect(run.report.names("kept").count == 7, "\(run)")
            #expect(run.report.summary["bytes_downloaded"] == 0)
        }
    }

    @Test func aLostViewIsLinkedAndNotFetched() async throws {
        try await withAppliedModel { world, documents, manifest in
            try FileManager.default.removeItem(atPath: world.view("m/one", "f1.bin"))
            try FileManager.default.removeItem(atPath: world.documents)
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(run.report.names("linked") == ["m/one/f1.bin"])
            try world.expectInPlace(documents[1], "m/one")
        }
    }

    @Test func anUnmanagedFileStaysAndIsReported() async throws {
        try await withAppliedModel { world, documents, manifest in
            let notes = try world.folder.write("mine", to: "store/models/m/one/notes.txt")
            let replaced = try world.document("f0.bin", 1234, seed: 99)
            let update = try world.manifest(
                .init("m/one", files: [replaced.file("documents")] + documents[1...].map { $0.file("documents") }))
            let run = try await world.apply(update)
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(run.report.names("updated") == ["m/one/f0.bin"])
            #expect(run.report.names("unmanaged") == ["m/one/notes.txt"])
            #expect(readText(notes) == "mine")
            try world.expectInPlace(replaced, "m/one")
        }
    }

    @Test(arguments: ["models", "models/m", "models/m/one"])
    func aLinkOutOfTheStoreIsNotWrittenThrough(link: String) async throws {
        try await withAppliedModel { world, documents, manifest in
            let outside = world.folder.appending("outside")
            try FileManager.default.createDirectory(atPath: outside + "/one", withIntermediateDirectories: true)
            try world.folder.write("theirs", to: "outside/f0.bin")
            try world.folder.write("theirs", to: "outside/one/f0.bin")
            let before = tree(outside)
            let place = world.store + "/" + link
            try FileManager.default.removeItem(atPath: place)
            try FileManager.default.createSymbolicLink(atPath: place, withDestinationPath: outside)
            let run = try await world.program.run(["apply", manifest, "--store", world.store])
            #expect(tree(outside) == before, "\(run)")
            #expect(readText(outside + "/f0.bin") == "theirs")
            if run.exitCode == 0 { try world.expectInPlace(documents[0], "m/one") }
        }
    }
}
