/// How many connections to have to one host: more while more bring more, fewer where they don't. Pure: the bytes and
/// the time come from outside.
///
/// It holds what it has measured (so many connections, so many bytes per second), tries another number, and keeps
/// what paid. At first it tries eight times as many, then four times, which finds the bound of a host that limits each
/// connection in three trials; after the first trial that did not pay it tries twice as many or three quarters, ever more
/// rarely.
/// A trial up ends well as soon as the bytes are there; it ends badly only after as long as the first connection
/// needed to come up to speed, since a handshake and a slow start bring nothing for so many round trips. It ended badly for
/// nothing where fewer then bring much less: over a lossy line the first connection begins with a burst that none repeats.
struct ConnectionPolicy: Sendable {
    /// The least part of what connections in proportion would bring that makes their growth worth it, where it is less than
    /// ``clearGain``.
    private static let worthwhileShare = 0.6
    /// From this gain on, more connections brought more for certain, if not in proportion.
    private static let clearGain = 1.5
    /// The part of what connections in proportion would bring that one look proves: noise seldom makes so much of a full line.
    private static let provingShare = 0.2
    /// What fewer connections must still bring to be enough.
    private static let enough = 0.92
    /// What fewer connections bring that ends their trial early.
    private static let loss = 0.8
    /// So many looks one after another prove that fewer bring less than a trial did that brought too little.
    private static let fallenLooks = 3
    /// Later, other reasons are as likely. Those that are too many need some of it to end theirs.
    private static let regretSeconds = 4.0
    /// From one look to the next: above it the bytes are still coming up to speed.
    private static let rising = 1.25
    /// A speed so far below or above the one held, either way, is another network.
    private static let changedNetwork = 0.6
    private static let memoryLooks = 8
    private static let probeLooks = 6
    private static let shortestTrialSeconds = 0.35
    private static let longestTrialSeconds = 2.0
    private static let firstPauseSeconds = 0.5
    private static let longestPauseSeconds = 32.0
    private static let yieldPauseSeconds = 16.0
    /// Requests that were under way are refused together, and are one refusal.
    private static let sameRefusalSeconds = 0.5
    /// Silence longer than this is a stall, which says nothing about the number of connections.
    private static let longestSilenceSeconds = 1.0

    private enum Phase {
        /// The first connections come up to speed.
        case start
        /// Compares ``target`` with what is held.
        case trial
        /// Leaves ``target`` as it is until the pause is over.
        case pause
    }

    /// Connections wanted now: 1...bound.
    private(set) var target: Int
    private let bound: Int
    private var phase = Phase.start
    /// What ``target`` is compared with: connections, and bytes per second over them.
    private var held: (count: Int, speed: Double)
    /// Speeds in bytes per second since ``target`` changed, the newest last.
    private var speeds: [Double] = []
    private var silentSeconds = 0.0
    private var phaseSeconds = 0.0
    /// How long the first connections took to come up to speed; the least before that is known.
    private(set) var startSeconds = shortestTrialSeconds
    private var pauseSeconds = firstPauseSeconds
    private var growth = 8
    private var probesUp = false
    private var sinceYieldSeconds = Double.infinity
    /// The last trial up, that brought too little, and how long ago; and the looks since it did that brought much less.
    private var regretted: (count: Int, speed: Double, seconds: Double, looks: Int)?

    /// Wants `start` connections until they are up to speed.
    ///
    /// - Parameters:
    ///   - bound: most connections, at least 1.
    ///   - start: how many to begin with, 1...bound; else the nearest.
    init(bound: Int, start: Int = 1) {
        self.bound = max(1, bound)
        target = min(max(1, start), self.bound)
        held = (target, 0)
    }

    /// One look at the throughput, about ten in a second. One over another number of connections than is wanted
    /// proves nothing: there was no work for more, or those that are too many still end theirs; but that a trial was wrongly
    /// ended shows already while they do.
    ///
    /// - Parameters:
    ///   - bytes: that came from the host since the last look.
    ///   - seconds: since the last look; a look without any is ignored.
    ///   - active: connections that were open.
    mutating func observe(bytes: Int64, seconds: Double, active: Int) {
        guard seconds > 0 else { return }
        sinceYieldSeconds += seconds
        if bytes > 0, active >= target { regret(Double(bytes) / seconds, seconds) }
        guard active > 0, abs(active - target) <= target / 10 else { return }
        phaseSeconds += seconds
        guard bytes > 0 else {
            silentSeconds += seconds
            return
        }
        // Over a long way the first bytes come in bursts: the silence between them is part of their speed.
        let silence = silentSeconds < Self.longestSilenceSeconds ? silentSeconds : 0
        silentSeconds = 0
        speeds.append(Double(bytes) / (seconds + silence))
        if speeds.count > 2 * Self.memoryLooks { speeds.removeFirst() }
        switch phase {
        case .start: settle()
        case .trial: judge()
        case .pause: rest()
        }
    }

