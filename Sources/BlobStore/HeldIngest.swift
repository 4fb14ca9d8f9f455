internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// A small blob on its way into the store. See ``BlobIngest`` for the contract.
///
/// Its bytes wait in memory, and become a file when they are committed, with others: what a kill leaves of it is fetched again.
final class HeldIngest: BlobIngest {
    /// Below it a partial of its own, with lock and journal, would cost more than to fetch the file again.
    static let leastFileBytes: Int64 = 1 << 20

    private struct State {
        var bytes: [UInt8]
        /// How many there are in the store, after the end.
        var count: Int?
    }

    private let store: DiskStore
    private let digest: SHA256Digest
    private let size: Int64
    private let state: Mutex<State>

    /// Takes over the turn that the digest has in the store's ``IngestTurns``, and what an earlier run kept of its bytes.
    init(store: DiskStore, digest: SHA256Digest, size: Int64, bytes: [UInt8]) {
        self.store = store
        self.digest = digest
        self.size = size
        state = Mutex(State(bytes: bytes))
        store.commits.join()
    }

    deinit {
        if state.withLock({ $0.count == nil }) { leave() }
    }

    var waitsInMemory: Bool { true }

    var byteCount: Int64 { state.withLock { Int64($0.count ?? $0.bytes.count) } }

    var missing: [Range<Int64>] {
        let count = byteCount
        return count < size ? [count..<size] : []
    }

    /// What there is of a small file is not worth asking after.
    func validator(for source: SourceURL) -> Validator? { nil }

    func expect(from source: SourceURL) {}

    func begin(at offset: Int64, validator: Validator?) throws(SyncError) {
        try change { state throws(SyncError) in
            guard offset == 0 || offset == state.bytes.count else {
                throw SyncError(
                    .protocolViolation,
                    "\(digest): bytes from \(offset) on were offered where \(state.bytes.count) are there")
            }
            if offset == 0 { state.bytes.removeAll(keepingCapacity: true) }
            state.bytes.reserveCapacity(Int(size))
        }
    }

    func write(_ bytes: RawSpan) throws(SyncError) {
        try change { state throws(SyncError) in
            guard state.bytes.count + bytes.byteCount <= size else {
                throw SyncError(.sizeMismatch, "\(digest): more than the \(size) bytes that it has were offered")
            }
            unsafe bytes.withUnsafeBytes { unsafe state.bytes.append(contentsOf: $0) }
        }
    }

    func restart() throws(SyncError) {
        try change { $0.bytes = [] }
    }

    func commit() async throws(SyncError) -> CommitResult {
        let bytes = try change { $0.bytes }
        if Task.isCancelled { throw .cancelled("\(digest)") }
        guard bytes.count == size else { return .mismatch(try await Self.digest(of: bytes, in: store)) }
        let result = try await store.commits.commit(HeldBlob(digest: digest, bytes: bytes), in: store)
        if result == .committed { end(with: bytes.count) }
        return result
    }

    func keepUnreferenced(as digest: SHA256Digest) async throws(SyncError) {
        let (store, bytes) = (store, try change { $0.bytes })
        guard try await Self.digest(of: bytes, in: store) == digest else {
            throw SyncError(.storeIO, "\(self.digest): the bytes that are there are not those of \(digest)")
        }
        try await store.blocking { () throws(SystemFailure) in
            try store.place(HeldBlob(digest: digest, bytes: bytes))
        }
        end(with: bytes.count)
    }

    private static func digest(of bytes: [UInt8], in store: DiskStore) async throws(SyncError) -> SHA256Digest {
        try await store.blocking { SHA256Digest(of: bytes) }
    }

    func close() {
        let bytes = state.withLock { state in state.count == nil ? state.bytes : [] }
        // Before the turn is given back: whoever has it next finds them.
        let isKept = !bytes.isEmpty && store.keep(bytes, of: digest)
        end(with: isKept ? bytes.count : 0)
    }

    /// - Throws: after the end: another process may have its turn.
    private func change<Value>(_ body: (inout State) throws(SyncError) -> Value) throws(SyncError) -> Value {
        try state.withLock { state throws(SyncError) in
            guard state.count == nil else {
                throw SyncError(.storeIO, "\(digest): bytes were offered after the end of this download")
            }
            return try body(&state)
        }
    }

    private func end(with count: Int) {
        let wasEnded = state.withLock { state in
            guard state.count == nil else { return true }
            state = State(bytes: [], count: count)
            return false
        }
        if !wasEnded { leave() }
    }

    private func leave() {
        store.commits.leave()
        store.turns.leave(digest)
    }
}
