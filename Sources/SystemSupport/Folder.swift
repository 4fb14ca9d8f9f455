internal import CLinux
internal import Glibc

/// An open folder: all names are relative to it, and no call here follows a symbolic link at a name's end. So a link
/// that somebody puts into the store leads no write out of it.
public final class Folder: Sendable {
    /// For messages.
    public let path: String
    let descriptor: Int32

    private init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        _ = close(descriptor)
    }

    /// Opens a folder that a user named: symbolic links on the way are followed.
    public static func open(_ path: String) throws(SystemFailure) -> Folder {
        let descriptor = uninterrupted { unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw .last("open", path) }
        return Folder(descriptor: descriptor, path: path)
    }

    /// Makes a folder that a user named, and those above it, where they are missing.
    public static func create(_ path: String) throws(SystemFailure) {
        var status = stat()
        if unsafe stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        if let end = path.utf8.lastIndex(of: UInt8(ascii: "/")), end != path.startIndex {
            try create(String(path[..<end]))
        }
        guard unsafe mkdir(path, 0o755) == 0 || errno == EEXIST else { throw .last("mkdir", path) }
    }

    /// Opens the folder at a relative path, one component at a time, none of them a symbolic link. What is made is
    /// durable, unless `isDurable` is false: a file that is synchronised in it later is not lost with its folder. It has `mode`
    /// less the umask.
    ///
    /// - Throws: ELOOP or ENOTDIR for a link, ENOENT where it is missing and `create` is false.
    public func folder(
        _ relativePath: some StringProtocol, create: Bool = false, isDurable: Bool = true, mode: UInt32 = 0o755
    ) throws(SystemFailure) -> Folder {
        var current = self
        for component in relativePath.split(separator: "/") {
            current = try current.child(String(component), create: create, isDurable: isDurable, mode: mode)
        }
        return current
    }

    /// As ``folder(_:create:isDurable:mode:)``, nil where it is missing.
    public func folderIfPresent(_ relativePath: some StringProtocol) throws(SystemFailure) -> Folder? {
        do { return try folder(relativePath) } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    private func child(
        _ name: String, create: Bool, isDurable: Bool = true, mode: UInt32 = 0o755
    ) throws(SystemFailure) -> Folder {
        let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC
        var descriptor = uninterrupted { unsafe openat(self.descriptor, name, flags) }
        if descriptor < 0, errno == ENOENT, create {
            let isMade = unsafe mkdirat(self.descriptor, name, mode_t(mode)) == 0
            guard isMade || errno == EEXIST else { throw .last("mkdir", full(name)) }
            if isMade, isDurable { try synchronize() }
            descriptor = uninterrupted { unsafe openat(self.descriptor, name, flags) }
        }
        guard descriptor >= 0 else {
            let failure = SystemFailure.last("open", full(name))
            // O_DIRECTORY and O_NOFOLLOW together answer ENOTDIR for a link: say what it is.
            if failure.code == ENOTDIR, (try? status(name))?.kind == .symbolicLink {
                throw SystemFailure("open", full(name), code: ELOOP)
            }
            throw failure
        }
        return Folder(descriptor: descriptor, path: full(name))
    }

    /// Where this process is root: makes the folder belong to whom `other` belongs to. Else nothing happens.
    public func give(toOwnerOf other: FileStatus) throws(SystemFailure) {
        guard geteuid() == 0, other.userID != 0 else { return }
        guard fchown(descriptor, other.userID, other.groupID) == 0 else { throw .last("fchown", path) }
    }

    /// Sets the folder's permission bits, with no regard to the umask.
    public func setMode(_ mode: UInt32) throws(SystemFailure) {
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw .last("fchmod", path) }
    }

    /// What fstat(2) tells of the folder itself.
    public func status() throws(SystemFailure) -> FileStatus {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .last("fstat", path) }
        return FileStatus(status)
    }

    /// The path of a name in here, for messages.
    public func full(_ name: some StringProtocol) -> String { path == "/" ? "/\(name)" : "\(path)/\(name)" }

    /// How ``file(_:_:mode:)`` opens.
    public enum Access: Sendable {
        case read
        case readWrite
        /// Made if it is missing.
        case readWriteCreate
        /// EEXIST if it is there.
        case createNew
    }

    /// Opens the file of that name, which must not be a symbolic link (ELOOP). Never blocks on a FIFO.
    public func file(_ name: String, _ access: Access, mode: UInt32 = 0o644) throws(SystemFailure) -> OpenFile {
        let flags: Int32 =
            switch access {
            case .read: O_RDONLY
            case .readWrite: O_RDWR
            case .readWriteCreate: O_RDWR | O_CREAT
            case .createNew: O_RDWR | O_CREAT | O_EXCL
            }
        let descriptor = uninterrupted {
            unsafe openat(self.descriptor, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, mode_t(mode))
        }
        guard descriptor >= 0 else { throw .last("open", full(name)) }
        return OpenFile(descriptor: descriptor, path: full(name))
    }

    /// Makes a file with no name on this folder's file system (open(2), O_TMPFILE), to read and to write; ``OpenFile/link(to:_:)``
    /// names it. It is gone with its last reference, and with the process. It has `mode` less the umask.
    ///
    /// - Throws: where the file system has no such files, a failure that is unsupported.
    public func fileWithoutName(mode: UInt32) throws(SystemFailure) -> OpenFile {
        let descriptor = uninterrupted {
            unsafe openat(self.descriptor, ".", O_RDWR | modelsync_O_TMPFILE | O_CLOEXEC, mode_t(mode))
        }
        if descriptor >= 0 { return OpenFile(descriptor: descriptor, path: full("(no name)")) }
        // What kernels answer that do not know the flag.
        if errno == EISDIR || errno == ENOENT { errno = EOPNOTSUPP }
        throw .last("open", full("(no name)"))
    }

    /// Opens a file at any depth below to read all of it, with no symbolic link on the way. In one call where the kernel and
    /// the file's owner let it (Linux 5.6), and its time of last access stays; else folder by folder.
    public func file(below relativePath: String) throws(SystemFailure) -> OpenFile {
        let flags = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK
        let descriptor = uninterrupted { unsafe modelsync_open_below(self.descriptor, relativePath, flags) }
        if descriptor >= 0 { return OpenFile(descriptor: descriptor, path: full(relativePath)) }
        // Whatever it was, the plain calls tell it in their own words.
        guard let end = relativePath.utf8.lastIndex(of: UInt8(ascii: "/")) else { return try file(relativePath, .read) }
        let name = String(relativePath[relativePath.utf8.index(after: end)...])
        return try folder(relativePath[..<end]).file(name, .read)
    }

    /// lstat of a name; of a relative path, links in its middle are followed: for looking, never for writing.
    public func status(_ name: String) throws(SystemFailure) -> FileStatus {
        var status = stat()
        guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else {
            throw .last("stat", full(name))
        }
        return FileStatus(status)
    }

    /// As ``status(_:)``, nil where nothing is; the name is a NUL-terminated C string in `name`, so that a pass over
    /// a hundred thousand files makes no strings.
    public func statusIfPresent(cString name: [UInt8]) throws(SystemFailure) -> FileStatus? {
        var status = stat()
        let result = unsafe name.withUnsafeBufferPointer { name in
            unsafe name.withMemoryRebound(to: CChar.self) { name in
                // An empty array has no address and names nothing.
                guard let start = name.baseAddress else { return Int32(-1) }
                return unsafe fstatat(descriptor, start, &status, AT_SYMLINK_NOFOLLOW)
            }
        }
        if result == 0 { return FileStatus(status) }
        if errno == ENOENT || errno == ENOTDIR { return nil }
        throw .last("stat", full(String(decoding: name.dropLast(), as: UTF8.self)))
    }

    /// As ``status(_:)``, nil where nothing is.
    public func statusIfPresent(_ name: String) throws(SystemFailure) -> FileStatus? {
        do { return try status(name) } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    /// Renames over whatever file has the target name.
    public func rename(_ name: String, to target: Folder, _ newName: String) throws(SystemFailure) {
        guard unsafe renameat(descriptor, name, target.descriptor, newName) == 0 else {
            throw .last("rename", "\(full(name)) to \(target.full(newName))")
        }
    }

    /// Renames; EEXIST if the target name is taken.
    public func renameNew(_ name: String, to target: Folder, _ newName: String) throws(SystemFailure) {
        do { try rename2(name, to: target, newName, flags: modelsync_RENAME_NOREPLACE) } catch {
            // Network file systems know no flags: looking first leaves a moment in which a file that another process
            // makes under the name would be replaced.
            guard error.isUnsupported else { throw error }
            guard try target.statusIfPresent(newName) == nil else {
                throw SystemFailure("rename", target.full(newName), code: EEXIST)
            }
            try rename(name, to: target, newName)
        }
    }

    /// Exchanges two names at once, so that whoever opens either finds the old or the new, never nothing.
    public func exchange(_ name: String, with target: Folder, _ otherName: String) throws(SystemFailure) {
        try rename2(name, to: target, otherName, flags: modelsync_RENAME_EXCHANGE)
    }

    private func rename2(_ name: String, to target: Folder, _ newName: String, flags: UInt32) throws(SystemFailure) {
        guard unsafe modelsync_renameat2(descriptor, name, target.descriptor, newName, flags) == 0 else {
            throw .last("rename", "\(full(name)) to \(target.full(newName))")
        }
    }

    /// Gives a file a second name; EEXIST if it is taken. A symbolic link itself is linked, not what it names.
    public func link(_ name: String, to target: Folder, _ newName: String) throws(SystemFailure) {
        guard unsafe linkat(descriptor, name, target.descriptor, newName, 0) == 0 else {
            throw .last("link", "\(full(name)) to \(target.full(newName))")
        }
    }

    /// Removes a name that is no folder's; a symbolic link itself, not what it names.
    public func removeFile(_ name: String) throws(SystemFailure) {
        guard unsafe unlinkat(descriptor, name, 0) == 0 else { throw .last("unlink", full(name)) }
    }

    /// Removes an empty folder.
    ///
    /// - Throws: ENOTEMPTY if something is in it.
    public func removeFolder(_ name: String) throws(SystemFailure) {
        guard unsafe unlinkat(descriptor, name, AT_REMOVEDIR) == 0 else { throw .last("rmdir", full(name)) }
    }

    /// Removes the folder at a relative path, and those above it, as far as they are empty.
    public func removeEmpty(_ relativePath: some StringProtocol) throws(SystemFailure) {
        var components = relativePath.split(separator: "/")
        while !components.isEmpty {
            guard unsafe unlinkat(descriptor, components.joined(separator: "/"), AT_REMOVEDIR) == 0 else {
                if errno == ENOTEMPTY || errno == EEXIST || errno == ENOENT { return }
                throw .last("rmdir", full(components.joined(separator: "/")))
            }
            components.removeLast()
        }
    }

    /// Removes a file or a whole folder; nothing there is no error. Links are removed, never followed.
    public func removeTree(_ name: String) throws(SystemFailure) {
        guard let status = try statusIfPresent(name) else { return }
        guard status.kind == .directory else { return try removeFile(name) }
        let inner = try child(name, create: false)
        for entry in try inner.entries() { try inner.removeTree(entry.name) }
        try removeFolder(name)
    }

    /// Makes names in here durable (fsync(2) on the folder). Where the file system can't, nothing happens.
    public func synchronize() throws(SystemFailure) {
        guard uninterrupted({ fsync(descriptor) }) != 0, errno != EINVAL, errno != EOPNOTSUPP else { return }
        throw .last("fsync", path)
    }

    /// Makes all that was written to the folder's file system durable (syncfs(2)), names as well. Of bytes that could not be
    /// written it may keep silent: ask ``OpenFile/checkWritten()``.
    public func synchronizeFileSystem() throws(SystemFailure) {
        guard uninterrupted({ syncfs(descriptor) }) == 0 else { throw .last("syncfs", path) }
    }

    /// statvfs(3): the bytes that this user may still write to the folder's file system.
    public func freeBytes() throws(SystemFailure) -> Int64 {
        var status = statvfs()
        guard unsafe fstatvfs(descriptor, &status) == 0 else { throw .last("statvfs", path) }
        let (bytes, overflow) = UInt64(status.f_bavail).multipliedReportingOverflow(by: UInt64(status.f_frsize))
        return overflow ? .max : Int64(clamping: bytes)
    }

    /// One name in a folder.
    public struct Entry: Sendable {
        /// As the file system has it; bytes that are no UTF-8 are replaced.
        public var name: String
        /// What is under the name, asked for where the listing does not tell.
        public var kind: FileStatus.Kind
    }

    /// All names but `.` and `..`, in the file system's order.
    public func entries() throws(SystemFailure) -> [Entry] {
        var out: [Entry] = []
        unsafe try forEachEntry { kind, name in
            out.append(Entry(name: unsafe String(cString: name), kind: kind))
        }
        return out
    }

    /// How many files (of any kind but folders) lie in here, and the folders: without making a string for each file.
    public func census() throws(SystemFailure) -> (files: Int, folders: [String]) {
        var files = 0
        var folders: [String] = []
        unsafe try forEachEntry { kind, name in
            if kind == .directory { folders.append(unsafe String(cString: name)) } else { files += 1 }
        }
        return (files, folders)
    }

    private func forEachEntry(_ body: (FileStatus.Kind, UnsafePointer<CChar>) -> Void) throws(SystemFailure) {
        // A descriptor of its own: the stream has a position and closes what it was given.
        let copy = uninterrupted { unsafe openat(descriptor, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard copy >= 0 else { throw .last("open", path) }
        guard let stream = unsafe fdopendir(copy) else {
            let failure = SystemFailure.last("opendir", path)
            _ = close(copy)
            throw failure
        }
        defer { unsafe closedir(stream) }
        while true {
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                if errno != 0 { throw .last("readdir", path) }
                return
            }
            let type = unsafe entry.pointee.d_type
            unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
                unsafe name.withMemoryRebound(to: CChar.self, capacity: 256) { name in
                    if unsafe strcmp(name, ".") == 0 || strcmp(name, "..") == 0 { return }
                    unsafe body(kind(type, name), name)
                }
            }
        }
    }

    private func kind(_ type: UInt8, _ name: UnsafePointer<CChar>) -> FileStatus.Kind {
        switch Int(type) {
        case Int(DT_REG): return .regular
        case Int(DT_DIR): return .directory
        case Int(DT_LNK): return .symbolicLink
        case Int(DT_UNKNOWN):
            // Some file systems don't say: ask.
            var status = stat()
            guard unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0 else { return .other }
            return FileStatus(status).kind
        default: return .other
        }
    }
}
