import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// Every command that the documentation shows is run, as a shell runs it.
    @Suite struct Docs {}
}

extension AcceptanceTests.Docs {
    @Test(arguments: ["docs/manifest.md", "docs/exit-codes.md", "docs/report.md", "docs/recipes.md"])
    func commandsWork(page: String) async throws {
        let blocks = try Page(page).blocks("sh")
        #expect(!blocks.isEmpty)
        try await Reader.with { reader in
            for block in blocks { try await reader.run(block) }
        }
    }

    @Test func commandsOfTheREADMEWork() async throws {
        let blocks = try Page("README.md").blocks("sh").filter { !$0.hasPrefix("make ") }
        #expect(!blocks.isEmpty)
        try await Reader.with { reader in
            for block in blocks { try await reader.run(block) }
        }
    }

    @Test(arguments: ["README.md", "docs/manifest.md", "docs/recipes.md"])
    func manifestsAreValid(page: String) async throws {
        try await World.with { world in
            for block in try Page(page).blocks("yaml") {
                let result = try await world.run("validate", try world.folder.write(block, to: "page.yaml"))
                #expect(result.exitCode == 0, "\(block)\n\(result)")
            }
        }
    }

    @Test(arguments: [
        ("docs/ci/github-actions.yml", ["GITHUB_BASE_REF": "main", "PULL_REQUEST": "7"]),
        ("docs/ci/gitlab-ci.yml", ["CI_MERGE_REQUEST_DIFF_BASE_SHA": "origin/main"]),
    ])
    func jobsWork(file: String, variables: [String: String]) async throws {
        let steps = try Page(file).steps
        #expect(steps.count == 3)
        try await Reader.with { reader in
            let given = ["MANIFEST": "manifests/default.yaml", "MODELSYNC_DEB": "https://packages.example.org/x.deb"]
            for step in steps { try await reader.run(step, variables.merging(given) { $1 }) }
            let comment = try String(contentsOfFile: reader.world.folder.appending("comment.md"), encoding: .utf8)
            #expect(comment.contains("| changed | `demucs/htdemucs` | `3` → `4.0` |"), "\(comment)")
        }
    }

    @Test func jobsWorkWhereTheManifestIsNew() async throws {
        try await Reader.with { reader in
            let step = try #require(try Page("docs/ci/github-actions.yml").steps.dropFirst().first)
            let name = "manifests/new.yaml"
            let text = try String(contentsOfFile: reader.world.folder.appending("models.yaml"), encoding: .utf8)
            try reader.world.folder.write(text, to: name)
            try await reader.run(step, ["GITHUB_BASE_REF": "main", "PULL_REQUEST": "7", "MANIFEST": name])
            let comment = try String(contentsOfFile: reader.world.folder.appending("comment.md"), encoding: .utf8)
            #expect(comment.contains("| added | `demucs/htdemucs` | `4.0` |"), "\(comment)")
        }
    }
}

/// A page of the documentation, or a file that it shows.
private struct Page {
    let text: String

    init(_ path: String) throws {
        text = try String(contentsOfFile: Repository.root + "/" + path, encoding: .utf8)
    }

    /// The fenced blocks of a language.
    func blocks(_ language: String) -> [String] {
        text.components(separatedBy: "```\(language)\n").dropFirst().compactMap { part in
            part.range(of: "```").map { String(part[..<$0.lowerBound]) }
        }
    }

    /// The shell of a CI file: what stands below `run: |` and `- |`, where it stands deeper.
    var steps: [String] {
        var out: [String] = []
        var lines = text.components(separatedBy: "\n")[...]
        while let line = lines.popFirst() {
            let indent = line.prefix { $0 == " " }.count
            guard [line.dropFirst(indent)].contains(where: { $0 == "run: |" || $0 == "- |" }) else { continue }
            let body = lines.prefix { $0.isEmpty || $0.prefix { $0 == " " }.count > indent }
            lines = lines.dropFirst(body.count)
            out.append(body.map { $0.drop { $0 == " " } }.joined(separator: "\n"))
        }
        return out
    }
}

/// Somebody who types what the pages say, in a repository with small models.
private struct Reader {
    let world: World

    static func with(_ body: (Reader) async throws -> Void) async throws {
        try await World.with { world in
            let server = try FaultServer()
            defer { server.stop() }
            let reader = Reader(world: world)
            try reader.prepare(server)
            try await body(reader)
        }
    }

