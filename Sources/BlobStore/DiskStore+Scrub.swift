public import SyncDomain
internal import Synchronization
internal import SystemSupport

/// How much of what a seal vouches for is hashed in one pass over all of a store: those verified longest ago come first.
/// What no seal vouches for is hashed in any case.
public struct ScrubBudget: Sendable {
    /// Most bytes; nil for no bound. The first blob counts, and is hashed however large it is.
    public var bytes: Int64?
    /// Asked as each blob's turn comes, on a hash thread; after the first. What has begun is hashed to its end.
    public var isOver: @Sendable () -> Bool

    /// No bound but those that are given.
    public init(bytes: Int64? = nil, isOver: @escaping @Sendable () -> Bool = { false }) {
        self.bytes = bytes
        self.isOver = isOver
    }
}

/// When blobs were last hashed and found right: `runs/verified`, a digest and the seconds since 1970 a line. It is kept apart
/// from the blobs, whose times are their seals.
struct VerificationDates {
    private(set) var seconds: [SHA256Digest: Int64] = [:]

    init() {}

    /// Lines that are none of its own are left out: their blobs are verified sooner.
    init(_ bytes: [UInt8]) {
        for line in bytes.split(separator: UInt8(ascii: "\n")) where line.count > 65 {
            guard let digest = try? SHA256Digest(hex: line.prefix(64)),
                let seconds = Int64(String(decoding: line.dropFirst(65), as: UTF8.self))
            else { continue }
            self.seconds[digest] = seconds
        }
    }

    var encoded: [UInt8] {
        var out: [UInt8] = []
        for (digest, seconds) in seconds.sorted(by: { $0.key < $1.key }) {
            digest.appendHex(to: &out)
            out += " \(seconds)\n".utf8
        }
        return out
    }

    /// Of a clock that was wrong: they would keep their blobs from their turn.
    mutating func drop(outside range: ClosedRange<Int64>) { seconds = seconds.filter { range.contains($0.value) } }

    mutating func set(_ digest: SHA256Digest, _ seconds: Int64?) { self.seconds[digest] = seconds }
}

/// What a pass has hashed, and what it has only looked at.
struct Scrubbed {
    var right: Set<SHA256Digest> = []
    var wrong: Set<SHA256Digest> = []
    /// Files with a whole seal and wrong bytes.
    var rotten: [Surveyor.Question] = []
    /// With the last change of their names, for those of which no date is known.
    var skipped: [SHA256Digest: Int64] = [:]
    /// Of blobs that had none, whatever their digests turn out to be.
    var sums: [SHA256Digest: ChunkSums] = [:]
}

extension DiskStore {
    /// Puts questions in the order in which they are to be hashed, and takes out those that the budget does not reach.
    func ration(_ questions: [Surveyor.Question], _ budget: ScrubBudget) -> [Surveyor.Question] {
        let dates = verificationDates()
        let (free, open) = questions.reduce(into: ([Surveyor.Question](), [Surveyor.Question]())) { parts, question in
            if question.isBlob && question.wasSealed { parts.1.append(question) } else { parts.0.append(question) }
        }
        // Of one second, those of which no date is known go first.
        let byAge = open.map { question in
            let known = dates.seconds[question.expected]
            return (date: known ?? question.status.changed, rank: known == nil ? 0 : 1, question: question)
        }
        .sorted { ($0.date, $0.rank, $0.question.expected) < ($1.date, $1.rank, $1.question.expected) }
        var left = budget.bytes ?? .max
        var taken = free
        for (index, entry) in byAge.enumerated() {
            if index == 0 || entry.question.size <= left {
                left = max(0, left - entry.question.size)
                taken.append(entry.question)
            } else {
                // Smaller ones that would fit wait as well: else they would keep the large ones from their turn.
                left = 0
                skip(entry.question)
            }
        }
        return taken
    }

    /// The pass leaves it as its seal says.
    func skip(_ question: Surveyor.Question) {
        scrubbed.withLock { $0.skipped[question.expected] = question.status.changed }
    }

