import BlobStore
import Foundation
import SyncDomain
import Synchronization
import TestSupport
import Testing

/// Verification by budget: what was verified longest ago comes first, and every blob has its turn.
@Suite(.timeLimit(.minutes(1)))
struct ScrubTests {
    private let samples: [Sample]
    private let model: Model

    init() throws {
        samples = try (0..<4).map { try Sample(1000, seed: UInt64($0)) }
        model = try modelOf("m", Dictionary(uniqueKeysWithValues: samples.enumerated().map { ("f\($0)", $1) }))
    }

    private func withStore(_ body: (StoreWorld) async throws -> Void) async throws {
        try await StoreWorld.with(.disk) { world in
            for sample in samples { try await world.bring(sample) }
            _ = try await world.store.publish(model)
            try await body(world)
        }
    }

    /// One night: the bytes that were hashed, what was found, and the age that was told.
    private func night(
        _ world: StoreWorld, _ budget: ScrubBudget?, at now: Int64
    ) async throws -> (hashed: Int64, files: [FileInventory], oldest: Int64?) {
        let store = try DiskStore(path: world.store.path, access: .inspect, budget: budget)
        let found = try await store.survey(manifest(model), depth: .full) { _ in }
        let oldest = await store.noteVerified(now: now)
        return (found.bytesVerified, found.models[0].files, oldest.map { $0.milliseconds / 1000 })
    }

    /// In the future, so that no blob is younger.
    private let start = Int64(Date().timeIntervalSince1970) + 86400

