import Foundation
import SyncDomain

/// 'modelsync apply' from a server on the loopback, against what people do by hand.
struct DownloadBenchmark {
    let program: Program
    let report: Report
    let repeats: Int
    /// Of each set of files.
    let size: Int64

    func run(_ workspace: Workspace) async throws {
        let missing = ["nginx", "curl", "openssl"].filter { (try? Tool.find($0)) == nil }
        guard missing.isEmpty else {
            return report.note("skipped; install what is missing: apt-get install \(missing.joined(separator: " "))")
        }
        try await compare(workspace, "16 files", count: 16)
        try await compare(workspace, "1 large file", count: 1)
    }

    private func compare(_ workspace: Workspace, _ name: String, count: Int) async throws {
        let payload = try Payload(workspace, folder: "documents", count: count, fileBytes: size / Int64(count))
        defer { workspace.remove("documents") }
        try await Nginx.with(documents: payload.folder, workspace) { server in
            let manifest = try Manifest(payload, base: server.address + "/", workspace)
            let urls = payload.files.map { "\(server.address)/\($0.name)" }
            let contenders = [
                Contender(name: "modelsync apply") { try await apply(manifest, payload, workspace) },
                Contender(name: "curl, then openssl dgst") { try await curlThenDigest(urls, payload, workspace) },
                Contender(name: "curl | tee | openssl dgst") { try await pipeline(urls, workspace) },
            ]
            let seconds = try await measure(contenders, expected: payload.digests, repeats: repeats)
            for index in 1..<contenders.count {
                report.add(
                    Row(
                        .download, "\(name): \(contenders[index].name)", bytes: payload.size, ours: seconds[0],
                        openSSL: seconds[index]))
            }
        }
    }

    private func apply(_ manifest: Manifest, _ payload: Payload, _ workspace: Workspace) async throws -> Run {
        let store = workspace.appending("store")
        defer { settle(workspace, "store") }
        let seconds = try await program.apply(manifest.path, store: store, workspace)
        let views = payload.files.map {
            PayloadFile(path: "\(Manifest.views(store: store))/\($0.name)", size: $0.size)
        }
        return Run(seconds: seconds, digests: try OpenSSLDigest.digests(of: views))
    }

    private func curlThenDigest(_ urls: [String], _ payload: Payload, _ workspace: Workspace) async throws -> Run {
        let (curl, openssl) = (try Tool.find("curl"), try Tool.find("openssl"))
        let folder = try workspace.makeFolder("fetched")
        defer { settle(workspace, "fetched") }
        let output = workspace.appending("curl.out")
        var seconds = try await Child.run(
            curl, ["-q", "-sSf", "--remote-name-all"] + urls, in: folder, output: output)
        seconds += try await Child.run(
            openssl, ["dgst", "-sha256", "-r"] + payload.files.map(\.name), in: folder, output: output)
        return Run(seconds: seconds, digests: try printedDigests(output))
    }

    private func pipeline(_ urls: [String], _ workspace: Workspace) async throws -> Run {
        let script = """
            for url; do curl -q -sSf "$url" | tee "${url##*/}" | openssl dgst -sha256 -r; done
            """
        let folder = try workspace.makeFolder("fetched")
        defer { settle(workspace, "fetched") }
        let output = workspace.appending("curl.out")
        let seconds = try await Child.run(
            Tool.find("sh"), ["-c", script, "sh"] + urls, in: folder, output: output)
        return Run(seconds: seconds, digests: try printedDigests(output))
    }

    /// Whoever is next starts with a disk at rest.
    private func settle(_ workspace: Workspace, _ folder: String) {
        workspace.remove(folder)
        sync()
    }
}
