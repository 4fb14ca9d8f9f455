import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    @Suite struct Cleaning {}
}

extension AcceptanceTests.Cleaning {
    /// Two models of one file each, applied.
    private func withTwoModels(_ body: (World, [Document], String) async throws -> Void) async throws {
        try await World.with { world in
            let documents = try (0..<2).map { try world.document("f\($0).bin", 40_000 + $0, seed: UInt64($0)) }
            let manifest = try world.manifest(
                .init("m/one", files: [documents[0].file("documents")]),
                .init("m/two", files: [documents[1].file("documents")]))
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            try await body(world, documents, manifest)
        }
    }

    @Test func removeThenGCFreesAModelAndSaysHowMuch() async throws {
        try await withTwoModels { world, documents, _ in
            let unknown = try await world.run("remove", "m/two", "m/three")
            #expect(unknown.exitCode == 1 && unknown.standardError.contains("m/three"), "\(unknown)")
            #expect(FileManager.default.fileExists(atPath: world.view("m/two", "f1.bin")))
            let removed = try await world.run("remove", "m/two")
            #expect(removed.exitCode == 0 && removed.standardOutput.contains("stay until `modelsync gc`"), "\(removed)")
            #expect(!FileManager.default.fileExists(atPath: world.view("m/two", "f1.bin")))
            let planned = try await world.run("gc", "--dry-run")
            #expect(planned.standardOutput.contains(documents[1].sha256), "\(planned)")
            #expect(FileManager.default.fileExists(atPath: world.blob(documents[1])))
            let collected = try await world.run("gc", "--format", "json")
            try ReportSchema.cleaning.validate(collected.standardOutput)
            #expect(collected.exitCode == 0 && collected.standardOutput.contains("\"bytes_freed\":4"), "\(collected)")
            #expect(!FileManager.default.fileExists(atPath: world.blob(documents[1])))
            #expect(try await world.verify().result.exitCode == 0)
            #expect(try await world.run("gc", "--older-than", "soon").exitCode == 64)
            for command in [["remove", "m/one"], ["clear", "--yes"]] {
                let result = try await world.program.run(command + ["--store", world.store, "--format", "json"])
                #expect(result.exitCode == 0, "\(result)")
                try ReportSchema.cleaning.validate(result.standardOutput)
            }
        }
    }

    @Test func pruneTakesOutWhatTheManifestDoesNotHave() async throws {
        try await withTwoModels { world, documents, manifest in
            let less = try world.manifest(.init("m/one", files: [documents[0].file("documents")]), named: "less.yaml")
            #expect(try await world.apply(less).report.results.map(\.name) == ["m/one/f0.bin"])
            #expect(FileManager.default.fileExists(atPath: world.view("m/two", "f1.bin")))
            #expect(try await world.run("apply", less, "--prune", "--only", "m/*").exitCode == 64)
            let dry = try await world.run("apply", less, "--prune", "--dry-run")
            #expect(dry.standardOutput.contains("1 to remove"), "\(dry)")
            let pruned = try await world.apply(less, "--prune")
            #expect(pruned.result.exitCode == 0 && pruned.report.names("removed") == ["m/two/f1.bin"], "\(pruned)")
            #expect(pruned.result.standardError.contains("freed"), "\(pruned)")
            #expect(!FileManager.default.fileExists(atPath: world.blob(documents[1])))
            #expect(!(try await world.run("list")).standardOutput.contains("m/two"))
            try world.expectInPlace(documents[0], "m/one")
            #expect(try await world.apply(less, "--prune").report.names("kept") == ["m/one/f0.bin"])
            #expect(try await world.apply(manifest).report.names("downloaded") == ["m/two/f1.bin"])
        }
    }

    /// A model that was renamed, with a file more that can't be had: the old one is all that there is.
    @Test func pruneTakesNothingOutWhereSomethingFailed() async throws {
        try await withTwoModels { world, documents, _ in
            let missing = Document(name: "missing.bin", size: 7, sha256: String(repeating: "ab", count: 32))
            let renamed = try world.manifest(
                .init("m/new", files: [documents[1], missing].map { $0.file("documents") }), named: "renamed.yaml")
            let run = try await world.apply(renamed, "--prune")
            #expect(run.result.exitCode == 1 && run.report.names("removed").isEmpty, "\(run)")
            try world.expectInPlace(documents[0], "m/one")
            try world.expectInPlace(documents[1], "m/two")
        }
    }

    /// Its bytes come from a blob that another model, which goes, had.
    @Test func pruneKeepsTheBlobsThatTheManifestNeeds() async throws {
        try await withTwoModels { world, documents, _ in
            let renamed = try world.manifest(
                .init("m/new", files: [documents[1].file("documents")]), named: "renamed.yaml")
            let run = try await world.apply(renamed, "--prune")
            #expect(run.result.exitCode == 0 && run.report.summary["bytes_downloaded"] == 0, "\(run)")
            #expect(run.report.names("removed") == ["m/one/f0.bin", "m/two/f1.bin"])
            try world.expectInPlace(documents[1], "m/new")
            #expect(!FileManager.default.fileExists(atPath: world.blob(documents[0])))
        }
    }

    @Test func clearAsksOrNeedsToBeTold() async throws {
        try await withTwoModels { world, documents, _ in
            let refused = try await world.run("clear", input: Array("y\n".utf8))
            #expect(refused.exitCode == 64 && refused.standardError.contains("--yes"), "\(refused)")
            try world.expectInPlace(documents[0], "m/one")
            let cleared = try await world.run("clear", "--yes")
            #expect(cleared.exitCode == 0 && cleared.standardOutput.contains("2 models"), "\(cleared)")
            let left = tree(world.store).filter { !$0.hasSuffix("Directory") }.map { $0.prefix { $0 != " " } }
            #expect(left.sorted() == ["locks/ingest.lock", "locks/publish.lock", "locks/use.lock", "store.json"])
        }
    }
}
