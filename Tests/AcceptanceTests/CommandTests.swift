import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    @Suite struct Commands {}
}

extension AcceptanceTests.Commands {
    static let invalidManifests = Repository.files(
        in: Repository.root + "/Tests/YAMLManifestTests/Fixtures/invalid", suffix: ".yaml")

    /// A manifest of two models with local sources.
    private func twoModels(_ world: World) throws -> (manifest: String, documents: [Document]) {
        let documents = [try world.document("a.bin", 5_000, seed: 1), try world.document("b.bin", 7_000, seed: 2)]
        let manifest = try world.manifest(
            .init("m/one", version: "1.2.3", tags: ["vad"], files: [documents[0].file("documents")]),
            .init("m/two", files: documents.map { $0.file("documents") }))
        return (manifest, documents)
    }

    @Test func thereAreInvalidManifestsToTry() {
        #expect(!Self.invalidManifests.isEmpty)
    }

    @Test(arguments: invalidManifests)
    func anInvalidManifestTouchesNothing(path: String) async throws {
        try await World.with { world in
            let result = try await world.run("apply", path)
            #expect(result.exitCode == 65, "\(result)")
            #expect(result.standardOutput.isEmpty, "\(result)")
            #expect(result.standardError.contains(URL(fileURLWithPath: path).lastPathComponent + ":"), "\(result)")
            #expect(!world.storeExists)
        }
    }

    @Test(arguments: ["plan", "validate"])
    func theOtherCommandsRefuseAnInvalidManifestToo(command: String) async throws {
        try await World.with { world in
            for path in Self.invalidManifests.prefix(5) {
                let result = try await world.run(command, path)
                #expect(result.exitCode == 65, "\(result)")
                #expect(result.standardOutput.isEmpty, "\(result)")
            }
            #expect(!world.storeExists)
        }
    }

    @Test(arguments: Repository.manifests)
    func everyShippedManifestIsValid(path: String) async throws {
        try await World.with { world in
            let result = try await world.run("validate", path)
            #expect(result.exitCode == 0, "\(result)")
            let plan = try await world.plan(path)
            #expect(plan.result.exitCode == 0, "\(plan.result)")
            #expect((plan.plan.summary["bytes_to_fetch"] ?? 0) > 0)
            #expect(!world.storeExists)
        }
    }

    @Test func theDemonstrationNeedsNoServerAndASecondRunFetchesNothing() async throws {
        try await World.with { world in
            var world = world
            // Any request would have to go through a port on which nothing listens.
            for name in ["http_proxy", "https_proxy", "all_proxy"] { world.environment[name] = "http://127.0.0.1:9" }
            let demo = Repository.root + "/manifests/demo.yaml"
            let first = try await world.apply(demo)
            #expect(first.result.exitCode == 0, "\(first)")
            #expect(first.report.outcome == "ok")
            #expect(first.report.results.count == 6)
            let second = try await world.apply(demo)
            #expect(second.report.names("kept").count == 6, "\(second)")
            #expect(second.report.summary["bytes_downloaded"] == 0)
        }
    }

    @Test func planTellsWhatIsPendingAndChangesNothing() async throws {
        try await World.with { world in
            let (manifest, _) = try twoModels(world)
            let (pending, plan) = try await world.plan(manifest)
            #expect(pending.exitCode == 0, "\(pending)")
            #expect(plan.summary["bytes_to_fetch"] == 12_000)
            let changes = plan.items.filter { $0.action != "keep" }
            #expect(changes.count == 3)
            #expect(try await world.run("plan", manifest, "--detailed-exitcode").exitCode == 2)
            #expect(!world.storeExists)

            #expect(try await world.apply(manifest).result.exitCode == 0)
            let before = tree(world.store)
            let (done, after) = try await world.plan(manifest, "--detailed-exitcode")
            #expect(done.exitCode == 0, "\(done)")
            #expect(after.names("keep").count == 3)
            #expect(after.summary["bytes_to_fetch"] == 0)
            #expect(tree(world.store) == before)
        }
    }

    @Test func aDryRunCreatesNothing() async throws {
        try await World.with { world in
            let (manifest, _) = try twoModels(world)
            let result = try await world.run("apply", manifest, "--dry-run")
            #expect(result.exitCode == 0, "\(result)")
            #expect(!result.standardOutput.isEmpty)
            #expect(!world.storeExists)
        }
    }

    @Test func aManifestThatIsNotThereExitsWith66() async throws {
        try await World.with { world in
            for command in ["apply", "plan", "validate"] {
                let result = try await world.run(command, world.folder.appending("none.yaml"))
                #expect(result.exitCode == 66, "\(result)")
                #expect(result.standardError.contains("none.yaml"))
            }
            #expect(!world.storeExists)
        }
    }

    @Test(arguments: [
        [], ["frobnicate"], ["apply"], ["apply", "m.yaml", "--no-such-flag"], ["apply", "m.yaml", "--jobs", "0"],
        ["apply", "m.yaml", "--verify", "some"], ["plan", "m.yaml", "--format", "xml"], ["show"],
        ["apply", "m.yaml", "--limit-rate", "fast"], ["apply", "m.yaml", "--limit-rate", "-1"],
        ["apply", "m.yaml", "--limit-rate", "9999999999G"], ["apply", "m.yaml", "--client-key", "k.pem"],
    ])
    func wrongUsageExitsWith64(arguments: [String]) async throws {
        try await World.with { world in
            try world.folder.write("version: 1\nmodels: []\n", to: "m.yaml")
            let result = try await world.program.run(arguments)
            // Without a command the program may show its help instead.
            #expect(result.exitCode == 64 || (arguments.isEmpty && result.exitCode == 0), "\(result)")
            #expect(!result.output.isEmpty)
        }
    }

