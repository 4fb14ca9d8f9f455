internal import SyncDomain
internal import SystemSupport

/// What one hash thread does: keeps streams in its lanes, reads the next bytes of each, and advances all together as far
/// as the shortest goes. A lane whose stream ends or runs dry is given to another at once.
struct HashWorker {
    private struct Seat {
        let stream: HashStream
        let lane: Int
        /// Where the file stands; the hash value is in the lane.
        var byteCount: Int64
        let upTo: Int64
        let end: Int64?
        var pages: PageCare?
        /// Blocks in the lane's buffer; the last ones hold the padding.
        var blocks = 0
        var isPadded = false
        var unreported: Int64 = 0
    }

    /// So often that progress looks smooth, so seldom that it costs nothing.
    private static let reportBytes: Int64 = 1 << 20

    private let thread: Int
    private let queue: HashQueue
    private let schedule: HashSchedule
    private let quiet: QuietCore
    private let bank: LaneBank
    private var seats: [Seat] = []
    private var freeLanes: [Int]
    private var back: [HashStream] = []

    init(thread: Int, queue: HashQueue, schedule: HashSchedule, quiet: QuietCore) {
        self.thread = thread
        self.queue = queue
        self.schedule = schedule
        self.quiet = quiet
        bank = LaneBank(lanes: schedule.width)
        freeLanes = Array(0..<schedule.width)
    }

    /// Until the queue is closed.
    mutating func run() {
        while let taken = queue.take(thread: thread, kept: seats.count, back: back) {
            back.removeAll(keepingCapacity: true)
            for stream in taken { seat(stream) }
            fill()
            advance()
            // Else this thread would have a core to itself while it waits.
            if seats.isEmpty { quiet.release() }
        }
        quiet.release()
        for stream in seats.map(\.stream) + back { stream.cancel() }
    }

    private mutating func seat(_ stream: HashStream) {
        guard let turn = stream.beginTurn(), let lane = freeLanes.popLast() else { return }
        // What one thread can't keep up with is what all wait for in the end: the others have the other cores meanwhile.
        if turn.isPressing { quiet.claim() }
        bank.setHash(turn.state.hash, of: lane)
        seats.append(
            Seat(
                stream: stream, lane: lane, byteCount: turn.state.byteCount, upTo: turn.upTo, end: turn.end,
                pages: turn.pages))
    }

    /// Gives each empty buffer its next bytes. The kernel is told of all reads that will be slow before the first is made,
    /// so that the disk has them at once.
    private mutating func fill() {
        for index in seats.indices where seats[index].blocks == 0 && seats[index].pages != nil {
            let offset = seats[index].byteCount
            guard let file = try? seats[index].stream.openFile() else { continue }
            seats[index].pages?.willRead(file, at: offset)
        }
        removeSeats { worker, index in
            guard worker.seats[index].blocks == 0 else { return false }
            do throws(SystemFailure) { return try !worker.fill(index) } catch {
                worker.seats[index].stream.complete(.failure(error.storeError))
                return true
            }
        }
    }

    /// - Returns: false if the stream is no longer wanted.
    private mutating func fill(_ index: Int) throws(SystemFailure) -> Bool {
        let seat = seats[index]
        guard !seat.stream.isOver, let file = try seat.stream.openFile() else { return false }
        let most = LaneBank.bufferBytes(lanes: seats.count)
        // A mark is taken where a buffer ends.
        let toMark = ChunkSums.chunkBytes - seat.byteCount % ChunkSums.chunkBytes
        let count = Int(min(Int64(most), seat.upTo - seat.byteCount, toMark))
        let got = try bank.fill(seat.lane, from: file, at: seat.byteCount, count: count)
        // Somebody cut the file under us: its bytes are not those that were promised.
        guard got == count else { throw SystemFailure("read", "\(file.path) ended early", code: 5) }
        seats[index].blocks = count / HashState.blockBytes
        if let end = seat.end, seat.byteCount + Int64(count) == end {
            seats[index].blocks = bank.pad(seat.lane, after: count, messageBytes: end)
            seats[index].isPadded = true
        }
        return true
    }

    private mutating func advance() {
        guard let blocks = seats.map(\.blocks).min() else { return }
        bank.advance(seats.map(\.lane), blocks: blocks, by: schedule)
        removeSeats { worker, index in worker.settle(index, blocks) }
    }

    /// - Returns: whether the stream is done, or its turn is.
    private mutating func settle(_ index: Int, _ blocks: Int) -> Bool {
        let before = seats[index].byteCount
        // The padding is no byte of the file.
        seats[index].byteCount = min(before + Int64(blocks * HashState.blockBytes), seats[index].upTo)
        seats[index].unreported += seats[index].byteCount - before
        seats[index].blocks -= blocks
        let seat = seats[index]
        if seat.blocks == 0, !seat.isPadded, seat.byteCount % ChunkSums.chunkBytes == 0 {
            seat.stream.mark(bank.hash(of: seat.lane))
        }
        guard seat.blocks == 0, seat.isPadded || seat.byteCount == seat.upTo else {
            if seat.unreported >= Self.reportBytes { report(index) }
            return false
        }
        report(index)
        let state = HashState(hash: bank.hash(of: seat.lane), byteCount: seat.byteCount)
        if seat.isPadded {
            if let pages = seat.pages, let file = try? seat.stream.openFile() { pages.didEnd(file) }
            seat.stream.complete(.success(SHA256Digest(words: state.hash)))
        } else if seat.stream.endTurn(state, seat.pages) {
            back.append(seat.stream)
        }
        return true
    }

    private mutating func report(_ index: Int) {
        seats[index].stream.report(seats[index].unreported)
        seats[index].unreported = 0
    }

    /// Empties the seats for which `isOver` says so; their lanes are free.
    private mutating func removeSeats(where isOver: (inout HashWorker, Int) -> Bool) {
        var index = 0
        while index < seats.count {
            if isOver(&self, index) {
                freeLanes.append(seats[index].lane)
                seats.swapAt(index, seats.count - 1)
                seats.removeLast()
            } else {
                index += 1
            }
        }
    }
}
