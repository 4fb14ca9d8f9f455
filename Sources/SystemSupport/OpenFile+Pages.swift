internal import Glibc

/// What the page cache has of a file, and what it should have.
extension OpenFile {
    /// Whether most of the range is in the page cache, by a look at 32 of its pages (mincore(2)). True where that can't be
    /// told, as for other users' files.
    public func isCached(_ range: Range<Int64>) -> Bool {
        let page = sysconf(Int32(_SC_PAGESIZE))
        let start = Int(range.lowerBound) / page * page
        let count = (Int(range.upperBound) - start + page - 1) / page
        // Only looked at, never read: a file that shrinks does no harm.
        let mapping = unsafe mmap(nil, count * page, PROT_READ, MAP_SHARED, descriptor, off_t(start))
        guard let mapping = unsafe mapping, unsafe mapping != MAP_FAILED else { return true }
        defer { _ = unsafe munmap(mapping, count * page) }
        var (looks, cached) = (0, 0)
        for index in stride(from: 0, to: count, by: max(1, count / 32)) {
            var state: UInt8 = 1
            guard unsafe mincore(mapping + index * page, page, &state) == 0 else { return true }
            looks += 1
            cached += Int(state & 1)
        }
        return cached * 2 > looks
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
