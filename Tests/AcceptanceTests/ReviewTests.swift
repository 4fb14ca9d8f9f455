import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// What reviewers read, and that what they read is what is done.
    @Suite struct Review {}
}

extension AcceptanceTests.Review {
    /// A model of two files in a manifest that is not applied yet.
    private func withModel(_ body: (World, [Document], String) async throws -> Void) async throws {
        try await World.with { world in
            let documents = [
                try world.document("a.bin", 3000, seed: 1), try world.document("b.json", 200, seed: 2),
            ]
            let files = documents.map { $0.file("documents") }
            let manifest = try world.manifest(.init("m/one", version: "1", files: files))
            try await body(world, documents, manifest)
        }
    }

    @Test func aSavedPlanIsApplied() async throws {
        try await withModel { world, documents, manifest in
            let plan = world.folder.appending("plan.json")
            let planned = try await world.run("plan", manifest, "--out", plan)
            #expect(planned.exitCode == 0 && planned.standardOutput.contains("2 to download"), "\(planned)")
            _ = try PlanDocument.read(try String(contentsOfFile: plan, encoding: .utf8))
            #expect(!world.storeExists)
            // The plan names its store.
            let applied = try await world.program.run(["apply", plan])
            #expect(applied.exitCode == 0, "\(applied)")
            for document in documents { try world.expectInPlace(document, "m/one") }
        }
    }

    @Test func aStalePlanMakesNoStore() async throws {
        try await withModel { world, _, manifest in
            let plan = world.folder.appending("plan.json")
            _ = try await world.run("apply", manifest)
            _ = try await world.run("plan", manifest, "--out", plan)
            try FileManager.default.removeItem(atPath: world.store)
            let result = try await world.program.run(["apply", plan])
            #expect(result.exitCode == 65 && !world.storeExists, "\(result)")
            let moved = try await world.program.run(["apply", manifest, plan])
            #expect(moved.exitCode == 65 && moved.standardError.contains("is a plan"), "\(moved)")
        }
    }

    @Test func aPlanOnStandardOutputHasItsExitCodeToo() async throws {
        try await withModel { world, _, manifest in
            let result = try await world.run("plan", manifest, "--out", "-", "--detailed-exitcode")
            #expect(result.exitCode == 2)
            _ = try PlanDocument.read(result.standardOutput)
        }
    }

    @Test func aCommentHasRoomForWhatIsSaid() async throws {
        try await World.with { world in
            let name = { (index: Int) in "organisation/a-model-of-some-length-\(index)" }
            let path = "snapshots/0123456789012345678901234567890123456789/pytorch_model.bin"
            let models = try (0..<400).map { index in
                let document = Document(
                    name: "f", size: 1, sha256: try Payload.sha256(Payload.bytes(9, seed: UInt64(index))))
                return ManifestText.Model(
                    name(index), version: path, files: [document.file("https://a.example", path: path)])
            }
            let manifest = try world.folder.write(ManifestText(models).text, to: "many.yaml")
            let result = try await world.run("diff", "/dev/null", manifest, "--format", "markdown")
            #expect(result.standardOutput.utf8.count < 65_536)
            #expect(result.standardOutput.contains(" more: `--format json` has them all"))
        }
    }

    @Test func aPlanIsStaleOnceItIsApplied() async throws {
        try await withModel { world, _, manifest in
            let plan = world.folder.appending("plan.json")
            _ = try await world.run("plan", manifest, "--out", plan)
            _ = try await world.run("apply", plan)
            let again = try await world.run("apply", plan)
            #expect(again.exitCode == 65, "\(again)")
            #expect(again.standardError.contains("m/one/a.bin: planned download, now keep"), "\(again)")
        }
    }

    @Test func aPlanIsStaleWhenItsManifestHasChanged() async throws {
        try await withModel { world, documents, manifest in
            let plan = world.folder.appending("plan.json")
            _ = try await world.run("plan", manifest, "--out", plan)
            _ = try world.manifest(.init("m/one", version: "2", files: documents.map { $0.file("documents") }))
            let result = try await world.run("apply", plan)
            #expect(result.exitCode == 65, "\(result)")
            #expect(result.standardError.contains("models.yaml has changed since the plan was made"), "\(result)")
            #expect(!world.storeExists)
        }
    }

