import Foundation
import TestSupport
import Testing

/// The built program against real servers and real files. One test at a time: each starts programs of its own.
@Suite(.serialized, .timeLimit(.minutes(5)))
struct AcceptanceTests {}

extension Trait where Self == ConditionTrait {
    /// Skips where there is no nginx.
    static var needsNginx: Self {
        .enabled(if: NginxServer.isInstalled, "nginx is not installed; `make test` installs it")
    }
}

/// A file that is served, or that a manifest can name.
struct Document: Sendable {
    let name: String
    let size: Int
    let sha256: String

    /// The manifest's entry for it.
    ///
    /// - Parameters:
    ///   - bases: what comes before the name in each of its URLs.
    ///   - path: inside the model; the document's own name if nil.
    func file(_ bases: String..., path: String? = nil) -> ManifestText.File {
        ManifestText.File(path ?? name, size: size, sha256: sha256, urls: bases.map { $0 + "/" + name })
    }
}

/// What an apply or a verify left.
struct Run: CustomStringConvertible {
    let result: ProgramResult
    /// Already held against the schema.
    let report: Report

    var description: String { result.description }
}

/// A machine's part of a test: a folder, a store in it that does not exist yet, and the program.
struct World: Sendable {
    let folder: TemporaryFolder
    /// Added to the program's environment.
    var environment: [String: String] = [:]

    var store: String { folder.appending("store") }
    var documents: String { folder.appending("documents") }
    var storeExists: Bool { FileManager.default.fileExists(atPath: store) }

    static func with(_ body: (World) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let world = World(folder: folder)
            try FileManager.default.createDirectory(atPath: world.documents, withIntermediateDirectories: true)
            try await body(world)
        }
    }

    /// The same, with nginx over the documents.
    static func served(_ body: (World, NginxServer) async throws -> Void) async throws {
        try await with { world in
            try await NginxServer.with(documents: world.documents) { try await body(world, $0) }
        }
    }

    /// A server with that document alone, which sends so many bytes of it, and nothing after them until it is released: a run
    /// is still at it, however long the test takes for what it does meanwhile.
    func stalling(_ document: Document, at byte: Int) throws -> FaultServer {
        let contents = FileManager.default.contents(atPath: documents + "/" + document.name)
        let bytes = [UInt8](try #require(contents))
        let server = try FaultServer()
        server.script("/" + document.name) { request, _ in
            .file(bytes, etag: "\"v1\"", for: request).stalled(at: max(0, byte - (request.rangeStart ?? 0)))
        }
        return server
    }

    func document(_ name: String, _ count: Int, seed: UInt64) throws -> Document {
        let path = try folder.write(Payload.bytes(count, seed: seed), to: "documents/" + name)
        return Document(name: name, size: count, sha256: try Payload.sha256(ofFile: path))
    }

    /// Writes a manifest and returns its path.
    func manifest(
        _ models: ManifestText.Model..., named name: String = "models.yaml", bearerVariables: [String: String] = [:]
    ) throws -> String {
        try folder.write(ManifestText(models, bearerVariables: bearerVariables).text, to: name)
    }

    var program: Program { Program(in: folder, environment: environment) }

    /// Runs a command on the store.
    func run(_ arguments: String..., input: [UInt8]? = nil) async throws -> ProgramResult {
        try await program.run(arguments + ["--store", store], input: input)
    }

    /// Applies a manifest; whatever comes of it, there must be a report.
    func apply(_ manifest: String, _ arguments: String...) async throws -> Run {
        try await startApply(manifest, arguments).finish()
    }

    /// Verifies the store.
    func verify(_ arguments: String...) async throws -> Run {
        let report = newReport
        let result = try await program.run(["verify", "--store", store, "--report", report] + arguments)
        return Run(result: result, report: try read(report, of: result))
    }

    /// Starts an apply.
    func startApply(_ manifest: String, _ arguments: [String] = []) throws -> StartedRun {
        let report = newReport
        let all = ["apply", manifest, "--store", store, "--report", report, "--progress", "none"] + arguments
        return StartedRun(world: self, program: try program.start(all), report: report)
    }

    func plan(_ manifest: String, _ arguments: String...) async throws -> (result: ProgramResult, plan: PlanDocument) {
        let result = try await program.run(["plan", manifest, "--store", store, "--format", "json"] + arguments)
        guard !result.standardOutput.isEmpty else { throw ToolFailure("no plan:\n\(result)") }
        return (result, try PlanDocument.read(result.standardOutput))
    }

    func read(_ report: String, of result: ProgramResult) throws -> Report {
        guard FileManager.default.fileExists(atPath: report) else { throw ToolFailure("no report:\n\(result)") }
        do { return try Report.read(report) } catch { throw ToolFailure("\(error)\n\(result)") }
    }

    private var newReport: String { folder.appending("report-\(UUID().uuidString).json") }
}