    /// The question's job. Where a large blob has no chunk sums, they are taken on the way.
    func job(_ question: Surveyor.Question, _ progress: @escaping @Sendable (Int64) -> Void) -> HashJob {
        var job = question.job(progress)
        let (digest, size) = (question.expected, question.size)
        if question.isBlob, size >= ChunkSums.leastBytes, sums(of: digest, size: size) == nil {
            job.didMark = { [weak self] marks in
                guard let sums = ChunkSums(digest, size: size, marks: marks) else { return }
                self?.scrubbed.withLock { $0.sums[digest] = sums }
            }
        }
        return job
    }

    /// The question's job, which is not begun once the budget is spent.
    func job(
        _ question: Surveyor.Question, isFirst: Bool, _ budget: ScrubBudget?,
        _ progress: @escaping @Sendable (Int64) -> Void
    ) -> HashJob {
        var job = job(question, progress)
        guard let budget, !isFirst, question.isBlob, question.wasSealed else { return job }
        let open = job.open
        job.open = { [weak self] () throws(SystemFailure) in
            guard !budget.isOver() else {
                self?.skip(question)
                throw SystemFailure("hash", question.path, code: 125)
            }
            return try open()
        }
        return job
    }

    /// It was hashed, whatever its seal says.
    func note(_ digest: SHA256Digest, isRight: Bool) {
        scrubbed.withLock { scrubbed in
            _ = isRight ? scrubbed.right.insert(digest) : scrubbed.wrong.insert(digest)
        }
    }

    private func verificationDates() -> VerificationDates {
        guard let file = try? folder(StoreLayout.runs).file(StoreLayout.verified, .read),
            let bytes = try? file.readAll()
        else { return VerificationDates() }
        return VerificationDates(bytes)
    }

    /// Keeps the dates of what surveys of this store have hashed, cancelled ones too, and breaks the seals of what is rotten,
    /// where the store can be written. Else whoever looks at seals would go on taking rot for whole.
    ///
    /// - Parameter now: the present, in seconds since 1970.
    /// - Returns: of the blobs that were looked at, the time of the oldest verification; of those of which none is known,
    ///   the last change of their names counts, which none but a verification came before. Nil where there were none.
    public func noteVerified(now: Int64) async -> Timestamp? {
        let scrubbed = scrubbed.withLock { $0 }
        return await pool.run { [self] in
            var dates = verificationDates()
            dates.drop(outside: 0...now)
            for digest in scrubbed.right { dates.set(digest, now) }
            // With no seal it is hashed in any pass; the date of what takes its place is that of its names.
            for digest in scrubbed.wrong { dates.set(digest, nil) }
            for question in scrubbed.rotten where (try? Self.unseal(question)) == nil && question.isBlob {
                // Until it is right again it comes first, whatever names it gets meanwhile.
                dates.set(question.expected, 0)
            }
            var oldest: Int64? = scrubbed.right.isEmpty ? nil : now
            for (digest, changed) in scrubbed.skipped {
                let date = dates.seconds[digest] ?? min(changed, now)
                // Else each new name would make it look verified anew.
                dates.set(digest, date)
                oldest = min(oldest ?? .max, date)
            }
            keep(dates)
            for (digest, sums) in scrubbed.sums where scrubbed.right.contains(digest) { save(sums) }
            return oldest.map { Timestamp(milliseconds: $0 * 1000) }
        }
    }

    private static func unseal(_ question: Surveyor.Question) throws(SystemFailure) {
        let file = try question.folder.file(below: question.path)
        // What was put there since is another file's seal.
        if try file.status().isUnwritten(since: question.status) { try file.setModifiedNow() }
    }

    private func keep(_ dates: VerificationDates) {
        guard let blobs = try? folder(StoreLayout.blobs), let runs = try? folder(StoreLayout.runs) else { return }
        var kept = dates
        for digest in dates.seconds.keys where (try? blobs.status(StoreLayout.blobPath(digest))) == nil {
            kept.set(digest, nil)
        }
        // A store that can't be written is verified all the same.
        try? runs.replace(StoreLayout.verified, with: kept.encoded, isDurable: false)
    }
}
