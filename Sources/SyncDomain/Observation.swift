/// How far one file is.
public struct DownloadProgress: Sendable, Hashable {
    /// The model's name.
    public var model: String
    /// The file's path inside the model.
    public var path: String
    /// Bytes that are there, resumed ones too.
    public var bytes: Int64
    /// Bytes of the whole file.
    public var total: Int64
    /// Smoothed over the last seconds; 0 until it is known.
    public var bytesPerSecond: Double
    /// Nil until it is known.
    public var secondsLeft: Double?

    /// Takes the parts as they are; speed and time left are unknown unless given.
    public init(
        model: String, path: String, bytes: Int64, total: Int64, bytesPerSecond: Double = 0, secondsLeft: Double? = nil
    ) {
        self.model = model
        self.path = path
        self.bytes = bytes
        self.total = total
        self.bytesPerSecond = bytesPerSecond
        self.secondsLeft = secondsLeft
    }

    /// Whether all bytes have arrived; they are verified after that.
    public var isComplete: Bool { bytes >= total }

    /// 0 to 100. An empty file is always complete.
    public var percent: Double { total > 0 ? Double(bytes) / Double(total) * 100 : 100 }
}

/// What happens during a run, as it happens.
public enum SyncEvent: Sendable {
    /// The plan is made; nothing has been done yet.
    case planned(SyncPlan)
    /// Another process is fetching this file: waiting for it.
    case waiting(model: String, path: String)
    /// Bytes begin to come; so many are here already.
    case started(model: String, path: String, size: Int64, resumedFrom: Int64)
    /// At most every half second a file, and once when its bytes are all there.
    case progress(DownloadProgress)
    /// An attempt failed and another will be made.
    case retrying(model: String, path: String, error: SyncError, after: Duration, source: String)
    /// One path is done with: of a fetched file when its bytes are in the store, and once more should its model then not
    /// come to be shown.
    case finished(DownloadResult)
    /// So many bytes will have been hashed before the plan is made, those of earlier ``verified(bytes:)`` events among them.
    /// Not told where nothing is hashed, or where the time alone tells when to stop.
    case verifying(total: Int64)
    /// Bytes were hashed since the last such event.
    case verified(bytes: Int64)
    /// Something is worth telling and is no failure.
    case note(String)
}

/// Where events go. Called from any thread, one event of a file at a time; it must return soon.
public protocol SyncObserver: Sendable {
    /// Takes one event. Blocking here holds up the run.
    func observe(_ event: SyncEvent)
}
