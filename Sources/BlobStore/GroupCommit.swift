internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// A partial whose bytes are right, on its way to be a blob.
struct Placement: Sendable {
    /// Open to write, its lock held.
    let file: OpenFile
    /// Its name in `partial/`.
    let name: String
    /// Of its bytes.
    let digest: SHA256Digest
    let size: Int64
}

/// Makes partials blobs: durable first, then visible. Seal and mode are in before the bytes are made durable, the name comes
/// after that, and what makes the name durable comes last.
///
/// Of many small files one wait for the disk serves all: what comes while a group is on its way is the next group.
final class GroupCommit: Sendable {
    /// From so many files on, one syncfs(2) costs less than an fsync(2) each.
    private static let leastGroup = 4
    /// Each holds an open file.
    private static let mostGroup = 128

    private struct Waiter {
        let placement: Placement
        let continuation: CheckedContinuation<Result<Void, SystemFailure>, Never>
    }

    private struct State {
        var waiters: [Waiter] = []
        /// Somebody works at a group, and looks for the next when it is done.
        var isAtWork = false
        /// Names were made that no syncfs has followed.
        var hasNames = false
    }

    private let state = Monitor(State())

    /// Has the partial placed with whatever else comes. Safe to call from any task.
    func place(_ placement: Placement, in store: DiskStore) async throws(SystemFailure) {
        try await withCheckedContinuation { continuation in
            let mustWork = state.withLock { state in
                state.waiters.append(Waiter(placement: placement, continuation: continuation))
                defer { state.isAtWork = true }
                return !state.isAtWork
            }
            if mustWork { store.pool.submit { [self] in work(store) } }
        }.get()
    }

    /// Waits until the names of all that was placed are durable. Blocks the thread.
    func settle() {
        state.wait { $0.isAtWork ? nil : () }
    }

    /// Group after group, until nothing waits and all names are durable.
    private func work(_ store: DiskStore) {
        while true {
            let group: [Waiter] = state.withLock { state in
                let group = Array(state.waiters.prefix(Self.mostGroup))
                state.waiters.removeFirst(group.count)
                return group
            }
            if group.isEmpty {
                let mustSync = state.withLock { state in
                    defer { state.hasNames = false }
                    return state.hasNames
                }
                // What can't be made durable now is not lost with the power on, and fetched again if it goes.
                if mustSync { try? store.root?.synchronizeFileSystem() }
                let isDone = state.withLock { state in
                    if state.waiters.isEmpty { state.isAtWork = false }
                    return state.waiters.isEmpty
                }
                if isDone { return state.notifyAll() }
                continue
            }
            let results = place(group.map(\.placement), in: store)
            for (waiter, result) in zip(group, results) { waiter.continuation.resume(returning: result) }
        }
    }

    private func place(_ group: [Placement], in store: DiskStore) -> [Result<Void, SystemFailure>] {
        guard group.count >= Self.leastGroup, let root = store.root else {
            return group.map { placement in Result { () throws(SystemFailure) in try store.place(placement) } }
        }
        var results = group.map { placement in
            Result { () throws(SystemFailure) in try store.seal(placement) }
        }
        let isSynchronized = (try? root.synchronizeFileSystem()) != nil
        // Of the names of the groups before as well.
        if isSynchronized { state.withLock { $0.hasNames = false } }
        for (index, placement) in group.enumerated() {
            results[index] = results[index].flatMap { _ in
                Result { () throws(SystemFailure) in
                    // syncfs(2) may keep silent of a file that could not be written.
                    if isSynchronized { try placement.file.checkWritten() } else { try placement.file.synchronize() }
                    _ = try store.show(placement)
                }
            }
        }
        state.withLock { $0.hasNames = true }
        return results
    }
}

extension DiskStore {
    /// One partial by itself; its name is durable when this returns.
    func place(_ placement: Placement) throws(SystemFailure) {
        try seal(placement)
        try placement.file.synchronize()
        try show(placement)?.synchronize()
    }

    /// Makes the partial what the blob is to be, but for its name.
    fileprivate func seal(_ placement: Placement) throws(SystemFailure) {
        try placement.file.resize(to: placement.size)
        try placement.file.setMode(0o444 & modeMask)
        // Where times can't be set the blob has no seal, and is hashed again at each look: slower, never wrong.
        try? placement.file.setModified(seconds: Seal.seconds(for: placement.digest))
    }

    /// Gives it the blob's name.
    ///
    /// - Returns: the folder of the name; nil where the blob was there.
    fileprivate func show(_ placement: Placement) throws(SystemFailure) -> Folder? {
        let digest = placement.digest
        let partial = try folder(StoreLayout.partial)
        let target = try folder(StoreLayout.blobs).folder(StoreLayout.blobFolder(digest), create: true)
        do throws(SystemFailure) { try partial.renameNew(placement.name, to: target, digest.hex) } catch {
            guard error.exists else { throw error }
            if try isPresent(digest, size: placement.size) {
                // Views are names of the blob that is there: a second one under its name would take space twice.
                try partial.removeFile(placement.name)
                return nil
            }
            try target.takeOver(placement.name, from: partial, as: digest.hex)
        }
        // A file that was rotten and is gone may have left its inode number to this one.
        forgetRot(of: digest, by: placement.file)
        return target
    }
}
