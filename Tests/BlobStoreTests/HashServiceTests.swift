import Foundation
import SyncDomain
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

@Suite(.timeLimit(.minutes(1)))
struct HashServiceTests {
    private static let slice = Int(HashStream.turnBytes)
    private static let buffer = 1 << 20
    private static let lengths =
        [0, 1, 63, 64, 65] + [buffer, slice, slice + buffer, 2 * slice].flatMap { [$0 - 1, $0, $0 + 1] }

    /// Many at once, each growing by steps of its own while it is hashed.
    @Test func digestsOfManyStreamsEqualTheOracles() async throws {
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: 3)
            defer { withExtendedLifetime(service) {} }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, length) in Self.lengths.enumerated() {
                    let path = try folder.write(Payload.bytes(length, seed: UInt64(index)), to: "\(index)")
                    group.addTask {
                        var random = Steps(seed: UInt64(index))
                        let stream = service.stream(try OpenFile.read(path))
                        var there = 0
                        while there < length {
                            there = min(length, there + random.next(upTo: 3 << 20))
                            stream.advance(to: Int64(there))
                            await Task.yield()
                        }
                        let digest = try await stream.digest(of: Int64(length))
                        #expect(digest.hex == (try Payload.sha256(ofFile: path)), "\(length) bytes")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// What one thread can't keep up with has its core to itself, and gives it back.
    @Test(.enabled(if: ProcessInfo.processInfo.activeProcessorCount > 1, "needs two cores"))
    func whoReceivesLeavesTheCoreToAStreamThatIsFarBehind() async throws {
        try await TemporaryFolder.with { folder in
            let path = try folder.write([], to: "file")
            let (behind, length) = (HashStream.pressingBytes, HashStream.pressingBytes + HashStream.patientBytes)
            try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: UInt64(length))
            let quiet = QuietCore()
            let receiving = BlockingPool(name: "receiving", threads: 1, steppingAsideFor: quiet)
            await receiving.run {}
            let all = coresAllowed(toThread: "receiving-0")
            let seen = Mutex<[Int]>([])
            do {
                let service = HashService(threads: 1, quiet: quiet)
                defer { withExtendedLifetime(service) {} }
                let stream = service.stream(try OpenFile.read(path)) { _ in
                    seen.withLock { $0.append(coresAllowed(toThread: "receiving-0").count) }
                }
                stream.advance(to: behind)
                _ = try await stream.digest(of: length)
            }
            #expect(seen.withLock { $0.first } == all.count - 1)
            // Its threads have ended.
            #expect(coresAllowed(toThread: "receiving-0") == all)
            receiving.shutDown()
        }
    }

    @Test func aStreamThatNobodyAdvancedIsHashedAtOnce() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = Payload.bytes(Self.slice * 2 + 5, seed: 1)
            let path = try folder.write(bytes, to: "file")
            let told = Counter()
            let service = HashService(threads: 1)
            defer { withExtendedLifetime(service) {} }
            let stream = service.stream(try OpenFile.read(path)) { told.add($0) }
            let digest = try await stream.digest(of: Int64(bytes.count))
            #expect(digest == (try Payload.digest(bytes)))
            #expect(told.sum == Int64(bytes.count))
        }
    }

    @Test func theFirstBytesOfALongerFileAreHashedAlone() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = Payload.bytes(100_000, seed: 2)
            let path = try folder.write(bytes, to: "file")
            let service = HashService(threads: 1)
            defer { withExtendedLifetime(service) {} }
            let digest = try await service.stream(try OpenFile.read(path)).digest(of: 70_000)
            #expect(digest == (try Payload.digest(Array(bytes.prefix(70_000)))))
        }
    }

    @Test func aFileThatShrinksIsAnError() async throws {
        try await TemporaryFolder.with { folder in
            let length = Self.slice + 1000
            let path = try folder.write(Payload.bytes(length, seed: 3), to: "file")
            let service = HashService(threads: 2)
            defer { withExtendedLifetime(service) {} }
            let stream = service.stream(try OpenFile.read(path))
            stream.advance(to: Int64(length))
            try overwrite(path, Payload.bytes(Self.slice / 2, seed: 3))
            #expect(await failure { try await stream.digest(of: Int64(length)) }?.code == .storeIO)
        }
    }

    @Test func aCancelledStreamAnswersCancelledBeforeAndAfterItIsAsked() async throws {
        try await TemporaryFolder.with { folder in
            let path = try folder.write(Payload.bytes(1000, seed: 4), to: "file")
            let service = HashService(threads: 1)
            defer { withExtendedLifetime(service) {} }
            let early = service.stream(try OpenFile.read(path))
            early.cancel()
            early.cancel()
            early.advance(to: 1000)
            #expect(await failure { try await early.digest(of: 1000) }?.code == .cancelled)

            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return await failure {
                    try await service.stream(try OpenFile.read(path)).digest(of: 1000)
                }
            }
            task.cancel()
            #expect(await task.value?.code == .cancelled)
            #expect(try await service.stream(try OpenFile.read(path)).digest(of: 1000).hex.count == 64)
        }
    }

    /// Cancelled while a thread is at them: every one answers, one way or the other.
    @Test func cancellingWhileHashingAlwaysAnswers() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = Payload.bytes(200_000, seed: 5)
            let (path, digest) = (try folder.write(bytes, to: "file"), try Payload.digest(bytes))
            let service = HashService(threads: 2)
            defer { withExtendedLifetime(service) {} }
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<200 {
                    group.addTask {
                        guard let file = try? OpenFile.read(path) else { return }
                        let stream = service.stream(file)
                        async let answer = outcome(of: stream)
                        if index % 2 == 0 { stream.cancel() }
                        switch await answer {
                        case .success(let got): #expect(got == digest)
                        case .failure(let error): #expect(error.code == .cancelled && index % 2 == 0)
                        }
                    }
                }
            }
        }
    }

    /// However many wait: a verification of a hundred thousand files must not run out of descriptors.
    @Test func noMoreFilesAreOpenThanThereAreLanes() async throws {
        try await TemporaryFolder.with { folder in
            let path = try folder.write(Payload.bytes(100, seed: 6), to: "counted file")
            let schedule = HashSchedule.measured
            let service = HashService(threads: 1, schedule: schedule)
            defer { withExtendedLifetime(service) {} }
            let most = Mutex(0)
            let job = HashJob(size: 100, open: { () throws(SystemFailure) in try OpenFile.read(path) }) { _ in
                let count = openCount(of: path)
                most.withLock { $0 = max($0, count) }
            }
            let batch = service.batch()
            for _ in 0..<100 { batch.add(job) }
            let digests = await batch.digests()
            #expect(digests.allSatisfy { $0 == digests[0] && $0 != nil })
            #expect((1...schedule.width).contains(most.withLock { $0 }))
        }
    }

    @Test func theServiceEndsWithStreamsUnasked() throws {
        try TemporaryFolder.withNow { folder in
            let path = try folder.write(Payload.bytes(Self.slice * 2, seed: 7), to: "file")
            let service = HashService(threads: 2)
            defer { withExtendedLifetime(service) {} }
            for _ in 0..<8 { service.stream(try OpenFile.read(path)).advance(to: Int64(Self.slice * 2)) }
        }
    }
}

private func outcome(of stream: HashStream) async -> Result<SHA256Digest, SyncError> {
    do throws(SyncError) { return .success(try await stream.digest(of: 200_000)) } catch {
        return .failure(error)
    }
}

/// How many of this process's descriptors are of the file.
private func openCount(of path: String) -> Int {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    return names.count { (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) == path }
}

/// Steps of a test's own choice that are the same each time.
private struct Steps {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed &* 2_862_933_555_777_941_757 &+ 3_037_000_493
    }

    mutating func next(upTo limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return 1 + Int(state >> 33) % limit
    }
}
