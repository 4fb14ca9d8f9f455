import SyncDomain
import Synchronization
import TestSupport
import Testing

@testable import SyncEngine

/// What becomes of a file's other connections, and of their source, when one of them fails.
@Suite(.timeLimit(.minutes(1))) struct HelperTests {
    private static let content = bytes(8 << 20, 5)
    private static let lost = ScriptedTransport.Answer.file(content).cut(at: 0)

    private let world = World()
    private let pool: ConnectionPool
    private let file: SharedFile
    private let ingest = PartsIngest(size: 8 << 20)
    private let source: SourceURL
    private let mirror: SourceURL

    init() throws {
        source = try SourceURL("https://one.example/f")
        mirror = try SourceURL("https://two.example/f")
        pool = ConnectionPool(bound: 32, hosts: [:], clock: world.time.clock)
        file = SharedFile(size: 8 << 20, missing: [0..<8 << 20], sources: [source, mirror], isAlone: false)
    }

    /// One helper from its beginning to its end.
    private func help(from source: SourceURL? = nil) async throws {
        let slot = try #require(try await pool.enter((source ?? self.source).host))
        let fetch = PlannedFetch(sha256: try digest(1), size: 8 << 20, sources: [self.source, mirror], item: 0)
        let job = Fetcher.Job(fetch: fetch, model: "m", path: "f")
        let fetcher = Fetcher(
            store: world.store, transport: world.transport, clock: world.time.clock, options: RunOptions(),
            observer: world.log, pool: pool, turns: Turns(1), held: Turns(0))
        let meter = FileMeter(job, bytes: 0, clock: world.time.clock, observer: world.log)
        await Helper(fetcher: fetcher, job: job, ingest: ingest, file: file, meter: meter).run(slot)
        // Its slot is free again, and what it did not bring.
        #expect(file.claim(isFirst: true).map { file.release($0) } == false)
    }

    private var hasSource: Bool { source.host.map { file.source(of: $0) } == source }

    @Test func aConnectionThatIsLostAfterBytesCostsNothingElse() async throws {
        world.transport.script(source, [.file(Self.content).cut(at: 1000)])
        for round in 1...5 {
            try await help()
            #expect(hasSource && pool.failed.isEmpty)
            #expect(file.missingBytes == 8 << 20 - Int64(1000 * round))
        }
        #expect(file.takeHelp().attempts.map { $0.error?.code } == Array(repeating: .networkInterrupted, count: 5))
    }

    @Test func afterThreeFailuresInARowWithoutAByteTheHostIsAskedLast() async throws {
        world.transport.script(source, [Self.lost, Self.lost, .file(Self.content).cut(at: 1), Self.lost])
        for _ in 1...5 {
            try await help()
            #expect(hasSource && pool.failed.isEmpty)
        }
        try await help()
        #expect(!hasSource)
        #expect(pool.failed == Set([source.host].compactMap(\.self)))
    }

    @Test func aHostThatIsBusyOnceKeepsItsPlace() async throws {
        world.transport.script(source, [.failure(.httpStatus, status: 503, isRetryable: true)])
        for _ in 1...2 {
            try await help()
            #expect(hasSource)
        }
        try await help()
        // It answers: other files may still have it.
        #expect(!hasSource && pool.failed.isEmpty)
    }

    @Test func aPauseThatAHelperIsAskedForIsKept() async throws {
        world.transport.script(
            source, [.failure(.httpStatus, status: 503, isRetryable: true, retryAfter: RetryPolicy.longestRetryAfter)])
        try await help()
        #expect(hasSource && pool.isHeld(source.host))
    }

    /// Whether to wait so long is the first connection's to decide, which may ask others.
    @Test func aPauseThatIsTooLongLeavesTheSourceToTheFirstConnection() async throws {
        world.transport.script(
            source, [.failure(.httpStatus, status: 503, isRetryable: true, retryAfter: .seconds(3600))])
        try await help()
        #expect(!pool.isHeld(source.host))
        #expect(!hasSource && pool.failed.isEmpty)
    }

    @Test func whatFailsTogetherHasFailedOnce() async throws {
        world.transport.script(source, [Self.lost.hanging()])
        try await withThrowingTaskGroup { group in
            for _ in 1...4 { group.addTask { try await help() } }
            await world.transport.wait { $0.hanging == 4 }
            world.time.advance(.seconds(1))
            world.transport.release()
            try await group.waitForAll()
        }
        #expect(hasSource && pool.failed.isEmpty)
    }

    @Test func whatCanNotGetBetterIsGivenUpAtOnce() async throws {
        world.transport.script(source, [.failure(.networkTLS)])
        try await help()
        #expect(!hasSource)
        #expect(pool.failed == Set([source.host].compactMap(\.self)))
    }

    /// Only what the first connection brings can't be gone on with where its source sends the whole file alone.
    @Test func aMirrorWithoutPartsLeavesTheOthers() async throws {
        file.willAsk(source)
        world.transport.script(mirror, [.whole(Self.content)])
        _ = file.claim(isFirst: true).map { file.take($0, 1 << 20, from: source) }
        try await help(from: mirror)
        #expect(file.isShared && hasSource)
        #expect(file.hasDropped(try #require(mirror.host)))
    }

    @Test func theFileComesOverOneConnectionWhereItsOwnSourceHasNoParts() async throws {
        file.willAsk(source)
        world.transport.script(source, [.whole(Self.content)])
        _ = file.claim(isFirst: true)
        try await help()
        #expect(!file.isShared)
    }

    @Test func aPartThatCanNotBeContinuedIsLeftToTheFirstConnection() async throws {
        world.transport.script(source, [.failure(.protocolViolation, isRetryable: true, mustRestart: true)])
        try await help()
        #expect(!hasSource && pool.failed.isEmpty)
    }
}

