internal import SyncDomain

/// When to tell of progress, and how fast it is. Pure: the time comes from outside.
struct ProgressMeter {
    static let intervalSeconds = 0.5
    /// How much of the past the rate remembers.
    private static let memorySeconds = 5.0

    private let total: Int64
    private var lastTime: Double
    private var lastBytes: Int64
    private var rate = 0.0

    /// Starts to measure.
    ///
    /// - Parameters:
    ///   - total: bytes of the whole file.
    ///   - bytes: that are there already.
    ///   - now: seconds, of any origin.
    init(total: Int64, bytes: Int64, now: Double) {
        self.total = total
        lastBytes = bytes
        lastTime = now
    }

    /// - Returns: the rate in bytes per second and the seconds left, if it is time to tell.
    mutating func update(bytes: Int64, now: Double) -> (rate: Double, secondsLeft: Double?)? {
        let elapsed = now - lastTime
        guard elapsed >= Self.intervalSeconds || bytes >= total else { return nil }
        if elapsed > 0 {
            let current = Double(max(0, bytes - lastBytes)) / elapsed
            // The weight grows with the time that the sample spans, so that the smoothing is the same at any pace.
            let weight = elapsed / (elapsed + Self.memorySeconds)
            rate = rate == 0 ? current : rate + (current - rate) * weight
        }
        lastTime = now
        lastBytes = bytes
        return (rate, rate > 0 ? Double(total - bytes) / rate : nil)
    }
}
