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
        try await pool.enter(one.host)
        try await pool.enter(other.host)
        let waiting = Task { try await pool.enter(one.host) }
        waiting.cancel()
        await #expect(throws: CancellationError.self) { try await waiting.value }
        let next = Task { try await pool.enter(one.host) }
        pool.leave(other.host)
        try await next.value
    }

    @Test func aHostHasItsOwnBound() async throws {
        let pool = try pool(10, ["small.example": 1])
        let (small, other) = (try source("small.example"), try source("other.example"))
        try await pool.enter(small.host)
        let waiting = Task { try await pool.enter(small.host) }
        // Others go past whoever waits for it.
        for _ in 0..<9 { try await pool.enter(other.host) }
        pool.leave(small.host)
        try await waiting.value
    }

    @Test func nothingIsAskedOfAHostThatAskedForAPause() async throws {
        let pool = try pool(4)
        let one = try source("one.example")
        try await pool.enter(one.host)
        #expect(!pool.isHeld(one.host))
        pool.hold(one.host, for: .seconds(7))
        #expect(pool.isHeld(one.host))
        try await pool.enter(one.host)
        #expect(time.sleeps == [.seconds(7)])
        #expect(!pool.isHeld(one.host))
        // The other host was asked for nothing.
        try await pool.enter(try source("other.example").host)
        #expect(time.sleeps.count == 1)
    }

    @Test func hostsThatFailedAreAskedLast() async throws {
        let pool = try pool(4)
        let sources = try ["one.example", "two.example"].map(source)
        try await pool.enter(sources[0].host)
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
        try await pool.enter(one.host)
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
        try await pool.enter(one.host)
        for _ in 0..<20 {
            time.advance(.milliseconds(110))
            pool.didReceive(40_000_000, from: one.host)
        }
        file.end()
        let slots = await granted(file)
        #expect(slots == 0)
    }

    @Test func whoeverWaitsForASilentClaimIsOfferedAConnection() async throws {
        let pool = try pool(2)
        let file = try shared(["one.example"])
        let one = try source("one.example")
        try await pool.enter(one.host)
        pool.offer(file)
        // No more than the bound.
        pool.offer(file)
        file.end()
        let slots = await granted(file)
        #expect(slots == 1)
    }
}
