import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

@Suite struct FileSinkTests {
    /// A run was killed while parts came: the first bytes and some later ones are missing, and the server has no ranges.
    @Test func whatComesBehindThePartThatWasAskedForEndsTheRequest() async throws {
        let world = World()
        let source = try source("f")
        let file = SharedFile(size: 300, missing: [0..<100, 200..<300], sources: [source], isAlone: false)
        let fetch = PlannedFetch(sha256: try digest(1), size: 300, sources: [source], item: 0)
        let job = Fetcher.Job(fetch: fetch, model: "m", path: "f")
        let claim = try #require(file.claim(isFirst: true))
        #expect(claim.range == 0..<100)
        let sink = FileSink(
            PartsIngest(size: 300), file, claim, source, source.host,
            FileMeter(job, bytes: 100, clock: world.time.clock, observer: world.log),
            ConnectionPool(bound: 1, hosts: [:], clock: world.time.clock))
        try sink.begin(at: 0, validator: nil)
        // All that was asked for, and no byte more: the answer may end here of itself.
        try sink.write(bytes(100, 1).span.bytes)
        #expect(!sink.isDone)
        #expect(throws: SyncError.self) { try sink.write(bytes(50, 2).span.bytes) }
        #expect(sink.isDone && sink.taken == 100)
    }
}
