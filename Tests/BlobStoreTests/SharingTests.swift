import Foundation
import Glibc
import SyncDomain
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// Stores that share a folder, and readers beside them.
@Suite(.timeLimit(.minutes(1)))
struct SharingTests {
    @Test(arguments: [300_000, 1_200_000])
    func twoStoresOnOneFolderTakeTurns(_ size: Int) async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(size, seed: 1)
            let other = StoreWorld(store: try DiskStore(path: world.store.path, access: .change), folder: world.folder)
            let first = try await world.ready(sample)
            guard case .busy = try await other.store.ingest(sample.digest, size: sample.size) else {
                Issue.record("both have the partial\n\(world.dump)")
                return
            }
            try first.begin(0)
            try first.write(sample.bytes.prefix(1000))
            first.close()
            let second = try await other.ready(sample)
            #expect(second.byteCount == 1000)
            guard case .busy = try await world.store.ingest(sample.digest, size: sample.size) else {
                Issue.record("both have the partial\n\(world.dump)")
                return
            }
            try second.begin(1000)
            try second.write(sample.bytes.dropFirst(1000))
            #expect(try await second.commit() == .committed)
            #expect(try await world.bring(sample) == nil, world.dump)
        }
    }

    /// Each asks again while another has it, as the engine does, and each blob is brought by one alone.
    @Test(arguments: [20_000, 1_100_000])
    func eachBlobIsBroughtOnceByManyWhoWantIt(_ size: Int) async throws {
        try await StoreWorld.with(.disk) { world in
            let samples = try (0..<12).map { try Sample(size, seed: UInt64($0)) }
            let stores = try (0..<3).map { _ in try DiskStore(path: world.store.path, access: .change) }
            let committed = Counter()
            try await withThrowingTaskGroup(of: Void.self) { group in
                for store in stores {
                    for sample in samples {
                        group.addTask {
                            while true {
                                switch try await store.ingest(sample.digest, size: sample.size) {
                                case .present: return
                                case .busy: await Task.yield()
                                case .ready(let ingest):
                                    guard try await ingest.fill(sample.bytes) == .committed else { continue }
                                    return committed.add(1)
                                }
                            }
                        }
                    }
                }
                try await group.waitForAll()
            }
            #expect(committed.sum == Int64(samples.count))
            #expect(world.blobCount == samples.count, world.dump)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/partial") == [], world.dump)
        }
    }

    /// A reader that opens the folder once reads one set, however often it is exchanged meanwhile.
    @Test func aReaderThatOpensTheFolderOnceReadsOneSet() async throws {
        try await StoreWorld.with(.disk) { world in
            let sets = try (0..<2).map { try Sample(Array("set \($0)".utf8)) }
            let models = try sets.map { try modelOf("m", ["a": $0, "b": $0]) }
            try await world.bring(models[1], sets[0], sets[1])
            let done = Counter()
            let reads = Counter()
            try await withThrowingTaskGroup(of: [String].self) { group in
                for _ in 0..<2 {
                    group.addTask {
                        var mixtures: [String] = []
                        while done.sum == 0 {
                            if let mixture = readBoth("\(world.store.path)/models/m") { mixtures.append(mixture) }
                            reads.add(1)
                            await Task.yield()
                        }
                        return mixtures
                    }
                }
                for round in 0..<300 { _ = try await world.store.publish(models[round % 2]) }
                done.add(1)
                for try await mixtures in group { #expect(mixtures == []) }
            }
            #expect(reads.sum > 0)
        }
    }

    @Test func publishingFromManySidesEndsWithOneWholeSet() async throws {
        try await StoreWorld.with(.disk) { world in
            let sets = try (0..<4).map { try Sample(Array("set \($0)".utf8)) }
            let stores = try sets.map { _ in try DiskStore(path: world.store.path, access: .change) }
            for set in sets { try await world.bring(set) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for (store, set) in zip(stores, sets) {
                    group.addTask {
                        for _ in 0..<15 { _ = try await store.publish(try modelOf("m", ["a": set, "b": set])) }
                    }
                }
                try await group.waitForAll()
            }
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/models/m").sorted()
            #expect(names == ["a", "b"], world.dump)
            #expect(readBoth("\(world.store.path)/models/m") == nil)
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/partial") == [], world.dump)
        }
    }

    @Test func whatComesFromRecordsIsPublishedOnlyAsLongAsTheyAreTheSame() async throws {
        try await StoreWorld.with(.disk) { world in
            let (one, two) = (try Sample(10, seed: 1), try Sample(10, seed: 2))
            let (old, new) = (try modelOf("m", ["a": one]), try modelOf("m", ["a": two]))
            try await world.bring(old, one, two)
            let store = try DiskStore(path: world.store.path, access: .change, isOfRecords: true)
            try world.removeView("a", of: old)
            #expect(try await store.mend(old.files, of: old.name) == [])
            #expect(world.bytes("a", of: old) == one.bytes, world.dump)
            try world.removeView("a", of: old)
            #expect(try await store.publish(old) == [])
            #expect(world.bytes("a", of: old) == one.bytes, world.dump)
            _ = try await world.store.publish(new)
            #expect(try await store.publish(old).count == 1)
            #expect(try await store.mend(old.files, of: old.name).count == 1)
            #expect(world.bytes("a", of: old) == two.bytes, world.dump)
            _ = try await world.store.remove(new.name)
            #expect(try await store.publish(old).count == 1)
            #expect(world.paths(of: old) == [] && !exists("\(store.path)/models/m"), world.dump)
        }
    }

    @Test func unmanagedFilesOfEveryKindSurviveAnUpdate() async throws {
        try await StoreWorld.with(.disk) { world in
            let (one, two) = (try Sample(10, seed: 1), try Sample(10, seed: 2))
            try await world.bring(try modelOf("m", ["a": one]), one, two)
            let files = FileManager.default
            try world.folder.write("secret", to: "store/models/m/mine/deep/key")
            try files.setAttributes(
                [.posixPermissions: 0o600], ofItemAtPath: "\(world.store.path)/models/m/mine/deep/key")
            try files.createSymbolicLink(
                atPath: "\(world.store.path)/models/m/link", withDestinationPath: "../elsewhere")
            try Tool.run("mkfifo", ["\(world.store.path)/models/m/fifo"])
            _ = try await world.store.publish(try modelOf("m", ["a": two, "mine/b": one]))
            #expect(readText("\(world.store.path)/models/m/mine/deep/key") == "secret", world.dump)
            #expect(try mode("\(world.store.path)/models/m/mine/deep/key") == 0o600)
            #expect(try files.destinationOfSymbolicLink(atPath: "\(world.store.path)/models/m/link") == "../elsewhere")
            #expect(exists("\(world.store.path)/models/m/fifo"))
            #expect(contents("\(world.store.path)/models/m/mine/b") == one.bytes)
        }
    }
}

