/// The bytes that all transfers together may still bring, at a rate. Asks no clock: its caller does.
///
/// What comes beyond them is a debt, for which everybody waits: so any long time brings what the rate says, however much
/// comes at once. What is not used is kept for a moment, and no longer.
struct RateBudget {
    typealias Instant = ContinuousClock.Instant

    /// How much time's bytes may be saved up while too few come.
    static let savings = Duration.milliseconds(50)

    private let bytesPerSecond: Double
    /// Negative: a debt. Fractions of bytes add up.
    private var credit = 0.0
    private var lastUpdate: Instant

    /// What is less than 1 byte a second counts as 1.
    init(bytesPerSecond: Int64, now: Instant) {
        self.bytesPerSecond = Double(max(1, bytesPerSecond))
        lastUpdate = now
    }

    /// Bytes have come.
    mutating func spend(_ count: Int) { credit -= Double(count) }

    /// How long to let nothing come; nil if something may come now.
    mutating func wait(at now: Instant) -> Duration? {
        let most = bytesPerSecond * (Self.savings / .seconds(1))
        credit = min(most, credit + bytesPerSecond * max(0, (now - lastUpdate) / .seconds(1)))
        lastUpdate = now
        return credit < 0 ? .seconds(-credit / bytesPerSecond) : nil
    }
}
