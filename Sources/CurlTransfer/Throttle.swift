internal import CCurl
internal import Glibc

/// Holds the transfers of one loop to the rate they share. Used by the loop's thread alone.
///
/// While the budget is spent libcurl does nothing at all, and TCP slows all servers down. When it is not, everybody gets
/// a turn: without it libcurl would read a hundred times from one connection before it looks at the next.
final class Throttle {
    /// Most time for which the loop does not look who has cancelled.
    private static let longestWait = Duration.milliseconds(20)
    /// What all transfers together may bring before the budget is asked again: many of them, a record of TLS each.
    private static let mostAtOnceBytes: Int64 = 1 << 20

    let turnBytes: Int
    private var budget: RateBudget

    /// Nil if there is no limit.
    init?(bytesPerSecond: Int64?) {
        guard let bytesPerSecond else { return nil }
        turnBytes = Self.turnBytes(bytesPerSecond, atMost: .max)
        budget = RateBudget(bytesPerSecond: bytesPerSecond, now: .now)
    }

    func received(_ count: Int) { budget.spend(count) }

    /// Waits for the budget, or for some of the time that it asks for.
    ///
    /// - Returns: whether anything may be received now.
    func isReady() -> Bool {
        guard let wait = budget.wait(at: .now) else { return true }
        // Rounded up, or the last part of a microsecond would be waited for by spinning.
        _ = usleep(UInt32(min(wait, Self.longestWait) / .microseconds(1)) + 1)
        return budget.wait(at: .now) == nil
    }

    /// Bytes that each transfer may bring before the budget is asked again: so few that those of many are a small part
    /// of a second's. It is what libcurl reads at once as well.
    static func turnBytes(_ bytesPerSecond: Int64, atMost limit: Int) -> Int {
        // What libcurl takes at least (CURLOPT_BUFFERSIZE(3)).
        Int(max(1024, min(Int64(limit), bytesPerSecond / 512)))
    }

    /// How long libcurl may have to do nothing: no server is to blame for it.
    static func longestPause(_ bytesPerSecond: Int64) -> Duration {
        .seconds(Double(mostAtOnceBytes) / Double(max(1, bytesPerSecond)))
    }
}

@available(*, unavailable)
extension Throttle: Sendable {}

extension RunningTransfer {
    /// The next bytes of the body, from libcurl.
    ///
    /// - Returns: what a write callback has to (CURLOPT_WRITEFUNCTION(3)).
    func receive(_ bytes: RawSpan) -> Int {
        if let throttle {
            // Of a turn nothing is left over for the next, and a piece that is larger than a turn comes all the same.
            if turnBytes > 0 && turnBytes + bytes.byteCount > throttle.turnBytes {
                isPaused = true
                return pause
            }
            turnBytes += bytes.byteCount
            throttle.received(bytes.byteCount)
        }
        return exchange.body(bytes) ? bytes.byteCount : refusal
    }
}
