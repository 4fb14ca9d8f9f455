internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// One blob on its way into the store. See ``BlobIngest`` for the contract.
///
/// The lock of the partial file makes it this process's alone, and goes with the file.
final class DiskIngest: BlobIngest {
    /// A crash loses at most what was written since the journal last told which bytes are there.
    private static let journalStep: Int64 = 16 << 20
    /// So much is written before the disk is told to begin: the fsync at the end then waits for the rest alone.
    private static let writebackBytes: Int64 = 8 << 20

    struct State {
        /// Whose bytes come next.
        var source: SourceURL?
        /// What the journal says, as far as it is about bytes that are there.
        var validated: (sourceSHA256: SHA256Digest, validator: Validator)?
        /// What was taken: in the file, or on its way there.
        var received = ByteRanges()
        /// What is in the file.
        var written = ByteRanges()
        /// Bytes may lie behind others that are missing: the length of the file does not tell what is there.
        var isSegmented = false
        /// How much was written when the journal last told of it.
        var journaled: Int64 = 0
        /// How much was written when the disk was last told to begin.
        var toldDisk: Int64 = 0
        /// Of the bytes that follow each other, and of those that come in segments.
        var writer: FileWriter?
        var segments: [FileWriter] = []
        var isReserved = false
        var isClosed = false

        var writers: [FileWriter] { segments + (writer.map { [$0] } ?? []) }

        func has(_ one: FileWriter) -> Bool { writer === one || segments.contains { $0 === one } }
    }

    let store: DiskStore
    let digest: SHA256Digest
    let size: Int64
    let file: OpenFile
    let state = Mutex(State())
    private let hash: GrowingDigest
    /// Held while the journal is written: two threads must not do so at once, and the later word must win.
    let journaling = Mutex(())

    /// Takes over the file, whose lock is held; `byteCount` is its length.
    init(store: DiskStore, digest: SHA256Digest, size: Int64, file: OpenFile, byteCount: Int64) {
        self.store = store
        self.digest = digest
        self.size = size
        self.file = file
        hash = GrowingDigest(of: file, by: store.hashes)
        guard byteCount > 0 else { return }
        let journal = store.journal(of: digest)
        let present = journal?.present(in: byteCount) ?? ByteRanges(0..<byteCount)
        state.withLock { state in
            state.validated = journal?.validated
            (state.received, state.written) = (present, present)
            state.isSegmented = present.frontier < byteCount
            (state.journaled, state.toldDisk) = (present.count, present.count)
        }
        if present.frontier > 0 { hash.advance(to: present.frontier) }
    }

    var byteCount: Int64 { state.withLock { $0.received.count } }

