internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// A partial that has all its bytes, on its way to be a blob.
struct Placement: Sendable {
    /// Open to write, its lock held.
    let file: OpenFile
    /// Its name in `partial/`.
    let name: String
    /// What its bytes must have.
    let digest: SHA256Digest
    let size: Int64
}

/// Small partials on their way to be blobs, many at a time: they are hashed side by side, and one wait for the disk serves
/// all. What comes while a group is on its way is the next group.
final class GroupCommit: Sendable {
    /// While one group waits for the disk another is hashed.
    private static let mostAtWork = 2
    /// From so many files on, one syncfs(2) costs less than an fsync(2) each.
    private static let leastGroup = 4
    /// Each holds an open file.
    private static let mostGroup = 128
    /// A group waits so long for more to come, where more are on their way and it is not this large.
    private static let gathering = Duration.milliseconds(4)
    private static let fullGroup = 64

    private typealias Outcome = Result<CommitResult, SyncError>

    private struct Waiter {
        let placement: Placement
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        /// Partials that will be committed, or closed.
        var open = 0
        var waiters: [Waiter] = []
        /// Groups under way.
        var atWork = 0
        /// Groups whose names were made, and how many of these a syncfs has followed.
        var named = 0
        var synchronized = 0
    }

    private let state = Monitor(State())
    /// Its own: the store's threads may all be publications that wait for a group. Nil until there is one.
    private let pool = Mutex<BlockingPool?>(nil)

    /// A small partial has been opened. ``leave()`` follows, once.
    func join() { state.withLock { $0.open += 1 } }

    /// It is a blob, or closed.
    func leave() { state.withLock { $0.open -= 1 } }

    /// Hashes it, and makes it a blob if it has its digest. From any task; a second one for the same file is the caller's
    /// fault.
    ///
    /// - Throws: the store's failures. The partial stays then.
    func commit(_ placement: Placement, in store: DiskStore) async throws(SyncError) -> CommitResult {
        try await withCheckedContinuation { continuation in
            let mustWork = state.withLock { state in
                state.waiters.append(Waiter(placement: placement, continuation: continuation))
                guard state.atWork < Self.mostAtWork else { return false }
                state.atWork += 1
                return true
            }
            if mustWork { Task { await work(store) } }
        }.get()
    }

    /// Waits until the names of all that was committed so far are durable. Blocks the thread.
    func settle() {
        let named = state.withLock { $0.named }
        state.wait { $0.synchronized >= named || $0.atWork == 0 ? () : nil }
    }

    private var threads: BlockingPool {
        pool.withLock { pool in
            let started = pool ?? BlockingPool(name: "commit", threads: Self.mostAtWork)
            pool = started
            return started
        }
    }

    /// Group after group, until nothing waits and all names are durable.
    private func work(_ store: DiskStore) async {
        while true {
            let isWorthWaiting = state.withLock { state in
                state.waiters.count < min(state.open, Self.fullGroup)
            }
            if isWorthWaiting { try? await Task.sleep(for: Self.gathering) }
            let (group, isDone): ([Waiter], Bool) = state.withLock { state in
                let group = Array(state.waiters.prefix(Self.mostGroup))
                state.waiters.removeFirst(group.count)
                // The last to end sees to the names.
                let isDone = group.isEmpty && (state.atWork > 1 || state.named == state.synchronized)
                if isDone { state.atWork -= 1 }
                return (group, isDone)
            }
            if isDone { return state.notifyAll() }
            let digests = await digests(of: group.map(\.placement), in: store)
            let outcomes = await threads.run { [self] () -> [Outcome] in
                if group.isEmpty {
                    // What can't be made durable now is not lost with the power on, and fetched again if it goes.
                    _ = synchronize(store)
                    return []
                }
                return place(group.map(\.placement), digests, in: store)
            }
            for (waiter, outcome) in zip(group, outcomes) { waiter.continuation.resume(returning: outcome) }
        }
    }

    private func digests(of group: [Placement], in store: DiskStore) async -> [SHA256Digest?] {
        if group.isEmpty { return [] }
        let batch = store.hashes.batch()
        for placement in group {
            batch.add(HashJob(size: placement.size, open: { placement.file }, progress: { _ in }))
        }
        return await batch.digests()
    }

    /// syncfs(2), of all names that were made before.
    ///
    /// - Returns: whether it worked. Names count as durable also where it did not: nothing more can be done for them.
    private func synchronize(_ store: DiskStore) -> Bool {
        let named = state.withLock { $0.named }
        let isSynchronized = (try? store.root?.synchronizeFileSystem()) != nil
        state.withLock { $0.synchronized = max($0.synchronized, named) }
        state.notifyAll()
        return isSynchronized
    }

    private func place(_ group: [Placement], _ digests: [SHA256Digest?], in store: DiskStore) -> [Outcome] {
        let right = zip(group, digests).count { $0.digest == $1 }
        let isGroup = right >= Self.leastGroup
        var outcomes = zip(group, digests).map { placement, digest -> Outcome in
            guard let digest else {
                return .failure(SystemFailure("read", placement.file.path, code: Self.ioError).storeError)
            }
            guard digest == placement.digest else { return .success(.mismatch(digest)) }
            return Self.outcome { () throws(SystemFailure) in
                if isGroup { try store.seal(placement) } else { try store.place(placement) }
            }
        }
        guard isGroup else { return outcomes }
        let isSynchronized = synchronize(store)
        for (index, placement) in group.enumerated() where outcomes[index] == .success(.committed) {
            outcomes[index] = Self.outcome { () throws(SystemFailure) in
                // syncfs(2) may keep silent of a file that could not be written.
                if isSynchronized { try placement.file.checkWritten() } else { try placement.file.synchronize() }
                _ = try store.show(placement, isDurable: false)
            }
        }
        state.withLock { $0.named += 1 }
        return outcomes
    }

    private static func outcome(_ body: () throws(SystemFailure) -> Void) -> Outcome {
        do throws(SystemFailure) { try body() } catch { return .failure(error.storeError) }
        return .success(.committed)
    }

    /// EIO of errno(3).
    private static let ioError: Int32 = 5
}

/// Durable first, then visible: seal and mode are in before the bytes are made durable, the name comes after that, and what
/// makes the name durable comes last.
extension DiskStore {
    /// One partial by itself; its name is durable when this returns.
    func place(_ placement: Placement) throws(SystemFailure) {
        try seal(placement)
        try placement.file.synchronize()
        try show(placement, isDurable: true)?.synchronize()
    }

    /// Makes the partial what the blob is to be, but for its name.
    fileprivate func seal(_ placement: Placement) throws(SystemFailure) {
        try placement.file.setMode(0o444 & modeMask)
        setSeal(of: placement.digest, on: placement.file)
    }

    /// Gives it the blob's name.
    ///
    /// - Returns: the folder of the name; nil where the blob was there.
    fileprivate func show(_ placement: Placement, isDurable: Bool) throws(SystemFailure) -> Folder? {
        let digest = placement.digest
        let partial = try folder(StoreLayout.partial)
        let target = try blobFolder(of: digest, isDurable: isDurable)
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
