import Glibc

/// How many files the process may have open at once, and what follows for the files that are fetched at once.
enum Descriptors {
    /// Raises the limit as far as it may be: the one that shells give is meant to be raised by those who need more.
    static func raiseLimit() {
        guard var limit else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
    }

    /// Makes room for 1,024 in the kernel's table of this process's descriptors, unless the limit is lower. Linux doubles the
    /// table whenever it is full, from 64 on. If the process has other threads, whoever opens the file then waits until no core
    /// can still be reading the old table (`expand_fdtable` in fs/file.c), 5 to 25 ms each time: call this before there are any.
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
