/// What became of one attempt to start fetching a blob.
public enum IngestStart: Sendable {
    /// The blob is there: another process has brought it meanwhile.
    case present
    /// Another process is fetching it: ask again.
    case busy
    case ready(any BlobIngest)
}

/// What became of the bytes of a finished transfer.
public enum CommitResult: Sendable, Hashable {
    /// Right, durable, and visible under the digest.
    case committed
    /// Not the bytes that were asked for; this is their digest. Nothing became visible.
    case mismatch(SHA256Digest)
}

/// One blob on its way into the store: bytes in, a verified and durable blob out.
///
/// Its bytes are this process's alone while it lives. It ends with exactly one of a successful ``commit()``,
/// ``keepUnreferenced(as:)`` or ``close()``; all but those may be called again after a failure.
public protocol BlobIngest: TransferSink {
    /// Bytes that are there: from the start on, unless segments have brought some that lie behind a gap.
    var byteCount: Int64 { get }
    /// The bytes that are not, in order.
    var missing: [Range<Int64>] { get }
    /// What they came from, if they came from this source and it gave a strong validator.
    func validator(for source: SourceURL) -> Validator?
    /// Says whose bytes come next. Before each attempt.
    func expect(from source: SourceURL)
    /// Opens a place to write at, apart from the bytes that follow each other from the start: for parts of a file that
    /// come over several connections. Any number may be open; ``restart()`` and the end of the ingest end them all.
    ///
    /// - Returns: nil where the store can't.
    func segment(at offset: Int64) throws(SyncError) -> (any BlobSegment)?
    /// The bytes that follow each other end here for now: others go on behind them.
    func pause()
    /// Drops the bytes that are there.
    func restart() throws(SyncError)
    /// Hashes what is not hashed yet, compares, makes the blob durable, seals it, and only then makes it visible.
    ///
    /// - Throws: the store's failures; the bytes are still there, unless the disk has failed to take them.
    func commit() async throws(SyncError) -> CommitResult
    /// Keeps the wrong bytes as a blob that nothing refers to, under the digest that they have.
    func keepUnreferenced(as digest: SHA256Digest) async throws(SyncError)
    /// Ends it without a commit. What is there stays in the store for a later resume, unless there is no room for it:
    /// ``byteCount`` tells, afterwards.
    func close()
    /// Its bytes are in memory until it ends: how many are, of all that wait to be committed, is the caller's to bound.
    var waitsInMemory: Bool { get }
}

extension BlobIngest {
    /// None.
    public func segment(at offset: Int64) throws(SyncError) -> (any BlobSegment)? { nil }
    /// Nothing waits to be written.
    public func pause() {}
    /// They are not.
    public var waitsInMemory: Bool { false }
}

/// A part of a blob on its way into the store. One thread at a time.
public protocol BlobSegment: AnyObject, Sendable {
    /// The next bytes, in order.
    ///
    /// - Throws: the store's failures, also of earlier bytes; also after the end of the ingest.
    func write(_ bytes: RawSpan) throws(SyncError)
    /// No more will come.
    func end()
}

/// The digest of a file whose bytes are still coming: implemented by BlobStore's hash service. From any thread.
public protocol HashStreaming: Sendable {
    /// Says that the file's first `count` bytes are there and will not change. Numbers that are no news do nothing.
    func advance(to count: Int64)
    /// The digest of the first `count` bytes, all of which are there; no fewer than ``advance(to:)`` was told. Once a
    /// stream.
    ///
    /// - Throws: `store.io` if the file can't be read or is shorter; `cancelled` if the task or the stream is.
    func digest(of count: Int64) async throws(SyncError) -> SHA256Digest
    /// The hash values after each ``ChunkSums/chunkBytes`` that have been hashed so far, in order.
    var marks: [SHA256Digest] { get }
    /// Ends the stream: whoever awaits its digest gets `cancelled`. A second call does nothing.
    func cancel()
}

/// What a survey of the store tells while it looks.
public enum SurveyProgress: Sendable, Hashable {
    /// So many bytes are hashed in all, those among them that were hashed before this was told. Once at most: never where
    /// nothing is hashed, or where the time alone tells when to stop.
    case willHash(bytes: Int64)
    /// Bytes were hashed since the last such value.
    case hashed(bytes: Int64)
}

/// The local folder that holds the models, as the engine uses it: implemented by BlobStore.
public protocol ModelStoring: Sendable {
    /// The store's folder, absolute.
    var path: String { get }

    /// Looks at what is there of the manifest. Changes nothing. `progress` is called now and then, from any
    /// thread.
    ///
    /// - Throws: the store's failures; `cancelled` if the task is.
    func survey(
        _ manifest: Manifest, depth: VerifyDepth, progress: @escaping @Sendable (SurveyProgress) -> Void
    ) async throws(SyncError) -> Inventory

    /// Starts fetching a blob, unless it is there or another process is at it. A blob that a survey found damaged
    /// does not count as there.
    func ingest(_ digest: SHA256Digest, size: Int64) async throws(SyncError) -> IngestStart

    /// Makes the view at `path`, which holds the right bytes, the blob.
    func adopt(_ path: RelativePath, of model: ModelName, as digest: SHA256Digest) async throws(SyncError)

    /// Seals again a blob that was hashed and found right, where that can be written.
    func reseal(_ digest: SHA256Digest) async

    /// Makes the model's folder show exactly the manifest's files, all at once, and writes its record. Its blobs must
    /// all be there. Files that nobody knows stay.
    ///
    /// - Returns: what is worth telling, like copies made where links can't be.
    func publish(_ model: Model) async throws(SyncError) -> [String]

    /// Links single views of a model whose folder already shows the manifest's set, so that one damaged file that
    /// can't be had does not keep the others from being mended.
    func mend(_ files: [ModelFile], of model: ModelName) async throws(SyncError) -> [String]

    /// Takes away the model's views and its record. Its blobs stay, and so do files that nobody knows.
    ///
    /// - Throws: the store's failures. A model that is not there is none.
    func remove(_ model: ModelName) async throws(SyncError) -> Cleaning

    /// The absolute path of a file's view.
    func viewPath(_ path: RelativePath, of model: ModelName) -> String

    /// Keeps a report under its run's id, and the last 100 in all.
    func save(report: [UInt8], runID: String) async throws(SyncError)

    /// The hosts that failed in the last run that fetched something. None where that is not known.
    func failedHosts() async -> Set<HostKey>

    /// Remembers them. What can't be remembered costs the next run a try.
    func save(failedHosts: Set<HostKey>) async
}
