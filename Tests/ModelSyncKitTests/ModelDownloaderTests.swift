import Foundation
import ModelSyncKit
import Synchronization
import TestSupport
import Testing

/// A store, and a server that sends half of a file and then nothing until it is released.
private struct Served {
    let place: Place
    let server: FaultServer
    let downloader: ModelDownloader

    static func with(_ body: (Served) async throws -> Void) async throws {
        let server = try FaultServer()
        try await Place.with { place in
            try await body(
                Served(place: place, server: server, downloader: ModelDownloader(manager: place.manager)))
        }
        server.stop()
    }

    func file(_ name: String, _ content: [UInt8], stallsAt byte: Int? = nil) throws -> ManifestText.File {
        server.script("/" + name) { request, _ in
            let response = FaultResponse.file(content, etag: "\"v1\"", for: request)
            return byte.map { response.stalled(at: $0) } ?? response
        }
        return .init(
            name, size: content.count, sha256: try Payload.sha256(content), urls: [server.url("/" + name).text])
    }

    /// Two models of a file each, `one/a` and `two/b`, that stall at the same byte.
    func stalling(at byte: Int = 30_000) async throws -> Manifest {
        try await place.manifest(
            .init("one", files: [try file("a", bytes(60_000, 1), stallsAt: byte)]),
            .init("two", files: [try file("b", bytes(70_000, 2), stallsAt: byte)]))
    }
}

/// Remembers values from any thread.
private final class Values<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    var all: [Value] { values.withLock { $0 } }
    func add(_ value: Value) { values.withLock { $0.append(value) } }
}

