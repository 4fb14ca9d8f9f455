internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// A small blob whose bytes are in memory.
struct HeldBlob: Sendable {
    let digest: SHA256Digest
    let bytes: [UInt8]
}

/// A file that has all its bytes, on its way to be a blob.
struct Placement: Sendable {
    /// Open to write, nobody else's.
    let file: OpenFile
    /// Its name in `partial/`; nil for a file with no name.
    let name: String?
    /// What its bytes must have.
    let digest: SHA256Digest
    let size: Int64
}

/// Small blobs, many at a time: they are hashed side by side, written, and one wait for the disk serves all. What comes while
/// a group is on its way is the next group.
final class GroupCommit: Sendable {
    /// While one group waits for the disk another is hashed.
    private static let mostAtWork = 2
    /// From so many files on, one syncfs(2) costs less than an fsync(2) each.
    private static let leastGroup = 4
    /// Each is an open file for a while.
    private static let mostGroup = 128
    /// A group waits so long for more to come, where more are on their way and it is not this large.
    private static let gathering = Duration.milliseconds(4)
    private static let fullGroup = 64

    private typealias Outcome = Result<CommitResult, SyncError>

    private struct Waiter {
        let blob: HeldBlob
        let continuation: CheckedContinuation<Outcome, Never>
    }

    private struct State {
        /// Blobs that will be committed, or closed.
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

    /// A small blob is on its way. ``leave()`` follows, once.
    func join() { state.withLock { $0.open += 1 } }

    /// It is in the store, or closed.
    func leave() { state.withLock { $0.open -= 1 } }

