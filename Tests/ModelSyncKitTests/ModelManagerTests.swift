import Foundation
import ModelSyncKit
import TestSupport
import Testing

@Suite(.timeLimit(.minutes(1))) struct ModelManagerTests {
    private let one = try? ModelName("kind/one")

    /// Two files of one model, applied.
    private func withAppliedModel(
        _ body: (Place, _ manifest: Manifest, _ name: ModelName, _ files: [ManifestText.File]) async throws -> Void
    ) async throws {
        let name = try #require(one)
        try await Place.with { place in
            let files = [try place.document("a.bin", bytes(5000, 1)), try place.document("sub/b.bin", bytes(70, 2))]
            let manifest = try await place.manifest(.init("kind/one", version: "3", tags: ["t"], files: files))
            let report = try await place.manager.apply(manifest)
            #expect(report.outcome == .ok, "\(report.results)")
            try await body(place, manifest, name, files)
        }
    }

    @Test func aPlanChangesNothingAndCreatesNoStore() async throws {
        try await Place.with { place in
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(100, 1))]))
            let plan = try await place.manager.plan(manifest)
            #expect(plan.counts == [.download: 1])
            #expect(plan.bytesToFetch == 100)
            #expect(plan.bytesFree > 0)
            #expect(!FileManager.default.fileExists(atPath: place.store))
        }
    }

    @Test func whatIsAppliedIsThereAndIsReported() async throws {
        try await withAppliedModel { place, manifest, name, files in
            #expect(place.read(place.view("kind/one", "a.bin")) == bytes(5000, 1))
            #expect(place.read(place.view("kind/one", "sub/b.bin")) == bytes(70, 2))
            let again = try await place.manager.apply(manifest)
            #expect(again.results.map(\.outcome) == [.kept, .kept])
            #expect(again.outcome == .ok)
            #expect(again.manifests.map(\.path) == manifest.sources.map(\.path))
            #expect(again.store == place.store)
            #expect(place.savedReports.count == 2)
            #expect(place.savedReports.contains(again.json))
            if ReportSchema.python != nil {
                try ReportSchema.report.validate(files: Repository.files(in: place.store + "/runs", suffix: ".json"))
            }
            #expect(try await place.manager.plan(manifest).hasChanges == false)
        }
    }

    @Test func bytesThatWereFetchedCountAsVerified() async throws {
        try await Place.with { place in
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(100, 1))]))
            let report = try await place.manager.apply(manifest)
            #expect(report.bytesVerified == 100)
            #expect(report.bytesDownloaded == 100)
            #expect(report.samples.last?.bytesDownloaded == 100)
            #expect(report.samples.last?.seconds == report.seconds)
            let again = try await place.manager.apply(manifest)
            #expect(again.bytesVerified == 0)
            #expect(again.samples.isEmpty)
            #expect(try await place.manager.verify(manifest).samples.last?.bytesHashed == 100)
        }
    }

    @Test func aMissingFileFailsTheRunAndTheOthersArrive() async throws {
        try await Place.with { place in
            let gone = ManifestText.File("gone", size: 5, sha256: try Payload.sha256([1]), urls: ["documents/gone"])
            let manifest = try await place.manifest(
                .init("bad", files: [gone]), .init("good", files: [try place.document("a", bytes(10, 1))]))
            let report = try await place.manager.apply(manifest)
            #expect(report.outcome == .failed)
            #expect(report.results.map(\.outcome) == [.failed, .downloaded])
            #expect(report.results[0].error?.code == .httpNotFound)
            #expect(report.results[0].error?.message.hasPrefix("bad/gone: ") == true)
            #expect(place.savedReports == [report.json])
            #expect(FileManager.default.fileExists(atPath: place.view("good", "a")))
            #expect(try await place.manager.list().map(\.name.text) == ["good"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: place.store + "/partial") == [])
        }
    }

    @Test func verifyTellsWhatIsCorruptAndRepairMendsIt() async throws {
        try await withAppliedModel { place, manifest, name, files in
            let whole = try await place.manager.verify(manifest)
            #expect(whole.outcome == .ok)
            #expect(whole.command == "verify")
            #expect(whole.bytesVerified == 5070)
            try place.damage(files[0], to: bytes(5000, 9))
            let before = tree(place.store + "/blobs")
            for wanted in [manifest, nil] {
                let report = try await place.manager.verify(wanted)
                #expect(report.outcome == .failed)
                #expect(report.results.map(\.outcome) == [.failed, .kept])
                #expect(report.results[0].error?.code == .digestMismatch)
            }
            #expect(tree(place.store + "/blobs") == before)
            let mended = try await place.manager.repair(nil)
            #expect(mended.outcome == .ok, "\(mended.results)")
            #expect(mended.results.map(\.outcome) == [.repaired, .kept])
            #expect(place.read(place.view("kind/one", "a.bin")) == bytes(5000, 1))
            #expect(try await place.manager.verify(nil).outcome == .ok)
        }
    }

    @Test(arguments: [true, false])
    func aRepairOfWhatWasAppliedDoesNotBringBackWhatAnotherProcessHasReplaced(isRemoved: Bool) async throws {
        try await withAppliedModel { place, manifest, name, files in
            try place.damage(files[0], to: bytes(5000, 9))
            let record = place.store + "/records/kind/one.json"
            let newer = try String(contentsOfFile: record, encoding: .utf8).replacing("\"3\"", with: "\"4\"")
            let observer = EventLog { event in
                guard case .planned = event else { return }
                if isRemoved { try? FileManager.default.removeItem(atPath: record) }
                if !isRemoved { try? newer.write(toFile: record, atomically: true, encoding: .utf8) }
            }
            let manager = ModelManager(store: place.store, configuration: place.configuration, observer: observer)
            let report = try await manager.repair(nil)
            #expect(report.notes.contains { $0.hasPrefix("kind/one: another process has changed it") })
            #expect(try await place.manager.metadata(of: name)?.version == (isRemoved ? nil : "4"))
            // Who names a manifest means it.
            #expect(try await place.manager.repair(manifest).outcome == .ok)
            #expect(try await place.manager.metadata(of: name)?.version == "3")
        }
    }

    @Test func whatIsUnmanagedIsToldByApplyAndVerify() async throws {
        try await withAppliedModel { place, manifest, name, _ in
            try place.folder.write("mine", to: "store/models/kind/one/mine.txt")
            for report in [try await place.manager.apply(manifest), try await place.manager.verify(nil)] {
                #expect(report.outcome == .ok)
                #expect(report.results.map(\.outcome) == [.kept, .kept, .unmanaged])
                #expect(report.results.last?.file == place.view("kind/one", "mine.txt"))
            }
            #expect(await place.manager.isAvailable(name))
        }
    }

    @Test func whatWasAppliedIsListedWithItsMetadata() async throws {
        try await withAppliedModel { place, manifest, name, _ in
            #expect(try await place.manager.list() == manifest.models)
            let model = try #require(try await place.manager.metadata(of: name))
            #expect(model.version == "3")
            #expect(model.tags == ["t"])
            #expect(model.size == 5070)
            #expect(try await place.manager.metadata(of: ModelName("kind/two")) == nil)
        }
    }

    @Test func aStoreThatIsNotThereIsEmpty() async throws {
        try await Place.with { place in
            let name = try ModelName("m")
            #expect(try await place.manager.list() == [])
            #expect(try await place.manager.metadata(of: name) == nil)
            #expect(await place.manager.isAvailable(name) == false)
            // A job that verifies the wrong folder each night must not be told that all is well.
            let verified = await #expect(throws: SyncError.self) { try await place.manager.verify(nil) }
            let repaired = await #expect(throws: SyncError.self) { try await place.manager.repair(nil) }
            for error in [verified, repaired] { #expect(error?.message.contains("there is no store") == true) }
            #expect(!FileManager.default.fileExists(atPath: place.store))
        }
    }

    @Test func pathsAreGivenOfWhatIsWhole() async throws {
        try await withAppliedModel { place, _, name, files in
            #expect(try await place.manager.path(of: name) == place.store + "/models/kind/one")
            #expect(try await place.manager.path(of: name, file: "sub/b.bin") == place.view("kind/one", "sub/b.bin"))
            #expect(await place.manager.isAvailable(name))
            try place.damage(files[0], to: [1, 2, 3])
            #expect(await place.manager.isAvailable(name) == false)
            let error = await #expect(throws: SyncError.self) { try await place.manager.path(of: name) }
            #expect(error?.code == .sizeMismatch)
            #expect(error?.message.contains("kind/one/a.bin") == true)
            // The other file is as it was.
            #expect(try await place.manager.path(of: name, file: "sub/b.bin") == place.view("kind/one", "sub/b.bin"))
            await #expect(throws: SyncError.self) { try await place.manager.path(of: name, file: "a.bin") }
        }
    }

    @Test func aModelOfOneFileHasAFolderAndAFile() async throws {
        try await Place.with { place in
            let name = try ModelName("m")
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(10, 1))]))
            _ = try await place.manager.apply(manifest)
            #expect(try await place.manager.path(of: name) == place.store + "/models/m")
            #expect(try await place.manager.path(of: name, file: "a") == place.view("m", "a"))
        }
    }

    @Test func pathsOfWhatIsNotKnownAreRefusedByName() async throws {
        try await withAppliedModel { place, _, name, _ in
            let other = try ModelName("kind/two")
            let model = await #expect(throws: SyncError.self) { try await place.manager.path(of: other) }
            #expect(model?.code == .storeIO)
            #expect(model?.message.hasPrefix("kind/two: not in the store") == true)
            let file = await #expect(throws: SyncError.self) { try await place.manager.path(of: name, file: "c") }
            #expect(file?.code == .storeIO)
            #expect(file?.message.contains("'c'") == true)
        }
    }

    @Test func aViewThatIsGoneIsNotGivenAndIsLinkedAgain() async throws {
        try await withAppliedModel { place, manifest, name, _ in
            try FileManager.default.removeItem(atPath: place.view("kind/one", "a.bin"))
            #expect(await place.manager.isAvailable(name) == false)
            #expect(try await place.manager.apply(manifest).results.map(\.outcome) == [.linked, .kept])
            #expect(await place.manager.isAvailable(name))
        }
    }

    @Test func aRunThatIsCancelledBeforeItBeginsHasAReport() async throws {
        try await Place.with { place in
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(10, 1))]))
            let outcome = try await withThrowingTaskGroup(of: RunOutcome.self) { group in
                group.cancelAll()
                group.addTask { try await place.manager.apply(manifest).outcome }
                return try await group.next()
            }
            #expect(outcome == .cancelled)
            #expect(place.savedReports.count == 1)
        }
    }

    @Test func aReportThatCanNotBeKeptIsNotedAndNotLost() async throws {
        try await Place.with { place in
            let runs = place.store + "/runs"
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(10, 1))]))
            // While the run is on, a link takes the folder's place: it is refused, also to root.
            let observer = EventLog { event in
                guard case .planned = event else { return }
                try? FileManager.default.removeItem(atPath: runs)
                try? FileManager.default.createSymbolicLink(atPath: runs, withDestinationPath: "/nowhere")
            }
            let manager = ModelManager(store: place.store, configuration: place.configuration, observer: observer)
            let report = try await manager.apply(manifest)
            #expect(report.outcome == .ok)
            #expect(report.results.map(\.outcome) == [.downloaded])
            #expect(report.notes.contains { $0.hasPrefix("the report could not be kept in the store: ") })
        }
    }

    @Test(.enabled(if: geteuid() != 0, "root may write everywhere"))
    func aStoreThatCanNotBeWrittenIsVerifiedAllTheSame() async throws {
        try await withAppliedModel { place, manifest, name, _ in
            for folder in [place.store, place.store + "/runs", place.store + "/locks"] {
                try FileManager.default.setAttributes([.posixPermissions: 0o555], ofItemAtPath: folder)
            }
            #expect(try await place.manager.verify(manifest).outcome == .ok)
            #expect(await place.manager.isAvailable(name))
        }
    }

    @Test func aFolderOfSomethingElseIsNoStore() async throws {
        try await Place.with { place in
            try place.folder.write("x", to: "store/thesis.txt")
            let manifest = try await place.manifest(.init("m", files: [try place.document("a", bytes(10, 1))]))
            let error = await #expect(throws: SyncError.self) { try await place.manager.apply(manifest) }
            #expect(error?.code == .storeIO)
            #expect(tree(place.store) == ["thesis.txt NSFileTypeRegular 1"])
        }
    }

    @Test func theDefaultStoreIsByTheEnvironment() {
        var configuration = SyncConfiguration()
        configuration.workingFolder = "/here"
        let cases: [([String: String], String)] = [
            (["MODELSYNC_STORE": "/a/b/", "HOME": "/home/u"], "/a/b"),
            (["MODELSYNC_STORE": "rel", "XDG_CACHE_HOME": "/c"], "/here/rel"),
            (["MODELSYNC_STORE": "", "XDG_CACHE_HOME": "/c", "HOME": "/home/u"], "/c/modelsync"),
            (["XDG_CACHE_HOME": "relative", "HOME": "/home/u"], "/home/u/.cache/modelsync"),
            (["HOME": "/home/u"], "/home/u/.cache/modelsync"),
        ]
        for (environment, store) in cases {
            configuration.environment = { environment[$0] }
            #expect(ModelManager(configuration: configuration).store == store)
        }
        #expect(ModelManager(store: "x/", configuration: configuration).store == "/here/x")
    }
}
