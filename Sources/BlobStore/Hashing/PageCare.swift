internal import SystemSupport

/// Keeps the disk ahead of the hashing of a large file, and leaves the page cache to other programs as it was found: what
/// was not in it before is dropped once it is hashed, what was there stays.
struct PageCare: Sendable {
    /// Smaller files are left to the kernel's own read-ahead.
    static let threshold: Int64 = 4 << 20
    /// The unit of looking and of dropping.
    private static let windowBytes: Int64 = 32 << 20
    /// The unit of asking ahead: file systems cut longer wishes short.
    private static let stepBytes: Int64 = 1 << 20
    private static let steps: Int64 = 4

    private let size: Int64
    /// The window being read, if it was not in the cache.
    private var cold: Range<Int64>?
    private var windowEnd: Int64 = 0
    private var askedUpTo: Int64 = 0

    init(size: Int64) {
        self.size = size
    }

    /// Before each read, in order.
    mutating func willRead(_ file: OpenFile, at offset: Int64) {
        if offset >= windowEnd {
            didEnd(file)
            let window = offset..<min(size, offset + Self.windowBytes)
            windowEnd = window.upperBound
            cold = file.isCached(window) ? nil : window
            askedUpTo = offset
        }
        guard cold != nil else { return }
        while askedUpTo < min(windowEnd, offset + Self.steps * Self.stepBytes) {
            file.adviseNeeded(askedUpTo..<min(windowEnd, askedUpTo + Self.stepBytes))
            askedUpTo += Self.stepBytes
        }
    }

    /// After the last.
    func didEnd(_ file: OpenFile) {
        if let cold { file.adviseUnneeded(cold) }
    }
}
