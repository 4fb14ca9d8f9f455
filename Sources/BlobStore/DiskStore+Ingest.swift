public import SyncDomain
internal import Synchronization
internal import SystemSupport

extension DiskStore {
    /// Takes the blob's turn, if it is free, and goes on from the bytes that are there. On the caller's thread: to open a file
    /// takes less than to wake another thread twice.
    public func ingest(_ digest: SHA256Digest, size: Int64) async throws(SyncError) -> IngestStart {
        let opened: Opened
        do throws(SystemFailure) {
            if size < HeldIngest.leastFileBytes { return try hold(digest, size: size) }
            opened = try openPartial(digest, size: size)
        } catch { throw error.storeError }
        switch opened {
        case .present: return .present
        case .busy: return .busy
        case .ready(let file, var count):
            if size >= ChunkSums.leastBytes { count = await salvage(digest, size: size, into: file, of: count) }
            return .ready(DiskIngest(store: self, digest: digest, size: size, file: file, byteCount: count))
        }
    }

    /// As ``ingest(_:size:)``, of a small blob.
    private func hold(_ digest: SHA256Digest, size: Int64) throws(SystemFailure) -> IngestStart {
        guard turns.take(digest, in: self) else {
            // Whoever has it may keep bytes of it.
            kept.withLock { _ = $0?.insert(digest) }
            return .busy
        }
        do throws(SystemFailure) {
            unsealIfRotten(digest)
            // Not asked earlier: it could be committed after the answer.
            guard try !isPresent(digest, size: size) else {
                turns.leave(digest)
                return .present
            }
        } catch {
            turns.leave(digest)
            throw error
        }
        return .ready(HeldIngest(store: self, digest: digest, size: size, bytes: takeKept(digest, size: size)))
    }

    /// What `partial/` has of it, which is taken out: it goes back there if it does not become a blob. What can't be read or
    /// taken out is another's.
    private func takeKept(_ digest: SHA256Digest, size: Int64) -> [UInt8] {
        // Looked for once, since most have none: to ask for each costs as much as to see whether its blob is there.
        if kept.withLock({ $0 == nil }) {
            let entries = (try? folder(StoreLayout.partial).entries()) ?? []
            let digests = entries.compactMap { StoreLayout.digest(ofPartial: $0.name) }
            kept.withLock { $0 = ($0 ?? []).union(digests) }
        }
        guard kept.withLock({ $0?.remove(digest) != nil }),
            case .ready(let file, let count)? = try? openPartial(digest, size: size),
            let bytes = try? file.readAll(limit: Int(size)),
            (try? folder(StoreLayout.partial).removeFile(StoreLayout.partialFile(digest, owner))) != nil
        else { return [] }
        return Array(bytes.prefix(Int(count)))
    }

    /// Keeps bytes of a small blob for a later run.
    ///
    /// - Returns: false where they can't be kept: what is there, or half of them, is not told from what is right.
    func keep(_ bytes: [UInt8], of digest: SHA256Digest) -> Bool {
        let name = StoreLayout.partialFile(digest)
        guard let partial = try? folder(StoreLayout.partial),
            let file = try? partial.file(name, .createNew, mode: 0o600), (try? file.tryLock(exclusive: true)) == true
        else { return false }
        do throws(SystemFailure) { try unsafe file.write(bytes.span.bytes, at: 0) } catch {
            try? partial.removeFile(name)
            return false
        }
        kept.withLock { _ = $0?.insert(digest) }
        return true
    }

    private enum Opened {
        case present
        case busy
        case ready(OpenFile, byteCount: Int64)
    }

    private func openPartial(_ digest: SHA256Digest, size: Int64) throws(SystemFailure) -> Opened {
        let folder = try folder(StoreLayout.partial)
        let name = StoreLayout.partialFile(digest, owner)
        if !owner.isEmpty { take(digest, in: folder) }
        unsealIfRotten(digest)
        while true {
            guard let (file, opened) = try openOwn(name, in: folder) else { continue }
            guard try file.tryLock(exclusive: true) else { return .busy }
            // The owner may have committed (renamed) it between our open and our lock: then we hold the blob's own
            // inode, which must not be written. Look again.
            guard let status = try folder.statusIfPresent(name), status.isSameFile(as: opened) else { continue }
            // Or committed before our open, and the file is a new one of ours. Not asked earlier: it could be committed
            // after the answer.
            if try isPresent(digest, size: size) {
                if status.size == 0 { try? folder.removeFile(name) }
                return .present
            }
            if status.size > size { try file.resize(to: 0) }
            return .ready(file, byteCount: status.size > size ? 0 : status.size)
        }
    }

    /// Where locks do nothing, who renames a partial has it: one alone can.
    private func take(_ digest: SHA256Digest, in folder: Folder) {
        let (name, journal) = (StoreLayout.partialFile(digest), StoreLayout.journalFile(digest))
        guard (try? folder.rename(name, to: folder, StoreLayout.partialFile(digest, owner))) != nil else { return }
        try? folder.rename(journal, to: folder, StoreLayout.journalFile(digest, owner))
    }

    /// Gives it back for a later run. First what tells which bytes are there: without it all would seem to be.
    func giveBack(_ digest: SHA256Digest) {
        guard !owner.isEmpty, let folder = try? folder(StoreLayout.partial) else { return }
        try? folder.rename(
            StoreLayout.journalFile(digest, owner), to: folder, StoreLayout.journalFile(digest))
        try? folder.rename(StoreLayout.partialFile(digest, owner), to: folder, StoreLayout.partialFile(digest))
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

    func forgetRot(of digest: SHA256Digest, by file: OpenFile) {
        guard rotten.withLock({ $0[digest] != nil }), let inode = try? file.status().inode else { return }
        _ = rotten.withLock { $0[digest]?.remove(inode) }
    }

    /// Opens a partial, or nil after taking away what must not be written through: a link, or a file that has
    /// another name somewhere else.
    private func openOwn(_ name: String, in folder: Folder) throws(SystemFailure) -> (OpenFile, FileStatus)? {
        do {
            let file = try openWritable(name, in: folder)
            let status = try file.status()
            if status.kind == .regular, status.linkCount == 1 { return (file, status) }
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
            // Or it is sealed already, and its owner is about to rename it: the blob must not get this mode.
            guard try file.tryLock(exclusive: true) else { return file }
            try file.setMode(0o600)
        }
        return try folder.file(name, .readWriteCreate, mode: 0o600)
    }

    /// Whether the blob is there and can be trusted without hashing it.
    func isPresent(_ digest: SHA256Digest, size: Int64) throws(SystemFailure) -> Bool {
        var path: [UInt8] = []
        path.reserveCapacity(80)
        let status: FileStatus?
        if let folder = openedBlobFolder(of: digest) {
            digest.appendHex(to: &path)
            path.append(0)
            status = try folder.statusIfPresent(cString: path)
        } else {
            StoreLayout.appendBlobPath(digest, to: &path)
            status = try folder(StoreLayout.blobs).statusIfPresent(cString: path)
        }
        return status.map { isTrusted($0, digest, size: size) } ?? false
    }
}
