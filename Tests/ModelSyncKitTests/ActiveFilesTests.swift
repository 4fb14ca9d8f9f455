import SyncDomain
import Testing

@testable import ModelSyncKit

@Suite struct ActiveFilesTests {
    private func started(_ path: String, resumedFrom bytes: Int64 = 0) -> SyncEvent {
        .started(model: "m", path: path, size: 100, resumedFrom: bytes)
    }

    private func progress(_ path: String, _ bytes: Int64) -> SyncEvent {
        .progress(
            DownloadProgress(model: "m", path: path, bytes: bytes, total: 100, bytesPerSecond: 10, secondsLeft: 3))
    }

    private func finished(_ path: String) -> SyncEvent {
        .finished(DownloadResult(model: "m", path: path, sha256: nil, size: 100, outcome: .downloaded))
    }

    @Test func aFileIsToldOfFromItsBeginningToItsEnd() {
        var files = ActiveFiles()
        files.observe(.waiting(model: "m", path: "a"), now: .zero)
        #expect(files.files(now: .zero).map(\.state) == [.waiting])
        files.observe(started("a", resumedFrom: 20), now: .zero)
        #expect(files.files(now: .zero).map(\.progress.bytes) == [20])
        files.observe(progress("a", 50), now: .seconds(1))
        #expect(files.files(now: .seconds(1)).map(\.state) == [.transferring])
        #expect(files.files(now: .seconds(1)).map(\.progress.secondsLeft) == [3])
        files.observe(progress("a", 100), now: .seconds(2))
        #expect(files.files(now: .seconds(2)).map(\.state) == [.verifying])
        files.observe(finished("a"), now: .seconds(3))
        #expect(files.files(now: .seconds(3)).isEmpty)
    }

    @Test func filesAreInTheOrderInWhichTheyBegan() {
        var files = ActiveFiles()
        for path in ["c", "a", "b"] { files.observe(started(path), now: .zero) }
        files.observe(progress("a", 50), now: .seconds(1))
        files.observe(finished("c"), now: .seconds(1))
        files.observe(started("c"), now: .seconds(2))
        #expect(files.files(now: .seconds(2)).map(\.progress.path) == ["a", "b", "c"])
    }

    @Test func aRateThatIsOldIsNone() {
        var files = ActiveFiles()
        files.observe(progress("a", 50), now: .seconds(1))
        #expect(files.files(now: .seconds(5)).map(\.progress.bytesPerSecond) == [10])
        let late = files.files(now: .seconds(6))
        #expect(late.map(\.progress.bytesPerSecond) == [0] && late.map(\.progress.secondsLeft) == [nil])
        #expect(late.map(\.progress.bytes) == [50])
    }

    @Test func aFileThatIsTriedAgainHasItsBytesAndNoRate() {
        var files = ActiveFiles()
        files.observe(progress("a", 50), now: .zero)
        let error = SyncError(.networkInterrupted, "lost")
        files.observe(.retrying(model: "m", path: "a", error: error, after: .seconds(1), source: "s"), now: .zero)
        let file = files.files(now: .zero).first
        #expect(file?.state == .retrying && file?.progress.bytes == 50 && file?.progress.bytesPerSecond == 0)
    }

    @Test func onlyWhatChangesIsANewVersion() {
        var files = ActiveFiles()
        files.observe(started("a"), now: .zero)
        let version = files.version
        files.observe(finished("b"), now: .zero)
        files.observe(.note("n"), now: .zero)
        #expect(files.version == version)
        files.observe(finished("a"), now: .zero)
        #expect(files.version != version)
    }
}
