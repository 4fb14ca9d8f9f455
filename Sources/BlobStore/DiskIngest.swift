public import SyncDomain
internal import Synchronization
internal import SystemSupport

extension DiskStore {
    /// Takes the partial's lock, if it is free, and goes on from the bytes that it holds.
    public func ingest(_ digest: SHA256Digest, size: Int64) async throws(SyncError) -> IngestStart {
        let opened = try await blocking { () throws(SystemFailure) in try self.openPartial(digest, size: size) }
        switch opened {
        case .present: return .present
        case .busy: return .busy
        case .ready(let file, let count):
            return .ready(DiskIngest(store: self, digest: digest, size: size, file: file, byteCount: count))
        }
    }

    private enum Opened {
        case present
        case busy
        case ready(OpenFile, byteCount: Int64)
    }

    private func openPartial(_ digest: SHA256Digest, size: Int64) throws(SystemFailure) -> Opened {
        let folder = try folder(StoreLayout.partial)
        let name = StoreLayout.partialFile(digest)
        unsealIfRotten(digest)
        while true {
            if try isPresent(digest, size: size) { return .present }
            guard let file = try openOwn(name, in: folder) else { continue }
            guard try file.tryLock(exclusive: true) else { return .busy }
            // The owner may have committed (renamed) it between our open and our lock: then we hold the blob's own
            // inode, which must not be written. Look again.
            guard let status = try folder.statusIfPresent(name), status.isSameFile(as: try file.status()) else {
                continue
            }
            // Or committed before our open, and the file is a new one of ours: the look above was too early.
            if try isPresent(digest, size: size) {
                if status.size == 0 { try? folder.removeFile(name) }
                return .present
            }
            if status.size > size { try file.resize(to: 0) }
            return .ready(file, byteCount: status.size > size ? 0 : status.size)
        }
    }

    /// Views share the rotten blob's inode: their seal must be broken before the blob is replaced, or a crash in
    /// between would leave views that look verified and are not.
    func unsealIfRotten(_ digest: SHA256Digest) {
        guard let inodes = rotten.withLock({ $0[digest] }),
            let blob = try? folder(StoreLayout.blobs).folder(StoreLayout.blobFolder(digest)).file(digest.hex, .read),
            let status = try? blob.status(), inodes.contains(status.inode)
        else { return }
        try? blob.setModifiedNow()
    }

    func forgetRot(of digest: SHA256Digest, _ inode: UInt64) {
        _ = rotten.withLock { $0[digest]?.remove(inode) }
    }

    /// Opens a partial, or nil after taking away what must not be written through: a link, or a file that has
    /// another name somewhere else.
    private func openOwn(_ name: String, in folder: Folder) throws(SystemFailure) -> OpenFile? {
        do {
            let file = try openWritable(name, in: folder)
            let status = try file.status()
            if status.kind == .regular, status.linkCount == 1 { return file }
            // Renamed or removed by its owner just now: nothing to take away.
            if status.linkCount == 0 { return nil }
        } catch {
            guard error.isSymbolicLink || error.isDirectory || error.isNoDevice else { throw error }
        }
        try folder.removeTree(name)
        return nil
    }

    private func openWritable(_ name: String, in folder: Folder) throws(SystemFailure) -> OpenFile {
        do { return try folder.file(name, .readWriteCreate, mode: 0o600) } catch {
            // A crash between the seal and the rename left it complete and read-only. What has another name is not
            // ours, and not to be changed: the caller takes the name away.
            guard error.isPermission, let file = try? folder.file(name, .read) else { throw error }
            let status = try file.status()
            guard status.kind == .regular, status.linkCount == 1 else { return file }
            try file.setMode(0o600)
        }
        return try folder.file(name, .readWriteCreate, mode: 0o600)
    }

    /// Whether the blob is there and can be trusted without hashing it.
    func isPresent(_ digest: SHA256Digest, size: Int64) throws(SystemFailure) -> Bool {
        let blobs = try folder(StoreLayout.blobs)
        guard let status = try blobs.statusIfPresent("\(StoreLayout.blobFolder(digest))/\(digest.hex)") else {
            return false
        }
        return isTrusted(status, digest, size: size)
    }
}