/// Files of the user's that change while their model does.
@Suite(.timeLimit(.minutes(1)))
struct UnmanagedChangeTests {
    /// As editors save: a new file is renamed over the old one, in the folder that is about to be exchanged.
    @Test func aFileThatIsSavedDuringAnUpdateIsNotLost() async throws {
        try await StoreWorld.with(.disk) { world in
            let sets = try (0..<2).map { try Sample(10, seed: $0) }
            // The folders take a while to be made durable.
            let names = (0..<14).flatMap { folder in (0..<10).map { "d\(folder)/f\($0)" } }
            let models = try sets.map { set in
                try modelOf("m", Dictionary(uniqueKeysWithValues: names.map { ($0, set) }))
            }
            try await world.bring(models[1], sets[0], sets[1])
            let partial = "\(world.store.path)/partial"
            for round in 0..<10 {
                let mine = try world.folder.write("before", to: "store/models/m/mine/note")
                let saved = try world.folder.write("saved in round \(round)", to: "saved")
                let done = Counter()
                let saving = Task {
                    func isCarried() -> Bool {
                        let names = (try? FileManager.default.contentsOfDirectory(atPath: partial)) ?? []
                        return names.contains { exists("\(partial)/\($0)/mine/note") }
                    }
                    while done.sum == 0, !isCarried() { await Task.yield() }
                    return rename(saved, mine) == 0
                }
                _ = try await world.store.publish(models[round % 2])
                done.add(1)
                #expect(await saving.value)
                #expect(readText(mine) == "saved in round \(round)", world.dump)
                #expect(try FileManager.default.contentsOfDirectory(atPath: partial) == [], world.dump)
            }
        }
    }

