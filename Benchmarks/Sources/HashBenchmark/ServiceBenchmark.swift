import SyncDomain
import SystemSupport

@testable import BlobStore

/// The service on all cores, over files in the page cache, against OpenSSL on as many threads.
struct ServiceBenchmark {
    let report: Report
    let repeats: Int
    /// Of each set of files but the small ones.
    let size: Int64

    func run(_ workspace: Workspace) async throws {
        for count in [1, 2, 4, 16, 64] {
            let name = count == 1 ? "1 file" : "\(count) files"
            try await compare(workspace, name, count: count, fileBytes: size / Int64(count))
        }
        try await compare(workspace, SmallFiles.name, count: SmallFiles.count, fileBytes: SmallFiles.fileBytes)
    }

    private func compare(_ workspace: Workspace, _ name: String, count: Int, fileBytes: Int64) async throws {
        let payload = try Payload(workspace, folder: "files", count: count, fileBytes: fileBytes)
        defer { workspace.remove("files") }
        let ours = Contender(name: "HashService") {
            let (digests, seconds) = await timed { await serviceDigests(of: payload.files) }
            return Run(seconds: seconds, digests: digests.compactMap { $0 })
        }
        let openSSL = Contender(name: "OpenSSL") {
            let (digests, seconds) = try await timed { try OpenSSLDigest.digests(of: payload.files) }
            return Run(seconds: seconds, digests: digests)
        }
        let seconds = try await measure([ours, openSSL], expected: payload.digests, repeats: repeats)
        report.add(Row(.service, name, bytes: payload.size, ours: seconds[0], openSSL: seconds[1]))
    }
}

/// Files of which each takes longer to find and open than to hash.
enum SmallFiles {
    static let name = "10000 small files"
    static let count = 10_000
    static let fileBytes: Int64 = 16 << 10
}

/// With the start and the end of its threads, as OpenSSL's side has them.
private func serviceDigests(of files: [PayloadFile]) async -> [SHA256Digest?] {
    let service = HashService(threads: processorCount())
    defer { withExtendedLifetime(service) {} }
    let batch = service.batch()
    for file in files {
        let path = file.path
        batch.add(
            HashJob(
                size: file.size, open: { () throws(SystemFailure) in try OpenFile.read(path) }, progress: { _ in }))
    }
    return await batch.digests()
}