@Suite(.timeLimit(.minutes(1))) struct ModelDownloaderTests {
    @Test func aDownloadTellsItsProgressAndItsResults() async throws {
        try await Served.with { served in
            let manifest = try await served.place.manifest(
                .init("one", files: [try served.file("a", bytes(60_000, 1))]),
                .init("two", files: [try served.file("b", bytes(70_000, 2))]))
            let told = Values<DownloadProgress>()
            let report = try await served.downloader.download(manifest) { told.add($0) }
            #expect(report.outcome == .ok && report.command == "download")
            #expect(report.results.map(\.outcome) == [.downloaded, .downloaded])
            #expect(report.results.map(\.file) == [served.place.view("one", "a"), served.place.view("two", "b")])
            let ends = told.all.filter(\.isComplete)
            #expect(ends.map(\.path).sorted() == ["a", "b"] && ends.allSatisfy { $0.percent == 100 })
            #expect(served.downloader.activeDownloads.isEmpty)
            let again = try await served.downloader.download(manifest)
            #expect(again.results.map(\.outcome) == [.kept, .kept])
        }
    }

    @Test func oneModelOfAManifestIsDownloadedAlone() async throws {
        try await Served.with { served in
            let manifest = try await served.place.manifest(
                .init("one", files: [try served.file("a", bytes(600, 1))]),
                .init("two", files: [try served.file("b", bytes(700, 2))]))
            let report = try await served.downloader.download(try ModelName("two"), of: manifest)
            #expect(report.results.map(\.path) == ["b"] && report.outcome == .ok)
            #expect(served.server.recording.requests.map(\.path) == ["/b"])
            let other = try ModelName("three")
            let error = await #expect(throws: SyncError.self) {
                try await served.downloader.download(other, of: manifest)
            }
            #expect(error?.message.hasPrefix("three: not in the manifest ") == true)
        }
    }

    @Test func downloadByTheManagerBringsOneModel() async throws {
        try await Served.with { served in
            let manifest = try await served.place.manifest(
                .init("one", files: [try served.file("a", bytes(600, 1))]),
                .init("two", files: [try served.file("b", bytes(700, 2))]))
            let name = try ModelName("one")
            #expect(try await served.place.manager.download(name, of: manifest).outcome == .ok)
            #expect(try await served.place.manager.list().map(\.name) == [name])
        }
    }

    @Test func progressUpdatesEndWithTheDownload() async throws {
        try await Served.with { served in
            let manifest = try await served.place.manifest(
                .init("one", files: [try served.file("a", bytes(60_000, 1))]))
            let updates = served.downloader.progressUpdates()
            async let report = served.downloader.download(manifest)
            var last: DownloadProgress?
            for await update in updates { last = update }
            #expect(last?.isComplete == true && last?.model == "one")
            #expect(try await report.outcome == .ok)
        }
    }

    @Test func progressUpdatesDropOldValuesRatherThanGrow() async throws {
        try await Served.with { served in
            let files = try (0..<20).map { try served.file("f\($0)", bytes(600 + $0, UInt64($0))) }
            let manifest = try await served.place.manifest(.init("one", files: files))
            let updates = served.downloader.progressUpdates(keepingNewest: 3)
            let told = Values<String>()
            _ = try await served.downloader.download(manifest) { told.add($0.path) }
            var kept: [String] = []
            for await update in updates { kept.append(update.path) }
            #expect(told.all.count == 20 && kept.count == 3)
        }
    }

    @Test func progressUpdatesThatNobodyReadsHoldNothingUp() async throws {
        try await Served.with { served in
            let manifest = try await served.place.manifest(
                .init("one", files: [try served.file("a", bytes(60_000, 1))]))
            _ = served.downloader.progressUpdates()
            #expect(try await served.downloader.download(manifest).outcome == .ok)
        }
    }

    @Test func activeDownloadsAreListed() async throws {
        try await Served.with { served in
            let manifest = try await served.stalling()
            async let report = served.downloader.download(manifest)
            await served.server.wait { $0.stalls == 2 }
            let active = served.downloader.activeDownloads
            #expect(active.map(\.model).sorted() == ["one", "two"])
            #expect(active.map(\.total).sorted() == [60_000, 70_000] && active.allSatisfy { !$0.isComplete })
            served.server.release()
            #expect(try await report.outcome == .ok)
            #expect(served.downloader.activeDownloads.isEmpty)
        }
    }

    @Test func cancellingOneModelLetsTheOthersArrive() async throws {
        try await Served.with { served in
            let manifest = try await served.stalling()
            // Slowly at first: progress is told while bytes come, and not of those that come within half a second.
            served.server.script("/a") { request, attempt in
                let whole = FaultServer.Response.file(bytes(60_000, 1), etag: "\"v1\"", for: request)
                return attempt == 1 ? whole.stalled(at: 30_000).dripping(100, everyMicroseconds: 20_000) : whole
            }
            async let ended = served.downloader.download(manifest)
            // What the server has sent may be on its way: that the download has some of it, it must say itself.
            try await eventually("bytes of one are here, and two is stalled") {
                served.server.recording.stalls > 0
                    && served.downloader.activeDownloads.contains { $0.model == "one" && $0.bytes > 0 }
            }
            let (one, three) = (try ModelName("one"), try ModelName("three"))
            #expect(served.downloader.cancel(one))
            #expect(!served.downloader.cancel(three))
            await served.server.wait { $0.openConnections == 1 }
            served.server.release()
            let report = try await ended
            #expect(report.outcome == .cancelled)
            #expect(report.results.map(\.outcome) == [.cancelled, .downloaded])
            #expect(!served.downloader.cancel(one), "nothing runs")
            let next = try await served.downloader.download(manifest)
            #expect(next.outcome == .ok && (next.results[0].transfer?.bytesResumed ?? 0) > 0)
        }
    }

    @Test func cancellingAllEndsEveryDownload() async throws {
        try await Served.with { served in
            let manifest = try await served.stalling()
            let (first, second) = (manifest.models[0].name, manifest.models[1].name)
            async let one = served.downloader.download(first, of: manifest)
            async let two = served.downloader.download(second, of: manifest)
            await served.server.wait { $0.stalls == 2 }
            served.downloader.cancelAll()
            let outcomes = [try await one.outcome, try await two.outcome]
            #expect(outcomes == [.cancelled, .cancelled])
        }
    }

    @Test func cancellingTheTaskEndsTheDownload() async throws {
        try await Served.with { served in
            let manifest = try await served.stalling()
            let downloader = served.downloader
            let running = Task { try await downloader.download(manifest) }
            await served.server.wait { $0.stalls == 2 }
            running.cancel()
            let report = try await running.value
            #expect(report.outcome == .cancelled)
            #expect(report.results.map(\.outcome) == [.cancelled, .cancelled])
        }
    }

    @Test func aProgramWithoutAsyncWaitsForItsDownload() async throws {
        try await Served.with { served in
            let manifest = try await served.place.manifest(
                .init("one", files: [try served.file("a", bytes(60_000, 1))]))
            let (downloader, told) = (served.downloader, Values<DownloadProgress>())
            // A thread of its own, as such a program has: never one of the cooperative pool.
            let result: Result<SyncReport, any Error> = await withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(
                        returning: Result { try downloader.downloadAndWait(manifest) { told.add($0) } })
                }
            }
            #expect(try result.get().outcome == .ok)
            #expect(told.all.contains { $0.isComplete })
        }
    }

    @Test func aBlockingDownloadIsCancelledFromAnotherThread() async throws {
        try await Served.with { served in
            let manifest = try await served.stalling()
            let downloader = served.downloader
            async let ended: RunOutcome? = withCheckedContinuation { continuation in
                Thread.detachNewThread {
                    continuation.resume(returning: try? downloader.downloadAndWait(manifest).outcome)
                }
            }
            await served.server.wait { $0.stalls == 2 }
            downloader.cancelAll()
            #expect(await ended == .cancelled)
        }
    }

    @Test func downloadsOfThisProcessAreToldAsActiveRuns() async throws {
        try await Served.with { served in
            let manifest = try await served.stalling()
            async let report = served.downloader.download(manifest)
            await served.server.wait { $0.stalls == 2 }
            var runs: [ActiveRun] = []
            while runs.first?.files.count != 2 { runs = try await served.place.manager.activeRuns() }
            #expect(runs.count == 1 && runs[0].command == "download" && runs[0].processID == getpid())
            let cancelled = try await served.place.manager.cancel([ModelName("one")])
            #expect(cancelled.map(\.name.text) == ["one"] && cancelled[0].run.runID == runs[0].runID)
            served.server.release()
            #expect(try await report.runID == runs[0].runID)
            #expect(try await served.place.manager.activeRuns().isEmpty)
        }
    }

    @Test func aRunThatCanNotBeToldOfIsNotedAndGoesOn() async throws {
        try await Served.with { served in
            let manifest = try await served.place.manifest(
                .init("one", files: [try served.file("a", bytes(60_000, 1))]))
            _ = try await served.downloader.download(manifest.filter { _ in false })
            try served.place.folder.write("in the way", to: "store/active")
            let report = try await served.downloader.download(manifest)
            #expect(report.outcome == .ok && report.notes.contains { $0.hasPrefix("`modelsync active` and `cancel` ") })
        }
    }
}
