internal import BlobStore
internal import SyncEngine
internal import SystemSupport

/// Tells in the store what a run is at, and does there what others ask of it; and passes on what it hears.
///
/// A thread of its own does that, from when the run is about to fetch something until its end. A run that fetches nothing leaves
/// no trace.
final class RunActivity: SyncObserver {
    private struct State {
        var files = ActiveFiles()
        var thread: WorkerThread?
        var isEnded = false
        var isDone = false
        var waiter: CheckedContinuation<Void, Never>?
        var note: String?
    }

    /// How often it is looked for requests.
    private static let lookMilliseconds = 250
    private static let tellInterval = Duration.seconds(1)
    /// Whoever can't see locks takes one who says nothing for dead.
    private static let heartbeat = Duration.seconds(10)
    /// For whoever asked to read the answer before the entry goes.
    private static let partingMilliseconds = 1000

    private let run: ActiveRun
    private let store: DiskStore
    private let control: RunControl
    private let observer: any SyncObserver
    private let clock: RunClock
    private let state = Monitor(State())

    init(
        _ run: ActiveRun, in store: DiskStore, control: RunControl, observer: any SyncObserver, clock: RunClock
    ) {
        self.run = run
        self.store = store
        self.control = control
        self.observer = observer
        self.clock = clock
    }

    func observe(_ event: SyncEvent) {
        let now = clock.monotonic()
        state.withLock { $0.files.observe(event, now: now) }
        if case .planned(let plan) = event, !plan.fetches.isEmpty { begin() }
        observer.observe(event)
    }

    private func begin() {
        let thread = WorkerThread(name: "activity") { [self] in
            tell()
            let waiter = state.withLock { state in
                state.isDone = true
                return state.waiter.take()
            }
            waiter?.resume()
        }
        state.withLock { $0.thread = thread }
    }

    /// Takes the run's entry out of the store.
    ///
    /// - Returns: what is worth telling.
    func end() async -> [String] {
        guard let thread = state.withLock({ $0.thread.take() }) else { return [] }
        await withCheckedContinuation { continuation in
            let isDone = state.withLock { state in
                state.isEnded = true
                if !state.isDone { state.waiter = continuation }
                return state.isDone
            }
            state.notifyAll()
            if isDone { continuation.resume() }
        }
        thread.join()
        return state.withLock { $0.note.map { [$0] } ?? [] }
    }

    /// On the thread.
    private func tell() {
        do throws(SyncError) {
            let entry = try store.beginActivity(runID: run.runID)
            defer { entry.end() }
            var (toldAt, version) = (Duration?.none, -1)
            while !hasEnded(within: toldAt == nil ? 0 : Self.lookMilliseconds) {
                answer(entry)
                let (now, next) = (clock.monotonic(), state.withLock { $0.files.version })
                let interval = next == version ? Self.heartbeat : Self.tellInterval
                if let toldAt, now - toldAt < interval { continue }
                (toldAt, version) = (now, next)
                do throws(SyncError) { try entry.write(snapshot(now)) } catch { note(error) }
            }
            answer(entry)
            var pauses = Self.partingMilliseconds / 20
            while pauses > 0, entry.isAwaited {
                pause(milliseconds: 20)
                pauses -= 1
            }
        } catch {
            // In a store of many users only its owner's runs are told of.
            if error.code != .storePermission { note(error) }
        }
    }

    private func snapshot(_ now: Duration) -> ActiveRun {
        var run = run
        run.files = state.withLock { $0.files.files(now: now) }
        return run
    }

    private func note(_ error: SyncError) {
        let note = "`modelsync active` and `cancel` may not see this run: \(error.message)"
        state.withLock { $0.note = note }
    }

    private func hasEnded(within milliseconds: Int) -> Bool {
        state.wait(milliseconds: milliseconds) { $0.isEnded ? true : nil } ?? false
    }

    private func pause(milliseconds: Int) {
        let _: Bool? = state.wait(milliseconds: milliseconds) { _ in nil }
    }

    private func answer(_ entry: ActiveEntry) {
        for request in entry.takeRequests() {
            entry.answer(request, request.models.map { $0.filter { control.cancel($0) } } ?? control.cancelAll())
        }
    }
}