    private func prepare(_ server: FaultServer) throws {
        let documents = try (0..<3).map { try world.document("\($0).bin", 4000 + $0, seed: UInt64($0)) }
        for (index, document) in documents.enumerated() {
            let bytes = Payload.bytes(document.size, seed: UInt64(index))
            server.script("/\(document.name)") { request, _ in .file(bytes, for: request) }
            server.script("/private/\(document.name)") { request, _ in
                request.headers["authorization"] == "Bearer s3cret" ? .file(bytes, for: request) : .status(401)
            }
        }
        let origin = "http://127.0.0.1:\(server.port)"
        let file = { (document: Document, path: String) in document.file(origin, path: path) }
        for (name, version) in [("old.yaml", "3"), ("manifests/default.yaml", "4.0"), ("models.yaml", "4.0")] {
            let manifest = try world.manifest(
                .init(
                    "demucs/htdemucs", version: version,
                    files: [file(documents[0], "htdemucs.th"), file(documents[1], "htdemucs.yaml")]),
                .init("faster-whisper/small", files: [file(documents[2], "model.bin")]), named: name)
            if name == "old.yaml" { try commit(manifest) }
        }
        _ = try world.manifest(
            .init("private/model", files: [documents[0].file(origin + "/private")]), named: "private.yaml",
            bearerVariables: ["127.0.0.1:\(server.port)": "EXAMPLE_TOKEN"])
        try world.folder.write("s3cret\n", to: "token")
        let authority = try String(contentsOfFile: "/etc/ssl/certs/ca-certificates.crt", encoding: .utf8)
        try world.folder.write(authority, to: "authority.pem")
        try FileManager.default.copyItem(
            atPath: Repository.root + "/demo", toPath: world.folder.appending("demo"))
        // What the pages call and no test can have: programs that load models, and those that install and comment.
        let others = ["whisperx", "demucs", "gh", "curl", "sudo", "apt-get"]
        var programs = try others.map { try world.folder.write("#!/bin/sh\nexit 0\n", to: "programs/" + $0) }
        programs.append(
            try world.folder.write("#!/bin/sh\nexec '\(Program.path)' \"$@\"\n", to: "programs/modelsync"))
        // As copies by another process: a file that this one has open to write goes along with each program that is started
        // meanwhile, and until that one's exec(2) it is busy and can't be run.
        try Tool.run("install", ["-d", world.folder.appending("bin")])
        try Tool.run("install", ["-t", world.folder.appending("bin")] + programs)
    }

    /// The branch that a change is held against.
    private func commit(_ manifest: String) throws {
        try FileManager.default.createDirectory(
            atPath: world.folder.appending("manifests"), withIntermediateDirectories: true)
        try FileManager.default.copyItem(
            atPath: manifest, toPath: world.folder.appending("manifests/default.yaml"))
        let git = ["-C", world.folder.path, "-c", "user.name=t", "-c", "user.email=t@example.org"]
        try Tool.run("git", git + ["init", "-q", "-b", "main"])
        try Tool.run("git", git + ["add", "manifests"])
        try Tool.run("git", git + ["commit", "-q", "-m", "before"])
        try Tool.run("git", git + ["update-ref", "refs/remotes/origin/main", "main"])
    }

    /// Types a block, as in a shell that stops at the first failure.
    func run(
        _ block: String, _ variables: [String: String] = [:], sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        // The places of a machine are places of the test.
        let text = block.replacing("/opt/", with: "\(world.folder.path)/opt/")
            .replacing("/var/tmp/", with: "\(world.folder.path)/")
        let script = try world.folder.write("set -euo pipefail\n" + text, to: "block.sh")
        var launch = Launch(
            "/bin/bash", [script],
            environment: [
                "PATH": "\(world.folder.appending("bin")):/usr/bin:/bin", "HOME": world.folder.path,
                "LC_ALL": "C.UTF-8",
            ].merging(variables) { $1 })
        launch.workingFolder = world.folder.path
        launch.output = try world.folder.write("", to: "block.out")
        launch.errors = try world.folder.write("", to: "block.err")
        let status = try await ChildProcess(launch).wait()
        #expect(
            status == .exited(0), "\(block)\n\(readText(launch.output))\n\(readText(launch.errors))",
            sourceLocation: sourceLocation)
    }
}
