import SyncDomain
import Testing

@testable import SyncEngine

@Suite struct ConnectionPoolTests {
    private let time = ManualClock()

    private func source(_ host: String) throws -> SourceURL { try SourceURL("https://\(host)/file") }

    private func pool(_ bound: Int, _ hosts: [String: Int] = [:]) throws -> ConnectionPool {
        var settings: [HostKey: HostSettings] = [:]
        for (host, connections) in hosts { settings[try HostKey(host)] = HostSettings(connections: connections) }
        return ConnectionPool(bound: bound, hosts: settings, clock: time.clock)
    }

    private func shared(_ hosts: [String], mebibytes: Int64 = 100) throws -> SharedFile {
        SharedFile(
            size: mebibytes << 20, missing: [0..<mebibytes << 20], sources: try hosts.map(source), isAlone: false)
    }

    /// Of a file that has ended.
    private func granted(_ file: SharedFile) async -> Int {
        var slots = 0
        for await _ in file.wishes ?? AsyncStream(unfolding: { nil }) { slots += 1 }
        return slots
    }

    @Test func thereAreNoMoreThanTheBound() async throws {
        let pool = try pool(2)
        let (one, other) = (try source("one.example"), try source("other.example"))
        _ = try await pool.enter(one.host)
        let slot = try await pool.enter(other.host)
        let waiting = Task { try await pool.enter(one.host) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let next = Task { try await pool.enter(one.host) }
        pool.leave(slot)
        #expect(try await next.value?.host == one.host)
    }

    @Test func aHostHasItsOwnBound() async throws {
        let pool = try pool(10, ["small.example": 1])
        let (small, other) = (try source("small.example"), try source("other.example"))
        let slot = try await pool.enter(small.host)
        let waiting = Task { try await pool.enter(small.host) }
        // Others go past whoever waits for it.
        for _ in 0..<9 { _ = try await pool.enter(other.host) }
        pool.leave(slot)
        #expect(try await waiting.value?.host == small.host)
    }

    @Test func smallFilesThatShareAConnectionTakeNoneFromLargeOnes() async throws {
        let pool = try pool(2)
        let one = try source("one.example")
        let first = try await pool.enter(one.host, isSmall: true)
        #expect(first?.isStream == false)
        pool.didAnswer(one.host, isMultiplexed: true)
        for _ in 0..<4 { #expect(try await pool.enter(one.host, isSmall: true)?.isStream == true) }
        let waiting = Task.immediate { try await pool.enter(one.host, isSmall: true) }
        #expect(try await pool.enter(one.host)?.isStream == false)
        let large = Task.immediate { try await pool.enter(one.host) }
        pool.leave(ConnectionPool.Slot(host: try #require(one.host), isStream: true))
        #expect(try await waiting.value?.isStream == true)
        pool.leave(first)
        #expect(try await large.value?.isStream == false)
    }

    @Test func whoeverWaitsGoesOnceItIsKnownThatAConnectionCanBeShared() async throws {
        let pool = try pool(1)
        let one = try source("one.example")
        _ = try await pool.enter(one.host, isSmall: true)
        let waiting = (0..<2).map { _ in Task.immediate { try await pool.enter(one.host, isSmall: true) } }
        pool.didAnswer(one.host, isMultiplexed: true)
        for task in waiting { #expect(try await task.value?.isStream == true) }
    }

    @Test func whereASmallFileGoesOverASharedConnectionALargeOneHasTheConnection() async throws {
        let pool = try pool(1, ["small.example": 1])
        let (small, other) = (try source("small.example"), try source("other.example"))
        let first = try await pool.enter(small.host, isSmall: true)
        let next = Task.immediate { try await pool.enter(small.host, isSmall: true) }
        let large = Task.immediate { try await pool.enter(other.host) }
        pool.didAnswer(small.host, isMultiplexed: true)
        pool.leave(first)
        #expect(try await next.value?.isStream == true)
        #expect(try await large.value?.isStream == false)
    }

    @Test func theBoundOfAHostIsOfRequestsToo() async throws {
        let pool = try pool(10, ["small.example": 2])
        let small = try source("small.example")
        let first = try await pool.enter(small.host, isSmall: true)
        pool.didAnswer(small.host, isMultiplexed: true)
        #expect(try await pool.enter(small.host, isSmall: true)?.isStream == true)
        let waiting = Task.immediate { try await pool.enter(small.host, isSmall: true) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let next = Task.immediate { try await pool.enter(small.host) }
        pool.leave(first)
        #expect(try await next.value?.isStream == false)
    }

    @Test func nothingIsAskedOfAHostThatAskedForAPause() async throws {
        let pool = try pool(4)
        let one = try source("one.example")
        _ = try await pool.enter(one.host)
        #expect(!pool.isHeld(one.host))
        pool.hold(one.host, for: .seconds(7))
        #expect(pool.isHeld(one.host))
        _ = try await pool.enter(one.host)
        #expect(time.sleeps == [.seconds(7)])
        #expect(!pool.isHeld(one.host))
        // The other host was asked for nothing.
        _ = try await pool.enter(try source("other.example").host)
        #expect(time.sleeps.count == 1)
    }

    @Test(arguments: [false, true]) func whoeverWaitsForAPauseToEndHoldsNoConnection(isLate: Bool) async throws {
        let (sleeps, asleep) = AsyncStream<Void>.makeStream()
        let (ends, end) = AsyncStream<Void>.makeStream()
        var clock = time.clock
        clock.sleep = { [time] duration in
            asleep.yield()
            for await _ in ends { return time.advance(duration) }
        }
        let pool = ConnectionPool(bound: 1, hosts: [:], clock: clock)
        let (one, other) = (try source("one.example"), try source("other.example"))
        pool.leave(try await pool.enter(other.host))
        let first = try await pool.enter(one.host)
        if isLate { pool.hold(one.host, for: .seconds(60)) }
        // It is asked for while it waits for the connection, or before it comes.
        let held = Task.immediate { try await pool.enter(one.host) }
        if !isLate { pool.hold(one.host, for: .seconds(60)) }
        pool.leave(first)
        for await _ in sleeps { break }
        let file = try shared(["other.example"])
        pool.offer(file)
        file.end()
        let slots = await granted(file)
        #expect(slots == 1)
        if slots > 0 { pool.leave(ConnectionPool.Slot(host: try #require(other.host))) }
        end.yield()
        #expect(try await held.value?.host == one.host)
        #expect(time.elapsed == .seconds(60))
    }

    @Test func hostsThatFailedAreAskedLast() async throws {
        let pool = try pool(4)
        let sources = try ["one.example", "two.example"].map(source)
        _ = try await pool.enter(sources[0].host)
        pool.drop(sources[0], because: SyncError(.networkTLS, "no"))
        pool.drop(sources[0], because: SyncError(.networkTLS, "no"))
        #expect(pool.ordered(sources) == [sources[1], sources[0]])
        #expect(pool.notes.count == 1)
    }

    @Test func aFileGetsHelpWhereItIsSlow() async throws {
        let pool = try pool(32)
        let file = try shared(["one.example"])
        let one = try source("one.example")
        pool.join(file)
        _ = file.claim(isFirst: true)
        _ = try await pool.enter(one.host)
        for _ in 0..<20 {
            time.advance(.milliseconds(110))
            pool.didReceive(1_000_000, from: one.host)
        }
        pool.remove(file)
        file.end()
        let slots = await granted(file)
        #expect(slots >= 3)
    }

    @Test func aFileThatIsFastIsLeftAlone() async throws {
        let pool = try pool(32)
        let file = try shared(["one.example"])
        let one = try source("one.example")
        pool.join(file)
        _ = file.claim(isFirst: true)
        _ = try await pool.enter(one.host)
        for _ in 0..<20 {
            time.advance(.milliseconds(110))
            pool.didReceive(40_000_000, from: one.host)
        }
        file.end()
        let slots = await granted(file)
        #expect(slots == 0)
    }

    /// A far host whose first connection needs a second to come up to 100 MB a second: another would need as long. Where there are
    /// several, that says nothing of one more.
    @Test(arguments: [(mebibytes: Int64(250), connections: 1, helpers: 0), (900, 1, 7), (250, 2, 6)])
    func aFileThatIsHereBeforeOthersComeUpToSpeedIsLeftAlone(
        mebibytes: Int64, connections: Int, helpers: Int
    ) async throws {
        let pool = try pool(8)
        let file = try shared(["far.example"], mebibytes: mebibytes)
        let far = try source("far.example")
        pool.join(file)
        let claim = try #require(file.claim(isFirst: true))
        for _ in 0..<connections { _ = try await pool.enter(far.host) }
        for megabytes in [1, 1, 2, 3, 4, 5, 7, 9, 11, 11, 11, 11, 11] {
            time.advance(.milliseconds(110))
            _ = file.take(claim, megabytes * 1_000_000, from: far)
            pool.didReceive(megabytes * 1_000_000, from: far.host)
        }
        file.end()
        let slots = await granted(file)
        #expect(slots == helpers)
    }

    @Test func whoeverWaitsForASilentClaimIsOfferedAConnection() async throws {
        let pool = try pool(2)
        let file = try shared(["one.example"])
        let one = try source("one.example")
        _ = try await pool.enter(one.host)
        pool.offer(file)
        // No more than the bound.
        pool.offer(file)
        file.end()
        let slots = await granted(file)
        #expect(slots == 1)
    }

    @Test func afterAConnectionThatFailedTheHostIsLeftAloneForAMoment() async throws {
        let pool = try pool(8)
        let file = try shared(["one.example"])
        let one = try source("one.example")
        _ = try await pool.enter(one.host)
        pool.calm(one.host, isRefusal: true)
        pool.offer(file)
        time.advance(.milliseconds(999))
        pool.offer(file)
        time.advance(.milliseconds(1))
        pool.offer(file)
        file.end()
        let slots = await granted(file)
        #expect(slots == 1)
    }

    @Test func aMirrorThatAskedForAPauseGetsNoConnectionForASharedFile() async throws {
        let pool = try pool(32)
        let file = try shared(["one.example", "two.example"])
        let (one, two) = (try source("one.example"), try source("two.example"))
        pool.join(file)
        _ = file.claim(isFirst: true)
        _ = try await pool.enter(one.host)
        pool.leave(try await pool.enter(two.host))
        pool.hold(two.host, for: .seconds(3600))
        for _ in 0..<20 {
            time.advance(.milliseconds(110))
            pool.didReceive(1_000_000, from: one.host)
        }
        file.end()
        for await slot in file.wishes ?? AsyncStream(unfolding: { nil }) { #expect(slot.host == one.host) }
    }
}
