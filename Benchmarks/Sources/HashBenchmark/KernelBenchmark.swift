import SyncDomain
import SystemSupport

@testable import BlobStore

/// The kernels alone: messages that lie in the cache, hashed side by side, against OpenSSL that hashes the same
/// messages one after another.
struct KernelBenchmark {
    let report: Report
    let repeats: Int

    private static let counts = [1, 2, 4, 8, 16]
    /// Of all messages together, in a run.
    private static let runBytes = 32 << 20
    /// Of a message that are different; then they come again.
    private static let pieceBytes = LaneBank.bufferBytes(lanes: 16)

    func run(_ workspace: Workspace) async throws {
        let count = max(Self.counts.last ?? 1, HashKernel.all.map(\.lanes).max() ?? 1)
        let payload = try Payload(workspace, folder: "pieces", count: count, fileBytes: Int64(Self.pieceBytes))
        for kernel in HashKernel.all {
            for count in Set(Self.counts + [kernel.lanes]).sorted() where count <= kernel.lanes {
                let name = "\(kernel.name): \(count) of \(kernel.lanes) lanes"
                try await compare(name, payload, count) { bank, blocks in
                    bank.advance(0..<count, blocks: blocks, by: kernel)
                }
            }
        }
        for count in Self.counts {
            let lanes = Array(0..<count)
            try await compare("as modelsync chooses: \(count) at once", payload, count) { bank, blocks in
                bank.advance(lanes, blocks: blocks, by: .measured)
            }
        }
    }

    private func compare(
        _ name: String, _ payload: Payload, _ count: Int, advance: @escaping (LaneBank, Int) -> Void
    ) async throws {
        let files = Array(payload.files.prefix(count))
        let passes = Self.runBytes / Self.pieceBytes / count
        let pieces = try files.map { try OpenFile.read($0.path).readAll() }
        let bank = LaneBank(lanes: count)
        let hasher = try OpenSSLDigest()
        let openSSL: () async throws -> Run = {
            let (digests, seconds) = try await timed { try pieces.map { try hasher.digest(of: $0, passes) } }
            return Run(seconds: seconds, digests: digests)
        }
        let ours = Contender(name: name) {
            for lane in files.indices {
                bank.setHash(HashState().hash, of: lane)
                let file = try OpenFile.read(files[lane].path)
                _ = try bank.fill(lane, from: file, at: 0, count: Self.pieceBytes)
            }
            let (digests, seconds) = await timed {
                for _ in 0..<passes {
                    bank.rewind()
                    advance(bank, Self.pieceBytes / HashState.blockBytes)
                }
                return finish(bank, count, messageBytes: Int64(passes * Self.pieceBytes), advance)
            }
            return Run(seconds: seconds, digests: digests)
        }
        let expected = try await openSSL().digests ?? []
        let seconds = try await measure(
            [ours, Contender(name: "OpenSSL", run: openSSL)], expected: expected, repeats: repeats)
        let bytes = Int64(passes * Self.pieceBytes * count)
        report.add(Row(.kernels, name, bytes: bytes, ours: seconds[0], openSSL: seconds[1]))
    }

    private func finish(
        _ bank: LaneBank, _ count: Int, messageBytes: Int64, _ advance: (LaneBank, Int) -> Void
    ) -> [SHA256Digest] {
        for lane in 0..<count { _ = bank.pad(lane, after: 0, messageBytes: messageBytes) }
        bank.rewind()
        advance(bank, 1)
        return (0..<count).map { SHA256Digest(words: bank.hash(of: $0)) }
    }
}

extension OpenSSLDigest {
    /// Of bytes that come again and again.
    fileprivate func digest(of piece: [UInt8], _ passes: Int) throws -> SHA256Digest {
        piece.withUnsafeBytes { bytes in
            for _ in 0..<passes { update(bytes) }
        }
        return try finish()
    }
}
