import Glibc

/// How many files the process may have open at once, and what follows for the files that are fetched at once.
enum Descriptors {
    /// Raises the limit as far as it may be: the one that shells give is meant to be raised by those who need more.
    static func raiseLimit() {
        guard var limit else { return }
        limit.rlim_cur = limit.rlim_max
        _ = unsafe setrlimit(Int32(RLIMIT_NOFILE.rawValue), &limit)
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
