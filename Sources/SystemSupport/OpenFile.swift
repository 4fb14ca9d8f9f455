internal import CLinux
internal import Glibc
internal import Synchronization

/// An open file, closed when the last reference goes. Reads and writes are positioned, so any thread may make them.
public final class OpenFile: Sendable {
    /// For messages.
    public let path: String
    let descriptor: Int32
    private let isLocked = Atomic(false)

    /// Takes ownership of the descriptor.
    init(descriptor: Int32, path: String) {
        self.descriptor = descriptor
        self.path = path
    }

    deinit {
        // A process that is being spawned just now has a copy of the descriptor, and close(2) would leave it the lock.
        if isLocked.load(ordering: .relaxed) { unlock() }
        // Data is made durable by `synchronize`; what close(2) could still report is of no file that matters.
        _ = close(descriptor)
    }

    /// Opens a file to read, following symbolic links: for files that users name.
    public static func read(_ path: String) throws(SystemFailure) -> OpenFile {
        let descriptor = uninterrupted { unsafe open(path, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw .last("open", path) }
        return OpenFile(descriptor: descriptor, path: path)
    }

    /// Writes bytes to a device or a pipe that a user names, which has no positions.
    ///
    /// - Throws: the system's failure.
    public static func writeStream(_ path: String, _ bytes: [UInt8]) throws(SystemFailure) {
        let descriptor = uninterrupted { unsafe open(path, O_WRONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { throw .last("open", path) }
        let file = OpenFile(descriptor: descriptor, path: path)
        var done = 0
        while done < bytes.count {
            let count = unsafe bytes.withUnsafeBytes { bytes in
                let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[done...])
                return uninterrupted { unsafe Glibc.write(file.descriptor, rest.baseAddress, rest.count) }
            }
            guard count >= 0 else { throw .last("write", path) }
            done += count
        }
    }

    /// What fstat(2) tells of the open file, whatever its name now holds.
    public func status() throws(SystemFailure) -> FileStatus {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else { throw .last("fstat", path) }
        return FileStatus(status)
    }

    /// Reads at `offset` until the buffer is full or the file ends.
    ///
    /// - Returns: the bytes read, fewer than asked for only at the end of the file.
    public func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int64) throws(SystemFailure) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = uninterrupted {
                unsafe pread(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done))
            }
            guard count >= 0 else { throw .last("read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }

    /// The whole file.
    ///
    /// - Throws: EFBIG if it has more than `limit` bytes.
    public func readAll(limit: Int = .max) throws(SystemFailure) -> [UInt8] {
        // The size is a hint alone: pipes and /proc have none, and some files there are read at once or not at all. A byte more
        // shows whether there are others.
        let hint = min(max(Int(clamping: try status().size), 0), limit, 1 << 30)
        var out = try readSome(upTo: hint == 0 ? 1 << 16 : hint + 1)
        while out.count <= limit {
            let more = try readSome(upTo: 1 << 16)
            if more.isEmpty { return out }
            out += more
        }
        throw SystemFailure("read", path, code: EFBIG)
    }

    /// The next bytes, straight into the array; none at the end.
    private func readSome(upTo most: Int) throws(SystemFailure) -> [UInt8] {
        var failure: SystemFailure?
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: most) { room, filled in
            let count = uninterrupted { unsafe Glibc.read(descriptor, room.baseAddress, room.count) }
            if count < 0 { failure = .last("read", path) }
            filled = max(0, count)
        }
        if let failure { throw failure }
        return bytes
    }

    /// Writes all of the bytes at `offset`.
    public func write(_ bytes: RawSpan, at offset: Int64) throws(SystemFailure) {
        var done = 0
        while done < bytes.byteCount {
            let rest = bytes.extracting(droppingFirst: done)
            let count = unsafe rest.withUnsafeBytes { rest in
                uninterrupted { unsafe pwrite(descriptor, rest.baseAddress, rest.count, off_t(offset) + off_t(done)) }
            }
            guard count >= 0 else { throw .last("write", path) }
            done += count
        }
    }

    /// Copies the whole of another file to this one's start.
    public func copy(_ other: OpenFile) throws(SystemFailure) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { unsafe buffer.deallocate() }
        var offset: Int64 = 0
        while true {
            let count = try unsafe other.read(into: buffer, at: offset)
            if count == 0 { return }
            try unsafe write(buffer.bytes.extracting(first: count), at: offset)
            offset += Int64(count)
        }
    }

    /// Gives a file that was made without a name its first; EEXIST if it is taken.
    ///
    /// - Throws: ENOENT also where neither this user may link what is open nor `/proc` is there to name it by (linkat(2)).
    public func link(to folder: Folder, _ name: String) throws(SystemFailure) {
        if unsafe linkat(descriptor, "", folder.descriptor, name, modelsync_AT_EMPTY_PATH) == 0 { return }
        // What it answers to all but root.
        if errno == ENOENT,
            unsafe linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", folder.descriptor, name, AT_SYMLINK_FOLLOW) == 0
        {
            return
        }
        throw .last("link", folder.full(name))
    }

    /// Cuts or extends the file to `size` bytes.
    public func resize(to size: Int64) throws(SystemFailure) {
        guard uninterrupted({ ftruncate(descriptor, off_t(size)) }) == 0 else { throw .last("ftruncate", path) }
    }

