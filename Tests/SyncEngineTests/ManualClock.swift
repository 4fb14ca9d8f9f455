import SyncDomain
import SyncEngine
import Synchronization

/// Time that moves only when it is told to, or when somebody sleeps; chance that is no chance.
final class ManualClock: Sendable {
    private struct State {
        var elapsed = Duration.zero
        var sleeps: [Duration] = []
    }

    /// 2026-01-01T00:00:00Z: when time begins.
    static let origin: Int64 = 1_767_225_600_000

    private let state = Mutex(State())
    private let chance: Double
    private let onSleep: @Sendable (Duration) -> Void

    /// - Parameters:
    ///   - chance: what chance always is.
    ///   - onSleep: called before somebody sleeps.
    init(chance: Double = 1, onSleep: @escaping @Sendable (Duration) -> Void = { _ in }) {
        self.chance = chance
        self.onSleep = onSleep
    }

    func advance(_ duration: Duration) { state.withLock { $0.elapsed += duration } }

    var elapsed: Duration { state.withLock { $0.elapsed } }
    /// How long somebody slept, each time.
    var sleeps: [Duration] { state.withLock { $0.sleeps } }

    var clock: RunClock {
        RunClock(
            monotonic: { self.elapsed },
            wall: { Timestamp(milliseconds: Self.origin + Int64(self.elapsed.seconds * 1000)) },
            sleep: { duration in
                self.onSleep(duration)
                try Task.checkCancellation()
                self.state.withLock { state in
                    state.sleeps.append(duration)
                    state.elapsed += duration
                }
                // Who sleeps again and again would else keep its thread for good, of which there are as many as cores: with
                // each of them so taken, nobody would be left to end it.
                await Task.yield()
            },
            chance: { self.chance })
    }
}
