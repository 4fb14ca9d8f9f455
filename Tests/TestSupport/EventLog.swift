public import SyncDomain
import Synchronization

/// Remembers what it was told, in order.
public final class EventLog: SyncObserver {
    private let log = Mutex<[SyncEvent]>([])
    private let onEvent: @Sendable (SyncEvent) -> Void

    /// - Parameter onEvent: called with each event before it is remembered.
    public init(onEvent: @escaping @Sendable (SyncEvent) -> Void = { _ in }) {
        self.onEvent = onEvent
    }

    public func observe(_ event: SyncEvent) {
        onEvent(event)
        log.withLock { $0.append(event) }
    }

    public var events: [SyncEvent] { log.withLock { $0 } }

    /// What was done with, in order.
    public var finished: [DownloadResult] {
        events.compactMap { event in
            guard case .finished(let result) = event else { return nil }
            return result
        }
    }

    /// How far a file was, each time that it was told.
    public func progress(_ path: String) -> [DownloadProgress] {
        events.compactMap { event in
            guard case .progress(let progress) = event, progress.path == path else { return nil }
            return progress
        }
    }

    /// Why and after what wait an attempt was followed by another.
    public var retries: [(error: SyncError, delay: Duration, source: String)] {
        events.compactMap { event in
            guard case .retrying(_, _, let error, let delay, let source) = event else { return nil }
            return (error, delay, source)
        }
    }

    /// What was worth telling.
    public var notes: [String] {
        events.compactMap { event in
            guard case .note(let text) = event else { return nil }
            return text
        }
    }

    /// `model/path` of the files that another process was fetching.
    public var waiting: [String] {
        events.compactMap { event in
            guard case .waiting(let model, let path) = event else { return nil }
            return model + "/" + path
        }
    }

    /// From how many bytes on each file was begun, by path.
    public var started: [String: Int64] {
        var out: [String: Int64] = [:]
        for case .started(_, let path, _, let resumed) in events { out[path] = resumed }
        return out
    }
}
