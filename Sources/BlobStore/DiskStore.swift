public import SyncDomain
internal import Synchronization
internal import SystemSupport

/// The store on a local file system: `blobs/`, `models/`, `records/`, `partial/`, `runs/` under one folder.
///
/// Safe to use from any thread, and with other processes on the same folder: they take turns by file locks, which
/// the kernel drops when their owner dies.
public final class DiskStore: ModelStoring {
    /// What the store is opened for.
    public enum Access: Sendable {
        /// To look: a store that does not exist is empty and is not created.
        case inspect
        /// To change: created where it is missing.
        case change
        /// To take out what nobody needs: by nobody else at the same time.
        case clean
    }

    /// Absolute.
    public let path: String
    let root: Folder?
    let pool: BlockingPool
    let hashes: HashService
    let writes = WriteService()
    let commits = GroupCommit()
    let turns = IngestTurns()
    /// Small blobs of which `partial/` may have bytes: nil until somebody looks.
    let kept = Mutex<Set<SHA256Digest>?>(nil)
    /// Whether files can be made without a name here, as far as it was tried.
    let canBeNameless = Atomic(true)
    let modeMask: UInt32
    /// Why times could not be set, if they could not.
    private let unsealable = Mutex<String?>(nil)
    /// How much of what is sealed a full survey hashes; nil for all.
    let budget: ScrubBudget?
    let scrubbed = Mutex(Scrubbed())
    /// What is published is what the records had when the run began: what another process has changed since is left alone.
    let isOfRecords: Bool
    /// Held shared while the store is used for changes, so that nothing which cleans it runs meanwhile.
    private let useLock: OpenFile?
    /// Empty where locks work. Else what makes the names of this store's partials its own.
    let owner: String
    /// Files whose seal is whole and whose bytes are not, by the inode that was hashed: a seal that another process
    /// has set since is another file's.
    let rotten = Mutex<[SHA256Digest: Set<UInt64>]>([:])
    /// Files that were hashed and found right with no whole seal, as they were before: only for these may a seal be
    /// set, and only if nobody wrote to them since.
    let verified = Mutex<[SHA256Digest: [FileStatus]]>([:])

    /// Opens the store, or says what is wrong with it.
    ///
    /// - Parameters:
    ///   - path: absolute; its parents are created when it is.
    ///   - access: whether it is created where it is missing.
    ///   - hashThreads: how many files are hashed at once.
    ///   - budget: how much of what is sealed a full survey hashes; nil for all.
    ///   - isOfRecords: what is published comes from the records: a model whose record is another by then is left alone.
    /// - Throws: `store.permission` or `store.io` for a folder that can't be used, that is no store, or whose layout is
    ///   newer than this program knows. Nothing is changed then.
    public init(
        path: String, access: Access, hashThreads: Int = 2, budget: ScrubBudget? = nil, isOfRecords: Bool = false
    ) throws(SyncError) {
        self.path = path
        self.budget = budget
        self.isOfRecords = isOfRecords
        do throws(SystemFailure) {
            if access == .change { try Folder.create(path) }
            root = try Self.openIfPresent(path)
        } catch {
            throw Self.cannotUse(path, error)
        }
        guard root != nil || access != .change else {
            throw Self.cannotUse(path, SystemFailure("open", path, code: Self.notFound))
        }
        if let root { try Self.check(root, access) }
        useLock = try Self.prepare(root, access)
        owner = try Self.owner(useLock, in: root)
        modeMask = ~processUmask()
        pool = BlockingPool(name: "store", threads: 8)
        hashes = HashService(threads: hashThreads)
    }

    /// Those of the layout that were opened: to open them for each of many small files takes as long as to make the file.
    private let folders = Mutex<[String: Folder]>([:])
    private let blobFolders = Mutex([Folder?](repeating: nil, count: 256))

    /// Whether the store is there at all.
    public var exists: Bool { root != nil }

    private static func openIfPresent(_ path: String) throws(SystemFailure) -> Folder? {
        do { return try Folder.open(path) } catch {
            guard error.isNotFound && error.code != notAFolder else { throw error }
            return nil
        }
    }