    /// Hashes it, and puts it into the store if it has its digest. From any task; a second one for the same blob is the
    /// caller's fault.
    ///
    /// - Throws: the store's failures. Nothing of it stays then.
    func commit(_ blob: HeldBlob, in store: DiskStore) async throws(SyncError) -> CommitResult {
        try await withCheckedContinuation { continuation in
            let mustWork = state.withLock { state in
                state.waiters.append(Waiter(blob: blob, continuation: continuation))
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
            let started = pool ?? BlockingPool(name: "commit", threads: Self.mostAtWork, niceness: 19)
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
            let outcomes = await threads.run { [self] () -> [Outcome] in
                if !group.isEmpty { return place(group.map(\.blob), in: store) }
                // What can't be made durable now is not lost with the power on, and fetched again if it goes.
                _ = synchronize(store)
                return []
            }
            for (waiter, outcome) in zip(group, outcomes) { waiter.continuation.resume(returning: outcome) }
        }
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

    private func place(_ group: [HeldBlob], in store: DiskStore) -> [Outcome] {
        let digests = MessageHasher().digests(of: group.map(\.bytes))
        let isGroup = zip(group, digests).count { $0.digest == $1 } >= Self.leastGroup
        var placements: [Placement?] = Array(repeating: nil, count: group.count)
        var outcomes = zip(group, digests).enumerated().map { index, pair -> Outcome in
            let (blob, digest) = pair
            guard digest == blob.digest else { return .success(.mismatch(digest)) }
            return Self.outcome { () throws(SystemFailure) in
                if isGroup { placements[index] = try store.write(blob) } else { try store.place(blob) }
            }
        }
        guard isGroup else { return outcomes }
        let isSynchronized = synchronize(store)
        for (index, placement) in placements.enumerated() {
            guard let placement else { continue }
            outcomes[index] = Self.outcome { () throws(SystemFailure) in
                try store.show(placement, group[index], isSynchronized: isSynchronized)
            }
        }
        state.withLock { $0.named += 1 }
        return outcomes
    }

    private static func outcome(_ body: () throws(SystemFailure) -> Void) -> Outcome {
        do throws(SystemFailure) { try body() } catch { return .failure(error.storeError) }
        return .success(.committed)
    }
}

/// Durable first, then visible: seal and mode are in before the bytes are made durable, the name comes after that, and what
/// makes the name durable comes last.
extension DiskStore {
    /// One file by itself, whose bytes are durable; its name is, too, when this returns.
    func place(_ placement: Placement) throws(SystemFailure) { try show(placement, isDurable: true)?.synchronize() }

    /// As the other, of bytes in memory. By a file with a name: fsync(2) of one that has none may do nothing, as on Btrfs.
    func place(_ blob: HeldBlob) throws(SystemFailure) {
        let placement = try writeNamed(blob)
        do throws(SystemFailure) {
            try placement.file.synchronize()
            try place(placement)
        } catch {
            discard(placement)
            throw error
        }
    }

    /// Makes the bytes a file that is what the blob is to be, but for its name. It has none, so that a crash leaves nothing;
    /// where the file system has no such files, one that nobody else knows.
    fileprivate func write(_ blob: HeldBlob) throws(SystemFailure) -> Placement {
        if canBeNameless.load(ordering: .relaxed) {
            do throws(SystemFailure) {
                let file = try folder(StoreLayout.partial).fileWithoutName(mode: 0o444)
                try unsafe file.write(blob.bytes.span.bytes, at: 0)
                setSeal(of: blob.digest, on: file)
                return Placement(file: file, name: nil, digest: blob.digest, size: Int64(blob.bytes.count))
            } catch {
                guard error.isUnsupported else { throw error }
                canBeNameless.store(false, ordering: .relaxed)
            }
        }
        return try writeNamed(blob)
    }

    private func writeNamed(_ blob: HeldBlob) throws(SystemFailure) -> Placement {
        let name = StoreLayout.passingFile(blob.digest)
        let file = try folder(StoreLayout.partial).file(name, .createNew, mode: 0o600)
        let placement = Placement(file: file, name: name, digest: blob.digest, size: Int64(blob.bytes.count))
        do throws(SystemFailure) {
            try unsafe file.write(blob.bytes.span.bytes, at: 0)
            try seal(file, of: blob.digest)
        } catch {
            discard(placement)
            throw error
        }
        return placement
    }

    private func discard(_ placement: Placement) {
        guard let name = placement.name else { return }
        try? folder(StoreLayout.partial).removeFile(name)
    }

    /// Gives one of a group its name, after the group's syncfs(2).
    fileprivate func show(
        _ placement: Placement, _ blob: HeldBlob, isSynchronized: Bool
    ) throws(SystemFailure) {
        do throws(SystemFailure) {
            guard isSynchronized else {
                discard(placement)
                return try place(blob)
            }
            // syncfs(2) may keep silent of a file that could not be written.
            try placement.file.checkWritten()
            _ = try show(placement, isDurable: false)
        } catch {
            discard(placement)
            guard placement.name == nil, error.storeError.code != .storeNoSpace else { throw error }
            // Perhaps it could not be linked: there is no /proc, or a security module forbids it.
            canBeNameless.store(false, ordering: .relaxed)
            try place(blob)
        }
    }

    /// Makes the file what the blob is to be, but for its name.
    func seal(_ file: OpenFile, of digest: SHA256Digest) throws(SystemFailure) {
        try file.setMode(0o444 & modeMask)
        setSeal(of: digest, on: file)
    }

    /// Gives it the blob's name.
    ///
    /// - Returns: the folder of the name; nil where the blob was there.
    fileprivate func show(_ placement: Placement, isDurable: Bool) throws(SystemFailure) -> Folder? {
        let digest = placement.digest
        let partial = try folder(StoreLayout.partial)
        let target = try blobFolder(of: digest, isDurable: isDurable)
        do throws(SystemFailure) {
            if let name = placement.name {
                try partial.renameNew(name, to: target, digest.hex)
            } else {
                try placement.file.link(to: target, digest.hex)
            }
        } catch {
            guard error.exists else { throw error }
            if try isPresent(digest, size: placement.size) {
                // Views are names of the blob that is there: a second one under its name would take space twice.
                if let name = placement.name { try partial.removeFile(name) }
                return nil
            }
            let name = placement.name ?? StoreLayout.passingFile(digest)
            if placement.name == nil { try placement.file.link(to: partial, name) }
            do throws(SystemFailure) { try target.takeOver(name, from: partial, as: digest.hex) } catch {
                if placement.name == nil { try? partial.removeFile(name) }
                throw error
            }
        }
        // A file that was rotten and is gone may have left its inode number to this one.
        forgetRot(of: digest, by: placement.file)
        return target
    }
}
