import Glibc
import ModelSyncKit

/// How urgent a line is: syslog(3).
enum LogPriority: Int {
    case error = 3
    case warning = 4
    case info = 6
}

/// The lines of standard error as systemd's journal wants them: with their priority at their head (sd-daemon(3)), so that
/// `journalctl -p err` finds the errors.
struct Journal {
    /// What identifies an open file.
    struct FileIdentity: Equatable {
        var device: UInt64
        var inode: UInt64
    }

    let isConnected: Bool

    /// - Parameters:
    ///   - variable: `$JOURNAL_STREAM`, the device and inode of the stream that a service was started with.
    ///   - stream: what standard error is now: a service's children inherit the variable, and may be redirected.
    init(variable: String?, stream: FileIdentity?) {
        let numbers = variable?.split(separator: ":", omittingEmptySubsequences: false).map { UInt64($0) } ?? []
        guard numbers.count == 2, let device = numbers[0], let inode = numbers[1], let stream else {
            isConnected = false
            return
        }
        isConnected = stream == FileIdentity(device: device, inode: inode)
    }

    /// The text, each line of it with its priority; as it is where nobody reads them.
    func marked(_ text: String, _ priority: LogPriority) -> String {
        guard isConnected else { return text }
        let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        return lines.map { "<\(priority.rawValue)>\($0)" }.joined(separator: "\n")
    }

    /// Of this process.
    static let current = Journal(variable: SyncConfiguration().environment("JOURNAL_STREAM"), stream: standardError)

    private static var standardError: FileIdentity? {
        var status = stat()
        guard unsafe fstat(2, &status) == 0 else { return nil }
        return FileIdentity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }
}