    /// Asks for room for `size` bytes without changing the length, so that a full disk is found early and large files
    /// lie in one piece. Where the file system can't, nothing happens.
    ///
    /// - Throws: ENOSPC or EDQUOT when the room is not there.
    public func reserve(_ size: Int64) throws(SystemFailure) {
        let result = uninterrupted { fallocate(descriptor, modelsync_FALLOC_FL_KEEP_SIZE, 0, off_t(size)) }
        if result != 0, errno == ENOSPC || errno == EDQUOT { throw .last("fallocate", path) }
    }

    /// Makes bytes and status durable (fsync(2)).
    public func synchronize() throws(SystemFailure) {
        guard uninterrupted({ fsync(descriptor) }) == 0 else { throw .last("fsync", path) }
    }

    /// Has the disk begin to write the range, and does not wait for its end (sync_file_range(2)): no promise of anything.
    public func startWriteback(_ range: Range<Int64>) {
        _ = modelsync_start_writeback(descriptor, off_t(range.lowerBound), off_t(range.count))
    }

    /// After a `syncfs`: whether the bytes of this file reached the disk (sync_file_range(2)).
    ///
    /// - Throws: EIO, ENOSPC or whatever kept them from it, once.
    public func checkWritten() throws(SystemFailure) {
        guard uninterrupted({ modelsync_wait_for_writeback(descriptor) }) != 0,
            errno == EIO || errno == ENOSPC || errno == EDQUOT
        else { return }
        throw .last("write", path)
    }

    /// Sets the permission bits, with no regard to the umask.
    public func setMode(_ mode: UInt32) throws(SystemFailure) {
        guard fchmod(descriptor, mode_t(mode)) == 0 else { throw .last("fchmod", path) }
    }

    /// Where this process is root: makes it belong to whom `other` belongs to. Else nothing happens.
    public func give(toOwnerOf other: FileStatus) throws(SystemFailure) {
        guard geteuid() == 0, other.userID != 0 else { return }
        guard fchown(descriptor, other.userID, other.groupID) == 0 else { throw .last("fchown", path) }
    }

    /// Sets the last modification to a whole second; the last access is left alone.
    public func setModified(seconds: Int64) throws(SystemFailure) {
        let times = [timespec(tv_sec: 0, tv_nsec: modelsync_UTIME_OMIT), timespec(tv_sec: Int(seconds), tv_nsec: 0)]
        guard unsafe futimens(descriptor, times) == 0 else { throw .last("futimens", path) }
    }

    /// Sets the last access and modification to the present.
    public func setModifiedNow() throws(SystemFailure) {
        guard futimens(descriptor, nil) == 0 else { throw .last("futimens", path) }
    }

    /// Takes the file's lock (flock(2)): it goes with the last reference, or with the process.
    ///
    /// - Returns: false if another open file holds it in a way that excludes this.
    public func tryLock(exclusive: Bool) throws(SystemFailure) -> Bool {
        if uninterrupted({ flock(descriptor, (exclusive ? LOCK_EX : LOCK_SH) | LOCK_NB) }) == 0 {
            isLocked.store(true, ordering: .relaxed)
            return true
        }
        if errno == EWOULDBLOCK { return false }
        // Some network file systems have no locks: turns can't be taken there, and the worst is a file fetched twice.
        if errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL { return true }
        throw .last("flock", path)
    }

    /// As ``tryLock(exclusive:)``, waiting; blocks the thread.
    public func lock(exclusive: Bool) throws(SystemFailure) {
        if uninterrupted({ flock(descriptor, exclusive ? LOCK_EX : LOCK_SH) }) == 0 {
            return isLocked.store(true, ordering: .relaxed)
        }
        if errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL { return }
        throw .last("flock", path)
    }

    /// Takes a lock of one byte, which need not be there (fcntl(2), F_OFD_SETLK): it goes with the last reference, or with the
    /// process. This open file may have many.
    ///
    /// - Parameter byte: less than 2⁶³ − 1.
    /// - Returns: false if another open file holds it.
    /// - Throws: the system's failure.
    public func tryLock(byte: Int64) throws(SystemFailure) -> Bool {
        if lock(byte: byte, F_WRLCK) { return true }
        if errno == EAGAIN || errno == EACCES { return false }
        // As for flock(2).
        if errno == ENOLCK || errno == EOPNOTSUPP || errno == EINVAL { return true }
        throw .last("lock", path)
    }

    /// Gives a byte's lock back.
    public func unlock(byte: Int64) { _ = lock(byte: byte, F_UNLCK) }

    private func lock(byte: Int64, _ type: Int32) -> Bool {
        var range = flock()
        range.l_type = Int16(type)
        range.l_whence = Int16(SEEK_SET)
        (range.l_start, range.l_len) = (off_t(byte), 1)
        return uninterrupted { unsafe fcntl(descriptor, modelsync_F_OFD_SETLK, &range) } == 0
    }

    /// Gives the lock back before the file is closed.
    public func unlock() {
        isLocked.store(false, ordering: .relaxed)
        _ = flock(descriptor, LOCK_UN)
    }
}
