import Foundation
import Glibc
import SyncDomain

/// The built modelsync.
struct Program {
    private let path: String

    init(_ path: String) throws {
        guard let resolved = realpath(path, nil), access(path, X_OK) == 0 else {
            throw BenchmarkFailure("\(path) is no program: build it with 'make release', or give --modelsync")
        }
        defer { free(resolved) }
        self.path = String(cString: resolved)
    }

    func version() throws -> String { try Child.output(of: path, ["--version"]) }

    /// - Returns: the seconds that it took.
    func apply(_ manifest: String, store: String, _ workspace: Workspace) async throws -> Double {
        try await Child.run(
            path, ["apply", manifest, "--store", store], output: workspace.appending("modelsync.out"))
    }

    /// - Returns: the seconds that it took.
    /// - Throws: ``BenchmarkFailure`` unless it says that it has hashed all bytes and found all right.
    func verify(_ manifest: String, store: String, _ payload: Payload, _ workspace: Workspace) async throws -> Double {
        let reports = store + "/runs"
        // The one that is there afterwards is that of this run.
        for name in try FileManager.default.contentsOfDirectory(atPath: reports) {
            try FileManager.default.removeItem(atPath: "\(reports)/\(name)")
        }
        let seconds = try await Child.run(
            path, ["verify", manifest, "--store", store], output: workspace.appending("modelsync.out"))
        guard let name = try FileManager.default.contentsOfDirectory(atPath: reports).first else {
            throw BenchmarkFailure("modelsync verify left no report")
        }
        let report = try Data(contentsOf: URL(fileURLWithPath: "\(reports)/\(name)"))
        let summary = try JSONDecoder().decode(VerifyReport.self, from: report).summary
        guard summary.kept == payload.files.count, summary.bytes_verified == payload.size else {
            throw BenchmarkFailure(
                "modelsync verify found \(summary.kept) files right, and hashed \(summary.bytes_verified) bytes")
        }
        return seconds
    }

    private struct VerifyReport: Decodable {
        struct Summary: Decodable {
            var kept: Int
            var bytes_verified: Int64
        }
        var summary: Summary
    }
}

/// A model of all files of a payload.
struct Manifest {
    static let model = "benchmark/files"
    let path: String

    /// `base` is what the URL of each file begins with, up to its name.
    init(_ payload: Payload, base: String, _ workspace: Workspace) throws {
        let files = zip(payload.files, payload.digests).map { file, digest in
            """
                  - path: \(file.name)
                    size: \(file.size)
                    sha256: \(digest.hex)
                    url: \(base)\(file.name)

            """
        }
        path = workspace.appending("manifest.yaml")
        let text = "version: 1\nmodels:\n  - name: \(Self.model)\n    files:\n" + files.joined()
        try text.write(toFile: path, atomically: false, encoding: .utf8)
    }

    /// The folder of the views.
    static func views(store: String) -> String { "\(store)/models/\(model)" }
}

/// The digests that 'openssl dgst -r' has printed, a line a file, in the order of the lines.
func printedDigests(_ path: String) throws -> [SHA256Digest] {
    try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map { line in
        try SHA256Digest(hex: String(line.prefix(64)))
    }
}