/// One blob on its way into the store. See ``BlobIngest`` for the contract.
///
/// The lock of the partial file makes it this process's alone, and goes with the file.
final class DiskIngest: BlobIngest {
    /// Below it a journal costs more than fetching the file again would.
    private static let journalThreshold: Int64 = 1 << 20

    private struct State {
        /// Whose bytes come next.
        var source: SourceURL?
        /// What the journal says, as far as it is about bytes that are there.
        var validated: (sourceSHA256: SHA256Digest, validator: Validator)?
        var isReserved = false
        var isClosed = false
    }

    private let store: DiskStore
    private let digest: SHA256Digest
    private let size: Int64
    private let file: OpenFile
    private let state = Mutex(State())
    private let hash: GrowingDigest
    private let writer: Mutex<FileWriter>

    init(store: DiskStore, digest: SHA256Digest, size: Int64, file: OpenFile, byteCount: Int64) {
        self.store = store
        self.digest = digest
        self.size = size
        self.file = file
        let hash = GrowingDigest(of: file, by: store.hashes)
        self.hash = hash
        writer = Mutex(Self.writer(store, file, from: byteCount, hash))
        if byteCount > 0 {
            let journal = readJournal()
            state.withLock { $0.validated = journal }
            hash.advance(to: byteCount)
        }
    }

    private static func writer(
        _ store: DiskStore, _ file: OpenFile, from offset: Int64, _ hash: GrowingDigest
    ) -> FileWriter {
        FileWriter(file, from: offset, by: store.writes) { hash.advance(to: $0.upperBound) }
    }

    var byteCount: Int64 { writer.withLock { $0 }.end }

    func validator(for source: SourceURL) -> Validator? {
        guard let known = state.withLock({ $0.validated }),
            known.sourceSHA256 == SHA256Digest(of: Array(source.text.utf8))
        else { return nil }
        return known.validator
    }

    func expect(from source: SourceURL) {
        state.withLock { $0.source = source }
    }

    func begin(at offset: Int64, validator: Validator?) throws(SyncError) {
        let count = try openCount()
        guard offset == 0 || offset == count else {
            throw SyncError(
                .protocolViolation, "\(digest): bytes from \(offset) on were offered where \(count) are there")
        }
        if offset == 0 && count > 0 { try restart() }
        try mapped { () throws(SystemFailure) in
            try reserve()
            try writeJournal(validator, offset: offset)
        }
    }

    func write(_ bytes: RawSpan) throws(SyncError) {
        let offset = try openCount()
        guard Int64(bytes.byteCount) <= size - offset else {
            throw SyncError(.sizeMismatch, "\(digest): more than the \(size) bytes that it has were offered")
        }
        let isLast = offset + Int64(bytes.byteCount) == size
        try mapped { () throws(SystemFailure) in try writer.withLock { $0 }.append(bytes, isLast: isLast) }
    }

    func restart() throws(SyncError) {
        _ = try openCount()
        writer.withLock { $0 }.discard()
        try mapped { () throws(SystemFailure) in try file.resize(to: 0) }
        hash.startOver()
        state.withLock { $0.validated = nil }
        let fresh = Self.writer(store, file, from: 0, hash)
        writer.withLock { $0 = fresh }
    }

    func commit() async throws(SyncError) -> CommitResult {
        let count = try openCount()
        let got = try await hashed(count)
        guard got == digest, count == size else { return .mismatch(got) }
        try await place(as: digest, count)
        return .committed
    }

    func keepUnreferenced(as digest: SHA256Digest) async throws(SyncError) {
        let count = try openCount()
        guard try await hashed(count) == digest else {
            throw SyncError(.storeIO, "\(self.digest): the bytes that are there are not those of \(digest)")
        }
        try await place(as: digest, count)
    }

    /// The bytes that are there.
    ///
    /// - Throws: after the end: the file may be a blob by now, or another process's.
    private func openCount() throws(SyncError) -> Int64 {
        guard !state.withLock({ $0.isClosed }) else {
            throw SyncError(.storeIO, "\(digest): bytes were offered after the end of this download")
        }
        return byteCount
    }

