import BlobStore
import Foundation
import SyncDomain
import TestSupport
import Testing

/// What a store may be opened on, and what it must not touch.
@Suite(.timeLimit(.minutes(1)))
struct OpeningTests {
    let sample: Sample

    init() throws {
        sample = try Sample(1000, seed: 1)
    }

    @Test(arguments: [DiskStore.Access.inspect, .change])
    func aNewerLayoutIsRefusedAndUntouched(_ access: DiskStore.Access) async throws {
        try await TemporaryFolder.with { folder in
            try folder.write("{\"layout\": 2, \"more\": true}", to: "store/store.json")
            try folder.write("x", to: "store/blobs/other")
            let before = tree(folder.path)
            let error = await failure { try DiskStore(path: folder.appending("store"), access: access) }
            #expect(error?.code == .storeIO)
            #expect(error?.message.contains("layout 2") == true)
            #expect(tree(folder.path) == before)
        }
    }

    @Test(arguments: ["", "garbage", "{}", "[1]", "{\"layout\": \"1\"}"], [DiskStore.Access.inspect, .change])
    func aVersionThatCantBeReadIsRefused(_ text: String, _ access: DiskStore.Access) async throws {
        try await TemporaryFolder.with { folder in
            try folder.write(text, to: "store/store.json")
            let before = tree(folder.path)
            #expect(await failure { try DiskStore(path: folder.appending("store"), access: access) }?.code == .storeIO)
            #expect(tree(folder.path) == before)
        }
    }

    @Test(arguments: [DiskStore.Access.inspect, .change])
    func aFolderOfSomebodyElseIsRefused(_ access: DiskStore.Access) async throws {
        try await TemporaryFolder.with { folder in
            try folder.write("mine", to: "store/thesis.tex")
            let before = tree(folder.path)
            #expect(await failure { try DiskStore(path: folder.appending("store"), access: access) }?.code == .storeIO)
            #expect(tree(folder.path) == before)
        }
    }

    /// `models` and `runs` are what others call their folders, too: `clear` would delete in them.
    @Test(
        arguments: ["models/mine/net.pt", "runs/1.json", "blobs/x", "blobs/sha256/ab/x", "partial/.x"],
        [DiskStore.Access.inspect, .change, .clean])
    func aFolderOfSomebodyElsesWithNamesAsOursIsRefused(_ name: String, _ access: DiskStore.Access) async throws {
        try await TemporaryFolder.with { folder in
            try folder.write("mine", to: "store/\(name)")
            let before = tree(folder.path)
            let error = await failure { try DiskStore(path: folder.appending("store"), access: access) }
            #expect(error?.code == .storeIO && error?.message.contains("no modelsync store") == true)
            #expect(tree(folder.path) == before)
        }
    }

    @Test func aFileInTheStoresPlaceIsRefused() async throws {
        try await TemporaryFolder.with { folder in
            try folder.write("mine", to: "file")
            for path in ["file", "file/below"] {
                #expect(await failure { try DiskStore(path: folder.appending(path), access: .change) } != nil)
            }
            #expect(readText(folder.appending("file")) == "mine")
        }
    }

    @Test func aLinkToNothingInTheStoresPlaceIsRefused() async throws {
        try await TemporaryFolder.with { folder in
            try FileManager.default.createSymbolicLink(
                atPath: folder.appending("store"), withDestinationPath: folder.appending("nothing"))
            #expect(await failure { try DiskStore(path: folder.appending("store"), access: .change) }?.code == .storeIO)
            #expect(!exists(folder.appending("nothing")))
        }
    }

    @Test func aStoreThatWasBegunIsFinished() async throws {
        try await TemporaryFolder.with { folder in
            try FileManager.default.createDirectory(
                atPath: folder.appending("store/blobs/sha256"), withIntermediateDirectories: true)
            try FileManager.default.createDirectory(
                atPath: folder.appending("store/models"), withIntermediateDirectories: true)
            try folder.write("", to: "store/.store.json.1.tmp")
            _ = try DiskStore(path: folder.appending("store"), access: .change)
            #expect(readText(folder.appending("store/store.json")) == "{\"layout\": 1}\n")
        }
    }

    @Test func manyMayMakeOneStoreAtOnce() async throws {
        try await TemporaryFolder.with { folder in
            for round in 0..<40 {
                let path = folder.appending("store-\(round)")
                let errors = await withTaskGroup(of: SyncError?.self) { group in
                    for _ in 0..<6 { group.addTask { await failure { try DiskStore(path: path, access: .change) } } }
                    return await group.reduce(into: [SyncError]()) { if let error = $1 { $0.append(error) } }
                }
                #expect(errors.isEmpty, "\(errors)")
            }
        }
    }

