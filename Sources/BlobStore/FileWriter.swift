internal import Synchronization
internal import SystemSupport

/// Bytes that were received and wait to be written, of all files of a store: its threads and its bound.
///
/// Receiving and writing each take about as long as the other: on one thread a download would take both.
final class WriteService: Sendable {
    /// 65 pages. For a power of two, at multiples of it, Linux makes each write one large folio; in a virtual machine that
    /// gives free memory back to its host those are of memory that the host must find again, and writing takes up to ten
    /// times as long. An odd number of pages makes small ones.
    static let blockBytes = 65 << 12
    /// Blocks that may wait, of all files together: 8 MiB.
    private static let most = 32

    /// Nil until something is to be written: most runs write nothing.
    private let pool = Mutex<BlockingPool?>(nil)
    private let waiting = Monitor(0)

    /// Memory of blocks that were written, for the next ones: what one thread allocates another would free, and the allocator
    /// keeps that for a while before it serves again.
    private let spare = Mutex<[[UInt8]]>([])

    /// An empty block, with room for all that one has.
    fileprivate func block() -> [UInt8] {
        var block = spare.withLock { $0.popLast() } ?? []
        block.removeAll(keepingCapacity: true)
        block.reserveCapacity(Self.blockBytes)
        return block
    }

    /// Of a block whose bytes are written.
    fileprivate func reuse(_ block: [UInt8]) {
        guard block.capacity >= Self.blockBytes else { return }
        spare.withLock { $0.append(block) }
    }

    /// Runs work on one of the threads.
    fileprivate func submit(_ work: @escaping @Sendable () -> Void) {
        let pool = pool.withLock { pool in
            let started = pool ?? BlockingPool(name: "write", threads: 2, niceness: 10, steppingAsideFor: .process)
            pool = started
            return started
        }
        pool.submit(work)
    }

    /// Blocks while too much waits.
    fileprivate func enter() {
        waiting.wait { count -> Void? in
            guard count < Self.most else { return nil }
            count += 1
        }
    }

    /// Does not block, for the few bytes at the end of a part: whoever ends parts must not wait for the disk.
    fileprivate func enterAtOnce() { waiting.withLock { $0 += 1 } }

    fileprivate func leave(_ count: Int) {
        waiting.withLock { $0 -= count }
        waiting.notifyAll()
    }
}

/// Writes bytes into a file, in order and from an offset on, behind the back of whoever receives them.
///
/// They come in pieces of any size, and are written in blocks: 16 KiB at a time, off the bounds of pages, take two to four
/// times as long. Safe to use from any thread.
final class FileWriter: Sendable {
    /// Blocks that a thread writes of one file before another has its turn.
    private static let turnBlocks = 8
    /// ECANCELED of errno(3).
    private static let cancelled: Int32 = 125

    fileprivate struct Block {
        var offset: Int64
        var bytes: [UInt8]
    }

    fileprivate struct State {
        var queue = FIFO<Block>()
        /// A thread has it, or is about to.
        var isAtWork = false
        var written: Int64
        var failure: SystemFailure?
    }

    /// What is being filled. Held through each piece: the next one goes on where it ended.
    private struct Filling {
        var end: Int64
        var held: [UInt8] = []
        var isEnded = false
    }

    private let file: OpenFile
    private let service: WriteService
    private let didWrite: @Sendable (Range<Int64>) -> Void
    private let filling: Mutex<Filling>
    private let state: Monitor<State>

    /// - Parameters:
    ///   - file: open to write.
    ///   - offset: where the first byte goes.
    ///   - service: whose threads write.
    ///   - didWrite: called after each write, in order, on the thread that made it.
    init(
        _ file: OpenFile, from offset: Int64, by service: WriteService,
        didWrite: @escaping @Sendable (Range<Int64>) -> Void
    ) {
        self.file = file
        self.service = service
        self.didWrite = didWrite
        filling = Mutex(Filling(end: offset))
        state = Monitor(State(written: offset))
    }

    /// Where the next byte goes.
    var position: Int64 { filling.withLock { $0.end } }

    /// Up to where all is in the file.
    var written: Int64 { state.withLock { $0.written } }

