import ModelSyncKit
import Testing

@testable import modelsync

@Suite struct FailureSummaryTests {
    private func summary(_ results: [DownloadResult]) -> FailureSummary {
        let time = Timestamp(milliseconds: 0)
        return FailureSummary(
            SyncReport(
                runID: "r", command: "apply", toolVersion: "0", host: "h", startedAt: time, finishedAt: time,
                seconds: 1,
                manifests: [], store: "/s", outcome: .failed, bytesVerified: 0, results: results))
    }

    private func missing(_ path: String, host: String = "a.example.org", status: Int = 404) -> DownloadResult {
        let message = "m/\(path): https://\(host)/\(path)?x=…: not found (status \(status)); check the URL"
        return result(path, 10, .failed, SyncError(.httpNotFound, message))
    }

    @Test func filesThatFailedAlikeAreOneLine() {
        let found = summary([
            missing("a"), missing("b/c"), missing("d", host: "b.example.org"), missing("e"), missing("f", status: 410),
        ])
        #expect(
            found.groups.map(\.text) == [
                "m/a: https://a.example.org/a?x=…: not found (status 404); check the URL (and 2 more files)",
                "m/d: https://b.example.org/d?x=…: not found (status 404); check the URL",
                "m/f: https://a.example.org/f?x=…: not found (status 410); check the URL",
            ])
        #expect(found.hints.isEmpty)
    }

    /// The first file's words stand for all: what differs behind a host, or in the file's own name, makes no new line.
    @Test func onlyHostsAndWordsTellReasonsApart() {
        func failed(_ path: String, _ words: String) -> DownloadResult {
            result(path, 10, .failed, SyncError(.networkTLS, "m/\(path): \(words)"))
        }
        let found = summary([
            failed("a", "http://h:80 gave http://x.example.org/1?a=b and /etc/1"), failed("b://c", "http://h:80/2 é"),
            failed("d", "http://h:80 gave http://x.example.org/2 and /etc/1"), failed("e", "http://h:80/3/4 é"),
            failed("f", "http://h:81/2 é"), failed("g", "http://h:80 gave http://x.example.org and /etc/2"),
        ])
        #expect(
            found.groups.map(\.text) == [
                "m/a: http://h:80 gave http://x.example.org/1?a=b and /etc/1 (and 1 more file)",
                "m/b://c: http://h:80/2 é (and 1 more file)", "m/f: http://h:81/2 é",
                "m/g: http://h:80 gave http://x.example.org and /etc/2",
            ])
    }

    @Test func whatWasNotFetchedIsNoFailure() {
        let found = summary([result("a", 10, .kept), result("b", 10, .skipped), result("c", 10, .unmanaged)])
        #expect(found.groups.isEmpty && found.hints.isEmpty)
    }

    @Test func whatCanBeTriedAgainSaysHowMuchIsKept() {
        var cancelled = result("a", 10, .cancelled, .cancelled("m/a"))
        cancelled.transfer = TransferStatistics(startedAt: Timestamp(milliseconds: 0))
        cancelled.transfer?.bytesKept = 1_000_000
        var stalled = result("b", 10, .failed, SyncError(.networkStalled, "m/b: stalled", isRetryable: true))
        stalled.transfer = cancelled.transfer
        #expect(
            summary([cancelled, stalled]).hints == [
                "run the same command again to go on: 2.00 MB of unfinished files are kept"
            ])
        stalled.transfer = nil
        #expect(summary([stalled]).hints == ["run the same command again to go on"])
    }

    @Test func aFloodOfReasonsIsCutShort() {
        let found = summary((0..<50).map { missing("f\($0)", host: "h\($0).example.org") })
        #expect(found.groups.count == 20)
        #expect(found.hints == ["30 more files failed for other reasons: the report has them all"])
    }
}
