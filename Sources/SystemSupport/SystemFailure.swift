internal import Glibc
public import SyncDomain

/// A system call that failed: which, on what, and why.
public struct SystemFailure: Error, Sendable, Hashable, CustomStringConvertible {
    /// The call's name, like `openat`.
    public var call: String
    /// The path or object that it was about.
    public var subject: String
    /// errno(3).
    public var code: Int32

    /// Takes the parts as they are; `code` is an errno.
    public init(_ call: String, _ subject: String, code: Int32) {
        self.call = call
        self.subject = subject
        self.code = code
    }

    /// Takes errno as the call left it: make this before any other call.
    static func last(_ call: String, _ subject: @autoclosure () -> String) -> SystemFailure {
        let code = errno
        return SystemFailure(call, subject(), code: code)
    }

    /// What a call answers where this user may not.
    public static func noPermission(_ call: String, _ subject: String) -> SystemFailure {
        SystemFailure(call, subject, code: EACCES)
    }

    /// Nothing is under the name, or what should be a folder on the way is none.
    public var isNotFound: Bool { code == ENOENT || code == ENOTDIR }
    /// The name is taken, or the folder to replace has something in it.
    public var exists: Bool { code == EEXIST || code == ENOTEMPTY }
    /// A folder where a file was wanted.
    public var isDirectory: Bool { code == EISDIR }
    /// A symbolic link where none may be: what O_NOFOLLOW answers.
    public var isSymbolicLink: Bool { code == ELOOP }
    /// A socket or a device in a file's place.
    public var isNoDevice: Bool { code == ENXIO || code == ENODEV }
    /// This user may not; EPERM is not meant, which file systems answer for what they can't.
    public var isPermission: Bool { code == EACCES }
    /// The file system can't do this at all, as opposed to not now: no hard links, no exchange.
    public var isUnsupported: Bool { [EPERM, EOPNOTSUPP, ENOSYS, EINVAL, EMLINK, EXDEV].contains(code) }

    /// `subject: call: reason`
    public var description: String { "\(subject): \(call): \(reason)" }

    /// strerror(3) in lower case.
    public var reason: String {
        // glibc keeps the text of known errors in constants, of unknown ones per thread: safe from any thread.
        guard let start = unsafe strerror(code) else { return "error \(code)" }
        let text = unsafe String(cString: start)
        return text.prefix(1).lowercased() + text.dropFirst()
    }

    /// The same as an error of the store: its code, and what to do.
    public var storeError: SyncError {
        switch code {
        case ENOSPC, EDQUOT:
            SyncError(.storeNoSpace, "\(subject): \(reason); free some space and run again: what has arrived is kept")
        case EACCES, EPERM, EROFS:
            SyncError(.storePermission, "\(subject): \(call): \(reason); check who owns it and how it is mounted")
        case ELOOP:
            SyncError(
                .storePermission,
                "\(subject): a symbolic link stands where the store needs a file or folder of its own; remove the link")
        default:
            SyncError(.storeIO, "\(subject): \(call): \(reason)")
        }
    }
}