extension FaultServer {
    /// What comes before a path, with no slash at the end, as nginx's.
    var http: String { "http://127.0.0.1:\(port)" }
}

/// An apply that is running.
struct StartedRun {
    let world: World
    let program: RunningProgram
    let report: String

    func finish() async throws -> Run {
        let result = await program.wait()
        return Run(result: result, report: try world.read(report, of: result))
    }
}

/// The files of a store, as SPEC and docs/store-layout.md name them.
extension World {
    func blob(_ document: Document) -> String {
        "\(store)/blobs/sha256/\(document.sha256.prefix(2))/\(document.sha256)"
    }

    func view(_ model: String, _ path: String) -> String { "\(store)/models/\(model)/\(path)" }

    /// Bytes in unfinished downloads.
    var partialBytes: Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: store + "/partial")) ?? []
        return names.reduce(0) { sum, name in
            guard !name.hasSuffix(".json") else { return sum }
            return sum + (size(of: store + "/partial/" + name) ?? 0)
        }
    }

    func size(of path: String) -> Int? {
        try? FileManager.default.attributesOfItem(atPath: path)[.size] as? Int
    }

    /// The view and the blob hold the document's bytes, whole.
    func expectInPlace(
        _ document: Document, _ model: String, _ path: String? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        for file in [view(model, path ?? document.name), blob(document)] {
            guard FileManager.default.fileExists(atPath: file) else {
                Issue.record("\(file) is missing", sourceLocation: sourceLocation)
                continue
            }
            #expect(try Payload.sha256(ofFile: file) == document.sha256, "\(file)", sourceLocation: sourceLocation)
        }
    }

    /// Each file of the store and what is in it, for searching: bytes as Latin-1, so that none is lost.
    func contents(of folder: String) -> [(path: String, text: String)] {
        guard let names = FileManager.default.enumerator(atPath: folder) else { return [] }
        return names.compactMap { $0 as? String }.compactMap { name in
            let path = folder + "/" + name
            guard let data = FileManager.default.contents(atPath: path) else { return nil }
            return (path, String(data: data, encoding: .isoLatin1) ?? "")
        }
    }
}

/// Opens a read-only file for writing, changes its bytes in place, and leaves the time of the change as it comes.
func damage(_ path: String, _ change: (inout Data) -> Void) throws {
    try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    defer { try? handle.close() }
    var data = try handle.readToEnd() ?? Data()
    change(&data)
    try handle.truncate(atOffset: 0)
    try handle.write(contentsOf: data)
}

/// Turns a bit of a file as a disk does: no time tells of it.
func rot(_ path: String, at offset: Int) throws {
    let before = try FileManager.default.attributesOfItem(atPath: path)[.modificationDate]
    try damage(path) { $0[offset] ^= 0x10 }
    try FileManager.default.setAttributes([.modificationDate: try #require(before)], ofItemAtPath: path)
}
