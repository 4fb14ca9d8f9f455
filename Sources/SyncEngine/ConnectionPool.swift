internal import SyncDomain
internal import Synchronization

/// The connections of a run: how many each host has, who waits for one, and which file is to have one more.
///
/// Time comes in with the bytes: there is no clock that ticks while nothing happens. Safe to use from any thread.
final class ConnectionPool: Sendable {
    /// A connection that may be made to a host, or a request that goes beside others over one. Whoever has it gives it back
    /// by ``leave(_:)``.
    struct Slot: Sendable, Hashable {
        let host: HostKey
        var isStream = false
    }

    private static let lookSeconds = 0.1
    /// After a connection that failed: a host that refuses one would else be asked for another at each look.
    private static let calmTime = Duration.seconds(1)
    private static let memoryLooks = 2
    /// A file that the connections it has will bring in less time gets no more: what is on its way already would come twice.
    private static let worthwhileSeconds = 1.0
    /// The same of the only connection, in times that it needed to come up to speed: others need as long, and until then they
    /// only take from it.
    private static let worthwhileStarts = 2.5
    /// Bytes per second of one connection that needs no other beside it: about what a core hashes of one file where it has no
    /// instructions for that. More connections would take the cores from the hashing, and bring pieces that wait for it.
    private static let plenty = 150e6
    /// Small files that share a connection: so many at once for each connection that there may be.
    private static let streamsPerConnection = 2

    private struct Host {
        /// What the manifest says: of connections, and of requests that share one.
        let bound: Int?
        var active = 0
        var streams = 0
        /// Its last answer to a small file came over a connection that others may share.
        var isMultiplexed = false
        var policy: ConnectionPolicy?
        /// Since the last look.
        var bytes: Int64 = 0
        /// Bytes per second at the last looks, the newest last: far hosts send in bursts.
        var rates: [Double] = []
        var rate: Double { rates.reduce(0, +) / Double(max(1, rates.count)) }
        var lookedAt: Duration?
        /// Nothing is asked of it before.
        var heldUntil = Duration.zero
        /// No connection beyond what a file needs is made before.
        var calmUntil = Duration.zero
        /// It failed: others are asked first, and it is given no connection beyond what a file needs.
        var isDropped = false

        func mayGrow(_ now: Duration) -> Bool { !isDropped && heldUntil <= now && calmUntil <= now }
    }

    private struct Waiter {
        let id: Int
        let host: HostKey
        let isSmall: Bool
        let continuation: CheckedContinuation<Slot?, Never>
    }

    private struct State {
        var hosts: [HostKey: Host] = [:]
        var active = 0
        var streams = 0
        var files: [ObjectIdentifier: SharedFile] = [:]
        var waiters: [Waiter] = []
        /// Waiters whose task was cancelled before they waited.
        var cancelled: Set<Int> = []
        var lastID = 0
        var notes: [String] = []
    }

    private let bound: Int
    private let settings: [HostKey: HostSettings]
    private let failedBefore: Set<HostKey>
    private let clock: RunClock
    private let state = Mutex(State())

    /// - Parameters:
    ///   - bound: connections at once, of all hosts.
    ///   - hosts: bounds of single hosts.
    ///   - failedBefore: hosts that failed in the last run: others are asked first.
    ///   - clock: the run's.
    init(bound: Int, hosts: [HostKey: HostSettings], failedBefore: Set<HostKey> = [], clock: RunClock) {
        self.bound = max(1, bound)
        settings = hosts
        self.failedBefore = failedBefore
        self.clock = clock
    }

    /// The hosts that failed.
    var failed: Set<HostKey> { state.withLock { Set($0.hosts.filter { $0.value.isDropped }.keys) } }

    /// What is worth telling of the hosts.
    var notes: [String] { state.withLock { $0.notes } }

    /// Waits until one more connection to the host may be made, and counts it. ``leave(_:)`` gives it back.
    ///
    /// - Parameters:
    ///   - key: the host; nil for what is of none.
    ///   - isSmall: it is for a file that shares a connection where the host lets it.
    /// - Returns: nil for what is of no host.
    /// - Throws: `CancellationError`; nothing is counted then.
    func enter(_ key: HostKey?, isSmall: Bool = false) async throws -> Slot? {
        guard let key else { return nil }
        try Task.checkCancellation()
        var waitedUntil = Duration.zero
        while true {
            // Not with a connection, which another host may have meanwhile.
            while let until = pause(key, after: waitedUntil) {
                try await clock.sleep(until - clock.monotonic())
                waitedUntil = until
            }
            guard let slot = await turn(key, isSmall: isSmall) else { throw CancellationError() }
            // The pause was asked for while this waited for its turn.
            if pause(key, after: waitedUntil) == nil { return slot }
            leave(slot)
        }
    }

    /// Until when the host is to be left alone; once for each pause that was asked for, whatever the clock makes of it.
    private func pause(_ key: HostKey, after waitedUntil: Duration) -> Duration? {
        let until = state.withLock { $0.hosts[key]?.heldUntil ?? .zero }
        return until > max(waitedUntil, clock.monotonic()) ? until : nil
    }

