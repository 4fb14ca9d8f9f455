internal import Glibc

/// What stat(2) tells, as far as the store asks.
public struct FileStatus: Sendable, Hashable {
    public enum Kind: Sendable, Hashable {
        case regular, directory, symbolicLink, other
    }

    public var kind: Kind
    /// Bytes.
    public var size: Int64
    /// The last modification: seconds since 1970, and nanoseconds of the second.
    public var modified: (seconds: Int64, nanoseconds: Int64)
    public var device: UInt64
    public var inode: UInt64
    public var linkCount: UInt64
    /// Permission bits only.
    public var mode: UInt32

    init(_ status: stat) {
        switch status.st_mode & S_IFMT {
        case S_IFREG: kind = .regular
        case S_IFDIR: kind = .directory
        case S_IFLNK: kind = .symbolicLink
        default: kind = .other
        }
        size = Int64(status.st_size)
        modified = (Int64(status.st_mtim.tv_sec), Int64(status.st_mtim.tv_nsec))
        device = UInt64(status.st_dev)
        inode = UInt64(status.st_ino)
        linkCount = UInt64(status.st_nlink)
        mode = UInt32(status.st_mode) & 0o7777
    }

    /// Whether both are one file, under whatever names.
    public func isSameFile(as other: FileStatus) -> Bool { device == other.device && inode == other.inode }

    public static func == (a: FileStatus, b: FileStatus) -> Bool {
        a.isSameFile(as: b) && a.kind == b.kind && a.size == b.size && a.modified == b.modified && a.mode == b.mode
            && a.linkCount == b.linkCount
    }

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
