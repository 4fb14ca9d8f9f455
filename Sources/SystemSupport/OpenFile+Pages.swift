internal import Glibc

/// What the page cache has of a file, and what it should have.
extension OpenFile {
    /// Whether most of the range is in the page cache (mincore(2)). True where that can't be told, as for other users' files.
    public func isCached(_ range: Range<Int64>) -> Bool {
        let page = Int64(sysconf(Int32(_SC_PAGESIZE)))
        let start = range.lowerBound / page * page
        let length = Int(range.upperBound - start)
        // Only looked at, never read: a file that shrinks does no harm.
        let mapping = unsafe mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, off_t(start))
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else { return true }
        defer { _ = unsafe munmap(mapping, length) }
        var pages = [UInt8](repeating: 0, count: (length + Int(page) - 1) / Int(page))
        guard unsafe mincore(mapping, length, &pages) == 0 else { return true }
        return pages.count { $0 & 1 == 1 } * 2 > pages.count
    }

    /// Starts to read the range into the page cache, and does not wait for it.
    public func adviseNeeded(_ range: Range<Int64>) {
        _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), Int32(POSIX_FADV_WILLNEED))
    }

    /// Lets the page cache forget the range, as far as no program uses it.
    public func adviseUnneeded(_ range: Range<Int64>) {
        _ = posix_fadvise(descriptor, off_t(range.lowerBound), off_t(range.count), Int32(POSIX_FADV_DONTNEED))
    }
}
