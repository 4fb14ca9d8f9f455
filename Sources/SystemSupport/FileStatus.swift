internal import Glibc

/// What stat(2) tells, as far as the store asks.
public struct FileStatus: Sendable, Hashable {
    /// What is under a name; sockets, pipes and devices are `other`.
    public enum Kind: Sendable, Hashable {
        case regular, directory, symbolicLink, other
    }

    /// What it is, a link itself where the call follows none.
    public var kind: Kind
    /// Bytes.
    public var size: Int64
    /// Bytes that it takes on the disk: more than its size where room is reserved, less where it has holes.
    public var allocated: Int64
    /// The last modification: seconds since 1970, and nanoseconds of the second.
    public var modified: (seconds: Int64, nanoseconds: Int64)
    /// When bytes, names or mode last changed, in whole seconds since 1970: nobody can set it.
    public var changed: Int64
    /// With ``inode``, which file it is. Both may come again once the file is gone.
    public var device: UInt64
    /// Unique on its device.
    public var inode: UInt64
    /// How many names the file has.
    public var linkCount: UInt64
    /// Permission bits only.
    public var mode: UInt32
    /// Who owns it.
    var userID: UInt32
    var groupID: UInt32

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symbolicLink
        default: kind = .other
        }
        size = Int64(status.st_size)
        // st_blocks counts in 512 bytes, whatever the file system's blocks are.
        allocated = Int64(status.st_blocks) * 512
        modified = (Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec))
        changed = Int64(status.st_ctim.tv_sec)
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        linkCount = UInt64(status.st_nlink)
        mode = UInt32(status.st_mode) & 0o7777
        userID = status.st_uid
        groupID = status.st_gid
    }

    /// Whether this process may do with it what its owner may.
    public var isThisUsers: Bool { geteuid() == userID || geteuid() == 0 }

    /// Whether both are one file, under whatever names.
    public func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }

    /// Whether both are looks at one file that was not written in between.
    public func isUnwritten(since earlier: FileStatus) -> Bool {
        isSameFile(as: earlier) && kind == earlier.kind && size == earlier.size && modified == earlier.modified
    }

    /// Equal where one file looks the same twice; left out are the room that it takes, which the kernel may change by itself,
    /// and when its names changed.
    public static func == (a: FileStatus, b: FileStatus) -> Bool {
        a.isSameFile(as: b) && a.kind == b.kind && a.size == b.size && a.modified == b.modified && a.mode == b.mode
            && a.linkCount == b.linkCount
    }

    /// By the file alone: looks at one file share a bucket.
    public func hash(into hasher: inout Hasher) {
        hasher.combine(device)
        hasher.combine(inode)
    }
}

/// Retries a call that a signal interrupted.
func uninterrupted<Value: SignedInteger>(_ call: () -> Value) -> Value {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
