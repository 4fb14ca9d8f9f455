internal import SyncDomain
internal import SystemSupport

/// `active/`: what runs tell of themselves, and what is asked of them. Its files are the store's owner's alone.
struct ActiveFolder: Sendable {
    /// Whether a run lives.
    enum Life {
        case lives(ActiveRun)
        case dead
        /// It has said nothing yet, or nothing for so long that nobody can tell.
        case silent
    }

    /// Where locks don't tell, a run of another host that has said nothing for so long is not told of, and after the longer time
    /// it is dead. A run says something every ten seconds or so.
    private static let silentSeconds: Int64 = 60
    private static let deadSeconds: Int64 = 86400

    let folder: Folder
    /// The store's, whose owner its files belong to.
    let owner: FileStatus

    /// Nil where it is not there. Made, it belongs to the store's owner, whoever makes it.
    ///
    /// - Throws: EACCES where it is, or would be, another user's.
    init?(_ root: Folder, create: Bool = false) throws(SystemFailure) {
        owner = try root.status()
        if create {
            guard owner.isThisUsers else { throw .noPermission("open", root.full(StoreLayout.active)) }
            folder = try root.folder(StoreLayout.active, create: true, isDurable: false, mode: 0o700)
            try folder.give(toOwnerOf: owner)
            // A copy of a store may have let others in.
            try folder.setMode(0o700)
        } else {
            guard let found = try root.folderIfPresent(StoreLayout.active) else { return nil }
            folder = found
        }
    }

    /// The runs that have an entry, or are about to.
    func ids() throws(SystemFailure) -> [String] {
        Set(try folder.entries().compactMap { StoreLayout.activeRun($0.name) }).sorted()
    }

    private func run(_ id: String) -> ActiveRun? {
        let file = try? folder.file(StoreLayout.activeStatus(id), .read)
        let run = (try? file?.readAll(limit: ActiveRecord.limit)).flatMap { ActiveRecord.decode($0) }
        // Names of files are made of it: what calls itself otherwise is not this run's word.
        return run?.runID == id ? run : nil
    }

    func life(of id: String, host: String, now: Int64) -> Life {
        let run = run(id)
        // Before the lock is looked for: it gets its name when it is locked.
        let isBegun = (try? folder.status(StoreLayout.activeLockBegun(id))) != nil
        guard let lock = openLock(id) else { return isBegun ? .silent : .dead }
        // Shared, so that another who looks does not take this look for the run's own lock.
        guard (try? lock.tryLock(exclusive: false)) == true else { return run.map { .lives($0) } ?? .silent }
        let isFree = locksWork(lock, id)
        if isFree, (try? lock.status().device).map({ MountTable.locksAreLocal(device: $0) }) == false { return .dead }
        // Locks don't tell, or not of other hosts.
        guard let run else { return .silent }
        if run.host == host { return !isFree && processExists(run.processID) ? .lives(run) : .dead }
        let saidAt = (try? folder.status(StoreLayout.activeStatus(id)))?.modified.seconds ?? 0
        if now - saidAt < Self.silentSeconds { return .lives(run) }
        return now - saidAt > Self.deadSeconds ? .dead : .silent
    }

    /// Open for writing where that can be: over NFS only then can it be locked alone.
    private func openLock(_ id: String) -> OpenFile? {
        let name = StoreLayout.activeLock(id)
        return (try? folder.file(name, .readWrite)) ?? (try? folder.file(name, .read))
    }

    /// Where flock(2) does nothing, a lock that is held can be had a second time.
    private func locksWork(_ held: OpenFile, _ id: String) -> Bool {
        guard let second = openLock(id) else { return false }
        return (try? second.tryLock(exclusive: true)) == false
    }

    /// The lock last: what is left without it is a dead run's.
    static func remove(_ id: String, in folder: Folder) {
        let names = ((try? folder.entries()) ?? []).map(\.name).filter { StoreLayout.activeRun($0) == id }
        let lock = StoreLayout.activeLock(id)
        for name in names.filter({ $0 != lock }) + [lock] { try? folder.removeFile(name) }
    }
}