    /// The digest of all that is there.
    private func hashed(_ count: Int64) async throws(SyncError) -> SHA256Digest {
        let writer = writer.withLock { $0 }
        if writer.written < count {
            try await store.blocking { () throws(SystemFailure) in try writer.finish() }
        }
        return try await hash.digest(of: count)
    }

    func close() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        hash.cancel()
        let writer = writer.withLock { $0 }
        // What a full disk does not take is fetched again.
        try? writer.finish()
        let count = writer.written
        // Only while the lock is held, so that no other process has begun to fill it.
        if count == 0 {
            removeJournal()
            try? store.folder(StoreLayout.partial).removeFile(StoreLayout.partialFile(self.digest))
        } else {
            // Gives back the room that was reserved past the bytes: else what is missing needs it a second time.
            try? file.resize(to: count)
        }
        file.unlock()
    }

    /// Durable first, then visible: seal and mode are in before the fsync, the name comes after it, and the fsync of
    /// the folder makes the name last.
    private func place(as digest: SHA256Digest, _ count: Int64) async throws(SyncError) {
        try await store.blocking { [self] () throws(SystemFailure) in
            let partial = try store.folder(StoreLayout.partial)
            if try store.isPresent(digest, size: count) {
                // Views are names of the blob that is there: a second one under its name would take space twice.
                try partial.removeFile(StoreLayout.partialFile(self.digest))
                return removeJournal()
            }
            try file.resize(to: count)
            try file.setMode(0o444 & store.modeMask)
            // Where times can't be set the blob has no seal, and is hashed again at each look: slower, never wrong.
            try? file.setModified(seconds: Seal.seconds(for: digest))
            try file.synchronize()
            let target = try store.folder(StoreLayout.blobs).folder(StoreLayout.blobFolder(digest), create: true)
            try target.takeOver(StoreLayout.partialFile(self.digest), from: partial, as: digest.hex)
            try target.synchronize()
            // A file that was rotten and is gone may have left its inode number to this one.
            if let inode = try? file.status().inode { store.forgetRot(of: digest, inode) }
            removeJournal()
        }
        state.withLock { $0.isClosed = true }
        file.unlock()
    }

    private func reserve() throws(SystemFailure) {
        let isFirst = state.withLock { state in
            defer { state.isReserved = true }
            return !state.isReserved
        }
        if isFirst && size > 0 { try file.reserve(size) }
    }

    private func mapped(_ body: () throws(SystemFailure) -> Void) throws(SyncError) {
        do throws(SystemFailure) { try body() } catch { throw error.storeError }
    }
}

extension DiskIngest {
    private var journalName: String { StoreLayout.journalFile(digest) }

    private func readJournal() -> (sourceSHA256: SHA256Digest, validator: Validator)? {
        guard let bytes = try? store.folder(StoreLayout.partial).file(journalName, .read).readAll(limit: 1 << 16),
            let journal = PartialJournal.decode(bytes), let source = try? SHA256Digest(hex: journal.sourceSHA256),
            let validator = Validator(entityTag: journal.entityTag)
        else { return nil }
        return (source, validator)
    }

    /// Keeps the journal true to the bytes: it speaks of one version of one source, or it goes.
    private func writeJournal(_ validator: Validator?, offset: Int64) throws(SystemFailure) {
        let (known, source) = state.withLock { ($0.validated, $0.source) }
        guard let source else { return }
        let sourceSHA256 = SHA256Digest(of: Array(source.text.utf8))
        let isSame = known.map { $0.sourceSHA256 == sourceSHA256 && $0.validator == validator } ?? false
        if offset > 0 && isSame { return }
        guard let validator, offset == 0 else {
            state.withLock { $0.validated = nil }
            return removeJournal()
        }
        state.withLock { $0.validated = (sourceSHA256, validator) }
        guard size >= Self.journalThreshold else { return }
        // A crash may lose it: the bytes are then continued without a validator, and the digest decides.
        try store.folder(StoreLayout.partial)
            .replace(journalName, with: PartialJournal.encode(validator, from: source), mode: 0o600, isDurable: false)
    }

    private func removeJournal() {
        guard size >= Self.journalThreshold else { return }
        try? store.folder(StoreLayout.partial).removeFile(journalName)
    }
}