    @Test func aManifestMayComeFromStandardInput() async throws {
        try await World.with { world in
            let (manifest, _) = try twoModels(world)
            let result = try await world.run("validate", "-", input: Array(readText(manifest).utf8))
            #expect(result.exitCode == 0, "\(result)")
        }
    }

    @Test func aStoreThatCannotBeCreatedExitsWith73() async throws {
        try await World.with { world in
            let (manifest, _) = try twoModels(world)
            let file = try world.folder.write("a file", to: "file")
            let result = try await world.program.run(["apply", manifest, "--store", file + "/store"])
            #expect(result.exitCode == 73, "\(result)")
            let report = try await world.run("apply", manifest, "--report", file + "/report.json")
            #expect(report.exitCode == 73, "\(report)")
        }
    }

    @Test func aStoreOfANewerLayoutIsRefusedUntouched() async throws {
        try await World.with { world in
            let (manifest, _) = try twoModels(world)
            #expect(try await world.apply(manifest).result.exitCode == 0)
            let file = world.store + "/store.json"
            var layout = try #require(
                try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: file))) as? [String: Any])
            let key = try #require(layout.first { $0.value is Int }?.key)
            layout[key] = 999
            try JSONSerialization.data(withJSONObject: layout).write(to: URL(fileURLWithPath: file))
            try FileManager.default.removeItem(atPath: world.view("m/one", "a.bin"))
            let before = tree(world.store)
            for command in [["apply", manifest], ["plan", manifest], ["verify"], ["list"]] {
                let result = try await world.program.run(command + ["--store", world.store])
                #expect(result.exitCode != 0, "\(result)")
                #expect(result.standardError.contains("999"), "\(result)")
            }
            #expect(tree(world.store) == before)
        }
    }

    @Test func listShowAndPathNeedTheStoreAlone() async throws {
        try await World.with { world in
            let (manifest, documents) = try twoModels(world)
            #expect(try await world.apply(manifest).result.exitCode == 0)
            try FileManager.default.removeItem(atPath: manifest)
            try FileManager.default.removeItem(atPath: world.documents)

            let list = try await world.run("list")
            #expect(list.exitCode == 0 && list.standardOutput.contains("m/one"), "\(list)")
            #expect(list.standardOutput.contains("m/two"))
            try ReportSchema.list.validate(try await world.run("list", "--format", "json").standardOutput)
            let show = try await world.run("show", "m/one")
            #expect(show.exitCode == 0 && show.standardOutput.contains("1.2.3"), "\(show)")
            #expect(show.standardOutput.contains(documents[0].sha256))
            let file = try await world.run("path", "m/two", "b.bin")
            #expect(file.standardOutput == world.view("m/two", "b.bin") + "\n", "\(file)")
            let folder = try await world.run("path", "m/two")
            #expect(folder.standardOutput == world.store + "/models/m/two\n", "\(folder)")
            #expect(try await world.run("path", "m/three").exitCode == 1)
            #expect(try await world.run("show", "m/three").exitCode == 1)

            try FileManager.default.removeItem(atPath: world.view("m/two", "b.bin"))
            let lost = try await world.run("path", "m/two")
            #expect(lost.exitCode == 1 && lost.standardOutput.isEmpty, "\(lost)")
        }
    }

    @Test(.needsNginx) func offlineFetchesNothing() async throws {
        try await World.served { world, server in
            let here = try world.document("here.bin", 1_000, seed: 1)
            let missing = try world.document("missing.bin", 1_000, seed: 2)
            let one = try world.manifest(.init("m/one", files: [here.file(server.http)]), named: "one.yaml")
            #expect(try await world.apply(one).result.exitCode == 0)
            let before = try server.requests().count

            let complete = try await world.apply(one, "--offline")
            #expect(complete.result.exitCode == 0, "\(complete)")
            let both = try world.manifest(
                .init("m/one", files: [here.file(server.http)]), .init("m/two", files: [missing.file(server.http)]))
            let run = try await world.apply(both, "--offline")
            #expect(run.result.exitCode == 1, "\(run)")
            #expect(try run.report.result("m/one/here.bin").outcome == "kept")
            #expect(try run.report.result("m/two/missing.bin").error?.code == "offline")
            #expect(try server.requests().count == before)
        }
    }

    @Test func theStoreComesFromTheEnvironmentWhereNoFlagNamesIt() async throws {
        try await World.with { world in
            var world = world
            let (manifest, documents) = try twoModels(world)
            world.environment["MODELSYNC_STORE"] = world.store
            let result = try await world.program.run(["apply", manifest])
            #expect(result.exitCode == 0, "\(result)")
            try world.expectInPlace(documents[0], "m/one")
            // A run leaves its report in the store, whether or not a flag asks for another.
            let runs = Repository.files(in: world.store + "/runs", suffix: ".json")
            #expect(runs.count == 1)
            try ReportSchema.report.validate(files: runs)
        }
    }
}
