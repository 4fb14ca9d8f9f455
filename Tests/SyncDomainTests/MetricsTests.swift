import SyncDomain
import Testing

@Suite struct MetricsTests {
    private func report(_ outcome: RunOutcome = .ok, _ results: [DownloadResult] = []) -> SyncReport {
        SyncReport(
            runID: "r", command: "apply", toolVersion: "1.2.3", host: "h", startedAt: Timestamp(milliseconds: 1500),
            finishedAt: Timestamp(milliseconds: 1_795_254_234_584), seconds: 1.25, manifests: [], store: "/s",
            outcome: outcome, bytesVerified: 7, results: results)
    }

    private func samples(_ report: SyncReport, exitCode: Int32 = 0) -> [String] {
        let text = String(decoding: report.metrics(exitCode: exitCode, manifests: ["m.yaml"]), as: UTF8.self)
        return text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map(String.init)
    }

    private static let labels = #"command="apply",store="/s",manifest="m.yaml""#

    @Test func timesAreInSecondsAndSuccessIsOne() {
        let samples = samples(report())
        #expect(samples.contains("modelsync_run_success{\(Self.labels)} 1"))
        #expect(samples.contains("modelsync_run_duration_seconds{\(Self.labels)} 1.250"))
        #expect(samples.contains("modelsync_run_started_timestamp_seconds{\(Self.labels)} 1.500"))
        #expect(samples.contains("modelsync_run_finished_timestamp_seconds{\(Self.labels)} 1795254234.584"))
        #expect(samples.contains("modelsync_build_info{\(Self.labels),version=\"1.2.3\"} 1"))
        #expect(!samples.contains { $0.hasPrefix("modelsync_oldest_verification") })
    }

    @Test func filesAreCountedByOutcomeAndFailuresByCode() {
        let wrong = SyncError(.digestMismatch, "wrong")
        let attempt = TransferAttempt(
            url: "u", startedAt: Timestamp(milliseconds: 0), seconds: 1, bytes: 3, error: wrong)
        let transfer = TransferStatistics(
            bytesDownloaded: 3, bytesResumed: 2, startedAt: Timestamp(milliseconds: 0), attempts: [attempt, attempt])
        let failed = DownloadResult(
            model: "m", path: "p", sha256: nil, size: 5, outcome: .failed, transfer: transfer, error: wrong)
        let skipped = DownloadResult(model: "m", path: "q", sha256: nil, size: 5, outcome: .skipped, error: wrong)
        let samples = samples(report(.failed, [failed, failed, skipped]), exitCode: 1)
        #expect(samples.contains("modelsync_run_success{\(Self.labels)} 0"))
        #expect(samples.contains("modelsync_run_exit_code{\(Self.labels)} 1"))
        #expect(samples.contains("modelsync_run_outcome{\(Self.labels),outcome=\"failed\"} 1"))
        #expect(samples.contains("modelsync_run_outcome{\(Self.labels),outcome=\"ok\"} 0"))
        #expect(samples.contains("modelsync_run_files{\(Self.labels),outcome=\"failed\"} 2"))
        #expect(samples.contains("modelsync_run_failures{\(Self.labels),code=\"digest.mismatch\"} 2"))
        #expect(samples.contains("modelsync_run_failures{\(Self.labels),code=\"offline\"} 0"))
        #expect(samples.contains("modelsync_run_failed_requests{\(Self.labels)} 4"))
        #expect(samples.contains("modelsync_run_downloaded_bytes{\(Self.labels)} 6"))
    }

    @Test func everySampleOfTwoRunsHasTheSameLabels() {
        let names = { (samples: [String]) in samples.map { $0.prefix { $0 != "}" } } }
        var broken = report(.failed)
        broken.error = SyncError(.storeIO, "broken")
        #expect(names(samples(report())) == names(samples(broken, exitCode: 74)))
    }

    @Test func aLabelThatComesFromOutsideEndsNeitherItselfNorItsLine() {
        var odd = report()
        odd.store = "/a\"b\\c\nd"
        #expect(samples(odd).allSatisfy { $0.contains(#"store="/a\"b\\c\nd",manifest="#) })
    }
}