    /// Refuses what is no store, and a store of a layout that this program does not know, before anything is touched.
    private static func check(_ root: Folder, _ access: Access) throws(SyncError) {
        do throws(SystemFailure) {
            var found = try root.statusIfPresent(StoreLayout.versionFile)
            if found == nil {
                let isBegun = try isEmptyOrBegun(root)
                // Another process may have written it since, and then gone on.
                found = try root.statusIfPresent(StoreLayout.versionFile)
                guard found != nil || isBegun else { throw SystemFailure("open", root.path, code: notEmpty) }
            }
            guard let status = found else { return }
            guard status.kind == .regular else {
                throw SystemFailure("open", root.full(StoreLayout.versionFile), code: tooManyLinks)
            }
            let bytes = try root.file(StoreLayout.versionFile, .read).readAll(limit: 1 << 16)
            guard let version = StoreVersion.decode(bytes) else {
                throw SystemFailure("read", root.full(StoreLayout.versionFile) + " is not valid", code: ioError)
            }
            guard version <= StoreLayout.version else {
                throw SystemFailure("layout \(version)", root.path, code: newerLayout)
            }
        } catch {
            if error.code == newerLayout {
                throw SyncError(
                    .storeIO,
                    "\(root.path): this store has \(error.call), this program knows layouts up to \(StoreLayout.version); "
                        + "use a newer modelsync, or another folder by --store")
            }
            throw error.code == notEmpty ? notAStore(root.path) : cannotUse(root.path, error)
        }
    }

    /// Whether there is nothing but folders of the layout, and nothing in these: they are made before the version file, and filled
    /// after it. Without it, what is in a folder `models` is somebody's, and would be deleted.
    private static func isEmptyOrBegun(_ root: Folder) throws(SystemFailure) -> Bool {
        let paths = (StoreLayout.folders + [StoreLayout.active]).map { $0.split(separator: "/") }
        let known = Set(paths.compactMap { $0.first.map(String.init) } + ["lost+found", StoreLayout.versionFile])
        for entry in try root.entries() where !known.contains(entry.name) && !entry.name.hasPrefix(".") { return false }
        for path in paths {
            for depth in 1...path.count {
                let inner = try root.folderIfPresent(path.prefix(depth).joined(separator: "/"))?.entries() ?? []
                for entry in inner where depth == path.count || entry.name != path[depth] { return false }
            }
        }
        return true
    }

    private static func prepare(_ root: Folder?, _ access: Access) throws(SyncError) -> OpenFile? {
        guard let root, access != .inspect else { return nil }
        do throws(SystemFailure) {
            for folder in StoreLayout.folders { _ = try root.folder(folder, create: true) }
            if try root.statusIfPresent(StoreLayout.versionFile) == nil {
                try root.replace(StoreLayout.versionFile, with: StoreVersion.encode(StoreLayout.version))
            }
            let lock = try root.folder(StoreLayout.locks).file(StoreLayout.useLock, .readWriteCreate)
            if try lock.tryLock(exclusive: access == .clean) { return lock }
        } catch {
            throw cannotUse(root.path, error)
        }
        let what = access == .clean ? "in use by another process" : "being cleaned by another process"
        throw SyncError(.storeLocked, "\(root.path): the store is \(what); run again when it has ended")
    }

    /// Where flock(2) does nothing, as on some network file systems, a lock that is held can be had a second time. Where it is
    /// known on this host alone, the table of mounts tells.
    private static func owner(_ lock: OpenFile?, in root: Folder?) throws(SyncError) -> String {
        guard let lock else { return "" }
        do throws(SystemFailure) {
            let second = try root?.folder(StoreLayout.locks).file(StoreLayout.useLock, .readWriteCreate)
            guard let second else { return "" }
            let isFree = try second.tryLock(exclusive: true)
            if isFree { second.unlock() }
            let device = try lock.status().device
            guard isFree || MountTable.locksAreLocal(device: device) else { return "" }
        } catch {
            throw cannotUse(lock.path, error)
        }
        return ".\(StoreLayout.random())"
    }

    private static func cannotUse(_ path: String, _ failure: SystemFailure) -> SyncError {
        var error = failure.storeError
        error.message = "the store \(path) can't be used: \(error.message)"
        return error
    }

    private static func notAStore(_ path: String) -> SyncError {
        SyncError(
            .storeIO,
            "\(path): this folder is not empty and is no modelsync store; name an empty or a new folder by --store")
    }