    @Test(arguments: ["nothing", "written", "replaced", "saved in the new one"])
    func whatIsShownIsReplacedOnlyByWhatIsLater(_ change: String) throws {
        try TemporaryFolder.withNow { temporary in
            let path = try temporary.write("carried", to: "old/d/note")
            try FileManager.default.createDirectory(
                atPath: temporary.appending("new"), withIntermediateDirectories: false)
            let (old, new) = (try Folder.open(temporary.appending("old")), try Folder.open(temporary.appending("new")))
            var carrier = Carrier(except: [])
            try carrier.carry(from: old, to: new)
            let copy = temporary.appending("new/d/note")
            switch change {
            case "written": try overwrite(path, Array("written".utf8))
            case "replaced":
                #expect(rename(try temporary.write("replaced", to: "other"), path) == 0)
            case "saved in the new one":
                #expect(rename(try temporary.write("replaced", to: "other"), path) == 0)
                #expect(rename(try temporary.write("saved in the new one", to: "other"), copy) == 0)
            default: break
            }
            try carrier.settle(from: old, to: new)
            #expect(readText(copy) == (change == "nothing" ? "carried" : change))
        }
    }
}

/// A name of Latin-1 times, as a file or a folder.
@Suite(.timeLimit(.minutes(1)))
struct ForeignNameTests {
    @Test(arguments: [false, true])
    func anUnmanagedFileWhoseNameIsNoUTF8IsToldAndNotLost(isFolder: Bool) async throws {
        try await StoreWorld.with(.disk) { world in
            let (one, two) = (try Sample(10, seed: 1), try Sample(10, seed: 2))
            let (old, new) = (try modelOf("m", ["a": one]), try modelOf("m", ["a": two]))
            try await world.bring(old, one, two)
            var name = Array("\(world.store.path)/models/m/caf".utf8CString.dropLast()) + [CChar(bitPattern: 0xE9), 0]
            if isFolder {
                #expect(mkdir(name, 0o755) == 0)
                name.insert(contentsOf: "/in".utf8CString.dropLast(), at: name.count - 1)
            }
            let file = open(name, O_CREAT | O_WRONLY, 0o644)
            try #require(file >= 0)
            close(file)
            #expect(try await world.survey(old).unmanaged.map(\.path) == ["caf\u{FFFD}"], world.dump)
            let told = await failure { try await world.store.publish(new) }
            #expect(told?.code == .storeIO && told?.message.contains("rename it") == true)
            #expect(access(name, F_OK) == 0)
            #expect(world.bytes("a", of: old) == one.bytes)
            rename(name, "\(world.folder.path)/away")
            if isFolder { try FileManager.default.removeItem(atPath: "\(world.store.path)/models/m") }
            _ = try await world.store.publish(new)
            #expect(world.bytes("a", of: new) == two.bytes)
        }
    }
}

extension Trait where Self == ConditionTrait {
    /// Skips where no file can be kept from being linked: an immutable one stands for a file system without links.
    static var needsImmutableFiles: Self {
        .enabled(if: canBeImmutable, "making a file immutable takes root's rights and a file system that can")
    }
}

