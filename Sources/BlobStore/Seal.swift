internal import SyncDomain
internal import SystemSupport

/// The mark of a blob that was verified and not touched since: its modification time.
///
/// It is a whole, even second between 2000 and 2017, derived from the digest. Any ordinary write sets a later time;
/// archives, copies that keep times and file systems with two-second times all keep it.
enum Seal {
    /// 2000-01-01T00:00:00Z.
    private static let firstSecond: Int64 = 946_684_800
    /// Even seconds from there to 2017-01-01T00:00:00Z.
    private static let choices: UInt32 = 268_272_000

    /// Seconds since 1970.
    static func seconds(for digest: SHA256Digest) -> Int64 {
        firstSecond + 2 * Int64(digest.leadingWord % choices)
    }

    /// Whether the file is one that was committed with this digest and size, and not written since.
    static func isIntact(_ status: FileStatus, _ digest: SHA256Digest, size: Int64) -> Bool {
        status.kind == .regular && status.size == size && status.modified == (seconds(for: digest), 0)
    }
}
