import Glibc

/// How many files the process may have open at once, and what follows for the files that are fetched at once.
enum Descriptors {
    /// Raises the limit as far as it may be: the one that shells give is meant to be raised by those who need more.
    static func raiseLimit() {
        guard var limit else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Makes room for 1,024 at once. Linux makes the table of a process's descriptors twice as large as they run out, from 64
    /// on; where the process has other threads, who opens a file waits then until no core may still read the old table
    /// (`expand_fdtable` in fs/file.c), 5 to 25 ms each time. So call it before there are any.
    static func makeRoom() {
        let root = unsafe open("/", O_RDONLY | O_CLOEXEC)
        guard root >= 0 else { return }
        let far = fcntl(root, F_DUPFD_CLOEXEC, 1023)
        if far >= 0 { close(far) }
        close(root)
    }

    /// Files at once that surely find descriptors: each has its partial, its source, its folders for a moment, and a
    /// connection that is kept after it.
    static var jobLimit: Int {
        guard let limit else { return 1000 }
        return max(1, (Int(clamping: limit.rlim_cur) - 32) / 6)
    }

    private static var limit: rlimit? {
        var limit = rlimit()
        return unsafe getrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit) == 0 ? limit : nil
    }
}