/// A file as its connections bring it.
@Suite(.timeLimit(.minutes(1))) struct SharedFetchTests {
    private static let size: Int64 = 16 << 20

    /// Its last request failed, and before it asked again the others had brought all.
    @Test func theSourceIsNamedWhereTheFirstConnectionBroughtNothingAtLast() async throws {
        let world = World(perSlice: .milliseconds(110))
        let (content, source) = (bytes(Int(Self.size), 6), try source("f"))
        let ingest = PartsIngest(size: Self.size)
        world.transport.script(source) { _, attempt in
            switch attempt {
            case 1: .file(content).hanging(at: 1 << 20)
            case 2: .file(content).hanging()
            case 3: .failure(.networkConnect, isRetryable: true)
            default: .file(content)
            }
        }
        let (ticks, _) = AsyncStream<Void>.makeStream()
        var clock = world.time.clock
        clock.sleep = { duration in
            if duration == .seconds(RetryPolicy.firstBoundSeconds) {
                world.transport.release()
                await ingest.whole()
            } else {
                for await _ in ticks {}
            }
            try Task.checkCancellation()
        }
        let fetcher = Fetcher(
            store: PartsStore(ingest: ingest), transport: world.transport, clock: clock, options: RunOptions(),
            observer: world.log, pool: ConnectionPool(bound: 2, hosts: [:], clock: clock), turns: Turns(1),
            held: Turns(0))
        let fetch = PlannedFetch(sha256: try digest(1), size: Self.size, sources: [source], item: 0)
        // Once a helper has its part, the first connection ends its own and asks for another.
        async let hasHelp: Void = {
            await world.transport.wait { $0.hanging == 2 }
            world.transport.releaseOne()
        }()
        let outcome = await fetcher.run(Fetcher.Job(fetch: fetch, model: "m", path: "f"))
        await hasHelp
        #expect(outcome.error == nil)
        #expect(outcome.transfer?.attempts.contains { $0.error?.code == .networkConnect } == true)
        #expect(outcome.transfer?.bytesDownloaded == Self.size)
        #expect(outcome.transfer?.source == source.text)
    }
}