    var missing: [Range<Int64>] { state.withLock { $0.received }.missing(of: size) }

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
        let frontier = try received().frontier
        guard offset == 0 || offset == frontier else {
            throw SyncError(
                .protocolViolation, "\(digest): bytes from \(offset) on were offered where \(frontier) are there")
        }
        if offset == 0 && frontier > 0 { try restart() }
        try mapped { () throws(SystemFailure) in
            try reserve()
            try note(validator, offset: offset)
        }
        // Not asked under the lock: a writer that waits for its turn is let go by threads that take the lock.
        let current = state.withLock { $0.writer }
        if current?.position == offset { return }
        let writer = makeWriter(from: offset)
        state.withLock { state in
            if let old = state.writer { state.segments.append(old) }
            state.writer = writer
        }
    }

    func write(_ bytes: RawSpan) throws(SyncError) {
        // Where the resumed bytes were never asked for again, as in tests, they are gone on from.
        if state.withLock({ $0.writer == nil }) {
            let writer = makeWriter(from: try received().frontier)
            state.withLock { $0.writer = writer }
        }
        if let writer = state.withLock({ $0.writer }) { try write(bytes, by: writer) }
    }

    func pause() { state.withLock { $0.writer }?.end() }

    func segment(at offset: Int64) throws(SyncError) -> (any BlobSegment)? {
        _ = try received()
        try mapped { () throws(SystemFailure) in
            try reserve()
            let isFirst = state.withLock { state in
                defer { state.isSegmented = true }
                return !state.isSegmented
            }
            // Before its first byte: a later run would take the length of the file for what is there.
            if isFirst { try saveJournal() }
        }
        let writer = makeWriter(from: offset)
        let done = state.withLock { $0.segments }.filter(\.isDone)
        state.withLock { state in
            state.segments.removeAll { old in done.contains { $0 === old } }
            state.segments.append(writer)
        }
        return DiskSegment(self, writer)
    }

    fileprivate func write(_ bytes: RawSpan, by writer: FileWriter) throws(SyncError) {
        _ = try received()
        let offset = writer.position
        try check(bytes, offset)
        let end = offset + Int64(bytes.byteCount)
        try mapped { () throws(SystemFailure) in try writer.append(bytes, isLast: end == size) }
        // Not if the bytes were dropped meanwhile.
        state.withLock { if $0.has(writer) { $0.received.insert(offset..<end) } }
    }

    private func check(_ bytes: RawSpan, _ offset: Int64) throws(SyncError) {
        guard Int64(bytes.byteCount) <= size - offset else {
            throw SyncError(.sizeMismatch, "\(digest): more than the \(size) bytes that it has were offered")
        }
    }

    private func makeWriter(from offset: Int64) -> FileWriter {
        FileWriter(file, from: offset, by: store.writes) { [weak self] in self?.didWrite($0) }
    }

    private func didWrite(_ range: Range<Int64>) {
        let (frontier, mustTell, isLate): (Int64, Bool, Bool) = state.withLock { state in
            state.written.insert(range)
            let count = state.written.count
            let mustTell = state.isSegmented && count - state.journaled >= Self.journalStep
            if mustTell { state.journaled = count }
            let isLate = count - state.toldDisk >= Self.writebackBytes
            if isLate { state.toldDisk = count }
            return (state.written.frontier, mustTell, isLate)
        }
        if frontier > 0 { hash.advance(to: frontier) }
        // What it would have told is fetched again.
        if mustTell { try? saveJournal() }
        // All of the file: parts are smaller than what the disk is told of at once.
        if isLate { file.startWriteback(0..<size) }
    }

    func restart() throws(SyncError) {
        _ = try received()
        let writers = state.withLock { state in
            defer { (state.writer, state.segments) = (nil, []) }
            return state.writers
        }
        for writer in writers { writer.discard() }
        // First: with the journal, and without the bytes, a later run would find holes where it looks for bytes.
        if state.withLock({ $0.isSegmented }) { removeJournal() }
        try mapped { () throws(SystemFailure) in try file.resize(to: 0) }
        hash.startOver()
        state.withLock { state in
            (state.received, state.written) = (ByteRanges(), ByteRanges())
            (state.isSegmented, state.journaled, state.toldDisk, state.validated) = (false, 0, 0, nil)
        }
    }

    func commit() async throws(SyncError) -> CommitResult {
        let count = try received().frontier
        let got = try await hashed(count)
        guard got == digest, count == size else { return .mismatch(got) }
        try await place(as: digest, count)
        return .committed
    }

    func keepUnreferenced(as digest: SHA256Digest) async throws(SyncError) {
        let count = try received().frontier
        guard try await hashed(count) == digest else {
            throw SyncError(.storeIO, "\(self.digest): the bytes that are there are not those of \(digest)")
        }
        try await place(as: digest, count)
    }

    /// The bytes that are there.
    ///
    /// - Throws: after the end: the file may be a blob by now, or another process's.
    private func received() throws(SyncError) -> ByteRanges {
        let (received, isClosed) = state.withLock { ($0.received, $0.isClosed) }
        guard !isClosed else {
            throw SyncError(.storeIO, "\(digest): bytes were offered after the end of this download")
        }
        return received
    }

    /// The digest of the first `count` bytes.
    private func hashed(_ count: Int64) async throws(SyncError) -> SHA256Digest {
        if state.withLock({ $0.written.frontier < count }) {
            try await store.blocking { [self] () throws(SystemFailure) in try finish() }
        }
        return try await hash.digest(of: count)
    }

    /// Waits until all that was taken is in the file.
    private func finish() throws(SystemFailure) {
        let writers = state.withLock { $0.writers }
        var failure: SystemFailure?
        for writer in writers {
            do throws(SystemFailure) { try writer.finish() } catch { failure = error }
        }
        guard let failure else { return }
        state.withLock { $0.received = $0.written }
        throw failure
    }

    func close() {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        guard !wasClosed else { return }
        hash.cancel()
        // What a full disk does not take is fetched again.
        try? finish()
        for writer in state.withLock({ $0.writers }) { writer.discard() }
        let written = state.withLock { $0.written }
        // Only while the lock is held, so that no other process has begun to fill it.
        if let end = written.ranges.last?.upperBound {
            if state.withLock({ $0.isSegmented }) {
                state.withLock { $0.isSegmented = written.frontier < end }
                try? saveJournal()
            }
            // Gives back the room that was reserved past the bytes: else what is missing needs it a second time.
            try? file.resize(to: end)
            store.giveBack(digest)
        } else {
            removeJournal()
            try? store.folder(StoreLayout.partial).removeFile(StoreLayout.partialFile(digest, store.owner))
        }
        file.unlock()
    }

    private func place(as digest: SHA256Digest, _ count: Int64) async throws(SyncError) {
        try await store.blocking { [self] () throws(SystemFailure) in
            // What was reserved past the bytes goes.
            try file.resize(to: count)
            if let sums = ChunkSums(digest, size: count, marks: hash.marks) { store.save(sums) }
            try store.seal(file, of: digest)
            do throws(SystemFailure) { try file.synchronize() } catch {
                // It is told once: a later run would find the bytes right in memory, and make a blob of what the disk never took.
                if error.storeError.code != .storeNoSpace { try? restart() }
                throw error
            }
            try store.place(
                Placement(
                    file: file, name: StoreLayout.partialFile(self.digest, store.owner), digest: digest, size: count))
            removeJournal()
        }
        didPlace()
    }

    /// It is a blob, and no more to be written to.
    private func didPlace() {
        state.withLock { $0.isClosed = true }
        file.unlock()
    }

    private func reserve() throws(SystemFailure) {
        let isFirst = state.withLock { state in
            defer { state.isReserved = true }
            return !state.isReserved
        }
        if isFirst { try file.reserve(size) }
    }

    func mapped(_ body: () throws(SystemFailure) -> Void) throws(SyncError) {
        do throws(SystemFailure) { try body() } catch { throw error.storeError }
    }
}

/// See ``BlobSegment``.
private final class DiskSegment: BlobSegment {
    private let ingest: DiskIngest
    private let writer: FileWriter

    init(_ ingest: DiskIngest, _ writer: FileWriter) {
        self.ingest = ingest
        self.writer = writer
    }

    func write(_ bytes: RawSpan) throws(SyncError) { try ingest.write(bytes, by: writer) }

    func end() { writer.end() }
}
