import Foundation
import SyncDomain
import SystemSupport

/// 'modelsync verify' over a store, against 'openssl dgst' over the same files, a process a core.
struct VerifyBenchmark {
    let program: Program
    let report: Report
    let repeats: Int
    /// Of each set of files but the small ones.
    let size: Int64

    func run(_ workspace: Workspace) async throws {
        try await compare(workspace, "16 shards", count: 16, fileBytes: size / 16)
        try await compare(workspace, SmallFiles.name, count: SmallFiles.count, fileBytes: SmallFiles.fileBytes)
        try await compare(workspace, "1 large file", count: 1, fileBytes: size)
    }

    private func compare(_ workspace: Workspace, _ name: String, count: Int, fileBytes: Int64) async throws {
        let payload = try Payload(workspace, folder: "files", count: count, fileBytes: fileBytes)
        let store = workspace.appending("store")
        defer { workspace.remove("store") }
        let manifest = try Manifest(payload, base: "files/", workspace)
        _ = try await program.apply(manifest.path, store: store, workspace)
        workspace.remove("files")
        sync()

        let digester = try Digester(payload, in: Manifest.views(store: store), workspace)
        guard try await digester.digests() == payload.digests else {
            throw BenchmarkFailure("\(name): the store's files are not those that were applied")
        }
        let ours = Contender(name: "modelsync verify") {
            let seconds = try await program.verify(manifest.path, store: store, payload, workspace)
            return Run(seconds: seconds, digests: nil)
        }
        let openSSL = Contender(name: "openssl dgst") { try await digester.run() }
        let seconds = try await measure([ours, openSSL], expected: payload.digests, repeats: repeats)
        report.add(Row(.verify, name, bytes: payload.size, ours: seconds[0], openSSL: seconds[1]))
    }
}

/// 'openssl dgst' over files, by xargs(1).
private struct Digester {
    private let xargs: String
    private let openssl: String
    private let names: String
    private let output: String
    private let folder: String
    private let count: Int
    /// Of what is printed: a digest, two characters, the name and the line's end for each file.
    private let outputBytes: Int

    init(_ payload: Payload, in folder: String, _ workspace: Workspace) throws {
        (xargs, openssl) = (try Tool.find("xargs"), try Tool.find("openssl"))
        names = workspace.appending("names")
        output = workspace.appending("openssl.out")
        self.folder = folder
        count = payload.files.count
        try payload.files.map { $0.name + "\n" }.joined().write(toFile: names, atomically: false, encoding: .utf8)
        outputBytes = payload.files.reduce(0) { $0 + 64 + 2 + $1.name.utf8.count + 1 }
    }

    /// By one process after another: the lines of several at once may be cut by each other's.
    func digests() async throws -> [SHA256Digest] {
        _ = try await start(processes: 1)
        return try printedDigests(output)
    }

    /// With as many files a process as leave none idle and start the fewest: that is fastest, as the files are equal.
    func run() async throws -> Run {
        let seconds = try await start(processes: processorCount())
        guard try FileManager.default.attributesOfItem(atPath: output)[.size] as? Int == outputBytes else {
            throw BenchmarkFailure("openssl dgst has not printed a digest for each file")
        }
        return Run(seconds: seconds, digests: nil)
    }

    private func start(processes: Int) async throws -> Double {
        let share = (count + processes - 1) / processes
        return try await Child.run(
            xargs, ["-P", "\(processes)", "-n", "\(share)", openssl, "dgst", "-sha256", "-r"], in: folder,
            input: names, output: output)
    }
}