    @Test func everyBlobHasItsTurnAndTheAgeIsTold() async throws {
        try await withStore { world in
            for round in 0..<2 {
                for index in 0..<4 {
                    let now = start + Int64(round * 4 + index)
                    let (hashed, files, oldest) = try await night(world, ScrubBudget(bytes: 1500), at: now)
                    #expect(hashed == 1000 && files.allSatisfy { $0.blob == .intact && $0.view == .current })
                    // From the fourth night on, the oldest is that of three nights ago.
                    if round > 0 || index == 3 { #expect(oldest == now - 3) } else { #expect((oldest ?? .max) < start) }
                }
            }
            #expect(try await night(world, nil, at: start + 100).oldest == start + 100)
        }
    }

    @Test func whatABudgetOfBytesReachesIsAnnouncedAndOfTimeNothing() async throws {
        try await withStore { world in
            let nights: [(ScrubBudget, [Int64])] = [(ScrubBudget(bytes: 2500), [2000]), (ScrubBudget { false }, [])]
            for (budget, expected) in nights {
                let announced = Mutex<[Int64]>([])
                let store = try DiskStore(path: world.store.path, access: .inspect, budget: budget)
                _ = try await store.survey(manifest(model), depth: .full) { progress in
                    if case .willHash(let bytes) = progress { announced.withLock { $0.append(bytes) } }
                }
                #expect(announced.withLock { $0 } == expected)
            }
        }
    }

    @Test func datesAreKeptApartFromBlobs() async throws {
        try await withStore { world in
            let before = try samples.map { try attributes(world.blobPath($0.digest)) }
            _ = try await night(world, nil, at: start)
            for (sample, old) in zip(samples, before) {
                let new = try attributes(world.blobPath(sample.digest))
                #expect(new[.modificationDate] as? Date == old[.modificationDate] as? Date)
                #expect(world.blob(sample.digest) == sample.bytes)
            }
        }
    }

    @Test func aDamagedBlobIsFoundInItsTurnAndOneWithNoSealAtOnce() async throws {
        try await withStore { world in
            _ = try await night(world, nil, at: start)
            var bad = samples[2].bytes
            bad[7] ^= 1
            try world.damage(samples[2].digest, to: bad, keepsSeal: true)
            try world.damage(samples[3].digest, to: bad)
            var nights: [Bool] = []
            for index in 0..<6 {
                // New names must not make it look verified.
                try FileManager.default.linkItem(
                    atPath: world.blobPath(samples[2].digest), toPath: world.folder.appending("name-\(index)"))
                let files = try await night(world, ScrubBudget(bytes: 1), at: start + 1 + Int64(index)).files
                #expect(!files[3].blob.isRight)
                nights.append(files[2].blob.isRight)
            }
            // Once found it comes first until it is right.
            let found = try #require(nights.firstIndex(of: false))
            #expect(nights[found...].allSatisfy { !$0 }, "\(nights)")
        }
    }

    @Test func noBlobIsBegunWhenTheTimeIsOverButTheFirst() async throws {
        try await withStore { world in
            let (hashed, files, _) = try await night(world, ScrubBudget { true }, at: start)
            #expect(hashed == 1000 && files.allSatisfy { $0.blob == .intact })
            let asked = Mutex(0)
            let budget = ScrubBudget {
                asked.withLock { count in
                    count += 1
                    return count > 2
                }
            }
            #expect(try await night(world, budget, at: start + 1).hashed == 3000)
        }
    }

    @Test func namesThatComeAndGoKeepNoBlobFromItsTurn() async throws {
        try await withStore { world in
            var hashed = 0
            for index in 0..<4 {
                for sample in samples {
                    try FileManager.default.linkItem(
                        atPath: world.blobPath(sample.digest),
                        toPath: world.folder.appending("\(index)-\(sample.digest)"))
                }
                hashed += Int(try await night(world, ScrubBudget(bytes: 1), at: start + Int64(index)).hashed)
            }
            let lines = String(decoding: contents("\(world.store.path)/runs/verified") ?? [], as: UTF8.self)
                .split(separator: "\n")
            let dates = lines.compactMap { $0.split(separator: " ").last.flatMap { Int64($0) } }
            #expect(hashed == 4000 && dates.sorted() == (0..<4).map { start + $0 }, "each night another one: \(lines)")
        }
    }

    @Test func datesOfAClockThatWasWrongAreForgotten() async throws {
        try await withStore { world in
            _ = try await night(world, nil, at: start + 1_000_000)
            let (_, _, oldest) = try await night(world, ScrubBudget(bytes: 1), at: start)
            #expect((oldest ?? .max) <= start)
            try world.folder.write("\(samples[0].digest) \(Int64.max)\n", to: "store/runs/verified")
            #expect((try await night(world, ScrubBudget(bytes: 1), at: start).oldest ?? .max) <= start)
        }
    }

    /// As by SIGTERM: a pass over a large store takes hours, and is not to be made again for what it has found.
    @Test func whatACancelledPassFoundRottenLosesItsSeal() async throws {
        try await StoreWorld.with(.disk) { world in
            let (small, large) = (samples[0], try Sample(8 << 20, seed: 9))
            for sample in [small, large] { try await world.bring(sample) }
            try world.damage(small.digest, to: Payload.bytes(1000, seed: 8), keepsSeal: true)
            let store = try DiskStore(path: world.store.path, access: .inspect, hashThreads: 1)
            let wanted = manifest(try modelOf("m", ["a": small, "b": large]))
            let (gate, hashed) = (Gate(), Counter())
            let task = Task {
                await failure {
                    try await store.survey(wanted, depth: .full) { progress in
                        guard case .hashed(let bytes) = progress else { return }
                        hashed.add(bytes)
                        // By then the small one is done.
                        if hashed.sum > 4 << 20 { gate.pass() }
                    }
                }
            }
            await gate.arrival()
            task.cancel()
            gate.open()
            #expect(await task.value?.code == .cancelled)
            _ = await store.noteVerified(now: start)
            let next = try DiskStore(path: world.store.path, access: .inspect)
            let found = try await next.survey(wanted, depth: .quick) { _ in }.models[0].files
            #expect(!found[0].blob.isRight && found[1].blob == .intact, "\(found)")
        }
    }

    @Test func aListThatIsNoListIsWrittenAnew() async throws {
        try await withStore { world in
            try world.folder.write([0xFF, 10, 0x61], to: "store/runs/verified")
            #expect(try await night(world, ScrubBudget(bytes: 2500), at: start).hashed == 2000)
            let lines = String(decoding: contents("\(world.store.path)/runs/verified") ?? [], as: UTF8.self)
                .split(separator: "\n")
            #expect(lines.count == 4 && lines.filter { $0.hasSuffix(" \(start)") }.count == 2, "\(lines)")
        }
    }
}
