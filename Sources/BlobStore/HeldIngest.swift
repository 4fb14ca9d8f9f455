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
        var isEnded = false
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
        if !state.withLock({ $0.isEnded }) { leave() }
    }

    var byteCount: Int64 { state.withLock { Int64($0.bytes.count) } }

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
        try change { $0.bytes.removeAll(keepingCapacity: true) }
    }

    func commit() async throws(SyncError) -> CommitResult {
        let bytes = try change { $0.bytes }
        if Task.isCancelled { throw .cancelled("\(digest)") }
        let result = try await store.commits.commit(HeldBlob(digest: digest, size: size, bytes: bytes), in: store)
        if result == .committed { end() }
        return result
    }

    func keepUnreferenced(as digest: SHA256Digest) async throws(SyncError) {
        let blob = HeldBlob(digest: digest, bytes: try change { $0.bytes })
        guard SHA256Digest(of: blob.bytes) == digest else {
            throw SyncError(.storeIO, "\(self.digest): the bytes that are there are not those of \(digest)")
        }
        let store = store
        try await store.blocking { () throws(SystemFailure) in try store.place(blob) }
        end()
    }

    func close() {
        let bytes = state.withLock { state in state.isEnded ? [] : state.bytes }
        // What a full disk does not take is fetched again. Before the turn is given back: the next finds it.
        if !bytes.isEmpty { store.keep(bytes, of: digest) }
        end()
    }

    /// - Throws: after the end: another process may have its turn.
    private func change<Value>(_ body: (inout State) throws(SyncError) -> Value) throws(SyncError) -> Value {
        try state.withLock { state throws(SyncError) in
            guard !state.isEnded else {
                throw SyncError(.storeIO, "\(digest): bytes were offered after the end of this download")
            }
            return try body(&state)
        }
    }

    private func end() {
        let wasEnded = state.withLock { state in
            defer { state = State(bytes: [], isEnded: true) }
            return state.isEnded
        }
        if !wasEnded { leave() }
    }

    private func leave() {
        store.commits.leave()
        store.turns.leave(digest)
    }
}
