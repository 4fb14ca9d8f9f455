internal import SyncEngine
internal import Synchronization
internal import SystemSupport

/// Downloads models into a store, tells how far they are, and cancels them one by one.
///
/// Any number of downloads may run at once; files that several of them want come once. Downloads that other processes make into
/// the same store are told of by ``ModelManager/activeRuns()``. Safe to use from any thread.
public final class ModelDownloader: Sendable {
    private struct Download {
        let models: Set<ModelName>
        let control: RunControl
        var files = ActiveFiles()
    }

    private struct State {
        var lastID = 0
        /// By number, in the order in which they began.
        var downloads: [Int: Download] = [:]
        var listeners: [Int: AsyncStream<DownloadProgress>.Continuation] = [:]

        mutating func nextID() -> Int {
            lastID += 1
            return lastID
        }
    }

    /// What the downloads go to.
    public let manager: ModelManager
    private let state = Mutex(State())

    /// - Parameter manager: its store is what the downloads go to, its configuration is how they are made, and its observer hears
    ///   of them as of any run.
    public init(manager: ModelManager) {
        self.manager = manager
    }

    /// Makes the store have all of the manifest's models: what is there already is not fetched again, and an unfinished download
    /// is gone on with. Cancelling the task ends it within a second; what has arrived is kept.
    ///
    /// - Parameters:
    ///   - manifest: the models, and where they come from.
    ///   - onProgress: called while bytes come, at most every half second a file, and once when its bytes are all there; from any
    ///     thread, and it must return soon.
    /// - Returns: what became of each file, also where some failed or were cancelled: see ``SyncReport/outcome``.
    /// - Throws: only what keeps it from beginning: a store that can't be used.
    public func download(
        _ manifest: Manifest, onProgress: (@Sendable (DownloadProgress) -> Void)? = nil
    ) async throws(SyncError) -> SyncReport {
        let control = RunControl()
        let id = begin(manifest, control)
        defer { end(id) }
        let observer = DownloadObserver(downloader: self, id: id, onProgress: onProgress)
        let manager = ModelManager(
            store: manager.store, configuration: manager.configuration, observer: observer, clock: manager.clock)
        return try await manager.apply(manifest, command: "download", control: control)
    }

    /// The same for one model of a manifest.
    ///
    /// - Throws: `store.io` where the manifest does not have it; what keeps it from beginning.
    public func download(
        _ name: ModelName, of manifest: Manifest, onProgress: (@Sendable (DownloadProgress) -> Void)? = nil
    ) async throws(SyncError) -> SyncReport {
        let one = manifest.filter { $0.name == name }
        guard !one.models.isEmpty else {
            let sources = manifest.sources.map(\.path).joined(separator: ", ")
            throw SyncError(.storeIO, "\(name): not in the manifest\(sources.isEmpty ? "" : " \(sources)")")
        }
        return try await download(one, onProgress: onProgress)
    }

    /// ``download(_:onProgress:)`` for programs without async: returns when the download has ended. ``cancelAll()``, from another
    /// thread, ends it early.
    ///
    /// Never to be called from a task: it would block one of the few threads that all tasks share.
    ///
    /// - Throws: only what keeps it from beginning: a store that can't be used.
    @available(*, noasync, message: "it blocks the thread; call download(_:onProgress:)")
    public func downloadAndWait(
        _ manifest: Manifest, onProgress: (@Sendable (DownloadProgress) -> Void)? = nil
    ) throws(SyncError) -> SyncReport {
        try waiting { () async throws(SyncError) in try await self.download(manifest, onProgress: onProgress) }
    }