private let canBeImmutable: Bool = {
    let made = try? TemporaryFolder.withNow { folder in
        let path = try folder.write("", to: "file")
        try Tool.run("chattr", ["+i", path])
        return try Tool.run("chattr", ["-i", path])
    }
    return made != nil
}()

/// Views where links can't be.
@Suite(.timeLimit(.minutes(1)))
struct CopyTests {
    @Test(.needsImmutableFiles) func whereLinksCantBeAViewIsASealedCopy() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(3_000_000, seed: 1)
            try await world.bring(sample)
            let blob = world.blobPath(sample.digest)
            try Tool.run("chattr", ["+i", blob])
            defer { _ = try? Tool.run("chattr", ["-i", blob]) }
            let model = try modelOf("m", ["a": sample])
            let notes = try await world.store.publish(model)
            #expect(notes.count == 1)
            let view = "\(world.store.path)/models/m/a"
            #expect(contents(view) == sample.bytes)
            #expect(try inode(view) != inode(blob))
            #expect(try mode(view) == mode(blob))
            #expect(try modified(view) == modified(blob))
            for depth in VerifyDepth.allCases {
                #expect(try await world.survey(model, depth).files[0].view == .current, world.dump)
            }
            #expect(try await world.store.publish(model) == [])
        }
    }

    @Test(.needsImmutableFiles) func anUnmanagedFileThatCantBeLinkedIsCopiedWithItsMode() async throws {
        try await StoreWorld.with(.disk) { world in
            let (one, two) = (try Sample(10, seed: 1), try Sample(10, seed: 2))
            try await world.bring(try modelOf("m", ["a": one]), one, two)
            let mine = try world.folder.write("secret", to: "store/models/m/mine")
            try FileManager.default.setAttributes([.posixPermissions: 0o640], ofItemAtPath: mine)
            try Tool.run("chattr", ["+i", mine])
            defer { _ = try? Tool.run("chattr", ["-R", "-i", world.store.path]) }
            // The old folder can't be taken apart, and stays aside; what matters is that the file is in its place.
            _ = await failure { try await world.store.publish(try modelOf("m", ["a": two])) }
            #expect(readText(mine) == "secret", world.dump)
            #expect(try mode(mine) == 0o640)
            #expect(contents("\(world.store.path)/models/m/a") == two.bytes)
        }
    }

    @Test func foldersAreExchangedInStepsWhereItCantBeDoneAtOnce() throws {
        try TemporaryFolder.withNow { temporary in
            try temporary.write("new", to: "partial/staged/a")
            try temporary.write("old", to: "models/m/a")
            let (partial, models) = (
                try Folder.open(temporary.appending("partial")), try Folder.open(temporary.appending("models"))
            )
            try partial.exchangeInSteps("staged", with: models, "m")
            #expect(readText(temporary.appending("models/m/a")) == "new")
            #expect(readText(temporary.appending("partial/staged/a")) == "old")
            #expect(throws: SystemFailure.self) { try partial.exchangeInSteps("nothing", with: models, "m") }
            #expect(readText(temporary.appending("models/m/a")) == "new")
            #expect(try partial.entries().map(\.name) == ["staged"])
        }
    }
}

/// What two files of a folder say, if they say two things; nil where they agree or there is no folder.
private func readBoth(_ path: String) -> String? {
    let folder = open(path, O_RDONLY | O_DIRECTORY)
    guard folder >= 0 else { return "no folder" }
    defer { close(folder) }
    let texts = ["a", "b"].map { name in
        var buffer = [UInt8](repeating: 0, count: 64)
        let file = openat(folder, name, O_RDONLY)
        // The folder that was opened may have been taken apart since: that is no mixture.
        guard file >= 0 else { return "gone" }
        defer { close(file) }
        return String(decoding: buffer[..<max(0, read(file, &buffer, 64))], as: UTF8.self)
    }
    return texts[0] == texts[1] || texts.contains("gone") ? nil : texts.joined(separator: " and ")
}