    @Test func aPlanIsForItsStoreAndItsFlags() async throws {
        try await withModel { world, _, manifest in
            let plan = world.folder.appending("plan.json")
            _ = try await world.run("plan", manifest, "--out", plan)
            let other = try await world.program.run(["apply", plan, "--store", world.folder.appending("other")])
            #expect(other.exitCode == 65 && other.standardError.contains("was made for the store"), "\(other)")
            let pruned = try await world.run("apply", plan, "--prune")
            #expect(pruned.exitCode == 64, "\(pruned)")
            let text = try String(contentsOfFile: manifest, encoding: .utf8)
            let piped = try await world.run("plan", "-", "--out", plan, input: Array(text.utf8))
            #expect(piped.exitCode == 64, "\(piped)")
        }
    }

    @Test func aPlanOfSomeModelsIsAppliedToThese() async throws {
        try await World.with { world in
            let documents = try (0..<2).map { try world.document("\($0).bin", 100, seed: UInt64($0)) }
            let manifest = try world.manifest(
                .init("m/one", files: [documents[0].file("documents")]),
                .init("m/two", files: [documents[1].file("documents")]))
            let plan = world.folder.appending("plan.json")
            _ = try await world.run("plan", manifest, "--only", "m/two", "--out", plan)
            let result = try await world.run("apply", plan)
            #expect(result.exitCode == 0, "\(result)")
            #expect(!FileManager.default.fileExists(atPath: world.view("m/one", "0.bin")))
            try world.expectInPlace(documents[1], "m/two")
        }
    }