    /// How far the files of all downloads are, from now on until no download runs any more; where none runs yet, until the end
    /// of those that begin next.
    ///
    /// - Parameter limit: so many values wait for a reader that is slow; then the oldest are dropped, so that memory does not
    ///   grow. The last value of a file may be among them: what became of it, the report tells.
    /// - Returns: a sequence for this caller alone; each call makes another.
    public func progressUpdates(keepingNewest limit: Int = 64) -> AsyncStream<DownloadProgress> {
        let (stream, continuation) = AsyncStream.makeStream(
            of: DownloadProgress.self, bufferingPolicy: .bufferingNewest(max(1, limit)))
        let id = state.withLock { state in
            let id = state.nextID()
            state.listeners[id] = continuation
            return id
        }
        continuation.onTermination = { [weak self] _ in
            self?.state.withLock { _ = $0.listeners.removeValue(forKey: id) }
        }
        return stream
    }

    /// The files that are on their way in this downloader's downloads, in the order in which they began.
    public var activeDownloads: [DownloadProgress] {
        let now = manager.clock.monotonic()
        return state.withLock { state in
            state.downloads.sorted { $0.key < $1.key }.flatMap { $0.value.files.files(now: now).map(\.progress) }
        }
    }

    /// Cancels a model in all downloads that run: it ends within a second, what has arrived is kept, and the other models go on.
    /// While a download still looks at what is there, it is heard at the end of that; cancelling its task ends that too.
    ///
    /// - Returns: whether there was something left to do for it.
    @discardableResult public func cancel(_ name: ModelName) -> Bool {
        let controls = state.withLock { state in
            state.downloads.values.filter { $0.models.contains(name) }.map(\.control)
        }
        return controls.filter { $0.cancel(name) }.count > 0
    }

    /// Cancels all downloads that run.
    public func cancelAll() {
        let controls = state.withLock { $0.downloads.values.map(\.control) }
        for control in controls { control.cancelAll() }
    }

    /// Whether there is room for what the manifest still needs and a tenth more, as it is asked before anything is fetched.
    ///
    /// - Throws: the store's failures; `cancelled`.
    public func checkFreeSpace(for manifest: Manifest) async throws(SyncError) -> FreeSpace {
        try await manager.checkFreeSpace(for: manifest)
    }

    private func begin(_ manifest: Manifest, _ control: RunControl) -> Int {
        state.withLock { state in
            let id = state.nextID()
            state.downloads[id] = Download(models: Set(manifest.models.map(\.name)), control: control)
            return id
        }
    }

    private func end(_ id: Int) {
        let ended = state.withLock { state -> [AsyncStream<DownloadProgress>.Continuation] in
            state.downloads[id] = nil
            guard state.downloads.isEmpty else { return [] }
            defer { state.listeners = [:] }
            return Array(state.listeners.values)
        }
        // Not under the lock: to finish calls what takes it.
        for listener in ended { listener.finish() }
    }

    fileprivate func observe(_ event: SyncEvent, of id: Int) {
        let now = manager.clock.monotonic()
        let listeners = state.withLock { state in
            state.downloads[id]?.files.observe(event, now: now)
            return Array(state.listeners.values)
        }
        guard case .progress(let progress) = event else { return }
        for listener in listeners { listener.yield(progress) }
    }
}

extension ModelManager {
    /// Makes the store have one model of a manifest: what is there already is not fetched again. To hear how far it is, or to
    /// cancel it alone, use a ``ModelDownloader``.
    ///
    /// - Returns: what became of each file, also where some failed.
    /// - Throws: `store.io` where the manifest does not have the model; what keeps it from beginning.
    public func download(_ name: ModelName, of manifest: Manifest) async throws(SyncError) -> SyncReport {
        try await ModelDownloader(manager: self).download(name, of: manifest)
    }
}

/// Hears of one download.
private struct DownloadObserver: SyncObserver {
    let downloader: ModelDownloader
    let id: Int
    let onProgress: (@Sendable (DownloadProgress) -> Void)?

    func observe(_ event: SyncEvent) {
        downloader.observe(event, of: id)
        if case .progress(let progress) = event { onProgress?(progress) }
        downloader.manager.observer.observe(event)
    }
}
