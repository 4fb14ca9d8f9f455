import BlobStore
import Foundation
import SyncDomain
import TestSupport
import Testing

/// What runs tell of themselves in a store on disk, and what others ask of them.
@Suite(.timeLimit(.minutes(1))) struct ActivityTests {
    private let now = Int64(Date().timeIntervalSince1970)

    private func with(_ body: (DiskStore, _ active: String) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let path = folder.appending("store")
            try await body(try DiskStore(path: path, access: .change), path + "/active")
        }
    }

    private func run(_ id: String, host: String = "here", pid: Int32 = getpid()) -> ActiveRun {
        let progress = DownloadProgress(
            model: "kind/one", path: "a \"b\".bin", bytes: 5, total: 10, bytesPerSecond: 2, secondsLeft: 2.5)
        return ActiveRun(
            runID: id, command: "apply", host: host, processID: pid, startedAt: Timestamp(milliseconds: 1_500),
            files: [ActiveRun.File(state: .transferring, progress: progress)])
    }

    private func runs(_ store: DiskStore) async throws -> [ActiveRun] {
        try await store.activeRuns(host: "here", now: now)
    }

    private func names(_ folder: String) -> [String] {
        ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }

    @Test func whatARunTellsIsReadAsItWasTold() async throws {
        try await with { store, active in
            #expect(try await runs(store) == [])
            let (one, two) = (try store.beginActivity(runID: "r1"), try store.beginActivity(runID: "r2"))
            #expect(try await runs(store) == [], "they have said nothing yet")
            try one.write(run("r1"))
            try two.write(run("r2", host: "elsewhere"))
            #expect(try await runs(store) == [run("r1"), run("r2", host: "elsewhere")])
            one.end()
            #expect(try await runs(store).map(\.runID) == ["r2"])
            two.end()
            #expect(names(active) == [])
        }
    }

    @Test func aRunWhoseLockIsFreeIsDeadAndGoes() async throws {
        try await with { store, active in
            // As a process that died left it, on whichever host.
            do { try store.beginActivity(runID: "r1").write(run("r1", host: "elsewhere")) }
            #expect(names(active) == ["r1.json", "r1.lock"])
            #expect(try await runs(store) == [])
            #expect(names(active) == [])
        }
    }

    @Test func aRunThatIsAboutToTakeItsLockIsLeftAlone() async throws {
        try await with { store, active in
            do { try store.beginActivity(runID: "r1").end() }
            let begun = active + "/.r2.lock.tmp"
            #expect(FileManager.default.createFile(atPath: begun, contents: nil))
            #expect(try await runs(store) == [])
            #expect(FileManager.default.fileExists(atPath: begun))
        }
    }

    @Test func aRequestIsAnsweredByItsRun() async throws {
        try await with { store, active in
            let entry = try store.beginActivity(runID: "r1")
            try entry.write(run("r1"))
            let (one, two) = (try ModelName("kind/one"), try ModelName("kind/two"))
            let request = try await store.requestCancel([one, two], of: "r1")
            let other = try await store.requestCancel(nil, of: "r1")
            #expect(try await store.reply(to: request, of: "r1", host: "here", now: now) == .pending)
            let asked = entry.takeRequests().sorted { ($0.models?.count ?? 0) > ($1.models?.count ?? 0) }
            #expect(asked.map(\.models) == [[one, two], nil] && asked.map(\.id) == [request, other])
            #expect(entry.takeRequests() == [])
            entry.answer(asked[0], [one])
            #expect(entry.isAwaited)
            #expect(try await store.reply(to: request, of: "r1", host: "here", now: now) == .answered([one]))
            #expect(!entry.isAwaited)
            entry.end()
            #expect(try await store.reply(to: other, of: "r1", host: "here", now: now) == .ended)
            #expect(names(active) == [])
        }
    }

    @Test func aRequestThatIsTakenBackIsNotSeen() async throws {
        try await with { store, _ in
            let entry = try store.beginActivity(runID: "r1")
            let request = try await store.requestCancel(nil, of: "r1")
            await store.withdraw(request, of: "r1")
            #expect(entry.takeRequests() == [])
        }
    }

    @Test func whatIsNoRecordIsNotTold() async throws {
        try await with { store, active in
            let entry = try store.beginActivity(runID: "r1")
            try Data("{}".utf8).write(to: URL(fileURLWithPath: active + "/r1.x.cancel"))
            try Data("no JSON".utf8).write(to: URL(fileURLWithPath: active + "/r1.json"))
            #expect(entry.takeRequests() == [])
            #expect(try await runs(store) == [])
            var evil = run("r1")
            evil.host = "\u{1B}[2J"
            try entry.write(evil)
            #expect(try await runs(store) == [], "it would lead a terminal astray")
            try entry.write(run("../r1"))
            #expect(try await runs(store) == [], "names of files are made of it")
            evil = run("r1")
            evil.files[0].progress.model = "\u{9B}2J"
            try entry.write(evil)
            #expect(try await runs(store).map(\.files) == [[]])
        }
    }

    @Test func figuresThatCanNotBeAreCut() async throws {
        try await with { store, active in
            let entry = try store.beginActivity(runID: "r1")
            try entry.write(run("r1"))
            let status = active + "/r1.json"
            let text = try String(contentsOfFile: status, encoding: .utf8)
                .replacingOccurrences(of: "\"bytes\":5", with: "\"bytes\":9000000000000000000")
                .replacingOccurrences(of: "\"bytes_per_second\":2", with: "\"bytes_per_second\":1e300")
                .replacingOccurrences(of: "\"seconds_left\":2.500", with: "\"seconds_left\":-1e300")
            try text.write(toFile: status, atomically: false, encoding: .utf8)
            let progress = try await runs(store).first?.files.first?.progress
            #expect(progress?.bytes == 10 && progress?.bytesPerSecond == 1e15 && progress?.secondsLeft == 0)
        }
    }

    @Test func aFolderThatLetOthersInIsClosed() async throws {
        try await with { store, active in
            try FileManager.default.createDirectory(atPath: active, withIntermediateDirectories: false)
            try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: active)
            let entry = try store.beginActivity(runID: "r1")
            #expect(try FileManager.default.attributesOfItem(atPath: active)[.posixPermissions] as? Int == 0o700)
            entry.end()
        }
    }

    @Test func aLinkInTheFoldersPlaceIsRefused() async throws {
        try await with { store, active in
            try FileManager.default.createSymbolicLink(atPath: active, withDestinationPath: "/tmp")
            #expect(throws: SyncError.self) { try store.beginActivity(runID: "r1") }
            await #expect(throws: SyncError.self) { try await store.activeRuns(host: "here", now: 0) }
        }
    }

    @Test func aFolderWithNothingButItIsAStoreThatWasBegun() throws {
        try TemporaryFolder.withNow { folder in
            try FileManager.default.createDirectory(
                atPath: folder.appending("store/active"), withIntermediateDirectories: true)
            _ = try DiskStore(path: folder.appending("store"), access: .change)
        }
    }

    @Test func gcAndClearTakeOutWhatDeadRunsLeft() async throws {
        try await with { store, active in
            do { try store.beginActivity(runID: "r1").write(run("r1")) }
            let live = try store.beginActivity(runID: "r2")
            try live.write(run("r2"))
            let planned = try await store.collectGarbage(GarbageRule(now: now), isDryRun: true)
            #expect(planned.partials.map(\.path).sorted() == ["active/r1.json", "active/r1.lock"])
            live.end()
            let swept = try await store.collectGarbage(GarbageRule(now: now), isDryRun: false)
            #expect(swept.partials.count == 2 && names(active) == [])
            do { try store.beginActivity(runID: "r3").write(run("r3")) }
            _ = try await store.clear()
            #expect(names(active) == [])
        }
    }
}
