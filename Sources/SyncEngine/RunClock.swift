public import SyncDomain

/// Time and chance, from outside, so that a test can hold them still.
public struct RunClock: Sendable {
    /// Time since any fixed moment; never goes back.
    public var monotonic: @Sendable () -> Duration
    /// The civil time, for reports alone: it may be set back.
    public var wall: @Sendable () -> Timestamp
    /// Throws when the task is cancelled.
    public var sleep: @Sendable (Duration) async throws -> Void
    /// 0 to 1, uniform.
    public var chance: @Sendable () -> Double

    /// Any sources of time and chance; each may be asked from any thread.
    public init(
        monotonic: @escaping @Sendable () -> Duration, wall: @escaping @Sendable () -> Timestamp,
        sleep: @escaping @Sendable (Duration) async throws -> Void, chance: @escaping @Sendable () -> Double
    ) {
        self.monotonic = monotonic
        self.wall = wall
        self.sleep = sleep
        self.chance = chance
    }
}