    /// - Returns: what is counted now: nothing where the task was cancelled first.
    private func turn(_ key: HostKey, isSmall: Bool) async -> Slot? {
        let (slot, id): (Slot?, Int) = state.withLock { state in
            if let slot = take(key, isSmall: isSmall, &state) { return (slot, 0) }
            state.lastID += 1
            return (nil, state.lastID)
        }
        if let slot { return slot }
        return await wait(id, for: key, isSmall: isSmall)
    }

    private func wait(_ id: Int, for key: HostKey, isSmall: Bool) async -> Slot? {
        defer { state.withLock { _ = $0.cancelled.remove(id) } }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Slot?? = state.withLock { state in
                    if state.cancelled.contains(id) { return .some(nil) }
                    if let slot = take(key, isSmall: isSmall, &state) { return slot }
                    state.waiters.append(Waiter(id: id, host: key, isSmall: isSmall, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            let waiter: Waiter? = state.withLock { state in
                guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                    state.cancelled.insert(id)
                    return nil
                }
                return state.waiters.remove(at: index)
            }
            waiter?.continuation.resume(returning: nil)
        }
    }

    /// Gives back what ``enter(_:isSmall:)`` gave.
    func leave(_ slot: Slot?) {
        guard let slot else { return }
        let going = state.withLock { state in
            count(slot, -1, &state)
            var going: [(Waiter, Slot)] = []
            // Where one like it goes there is room for no other, and the rest need not be asked.
            while going.last?.1 != slot, let next = nextWaiter(&state) { going.append(next) }
            return going
        }
        for (waiter, slot) in going { waiter.continuation.resume(returning: slot) }
    }

    /// A small file was answered: whether others may share the connection.
    func didAnswer(_ key: HostKey?, isMultiplexed: Bool) {
        guard let key else { return }
        let going = state.withLock { state -> [(Waiter, Slot)] in
            guard let host = state.hosts[key], host.isMultiplexed != isMultiplexed else { return [] }
            state.hosts[key]?.isMultiplexed = isMultiplexed
            var going: [(Waiter, Slot)] = []
            while let next = nextWaiter(&state) { going.append(next) }
            return going
        }
        for (waiter, slot) in going { waiter.continuation.resume(returning: slot) }
    }

    private func nextWaiter(_ state: inout State) -> (Waiter, Slot)? {
        for index in state.waiters.indices {
            let waiter = state.waiters[index]
            guard let slot = take(waiter.host, isSmall: waiter.isSmall, &state) else { continue }
            state.waiters.remove(at: index)
            return (waiter, slot)
        }
        return nil
    }

    /// Counts what may be had now.
    private func take(_ key: HostKey, isSmall: Bool = false, _ state: inout State) -> Slot? {
        if state.hosts[key] == nil {
            // A bound for a host with no port is for the default ports of both schemes.
            let own = settings.first { $0.key.covers(key, over: .https) || $0.key.covers(key, over: .http) }?
                .value.connections
            state.hosts[key] = Host(bound: own)
        }
        guard let host = state.hosts[key] else { return nil }
        // Servers that bound connections count requests that share one (ngx_http_limit_conn_module).
        if let own = host.bound, host.active + host.streams >= own { return nil }
        let slot = Slot(host: key, isStream: isSmall && host.isMultiplexed)
        let hasRoom = slot.isStream ? state.streams < bound * Self.streamsPerConnection : state.active < bound
        guard hasRoom else { return nil }
        count(slot, 1, &state)
        return slot
    }

    private func count(_ slot: Slot, _ change: Int, _ state: inout State) {
        if slot.isStream {
            state.hosts[slot.host]?.streams += change
            state.streams += change
        } else {
            state.hosts[slot.host]?.active += change
            state.active += change
        }
    }

    /// The host asked for a pause: nobody asks anything of it before it is over.
    func hold(_ key: HostKey?, for duration: Duration) {
        guard let key else { return }
        let until = clock.monotonic() + duration
        state.withLock { state in
            guard let held = state.hosts[key]?.heldUntil else { return }
            state.hosts[key]?.heldUntil = max(held, until)
            state.hosts[key]?.policy?.yield()
        }
    }

    /// A connection beyond what a file needs failed: for a moment no other is made. One that was refused (`isRefusal`) may have
    /// been one too many.
    func calm(_ key: HostKey?, isRefusal: Bool) {
        guard let key else { return }
        let until = clock.monotonic() + Self.calmTime
        state.withLock { state in
            state.hosts[key]?.calmUntil = until
            if isRefusal { state.hosts[key]?.policy?.yield() }
        }
    }

    /// The host failed for good: the others are asked first from now on.
    func drop(_ source: SourceURL, because error: SyncError) {
        guard let key = source.host else { return }
        state.withLock { state in
            guard state.hosts[key]?.isDropped == false else { return }
            state.hosts[key]?.isDropped = true
            state.notes.append("\(key) is asked last for the rest of this run: \(error.message)")
        }
    }

    /// The sources, those of hosts that failed last: in this run, then in the one before.
    func ordered(_ sources: [SourceURL]) -> [SourceURL] {
        if sources.count < 2 { return sources }
        let ranks = state.withLock { state in
            sources.map { source -> Int in
                guard let host = source.host else { return 0 }
                return state.hosts[host]?.isDropped == true ? 2 : failedBefore.contains(host) ? 1 : 0
            }
        }
        return (0...2).flatMap { rank in zip(sources, ranks).filter { $0.1 == rank }.map(\.0) }
    }

    /// A file whose parts may come over several connections.
    func join(_ file: SharedFile) { state.withLock { $0.files[ObjectIdentifier(file)] = file } }

    /// It has all it needs, or failed.
    func remove(_ file: SharedFile) { state.withLock { $0.files[ObjectIdentifier(file)] = nil } }

    /// Whether nothing may be asked of the host for now.
    func isHeld(_ key: HostKey?) -> Bool {
        let now = clock.monotonic()
        return state.withLock { state in key.flatMap { state.hosts[$0] }.map { $0.heldUntil > now } ?? false }
    }

    /// Whether the host has no more connections than it should; of one that would have to be made anew (`isNew`), also whether
    /// it is worth it for the file.
    func mayStay(_ slot: Slot, for file: SharedFile, isNew: Bool) -> Bool {
        let now = clock.monotonic()
        return state.withLock { state in
            guard let host = state.hosts[slot.host], !host.isDropped, host.heldUntil <= now else { return false }
            return host.active <= max(1, host.policy?.target ?? 1) && (!isNew || Self.isWorthwhile(file, host))
        }
    }

    private static func isWorthwhile(_ file: SharedFile, _ host: Host) -> Bool {
        let start = host.active > 1 ? 0 : host.policy?.startSeconds ?? 0
        return file.hasWork && Double(file.missingBytes) > host.rate * max(worthwhileSeconds, worthwhileStarts * start)
    }

    /// Bytes came from a host. Now and then it is looked whether more connections would bring more.
    func didReceive(_ bytes: Int, from key: HostKey?) {
        guard let key else { return }
        let hasLooked = state.withLock { state in
            guard var host = state.hosts[key] else { return false }
            defer { state.hosts[key] = host }
            host.bytes += Int64(bytes)
            // With no file that could be shared there is nothing to decide.
            guard !state.files.isEmpty else { return false }
            let now = clock.monotonic()
            guard let last = host.lookedAt else {
                (host.lookedAt, host.bytes) = (now, 0)
                return false
            }
            let seconds = (now - last).seconds
            guard seconds >= Self.lookSeconds else { return false }
            let rate = Double(host.bytes) / seconds
            host.rates = host.rates.suffix(Self.memoryLooks - 1) + [rate]
            if host.policy == nil, rate > Self.plenty * Double(host.active) {
                (host.lookedAt, host.bytes) = (now, 0)
                return false
            }
            var policy =
                host.policy ?? ConnectionPolicy(bound: min(host.bound ?? bound, bound), start: host.active)
            policy.observe(bytes: host.bytes, seconds: seconds, active: host.active)
            (host.policy, host.lookedAt, host.bytes) = (policy, now, 0)
            return true
        }
        guard hasLooked else { return }
        for (file, slot) in wishes(after: key) where !file.wish(slot) { leave(slot) }
    }

    /// One more connection, if there may be one, for a file that waits for a silent one.
    func offer(_ file: SharedFile) {
        let now = clock.monotonic()
        let slot: Slot? = state.withLock { state in
            let able = file.hosts.filter { host in
                guard let known = state.hosts[host] else { return false }
                return known.mayGrow(now) && !file.hasDropped(host)
            }
            for host in able { if let slot = take(host, &state) { return slot } }
            return nil
        }
        if let slot, !file.wish(slot) { leave(slot) }
    }

    /// Connections that files are to have, counted already.
    private func wishes(after key: HostKey) -> [(SharedFile, Slot)] {
        let now = clock.monotonic()
        return state.withLock { state in
            guard let host = state.hosts[key], host.heldUntil <= now, let target = host.policy?.target else {
                return []
            }
            let worthwhile = state.files.values.filter { Self.isWorthwhile($0, host) }
            var wishes: [(SharedFile, Slot)] = []
            // One for each mirror that has none: how fast it is shows then.
            for file in worthwhile {
                for other in file.hosts where other != key && !file.hasDropped(other) {
                    if let found = state.hosts[other], found.active > 0 || !found.mayGrow(now) { continue }
                    guard let slot = take(other, &state) else { continue }
                    wishes.append((file, slot))
                }
            }
            let files = worthwhile.filter { $0.hosts.contains(key) && !$0.hasDropped(key) }
                .sorted { $0.missingBytes > $1.missingBytes }
            guard !files.isEmpty, host.mayGrow(now) else { return wishes }
            var next = 0
            while let host = state.hosts[key], host.active < target, let slot = take(key, &state) {
                wishes.append((files[next % files.count], slot))
                next += 1
            }
            return wishes
        }
    }
}