    /// The host asked for less: half as many, and no growth for a while, longer each time.
    mutating func yield() {
        guard sinceYieldSeconds >= Self.sameRefusalSeconds else { return }
        sinceYieldSeconds = 0
        pauseSeconds = min(max(Self.yieldPauseSeconds, 2 * pauseSeconds), Self.longestPauseSeconds)
        pause(at: max(1, target / 2))
        probesUp = true
    }

    private mutating func settle() {
        guard speeds.count >= 2 else { return }
        // Far hosts send in bursts: one look alone proves little.
        let looks = speeds.count >= 4 ? 2 : 1
        let earlier = speeds[speeds.count - 2 * looks..<speeds.count - looks].reduce(0, +) / Double(looks)
        if speed(of: looks) > Self.rising * earlier { return }
        startSeconds = min(max(phaseSeconds, Self.shortestTrialSeconds), Self.longestTrialSeconds)
        tryMore(than: speed(of: 2))
    }

    private mutating func judge() {
        let ratio = Double(target) / Double(held.count)
        let proof = max(Self.clearGain, 1 + Self.provingShare * (ratio - 1))
        if growth > 2, ratio > 1.5, speed(of: 1) >= proof * held.speed { return tryMore(than: speed(of: 1)) }
        let looks = growth > 2 ? 3 : Self.probeLooks
        let isLoss = ratio < 1 && speeds.count >= 3 && speed(of: 3) < Self.loss * held.speed
        guard isLoss || speeds.count >= looks && phaseSeconds >= startSeconds else { return }
        let isRising = speeds.count >= 4 && speed(of: 2) > Self.rising * speed(of: 4)
        if isRising, phaseSeconds < 2 * startSeconds { return }
        let speed = speed(of: looks)
        let gain = speed / held.speed
        if ratio > 1, gain >= min(Self.clearGain, 1 + Self.worthwhileShare * (ratio - 1)) {
            pauseSeconds = Self.firstPauseSeconds
            return tryMore(than: speed)
        }
        if ratio < 1, gain >= Self.enough { return attempt(max(1, target / 2), against: max(speed, held.speed)) }
        growth = 2
        pauseSeconds = min(pauseSeconds * 2, Self.longestPauseSeconds)
        let trial = target
        pause(at: held.count)
        if ratio > 1 { regretted = (trial, speed, 0, 0) }
    }

    /// Goes back to more than the last trial had, where it turns out soon that fewer bring much less than it did. Those that are
    /// too many may still end theirs; that fewer than are wanted bring less proves nothing.
    private mutating func regret(_ speed: Double, _ seconds: Double) {
        guard var trial = regretted else { return }
        trial.seconds += seconds
        if trial.seconds > Self.regretSeconds { return regretted = nil }
        trial.looks = speed < Self.changedNetwork * trial.speed ? trial.looks + 1 : 0
        regretted = trial
        guard trial.looks >= Self.fallenLooks, trial.seconds >= startSeconds else { return }
        (target, growth) = (trial.count, 4)
        tryMore(than: trial.speed)
    }

    private mutating func rest() {
        guard speeds.count >= Self.memoryLooks else { return }
        let speed = speed(of: Self.memoryLooks)
        if held.speed == 0 { held.speed = speed }
        let change = self.speed(of: 5) / held.speed
        // After a refusal, half the speed is what was asked for.
        if (change < Self.changedNetwork || change > 1 / Self.changedNetwork), sinceYieldSeconds > pauseSeconds {
            pauseSeconds = Self.firstPauseSeconds
            growth = 8
            return tryMore(than: self.speed(of: 5))
        }
        held.speed += (speed - held.speed) / Double(2 * Self.memoryLooks)
        guard phaseSeconds >= pauseSeconds else { return }
        probesUp.toggle()
        if probesUp { tryMore(than: speed) } else { tryFewer(than: speed) }
    }

    private mutating func tryMore(than speed: Double) {
        attempt(min(bound, target * growth), against: speed)
        growth = min(growth, 4)
    }

    private mutating func tryFewer(than speed: Double) {
        attempt(max(1, target * 3 / 4), against: speed)
    }

    private mutating func attempt(_ count: Int, against speed: Double) {
        guard count != target else { return pause(at: target) }
        held = (target, speed)
        target = count
        begin(.trial)
    }

    private mutating func pause(at count: Int) {
        target = count
        held = (count, 0)
        begin(.pause)
    }

    private mutating func begin(_ next: Phase) {
        regretted = nil
        phase = next
        phaseSeconds = 0
        speeds.removeAll(keepingCapacity: true)
    }

    /// The mean of the last `looks`.
    private func speed(of looks: Int) -> Double {
        speeds.suffix(looks).reduce(0, +) / Double(min(looks, speeds.count))
    }
}
