import Foundation
import SyncDomain
import TestSupport
import Testing

@testable import BlobStore

/// What is taken out of a store on disk, and what must stay.
@Suite(.timeLimit(.minutes(1)))
struct CleaningTests {
    private static let day: Int64 = 86400
    private let now = Int64(Date().timeIntervalSince1970)
    private let (one, two): (Sample, Sample)

    init() throws {
        (one, two) = (try Sample(5000, seed: 1), try Sample(6000, seed: 2))
    }

    /// Two models that share a blob, in a store that is then opened to clean it.
    private func withModels(_ body: (StoreWorld, DiskStore) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let path = folder.appending("store")
            do {
                let store = try DiskStore(path: path, access: .change)
                defer { store.endUse() }
                let world = StoreWorld(store: store, folder: folder)
                try await world.bring(try modelOf("kind/a", ["d/one": one, "two": two]), one, two)
                try await world.bring(try modelOf("kind/b", ["one": one]))
            }
            let store = try DiskStore(path: path, access: .clean)
            try await body(StoreWorld(store: store, folder: folder), store)
        }
    }

    private func rule(_ age: Int64? = nil, kept: Set<SHA256Digest> = [], at now: Int64? = nil) -> GarbageRule {
        GarbageRule(kept: kept, olderThanSeconds: age, now: now ?? self.now)
    }

    @Test func whatAModelNeedsStaysAndTheRestGoes() async throws {
        try await withModels { world, store in
            #expect(try await store.collectGarbage(rule(), isDryRun: false).bytesFreed == 0)
            let removed = try await store.remove(try ModelName("kind/a"))
            #expect(removed.views.map(\.path) == ["models/kind/a/d/one", "models/kind/a/two"], world.dump)
            #expect(!exists("\(store.path)/models/kind/a") && !exists("\(store.path)/records/kind/a.json"), world.dump)
            #expect(try await store.unreferencedBytes(among: [one.digest, two.digest]) >= two.size)
            let planned = try await store.collectGarbage(rule(), isDryRun: true)
            #expect(world.blob(two.digest) == two.bytes)
            let gone = try await store.collectGarbage(rule(), isDryRun: false)
            #expect(gone.blobs == planned.blobs)
            #expect(gone.blobs.map { String($0.path.suffix(64)) } == [two.digest.hex], world.dump)
            #expect(gone.bytesFreed >= two.size)
            #expect(world.blob(two.digest) == nil && world.blob(one.digest) == one.bytes, world.dump)
            #expect(world.bytes("one", of: try modelOf("kind/b", [:])) == one.bytes)
        }
    }

    @Test func manifestsThatAreNotAppliedYetKeepTheirBlobs() async throws {
        try await withModels { world, store in
            _ = try await store.remove(try ModelName("kind/a"))
            _ = try await store.collectGarbage(rule(kept: [two.digest]), isDryRun: false)
            #expect(world.blob(two.digest) == two.bytes)
        }
    }

    @Test func whatIsYoungerThanSaidStays() async throws {
        try await withModels { world, store in
            _ = try await store.remove(try ModelName("kind/a"))
            #expect(try await store.collectGarbage(rule(2 * Self.day), isDryRun: false).blobs.isEmpty)
            let later = rule(2 * Self.day, at: now + 3 * Self.day)
            #expect(try await store.collectGarbage(later, isDryRun: false).blobs.count == 1)
        }
    }

    @Test func aBlobWithAnotherNameStays() async throws {
        try await withModels { world, store in
            let other = world.folder.appending("mine")
            try FileManager.default.linkItem(atPath: world.blobPath(two.digest), toPath: other)
            _ = try await store.remove(try ModelName("kind/a"))
            #expect(try await store.collectGarbage(rule(), isDryRun: false).blobs.isEmpty)
        }
    }

    @Test func aRecordThatCannotBeReadKeepsEverything() async throws {
        try await withModels { world, store in
            _ = try await store.remove(try ModelName("kind/a"))
            try world.folder.write("{", to: "store/records/kind/b.json")
            let error = await failure { try await store.collectGarbage(rule(), isDryRun: false) }
            #expect(error?.code == .storeIO && error?.message.contains("kind/b.json") == true, "\(error as Any)")
            #expect(world.blobCount == 2)
            let second = await failure { try await store.remove(try ModelName("kind/b")) }
            #expect(second?.code == .storeIO)
            #expect(world.bytes("one", of: try modelOf("kind/b", [:])) == one.bytes)
        }
    }

    @Test func downloadsAreGivenUpAfterAWeekOrWhenItIsSaid() async throws {
        try await withModels { world, store in
            let part = "\(store.path)/partial/\(try Sample(9, seed: 9).digest).part"
            try world.folder.write("bytes", to: "store/partial/" + (part as NSString).lastPathComponent)
            #expect(try await store.collectGarbage(rule(), isDryRun: false).partials.isEmpty)
            let later = (six: now + 6 * Self.day, eight: now + 8 * Self.day)
            #expect(try await store.collectGarbage(rule(at: later.six), isDryRun: false).partials.isEmpty)
            #expect(
                try await store.collectGarbage(rule(5 * Self.day, at: later.six), isDryRun: true).partials.count == 1)
            #expect(try await store.collectGarbage(rule(at: later.eight), isDryRun: false).partials.count == 1)
            #expect(!exists(part))
        }
    }

    /// A crash just before the rename leaves it complete, with a time of years ago: all that is left to do is to rename it.
    @Test func aDownloadThatIsSealedAlreadyIsAsYoungAsItsSeal() async throws {
        try await withModels { world, store in
            let sample = try Sample(2_000_000, seed: 9)
            let part = try world.folder.write(sample.bytes, to: "store/partial/\(sample.digest).part")
            try setModified(part, Date(timeIntervalSince1970: Double(Seal.seconds(for: sample.digest))))
            for age in [nil, Self.day] {
                #expect(try await store.collectGarbage(rule(age), isDryRun: false).partials.isEmpty)
            }
            #expect(try await store.collectGarbage(rule(at: now + 8 * Self.day), isDryRun: false).partials.count == 1)
        }
    }

    /// A kill while a small file is written leaves it under a name that no other process will ever ask for.
    @Test func whatAKilledWriterLeftGoesAtOnceButNotBeforeItIsAsOldAsSaid() async throws {
        try await withModels { world, store in
            let digest = try Sample(9, seed: 9).digest
            for end in ["part", "json"] {
                try world.folder.write("torn", to: "store/partial/\(digest).b0aeb2f701c9def3.\(end)")
            }
            #expect(try await store.collectGarbage(rule(Self.day), isDryRun: false).partials.isEmpty)
            #expect(try await store.collectGarbage(rule(), isDryRun: true).partials.count == 1)
            #expect(try await store.collectGarbage(rule(), isDryRun: false).partials.count == 1)
            #expect(tree("\(store.path)/partial").isEmpty, world.dump)
        }
    }

    @Test func whatCrashesLeftGoesUnlessItHoldsSomebodysFile() async throws {
        try await withModels { world, store in
            let partial = "\(store.path)/partial"
            for name in ["folder-1/d", "folder-2/d"] {
                try FileManager.default.createDirectory(atPath: "\(partial)/\(name)", withIntermediateDirectories: true)
                try FileManager.default.linkItem(atPath: world.blobPath(one.digest), toPath: "\(partial)/\(name)/one")
            }
            try world.folder.write("mine", to: "store/partial/folder-2/d/note")
            try world.folder.write("{}", to: "store/partial/.x.json.1.2.tmp")
            let cleaning = try await store.collectGarbage(rule(), isDryRun: false)
            #expect(cleaning.partials.map(\.path).sorted() == ["partial/.x.json.1.2.tmp", "partial/folder-1"])
            #expect(cleaning.notes.count == 1 && cleaning.notes[0].contains("folder-2"), "\(cleaning.notes)")
            #expect(contents("\(partial)/folder-2/d/note") == Array("mine".utf8))
        }
    }

    @Test func theUsersOwnFilesOutliveTheirModel() async throws {
        try await withModels { world, store in
            try world.folder.write("mine", to: "store/models/kind/a/d/note")
            let removed = try await store.remove(try ModelName("kind/a"))
            #expect(removed.notes.count == 1)
            #expect(tree("\(store.path)/models/kind/a").filter { !$0.hasSuffix("Directory") }.count == 1, world.dump)
            #expect(contents("\(store.path)/models/kind/a/d/note") == Array("mine".utf8))
            _ = try await store.clear()
            #expect(world.blobCount == 0)
            #expect(contents("\(store.path)/models/kind/a/d/note") == Array("mine".utf8))
            #expect(!exists("\(store.path)/models/kind/b"), world.dump)
        }
    }

    @Test func aStoreInUseIsNotCleanedAndOneBeingCleanedIsNotUsed() async throws {
        try await withModels { world, store in
            let error = await failure { try DiskStore(path: store.path, access: .change) }
            #expect(error?.code == .storeLocked)
            _ = try DiskStore(path: store.path, access: .inspect)
            withExtendedLifetime(store) {}
        }
        try await StoreWorld.with(.disk) { world in
            let error = await failure { try DiskStore(path: world.store.path, access: .clean) }
            #expect(error?.code == .storeLocked)
        }
    }

    @Test(arguments: ["exchange", "removal"])
    func aRemovalThatACrashEndedIsDoneByTheNext(_ end: String) async throws {
        try await withModels { world, store in
            // The views are away, the record is not.
            try FileManager.default.moveItem(
                atPath: "\(store.path)/models/kind/a", toPath: "\(store.path)/partial/folder-\(end)")
            let removed = try await store.remove(try ModelName("kind/a"))
            #expect(removed.models.count == 1 && removed.views.isEmpty)
            #expect(try await store.record(try ModelName("kind/a")) == nil)
            _ = try await store.collectGarbage(rule(), isDryRun: false)
            #expect(tree("\(store.path)/partial").isEmpty, world.dump)
        }
    }
}