    /// Takes the next bytes. Blocks while more wait to be written than may.
    ///
    /// - Parameters:
    ///   - bytes: of any number.
    ///   - isLast: no more will come: what is held is written here, if nothing waits before it.
    /// - Throws: what made an earlier write fail, or this one; nothing is taken after that.
    func append(_ bytes: RawSpan, isLast: Bool) throws(SystemFailure) {
        let result = filling.withLock { filling in
            Result { () throws(SystemFailure) in
                try check(&filling)
                var rest = bytes
                while !rest.isEmpty {
                    let room = Self.room(at: filling.end)
                    let count = min(room, rest.byteCount)
                    if filling.held.isEmpty && !isLast { filling.held = service.block() }
                    unsafe rest.extracting(first: count).withUnsafeBytes { unsafe filling.held.append(contentsOf: $0) }
                    filling.end += Int64(count)
                    rest = rest.extracting(droppingFirst: count)
                    if count == room { enqueue(&filling) }
                }
                if isLast { try flush(&filling) }
            }
        }
        try result.get()
    }

    /// Whether it has ended, and all that it was given is in the file.
    var isDone: Bool { filling.withLock { $0.isEnded && $0.end == written } }

    /// No more will come. Has what is held written, and does not wait for it.
    func end() {
        filling.withLock { filling in
            filling.isEnded = true
            if !filling.held.isEmpty { enqueue(&filling, mayWait: false) }
        }
    }

    /// Waits until all is in the file.
    ///
    /// - Throws: what made a write fail.
    func finish() throws(SystemFailure) {
        let result = filling.withLock { filling in
            Result { () throws(SystemFailure) in
                try flush(&filling)
                state.wait { $0.isAtWork ? nil : () }
                try check(&filling)
            }
        }
        try result.get()
    }

    /// Drops what is not in the file yet; when it returns, nothing is written any more, and nothing is taken later.
    func discard() {
        filling.withLock { filling in
            let dropped = state.withLock { state in
                state.failure = SystemFailure("write", file.path, code: Self.cancelled)
                return state.drop()
            }
            service.leave(dropped)
            filling = Filling(end: state.wait { $0.isAtWork ? nil : $0.written })
        }
    }

    /// - Throws: what made a write fail. What came after it is dropped: it would leave a hole before it.
    private func check(_ filling: inout Filling) throws(SystemFailure) {
        let (failure, written) = state.withLock { ($0.failure, $0.written) }
        guard let failure else { return }
        filling = Filling(end: written)
        throw failure
    }

    /// Blocks end at multiples of their size, wherever the first byte goes.
    private static func room(at offset: Int64) -> Int {
        WriteService.blockBytes - Int(offset % Int64(WriteService.blockBytes))
    }

    /// Writes what is held: here if nothing else waits, else after that.
    private func flush(_ filling: inout Filling) throws(SystemFailure) {
        if filling.held.isEmpty { return }
        guard state.withLock({ !$0.isAtWork && $0.failure == nil }) else { return enqueue(&filling) }
        let block = Block(offset: filling.end - Int64(filling.held.count), bytes: filling.held)
        filling.held = []
        try write(block)
    }

    private func enqueue(_ filling: inout Filling, mayWait: Bool = true) {
        if mayWait { service.enter() } else { service.enterAtOnce() }
        let block = Block(offset: filling.end - Int64(filling.held.count), bytes: filling.held)
        filling.held = []
        let (isFirst, isFailed) = state.withLock { state in
            if state.failure != nil { return (false, true) }
            state.queue.append(block)
            defer { state.isAtWork = true }
            return (!state.isAtWork, false)
        }
        if isFailed { service.leave(1) }
        if isFirst { service.submit { [self] in work() } }
    }

    private func work() {
        for _ in 0..<Self.turnBlocks {
            let block = state.withLock { state in
                let block = state.queue.take()
                if block == nil { state.isAtWork = false }
                return block
            }
            guard let block else { return state.notifyAll() }
            try? write(block)
            service.reuse(block.bytes)
            service.leave(1)
        }
        service.submit { [self] in work() }
    }

    private func write(_ block: Block) throws(SystemFailure) {
        do throws(SystemFailure) { try unsafe file.write(block.bytes.span.bytes, at: block.offset) } catch {
            let dropped = state.withLock { state in
                state.failure = error
                return state.drop()
            }
            service.leave(dropped)
            throw error
        }
        let end = block.offset + Int64(block.bytes.count)
        state.withLock { $0.written = end }
        didWrite(block.offset..<end)
    }
}

extension FileWriter.State {
    /// - Returns: how many blocks waited.
    mutating func drop() -> Int {
        var count = 0
        while queue.take() != nil { count += 1 }
        return count
    }
}
