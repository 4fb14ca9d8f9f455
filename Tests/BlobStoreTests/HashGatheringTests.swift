import SyncDomain
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// When streams wait in the queue for others to share the lanes with, and when no longer. Each of these waits for ever
/// if a thread is not woken.
@Suite(.timeLimit(.minutes(1)))
struct HashGatheringTests {
    private static let patient = Int(HashStream.patientBytes)
    private static let urgent = Int(HashStream.urgentBytes)

    /// Four lanes on any machine.
    private static let schedule = HashSchedule([.openSSL, four]) { $0 == four ? 1 : 10 }
    private static let four = HashKernel(name: "four", lanes: 4) { lanes, laneCount, blockCount in
        for lane in 0..<laneCount { HashKernel.openSSL.function(lanes + lane, 1, blockCount) }
    }

    /// A stream that was put into the queue, and waits there.
    @Test(arguments: [1, 3])
    func askingForTheDigestEndsTheWait(_ threads: Int) async throws {
        let service = HashService(threads: threads, schedule: Self.schedule)
        defer { withExtendedLifetime(service) {} }
        try await Self.withFile(of: 2 * Self.patient) { path, bytes in
            let other = service.stream(try OpenFile.read(path))
            other.advance(to: 1)
            defer { other.cancel() }
            for count in [Self.patient, Self.patient + 1, 2 * Self.patient] {
                let stream = service.stream(try OpenFile.read(path))
                stream.advance(to: Int64(Self.patient))
                let digest = try await stream.digest(of: Int64(count))
                #expect(digest == SHA256Digest(of: Array(bytes.prefix(count))))
            }
        }
    }

    @Test func fallingBehindEndsTheWait() async throws {
        let service = HashService(threads: 1, schedule: Self.schedule)
        defer { withExtendedLifetime(service) {} }
        try await Self.withFile(of: Self.urgent) { path, _ in
            let told = AsyncStream.makeStream(of: Int64.self)
            let other = service.stream(try OpenFile.read(path))
            other.advance(to: 1)
            defer { other.cancel() }
            let stream = service.stream(try OpenFile.read(path)) { told.continuation.yield($0) }
            stream.advance(to: Int64(Self.patient))
            stream.advance(to: Int64(Self.urgent))
            #expect(await told.stream.first { _ in true } != nil)
            stream.cancel()
        }
    }

    /// Fewer than there are lanes, but no other will come.
    @Test(arguments: [false, true])
    func allThatGrowEndTheWait(_ endsByCancelling: Bool) async throws {
        let service = HashService(threads: 1, schedule: Self.schedule)
        defer { withExtendedLifetime(service) {} }
        try await Self.withFile(of: Self.patient) { path, _ in
            let told = AsyncStream.makeStream(of: Int64.self)
            let first = service.stream(try OpenFile.read(path)) { told.continuation.yield($0) }
            let second = service.stream(try OpenFile.read(path))
            second.advance(to: 1)
            first.advance(to: Int64(Self.patient))
            if endsByCancelling { second.cancel() } else { second.advance(to: Int64(Self.patient)) }
            #expect(await told.stream.first { _ in true } != nil)
            for stream in [first, second] { stream.cancel() }
        }
    }

    @Test func asManyAsThereAreLanesEndTheWait() async throws {
        let service = HashService(threads: 1, schedule: Self.schedule)
        defer { withExtendedLifetime(service) {} }
        try await Self.withFile(of: Self.patient) { path, _ in
            let told = AsyncStream.makeStream(of: Int.self)
            let streams = try (0..<4).map { index in
                service.stream(try OpenFile.read(path)) { _ in told.continuation.yield(index) }
            }
            let other = service.stream(try OpenFile.read(path))
            other.advance(to: 1)
            defer { other.cancel() }
            for stream in streams { stream.advance(to: Int64(Self.patient)) }
            var seen: Set<Int> = []
            for await index in told.stream where seen.insert(index).inserted && seen.count == 4 { break }
            for stream in streams { stream.cancel() }
        }
    }

    /// A thread that has lanes free takes what comes; but this one is held, and somebody waits for the second's digest.
    @Test func oneThreadThatIsHeldDoesNotKeepAnUrgentStreamBehindTheOthers() async throws {
        let service = HashService(threads: 2, schedule: Self.schedule)
        defer { withExtendedLifetime(service) {} }
        try await Self.withFile(of: Self.patient) { path, bytes in
            let gate = Gate()
            let first = service.stream(try OpenFile.read(path)) { _ in gate.pass() }
            let second = service.stream(try OpenFile.read(path))
            first.advance(to: Int64(Self.patient))
            await gate.arrival()
            second.advance(to: Int64(Self.patient))
            #expect(try await second.digest(of: Int64(Self.patient)) == SHA256Digest(of: bytes))
            gate.open()
            #expect(try await first.digest(of: Int64(Self.patient)) == SHA256Digest(of: bytes))
        }
    }

    /// Cancelled where they wait: they must not be counted for ever, nor keep others waiting.
    @Test func cancelledStreamsInTheQueueDoNotHoldUpOthers() async throws {
        let service = HashService(threads: 1, schedule: Self.schedule)
        defer { withExtendedLifetime(service) {} }
        try await Self.withFile(of: Self.patient) { path, bytes in
            for _ in 0..<50 {
                let stream = service.stream(try OpenFile.read(path)) { _ in Issue.record("it was cancelled") }
                // Before it is announced, so that no thread can have begun.
                stream.cancel()
                stream.advance(to: Int64(Self.patient))
            }
            let queued = try (0..<3).map { _ in service.stream(try OpenFile.read(path)) }
            for stream in queued { stream.advance(to: Int64(Self.patient)) }
            for stream in queued { stream.cancel() }
            let last = service.stream(try OpenFile.read(path))
            last.advance(to: Int64(Self.patient))
            #expect(try await last.digest(of: Int64(Self.patient)) == SHA256Digest(of: bytes))
        }
    }

    private static func withFile(of count: Int, _ body: (String, [UInt8]) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            var dice = Dice(seed: 1)
            let bytes = noise(count, &dice)
            try await body(try folder.write(bytes, to: "file"), bytes)
        }
    }
}