    @Test func aPlanOfALaterProgramIsRefused() async throws {
        try await World.with { world in
            let plan = try world.folder.write(#"{"schema": "modelsync.plan/2", "items": []}"#, to: "plan.json")
            let result = try await world.run("apply", plan)
            #expect(result.exitCode == 65 && result.standardError.contains("make a new plan"), "\(result)")
        }
    }

    @Test func markdownHoldsWhateverAManifestSays() async throws {
        try await withModel { world, documents, _ in
            let hostile = try world.manifest(
                .init(
                    "m/one", version: "`|<script>\\n@all ``x",
                    files: documents.map { $0.file("documents", path: "d|`e/" + $0.name) }), named: "new.yaml")
            let result = try await world.run("diff", "/dev/null", hostile, "--format", "markdown")
            #expect(result.exitCode == 0, "\(result)")
            let rows = result.standardOutput.split(separator: "\n").filter { $0.hasPrefix("|") }
            for row in rows {
                let bars = row.replacing("\\|", with: "").count { $0 == "|" }
                #expect(bars == 7 || bars == 5, "\(row)")
            }
            #expect(rows.count == 7)
            #expect(result.standardOutput.contains("**Can run code when loaded**"))
        }
    }

    @Test func aDiffIsToldThreeWays() async throws {
        try await withModel { world, documents, manifest in
            let new = try world.manifest(
                .init("m/one", version: "2", files: [documents[0].file("documents")]),
                .init("m/new", files: [documents[1].file("http://models.example.org")]), named: "new.yaml")
            let text = try await world.run("diff", manifest, new)
            #expect(text.exitCode == 0, "\(text)")
            #expect(text.standardOutput.contains("~ m/one: version 1 -> 2; 3.20 kB -> 3.00 kB"), "\(text)")
            #expect(text.standardOutput.contains("new source hosts: models.example.org"), "\(text)")
            let json = try await world.run("diff", manifest, new, "--format", "json")
            try ReportSchema.diff.validate(json.standardOutput)
            let first = try await world.run("diff", "/dev/null", new, "--format", "json")
            try ReportSchema.diff.validate(first.standardOutput)
            #expect(!world.storeExists)
        }
    }

    @Test func aTerminalIsToldNothingThatItWouldObey() async throws {
        try await withModel { world, documents, _ in
            let manifest = try world.manifest(
                .init("m/one", version: "VERSION", files: documents.map { $0.file("documents") }))
            let text = try String(contentsOfFile: manifest, encoding: .utf8)
            let hostile = try world.folder.write(
                text.replacing("VERSION", with: #"1\e[2J\n"#), to: "hostile.yaml")
            _ = try await world.run("apply", hostile)
            for command in [["diff", "/dev/null", hostile], ["show", "m/one"], ["list"]] {
                let store = command[0] == "diff" ? [] : ["--store", world.store]
                let result = try await world.program.run(command + store)
                #expect(result.standardOutput.contains("1?[2J?"), "\(result)")
                #expect(!result.standardOutput.contains("\u{1B}"), "\(result)")
            }
        }
    }

    @Test func theOldManifestMayBeACopyElsewhere() async throws {
        try await withModel { world, _, manifest in
            let copy = try world.folder.write(try String(contentsOfFile: manifest, encoding: .utf8), to: "x/y/old.yaml")
            let result = try await world.run("diff", copy, manifest)
            #expect(result.standardOutput == "no model is added, removed or changed\n", "\(result)")
        }
    }

    @Test func aPlanInMarkdownSaysWhatTheStoreHasNow() async throws {
        try await withModel { world, documents, manifest in
            _ = try await world.run("apply", manifest)
            let new = try world.manifest(
                .init("m/one", version: "2", files: documents.map { $0.file("documents") }), named: "new.yaml")
            let result = try await world.run("plan", new, "--format", "markdown")
            #expect(result.standardOutput.contains("| changed | `m/one` | `1` → `2` |"), "\(result)")
        }
    }

    @Test func nothingIsAskedWhereTheVariableSaysOffline() async throws {
        try await World.with { world in
            var world = world
            world.environment["MODELSYNC_OFFLINE"] = "1"
            let document = try world.document("a.bin", 10, seed: 1)
            let manifest = try world.manifest(.init("m", files: [document.file("http://127.0.0.1:9")]))
            #expect(try await world.run("validate", manifest).exitCode == 0)
            let secret = try await world.run("validate", "HTTP://127.0.0.1:9/m.yaml?token=s3cret")
            #expect(secret.exitCode == 1 && !secret.output.contains("s3cret"), "\(secret)")
            #expect(try await world.run("validate", manifest, "--online").exitCode == 64)
            let plan = try await world.run("plan", "http://127.0.0.1:9/models.yaml")
            #expect(plan.exitCode == 1 && plan.standardError.contains("offline"), "\(plan)")
        }
    }

    @Test func everyURLIsAskedForItsSize() async throws {
        try await World.with { world in
            let server = try FaultServer()
            defer { server.stop() }
            let document = try world.document("a.bin", 3000, seed: 1)
            let bytes = Payload.bytes(3000, seed: 1)
            server.serve("/a.bin", bytes)
            server.script("/whole/a.bin") { _, _ in .ok(bytes) }
            server.script("/moved/a.bin") { _, _ in .redirect(to: "/a.bin") }
            server.serve("/short/a.bin", Array(bytes.dropLast()))
            let bases = ["", "/whole", "/moved", "/short", "/gone"].map { "http://127.0.0.1:\(server.port)" + $0 }
            let good = try world.manifest(
                .init("m", files: [document.file(bases[0], bases[1], bases[2])]), named: "good.yaml")
            let well = try await world.run("validate", good, "--online")
            #expect(well.exitCode == 0, "\(well)")
            #expect(well.standardOutput.contains("3 URLs: 3 have the file in the right size"), "\(well)")
            let bad = try world.manifest(.init("m", files: [document.file(bases[0], bases[3], bases[4])]))
            let ill = try await world.run("validate", bad, "--online")
            #expect(ill.exitCode == 1, "\(ill)")
            #expect(ill.standardOutput.contains("got a file of 2999 bytes, expected 3000"), "\(ill)")
            #expect(ill.standardOutput.contains("3 URLs: 1 have the file in the right size, 2 do not have it"))
            #expect(!world.storeExists)
        }
    }
}
