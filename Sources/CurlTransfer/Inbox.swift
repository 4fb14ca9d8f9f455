/// What other threads have asked of the loop, and which transfers it owes an answer: a value that only decides.
///
/// A cancel may come before its start, after the end, or after the loop: each transfer has an entry from before it can be
/// cancelled until its answer is on its way.
struct Inbox<Job: Sendable>: Sendable {
    typealias ID = UInt64

    enum Command: Sendable {
        case start(ID, Job)
        case cancel(ID)
    }

    /// What the caller does once it has let go of the lock. Waking is done under it.
    enum Reply {
        case nothing
        /// The loop must be told that there is something to take.
        case wake
        /// Nothing was started: the job's owner is answered at once, as cancelled.
        case end(Job)
    }

    private enum Entry {
        case reserved
        case cancelledBeforeStart
        case submitted
    }

    private var entries: [ID: Entry] = [:]
    private var commands: [Command] = []
    private var lastID: ID = 0
    /// The loop waits, or is about to: it looks in here before it does.
    private var isAwaited = false
    private(set) var isClosed = false

    /// Before the transfer can be cancelled.
    mutating func reserve() -> ID {
        lastID += 1
        entries[lastID] = .reserved
        return lastID
    }

    /// Once for each reserved id.
    mutating func submit(_ id: ID, _ job: Job) -> Reply {
        guard !isClosed, case .reserved = entries[id] else {
            entries[id] = nil
            return .end(job)
        }
        entries[id] = .submitted
        return post(.start(id, job))
    }

    /// At any time, any number of times.
    mutating func cancel(_ id: ID) -> Reply {
        switch entries[id] {
        case .reserved:
            entries[id] = .cancelledBeforeStart
            return .nothing
        case .submitted:
            if isClosed { return .nothing }
            // Not taken yet: the loop never hears of it, and opens no socket for it.
            if let job = withdraw(id) { return .end(job) }
            return post(.cancel(id))
        case .cancelledBeforeStart, nil: return .nothing
        }
    }

    /// The loop takes everything; once the inbox is closed it gets no more.
    mutating func take() -> [Command] {
        isAwaited = false
        defer { commands = [] }
        return commands
    }

    /// The loop has nothing more to do.
    ///
    /// - Returns: false if there is something to take; else it is woken when there is.
    mutating func mayWait() -> Bool {
        isAwaited = commands.isEmpty && !isClosed
        return isAwaited
    }

    /// The loop is about to answer.
    mutating func finish(_ id: ID) {
        entries[id] = nil
    }

    /// - Returns: ``Reply/nothing`` if it was closed before.
    mutating func close() -> Reply {
        if isClosed { return .nothing }
        isClosed = true
        return wake()
    }

    private mutating func post(_ command: Command) -> Reply {
        commands.append(command)
        return wake()
    }

    /// One wake-up is enough for all that is posted before the loop takes it, and none is needed while it is at work.
    private mutating func wake() -> Reply {
        defer { isAwaited = false }
        return isAwaited ? .wake : .nothing
    }

    private mutating func withdraw(_ id: ID) -> Job? {
        let index = commands.firstIndex { command in
            if case .start(id, _) = command { true } else { false }
        }
        guard let index, case .start(_, let job) = commands[index] else { return nil }
        commands.remove(at: index)
        entries[id] = nil
        return job
    }
}
