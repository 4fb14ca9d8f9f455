internal import SyncDomain
internal import Synchronization
internal import SystemSupport

/// Repair by chunks: what of a rotten blob is right need not be fetched.
extension DiskStore {
    /// Keeps them beside the blob. Without them the blob is fetched whole when it rots: no failure of the commit.
    func save(_ sums: ChunkSums) {
        try? folder(StoreLayout.sums).replace(sums.digest.hex, with: sums.encoded, isDurable: false)
    }

    func sums(of digest: SHA256Digest, size: Int64) -> ChunkSums? {
        guard size >= ChunkSums.leastBytes,
            let bytes = try? folder(StoreLayout.sums).file(digest.hex, .read).readAll()
        else { return nil }
        return ChunkSums(bytes, of: digest, size: size)
    }

    /// Copies the chunks of a rotten blob that are right and not there yet into its partial, which is empty or has gaps, and whose
    /// lock is held. Its journal tells what is there then. A cancelled task ends it within moments, with what was copied by then.
    ///
    /// - Returns: the length of the partial, which was `count`.
    func salvage(_ digest: SHA256Digest, size: Int64, into partial: OpenFile, of count: Int64) async -> Int64 {
        let journal = journal(of: digest)
        // What has no gaps is a download that is gone on from.
        guard count == 0 || journal?.ranges != nil else { return count }
        let present = journal?.present(in: count) ?? ByteRanges()
        let isCancelled = Flag()
        return await withTaskCancellationHandler {
            await pool.run { [self] in
                salvage(digest, size: size, into: partial, of: count, present, unless: isCancelled)
            }
        } onCancel: {
            isCancelled.raise()
        }
    }

    private func salvage(
        _ digest: SHA256Digest, size: Int64, into partial: OpenFile, of count: Int64, _ present: ByteRanges,
        unless isCancelled: Flag
    ) -> Int64 {
        guard let sums = sums(of: digest, size: size),
            let blob = try? folder(StoreLayout.blobs).file(below: StoreLayout.blobPath(digest)),
            let status = try? blob.status(), status.kind == .regular, status.size == size
        else { return count }
        let right = sums.rightChunks(of: blob) { isCancelled.isRaised }
        let missing = present.missing(of: size)
        let wanted = right.map(sums.range).filter { range in missing.contains { $0.overlaps(range) } }
        // With none wrong it is the sums that are not of these bytes: they tell nothing.
        guard !wanted.isEmpty, right.count < sums.count else { return count }
        do throws(SystemFailure) {
            let folder = try folder(StoreLayout.partial)
            var ranges = present
            // First of nothing new: after a crash the length alone would tell that all is there.
            try write(ranges, to: folder, digest)
            for range in wanted where !isCancelled.isRaised {
                try partial.copy(blob, range: range)
                ranges.insert(range)
            }
            try write(ranges, to: folder, digest)
            return try partial.status().size
        } catch {
            // The journal tells what was there before.
            guard count == 0 else { return (try? partial.status().size) ?? count }
            try? partial.resize(to: 0)
            try? folder(StoreLayout.partial).removeFile(StoreLayout.journalFile(digest, owner))
            return 0
        }
    }

    private func write(_ ranges: ByteRanges, to folder: Folder, _ digest: SHA256Digest) throws(SystemFailure) {
        guard let journal = PartialJournal(nil, nil, ranges) else { return }
        try folder.replace(StoreLayout.journalFile(digest, owner), with: journal.encoded, mode: 0o600, isDurable: false)
    }
}

extension ChunkSums {
    /// The chunks of the file that hold the right bytes; what can't be read is not right. Blocks the thread.
    func rightChunks(of file: OpenFile, unless isCancelled: () -> Bool = { false }) -> [Int] {
        let schedule = HashSchedule.measured
        let bank = LaneBank(lanes: max(1, schedule.width))
        var right: [Int] = []
        var next = 0
        while next < marks.count {
            if isCancelled() { return [] }
            let group = next..<min(marks.count, next + max(1, schedule.width))
            right += rightOnes(group, of: file, bank, schedule)
            next = group.upperBound
        }
        if isLastRight(of: file, bank, schedule) { right.append(marks.count) }
        return right
    }

    private func start(_ index: Int, in lane: Int, of bank: LaneBank) {
        bank.setHash(index == 0 ? HashState().hash : marks[index - 1].hashWords, of: lane)
    }

    /// Whole chunks, one a lane.
    private func rightOnes(
        _ group: Range<Int>, of file: OpenFile, _ bank: LaneBank, _ schedule: HashSchedule
    ) -> [Int] {
        let lanes = Array(0..<group.count)
        var isReadable = lanes.map { _ in true }
        for lane in lanes { start(group.lowerBound + lane, in: lane, of: bank) }
        let step = Int64(LaneBank.bufferBytes(lanes: lanes.count))
        for offset in stride(from: 0, to: Self.chunkBytes, by: Int(step)) {
            for lane in lanes {
                let place = range(group.lowerBound + lane).lowerBound + offset
                let got = try? bank.fill(lane, from: file, at: place, count: Int(step))
                if got != Int(step) { isReadable[lane] = false }
            }
            bank.advance(lanes, blocks: Int(step) / HashState.blockBytes, by: schedule)
        }
        return lanes.filter { lane in
            isReadable[lane] && SHA256Digest(words: bank.hash(of: lane)) == marks[group.lowerBound + lane]
        }
        .map { group.lowerBound + $0 }
    }

    /// The last one, which has the padding and may be short.
    private func isLastRight(of file: OpenFile, _ bank: LaneBank, _ schedule: HashSchedule) -> Bool {
        start(marks.count, in: 0, of: bank)
        var rest = range(marks.count)
        let step = Int64(LaneBank.bufferBytes(lanes: 1))
        while !rest.isEmpty {
            let count = Int(min(step, Int64(rest.count)))
            guard (try? bank.fill(0, from: file, at: rest.lowerBound, count: count)) == count else { return false }
            rest = rest.lowerBound + Int64(count)..<rest.upperBound
            let blocks = rest.isEmpty ? bank.pad(0, after: count, messageBytes: size) : count / HashState.blockBytes
            bank.advance([0], blocks: blocks, by: schedule)
        }
        return SHA256Digest(words: bank.hash(of: 0)) == digest
    }
}

/// Says once that something is no longer wanted. From any thread.
private final class Flag: Sendable {
    private let state = Mutex(false)

    var isRaised: Bool { state.withLock { $0 } }

    func raise() { state.withLock { $0 = true } }
}

extension OpenFile {
    /// Copies a range of another file to the same place of this one.
    fileprivate func copy(_ other: OpenFile, range: Range<Int64>) throws(SystemFailure) {
        let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
        defer { unsafe buffer.deallocate() }
        var offset = range.lowerBound
        while offset < range.upperBound {
            let most = Int(min(Int64(buffer.count), range.upperBound - offset))
            let part = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[..<most])
            let count = try unsafe other.read(into: part, at: offset)
            guard count > 0 else { throw SystemFailure("read", other.path, code: 5) }
            try unsafe write(part.bytes.extracting(first: count), at: offset)
            offset += Int64(count)
        }
    }
}
