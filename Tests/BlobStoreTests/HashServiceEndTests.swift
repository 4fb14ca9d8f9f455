import Foundation
import SyncDomain
import Synchronization
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// What ends before its time: files that are not what they were said to be, clients that give up, and a service that goes
/// away. Every question is answered all the same.
@Suite(.timeLimit(.minutes(1)))
struct HashServiceEndTests {
    private static let large = 3 * Int(HashStream.turnBytes)

    @Test func aFileThatShrinksInABatchHasNoDigestAndTheOthersHaveTheirs() async throws {
        var dice = Dice(seed: 1)
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: 2)
            defer { withExtendedLifetime(service) {} }
            let (bytes, other) = (noise(Self.large, &dice), noise(300_001, &dice))
            let path = try folder.write(bytes, to: "shrinking")
            let file = try Folder.open(folder.path).file("shrinking", .readWrite)
            // While it is hashed: at its first report there are megabytes to come.
            let shrinking = HashJob(size: Int64(bytes.count), open: { () throws(SystemFailure) in try .read(path) }) {
                _ in try? file.resize(to: 2 << 20)
            }
            // And before: as between the look at it and the reading.
            let short = try Self.job(other, in: folder, "short", size: other.count + 1)
            let right = try Self.job(other, in: folder, "right")
            let jobs = [short, right, shrinking, right, short, right]
            let digest = SHA256Digest(of: other)
            #expect(await service.digests(jobs) == [nil, digest, nil, digest, nil, digest])
        }
    }

    @Test func aFileThatCannotBeOpenedHasNoDigestAndTheOthersHaveTheirs() async throws {
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: 2)
            defer { withExtendedLifetime(service) {} }
            let bytes = Payload.bytes(1000, seed: 2)
            let right = try Self.job(bytes, in: folder, "right")
            let sizes = [0, 1000, PageCare.threshold]
            let missing = sizes.map { size in
                HashJob(size: size, open: { () throws(SystemFailure) in try .read(folder.appending("no such")) }) {
                    Issue.record("\($0) bytes of no file were hashed")
                }
            }
            let digests = await service.digests((0..<40).flatMap { [right, missing[$0 % 3]] })
            #expect(digests == (0..<40).flatMap { _ in [SHA256Digest(of: bytes), nil] })
        }
    }

    /// A thread is held in the middle of the first file; all that is not hashed by then has no digest.
    @Test func aCancelledBatchAnswersWithoutHashingTheRest() async throws {
        var dice = Dice(seed: 3)
        try await TemporaryFolder.with { folder in
            let schedule = HashSchedule.measured
            let service = HashService(threads: 1, schedule: schedule)
            defer { withExtendedLifetime(service) {} }
            let gate = Gate()
            let told = Counter()
            let job = try Self.job(noise(Self.large, &dice), in: folder, "large") {
                told.add($0)
                gate.pass()
            }
            let batch = service.batch()
            for _ in 0..<50 { batch.add(job) }
            let task = Task { await batch.digests() }
            await gate.arrival()
            task.cancel()
            // The task may not have come to its question yet: before that the batch knows of no cancellation.
            while !batch.isCancelled { await Task.yield() }
            gate.open()
            #expect(await task.value == Array(repeating: nil, count: 50))
            #expect(told.sum <= Int64(schedule.width) << 21, "those in the lanes had a megabyte and a buffer each")
            #expect(await service.digests([try Self.job([1], in: folder, "next")]) == [SHA256Digest(of: [1])])
        }
    }

    @Test func aBatchThatWaitsBehindOthersIsCancelledAtOnce() async throws {
        var dice = Dice(seed: 4)
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: 1)
            defer { withExtendedLifetime(service) {} }
            let gate = Gate()
            let bytes = noise(Self.large, &dice)
            let first = try Self.job(bytes, in: folder, "large") { _ in gate.pass() }
            let second = try Self.job([1], in: folder, "small")
            async let digests = service.digests([first])
            await gate.arrival()
            let task = Task { await service.digests([second, second]) }
            task.cancel()
            // The only thread is held: nobody but the cancellation can answer.
            #expect(await task.value == [nil, nil])
            gate.open()
            #expect(await digests == [SHA256Digest(of: bytes)])
        }
    }

    @Test func aTaskThatWasCancelledBeforeItAsksIsAnswered() async throws {
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: 1)
            defer { withExtendedLifetime(service) {} }
            let job = try Self.job([1], in: folder, "file")
            let task = Task {
                while !Task.isCancelled { await Task.yield() }
                return await service.digests([job, job])
            }
            task.cancel()
            // A file is hashed from when it is added: it may be done by then.
            #expect(await task.value.count == 2)
        }
    }

    /// One stream in a lane, some in the queue, some that wait for bytes.
    @Test func aServiceThatGoesAwayAnswersCancelledToAllThatWaitAndToAllThatAskLater() async throws {
        var dice = Dice(seed: 5)
        try await TemporaryFolder.with { folder in
            let path = try folder.write(noise(Self.large, &dice), to: "file")
            let gate = Gate()
            let owner = Owner(HashService(threads: 1))
            let held = try owner.stream(path) { _ in gate.pass() }
            let queued = try (0..<40).map { _ in try owner.stream(path) }
            let announced = try (0..<40).map { _ in try owner.stream(path) }
            let idle = try (0..<3).map { _ in try owner.stream(path) }
            async let answer = Self.code(held)
            await gate.arrival()
            for stream in announced { stream.advance(to: Int64(Self.large)) }
            let codes = await withTaskGroup(of: ErrorCode?.self) { group in
                for stream in queued { group.addTask { await Self.code(stream) } }
                let thread = WorkerThread(name: "end") { owner.drop() }
                // All are answered before the thread that hashes comes back.
                let codes = await group.reduce(into: []) { $0.append($1) }
                gate.open()
                thread.join()
                return codes
            }
            #expect(codes == Array(repeating: .cancelled, count: 40))
            #expect(await answer == .cancelled)
            for stream in announced + idle + queued { #expect(await Self.code(stream) == .cancelled) }
            idle[0].advance(to: 5)
            idle[0].cancel()
        }
    }

    /// At any moment, with streams and their clients in any state: for the sanitizers, and for those who would wait forever.
    @Test(arguments: 0..<16)
    func aServiceThatGoesAwayAtAnyMomentAnswersAll(_ seed: Int) async throws {
        var dice = Dice(seed: 1000 + UInt64(seed))
        try await TemporaryFolder.with { folder in
            let bytes = noise(5 << 20, &dice)
            let path = try folder.write(bytes, to: "file")
            let owner = Owner(HashService(threads: dice.number(in: 1...3)))
            let lengths = (0..<dice.number(in: 1...40)).map { _ in
                dice.number(in: 0...bytes.count >> (dice.number(in: 0...3) == 0 ? 0 : 5))
            }
            let moment = dice.number(in: 0...300)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (index, length) in lengths.enumerated() {
                    let stream = try owner.stream(path)
                    let (isAnnounced, isCancelled) = (dice.number(in: 0...1) == 0, dice.number(in: 0...9) == 0)
                    group.addTask {
                        if isAnnounced { stream.advance(to: Int64(length / 2)) }
                        async let digest = stream.digest(of: Int64(length))
                        if isCancelled { stream.cancel() }
                        do {
                            let expected = SHA256Digest(of: Array(bytes.prefix(length)))
                            #expect(try await digest == expected, "stream \(index), seed \(seed)")
                        } catch {
                            #expect((error as? SyncError)?.code == .cancelled, "stream \(index), seed \(seed)")
                        }
                    }
                }
                for _ in 0..<moment { await Task.yield() }
                let thread = WorkerThread(name: "end") { owner.drop() }
                try await group.waitForAll()
                thread.join()
            }
        }
    }

    /// Batches that are given up at any moment, beside others that are not.
    @Test(arguments: 0..<12)
    func aBatchThatIsCancelledAtAnyMomentAnswersAndHarmsNoOther(_ seed: Int) async throws {
        var dice = Dice(seed: 2000 + UInt64(seed))
        try await TemporaryFolder.with { folder in
            let service = HashService(threads: dice.number(in: 1...3))
            defer { withExtendedLifetime(service) {} }
            let contents = (0..<20).map { _ in noise(dice.number(in: 0...300_000), &dice) }
            let jobs = try contents.enumerated().map { try Self.job($1, in: folder, "\($0)") }
            let expected = contents.map { SHA256Digest(of: $0) }
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<6 {
                    let moment = dice.number(in: 0...100)
                    group.addTask {
                        let task = Task { await service.digests(jobs) }
                        for _ in 0..<moment { await Task.yield() }
                        if index % 2 == 0 { task.cancel() }
                        let digests = await task.value
                        for (got, expected) in zip(digests, expected) where got != expected {
                            #expect(got == nil && index % 2 == 0, "batch \(index), seed \(seed)")
                        }
                        #expect(digests.count == 20)
                    }
                }
            }
        }
    }

    /// Streams hold the queue: a queue that held them after the end would never be freed, nor they.
    @Test func aClosedQueueHoldsNoStream() throws {
        try TemporaryFolder.withNow { folder in
            let file = try OpenFile.read(try folder.write([1, 2, 3], to: "file"))
            weak var ended: HashStream?
            do {
                let queue = HashQueue(threads: 1, width: 4)
                let stream = HashStream(queue, file, progress: nil)
                ended = stream
                queue.close()
                // As from a thread whose turn ended meanwhile.
                #expect(queue.take(thread: 0, kept: 0, back: [stream]) == nil)
                queue.put(stream)
            }
            #expect(ended == nil)
        }
    }

    /// Put there before the end, or after it.
    @Test func aClosedQueueAnswersItsBatches() async throws {
        try await TemporaryFolder.with { folder in
            let queue = HashQueue(threads: 1, width: 4)
            let job = try Self.job([1], in: folder, "file")
            let (early, late) = (HashBatch(queue), HashBatch(queue))
            early.add(job)
            early.add(job)
            async let digests = early.digests()
            queue.close()
            #expect(await digests == [nil, nil])
            late.add(job)
            #expect(await late.digests() == [nil])
            #expect(queue.take(thread: 0, kept: 0, back: []) == nil)
        }
    }

    /// The queue drops a batch under its lock: it must not be the last there that holds a client's closure, which may be
    /// the last that holds the service, whose end takes the lock.
    @Test(arguments: [false, true])
    func aBatchThatIsOverHoldsNothingOfItsClient(_ isCancelled: Bool) async throws {
        try await TemporaryFolder.with { folder in
            let queue = HashQueue(threads: 1, width: 4)
            defer { queue.close() }
            let batch = HashBatch(queue)
            let held = try {
                let client = Counter()
                batch.add(try Self.job([], in: folder, "file") { client.add($0) })
                return Weak(client)
            }()
            #expect(held.object != nil)
            if isCancelled {
                batch.cancel()
                #expect(held.object == nil)
                #expect(await batch.digests() == [nil])
            } else {
                batch.next()?.complete(.success(SHA256Digest(of: [])))
                #expect(await batch.digests() == [SHA256Digest(of: [])])
                #expect(held.object == nil)
            }
        }
    }

    private static func job(
        _ bytes: [UInt8], in folder: TemporaryFolder, _ name: String, size: Int? = nil,
        progress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) throws -> HashJob {
        let path = try folder.write(bytes, to: name)
        return HashJob(
            size: Int64(size ?? bytes.count), open: { () throws(SystemFailure) in try .read(path) }, progress: progress)
    }

    private static func code(_ stream: HashStream) async -> ErrorCode? {
        await failure { try await stream.digest(of: Int64(large)) }?.code
    }
}

/// The only one who holds a service, until it lets go.
private final class Owner: Sendable {
    private let held: Mutex<HashService?>

    init(_ service: HashService) {
        held = Mutex(service)
    }

    var service: HashService? { held.withLock { $0 } }

    func stream(_ path: String, progress: (@Sendable (Int64) -> Void)? = nil) throws -> HashStream {
        try #require(service).stream(try OpenFile.read(path), progress: progress)
    }

    func drop() {
        // Outside the lock: what the end of the service calls may come back here.
        let service = held.withLock { $0.take() }
        withExtendedLifetime(service) {}
    }
}

private struct Weak<Object: AnyObject> {
    weak var object: Object?

    init(_ object: Object) {
        self.object = object
    }
}