    @Test func inspectingCreatesNothing() async throws {
        try await TemporaryFolder.with { folder in
            let store = try DiskStore(path: folder.appending("a/b/store"), access: .inspect)
            #expect(!store.exists)
            let model = try modelOf("m", ["a": sample])
            let found = try await store.survey(manifest(model), depth: .full) { _ in }
            #expect(found.models[0].files == [FileInventory()])
            #expect(found.bytesFree > 0)
            #expect(try await store.records() == [])
            #expect(try await store.record(model.name) == nil)
            #expect(await failure { try await store.ingest(sample.digest, size: sample.size) } != nil)
            #expect(tree(folder.path) == [])
        }
    }

    @Test func inspectingAStoreChangesNothing() async throws {
        try await StoreWorld.with(.disk) { world in
            let model = try modelOf("m", ["a": sample])
            try await world.bring(model, sample)
            try world.unseal(sample.digest)
            let before = (tree(world.store.path), try modified(world.blobPath(sample.digest)))
            let looking = try DiskStore(path: world.store.path, access: .inspect)
            #expect(
                try await looking.survey(manifest(model), depth: .full) { _ in }.models[0].files[0].blob == .unsealed)
            #expect(try await looking.records() == [model])
            #expect(tree(world.store.path) == before.0)
            #expect(try modified(world.blobPath(sample.digest)) == before.1)
        }
    }

    @Test(arguments: ["blobs", "blobs/sha256", "models", "records", "partial", "runs", "locks", "sums"])
    func aFolderOfTheStoreThatIsALinkOutOfItIsRefused(_ name: String) async throws {
        try await StoreWorld.with(.disk) { world in
            let outside = world.folder.appending("outside")
            try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: false)
            let path = "\(world.store.path)/\(name)"
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: outside)
            #expect(await failure { try DiskStore(path: world.store.path, access: .change) }?.code == .storePermission)
            // Also one that became a link while the store is open.
            let model = try modelOf("m", ["a": sample])
            let error = await failure {
                try await world.bring(model, sample)
                try await world.store.save(report: [1], runID: "run")
            }
            if !["sums", "locks"].contains(name) { #expect(error?.code == .storePermission, world.dump) }
            #expect(tree(outside) == [])
        }
    }

    @Test(arguments: ["m", "m/n", "m/n/o"], [false, true])
    func aModelsFolderThatIsALinkOutOfTheStoreIsRefused(_ link: String, published: Bool) async throws {
        try await StoreWorld.with(.disk) { world in
            let outside = world.folder.appending("outside")
            try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: false)
            let model = try modelOf("m/n/o", ["a": sample])
            if published { try await world.bring(model, sample) } else { try await world.bring(sample) }
            let path = "\(world.store.path)/models/\(link)"
            try? FileManager.default.removeItem(atPath: path)
            try world.folder.write("", to: "store/models/\(link)-")
            try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: outside)
            #expect(try await world.survey(model).files[0].view == .absent, world.dump)
            #expect(await failure { try await world.store.publish(model) }?.code == .storePermission, world.dump)
            #expect(await failure { try await world.store.mend(model.files, of: model.name) }?.code == .storePermission)
            #expect(tree(outside) == [])
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/partial") == [], world.dump)
        }
    }

    @Test func aFolderInsideAModelThatIsALinkIsTheUsersAndNotWrittenThrough() async throws {
        try await StoreWorld.with(.disk) { world in
            let model = try modelOf("m", ["sub/a": sample])
            try await world.bring(model, sample)
            let outside = world.folder.appending("outside")
            try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: false)
            try FileManager.default.removeItem(atPath: "\(world.store.path)/models/m/sub")
            try FileManager.default.createSymbolicLink(
                atPath: "\(world.store.path)/models/m/sub", withDestinationPath: outside)
            #expect(await failure { try await world.store.publish(model) } != nil)
            #expect(tree(outside) == [])
        }
    }

    @Test func aStoreIsFreedWithItsThreadsAndDescriptors() async throws {
        try await TemporaryFolder.with { folder in
            weak var freed: DiskStore?
            do {
                let store = try DiskStore(path: folder.appending("store"), access: .change)
                freed = store
                let world = StoreWorld(store: store, folder: folder)
                let model = try modelOf("m", ["a": sample])
                try await world.bring(model, sample)
                _ = try await world.survey(model, .full)
            }
            try await eventually("the store is freed") { freed == nil }
        }
    }
}
