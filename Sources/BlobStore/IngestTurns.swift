internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// Who brings which small blob: a lock on one byte of one file for each, which the kernel drops with the process. To make and
/// lock a file of its own for each would cost more than to fetch it. Safe to use from any thread.
final class IngestTurns: Sendable {
    private struct State {
        /// The kernel gives the same lock twice to one open file.
        var taken: Set<SHA256Digest> = []
        /// Nil until the first is taken.
        var file: OpenFile?
    }

    private let state = Mutex(State())

    /// - Returns: false if another has it.
    func take(_ digest: SHA256Digest, in store: DiskStore) -> Bool {
        guard state.withLock({ $0.taken.insert(digest).inserted }) else { return false }
        // Where locks do nothing, or the file is another user's alone, files may be fetched twice.
        guard store.owner.isEmpty, let file = try? file(in: store) else { return true }
        if (try? file.tryLock(byte: Self.byte(digest))) ?? true { return true }
        _ = state.withLock { $0.taken.remove(digest) }
        return false
    }

    func leave(_ digest: SHA256Digest) {
        // Under the mutex: another thread of this process that takes it in between would lose the lock.
        state.withLock { state in
            guard state.taken.remove(digest) != nil else { return }
            state.file?.unlock(byte: Self.byte(digest))
        }
    }

    private func file(in store: DiskStore) throws(SystemFailure) -> OpenFile {
        if let file = state.withLock({ $0.file }) { return file }
        let opened = try store.folder(StoreLayout.locks).file(StoreLayout.ingestLock, .readWriteCreate)
        return state.withLock { state in
            // One of two would take its locks with it when it is closed.
            let file = state.file ?? opened
            state.file = file
            return file
        }
    }

    /// Two blobs in 2³² may have the same: they take turns, or one is fetched twice.
    private static func byte(_ digest: SHA256Digest) -> Int64 { Int64(digest.leadingWord) }
}
