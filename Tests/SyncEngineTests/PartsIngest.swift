import SyncDomain
import Synchronization
import TestSupport

/// Counts the parts of a file, and takes them anywhere.
final class PartsIngest: BlobIngest {
    private let size: Int64
    private let ranges = Mutex(ByteRanges())
    /// Of the bytes that follow each other.
    private let position = Mutex<Int64>(0)
    private let (wholes, didComplete) = AsyncStream<Void>.makeStream()

    init(size: Int64) { self.size = size }

    var byteCount: Int64 { ranges.withLock { $0.count } }
    var missing: [Range<Int64>] { ranges.withLock { $0.missing(of: size) } }
    func validator(for source: SourceURL) -> Validator? { nil }
    func expect(from source: SourceURL) {}
    func segment(at offset: Int64) throws(SyncError) -> (any BlobSegment)? { Segment(self, offset) }
    func begin(at offset: Int64, validator: Validator?) throws(SyncError) { position.withLock { $0 = offset } }

    func write(_ bytes: RawSpan) throws(SyncError) {
        let start = position.withLock { position in
            defer { position += Int64(bytes.byteCount) }
            return position
        }
        insert(bytes.byteCount, at: start)
    }

    /// Waits until all of it is there; one at a time.
    func whole() async { for await _ in wholes { return } }
    func restart() throws(SyncError) { ranges.withLock { $0 = ByteRanges() } }
    func commit() async throws(SyncError) -> CommitResult { .committed }
    func keepUnreferenced(as digest: SHA256Digest) async throws(SyncError) {}
    func close() {}

    private func insert(_ count: Int, at offset: Int64) {
        let isWhole = ranges.withLock { ranges in
            ranges.insert(offset..<offset + Int64(count))
            return ranges.count == size
        }
        if isWhole { didComplete.yield() }
    }

    private final class Segment: BlobSegment {
        private let ingest: PartsIngest
        private let offset: Mutex<Int64>

        init(_ ingest: PartsIngest, _ offset: Int64) {
            self.ingest = ingest
            self.offset = Mutex(offset)
        }

        func write(_ bytes: RawSpan) throws(SyncError) {
            let start = offset.withLock { offset in
                defer { offset += Int64(bytes.byteCount) }
                return offset
            }
            ingest.insert(bytes.byteCount, at: start)
        }

        func end() {}
    }
}

/// A store in memory that takes one blob in parts.
struct PartsStore: ModelStoring {
    let inner = InMemoryStore()
    let ingest: PartsIngest

    var path: String { inner.path }

    func ingest(_ digest: SHA256Digest, size: Int64) async throws(SyncError) -> IngestStart { .ready(ingest) }

    func survey(
        _ manifest: Manifest, depth: VerifyDepth, progress: @escaping @Sendable (SurveyProgress) -> Void
    ) async throws(SyncError) -> Inventory { try await inner.survey(manifest, depth: depth, progress: progress) }

    func adopt(_ path: RelativePath, of model: ModelName, as digest: SHA256Digest) async throws(SyncError) {
        try await inner.adopt(path, of: model, as: digest)
    }

    func reseal(_ digest: SHA256Digest) async { await inner.reseal(digest) }

    func publish(_ model: Model) async throws(SyncError) -> [String] { try await inner.publish(model) }

    func mend(_ files: [ModelFile], of model: ModelName) async throws(SyncError) -> [String] {
        try await inner.mend(files, of: model)
    }

    func remove(_ model: ModelName) async throws(SyncError) -> Cleaning { try await inner.remove(model) }

    func viewPath(_ path: RelativePath, of model: ModelName) -> String { inner.viewPath(path, of: model) }

    func save(report: [UInt8], runID: String) async throws(SyncError) {
        try await inner.save(report: report, runID: runID)
    }

    func failedHosts() async -> Set<HostKey> { await inner.failedHosts() }

    func save(failedHosts: Set<HostKey>) async { await inner.save(failedHosts: failedHosts) }
}