    // errno(3) values, named for what they tell here.
    static let notFound: Int32 = 2
    private static let notAFolder: Int32 = 20
    private static let notEmpty: Int32 = 39
    private static let tooManyLinks: Int32 = 40
    private static let ioError: Int32 = 5
    private static let newerLayout: Int32 = -1

    /// A folder of the layout.
    ///
    /// - Throws: ENOENT in a store that does not exist.
    func folder(_ relativePath: String) throws(SystemFailure) -> Folder {
        guard let root else { throw SystemFailure("open", path, code: Self.notFound) }
        if let known = folders.withLock({ $0[relativePath] }) { return known }
        let folder = try root.folder(relativePath)
        return folders.withLock { folders in
            folders[relativePath] = folder
            return folder
        }
    }

    /// The folder that a blob is to be in, made where it is missing. Opened once, as those of the layout.
    func blobFolder(of digest: SHA256Digest, isDurable: Bool) throws(SystemFailure) -> Folder {
        if let known = openedBlobFolder(of: digest) { return known }
        let made = try folder(StoreLayout.blobs)
            .folder(StoreLayout.blobFolder(digest), create: true, isDurable: isDurable)
        return blobFolders.withLock { folders in
            folders[Int(digest.leadingWord >> 24)] = made
            return made
        }
    }

    func openedBlobFolder(of digest: SHA256Digest) -> Folder? {
        blobFolders.withLock { $0[Int(digest.leadingWord >> 24)] }
    }

    /// Whether the file has a whole seal and was not found rotten under it.
    func isTrusted(_ status: FileStatus, _ digest: SHA256Digest, size: Int64) -> Bool {
        Seal.isIntact(status, digest, size: size) && !rotten.withLock { $0[digest]?.contains(status.inode) ?? false }
    }

    /// Whether a survey found that the file holds the digest's bytes, and nobody wrote to it since.
    func isVerified(_ status: FileStatus, _ digest: SHA256Digest) -> Bool {
        verified.withLock { $0[digest]?.contains { status.isUnwritten(since: $0) } ?? false }
    }

    /// Makes a store that was opened for changes one that may be cleaned, if nobody else uses it. To be called last: it may lose
    /// its share of the lock.
    public func mayClean() -> Bool { (try? useLock?.tryLock(exclusive: true)) ?? false }

    /// Gives back the share of the lock. To be called when nothing is to be changed any more: the last reference may be that of
    /// a thread which goes later, and whoever cleans the store next would find it in use.
    public func endUse() { useLock?.unlock() }

    /// Where times can't be set the file has no seal, and is hashed again at each look: slower, never wrong.
    func setSeal(of digest: SHA256Digest, on file: OpenFile) {
        do throws(SystemFailure) { try file.setModified(seconds: Seal.seconds(for: digest)) } catch {
            unsealable.withLock { $0 = error.reason }
        }
    }

    /// What is worth telling of the file system; once a run.
    public var notes: [String] {
        guard let reason = unsealable.withLock({ $0 }) else { return [] }
        return ["\(path): the times of files can't be set (\(reason)): every run hashes again what this one brought"]
    }

    /// Runs work of this store on its own threads, its failures as the store's errors.
    func blocking<Value: Sendable>(
        _ work: @escaping @Sendable () throws(SystemFailure) -> Value
    ) async throws(SyncError) -> Value {
        do throws(SystemFailure) { return try await pool.tryRun(work) } catch { throw error.storeError }
    }

    /// Bytes that may still be written; of the nearest folder above where the store is not there.
    func freeBytes() throws(SystemFailure) -> Int64 {
        if let root { return try root.freeBytes() }
        var folder = path
        while true {
            if let open = try? Folder.open(folder.isEmpty ? "/" : folder) { return try open.freeBytes() }
            guard let end = folder.utf8.lastIndex(of: UInt8(ascii: "/")) else { return .max }
            folder = String(folder[..<end])
        }
    }

    /// Where the file is when its model is published; nothing is looked at.
    public func viewPath(_ path: RelativePath, of model: ModelName) -> String {
        "\(self.path)/\(StoreLayout.models)/\(model.text)/\(path.text)"
    }

    /// The absolute path of a model's folder.
    public func modelPath(_ model: ModelName) -> String { "\(path)/\(StoreLayout.models)/\(model)" }
}

/// `store.json`: the layout's version.
enum StoreVersion {
    static func encode(_ version: Int) -> [UInt8] { Array("{\"layout\": \(version)}\n".utf8) }
}
