import Foundation
import ModelSyncKit
import TestSupport

/// Reports made of values.
enum SampleReport {
    static let digest = try? SHA256Digest(hex: String(repeating: "0", count: 64))
    /// 2026-11-20T18:45:00Z
    private static let began: Int64 = 1_795_200_300_000

    static func time(_ seconds: Double) -> Timestamp { Timestamp(milliseconds: began + Int64(seconds * 1000)) }

    static func page(of report: SyncReport) throws -> String {
        String(decoding: try ReportPage(json: report.json).html, as: UTF8.self)
    }

    static var empty: SyncReport {
        SyncReport(
            runID: "20261120T184500Z-0a1b2c3d", command: "apply", toolVersion: "0.1.0", host: "host",
            startedAt: time(0), finishedAt: time(31.5), seconds: 31.5,
            manifests: digest.map { [ManifestSource(path: "models.yaml", sha256: $0)] } ?? [], store: "/store",
            outcome: .ok, bytesVerified: 0, results: [])
    }

    static func attempt(
        _ from: Double, _ seconds: Double, _ bytes: Int64, host: String = "a.example", _ error: SyncError? = nil
    ) -> TransferAttempt {
        TransferAttempt(
            url: "http://\(host)/f?token=REDACTED", startedAt: time(from), seconds: seconds, bytes: bytes,
            httpStatus: error == nil ? 200 : 503, error: error)
    }

    static func result(
        _ path: String, _ size: Int64, _ outcome: ResultOutcome = .downloaded, in model: String = "kind/one",
        from: Double, seconds: Double, _ attempts: TransferAttempt..., error: SyncError? = nil
    ) -> DownloadResult {
        let transfer = TransferStatistics(
            source: attempts.last?.url, bytesDownloaded: attempts.reduce(0) { $0 + $1.bytes }, seconds: seconds,
            startedAt: time(from), attempts: attempts)
        return DownloadResult(
            model: model, path: path, sha256: digest, size: size, outcome: outcome,
            file: "/store/models/\(model)/\(path)",
            transfer: transfer, error: error)
    }

    /// A file that stalled and came then, one that failed, one that was here.
    static var eventful: SyncReport {
        var report = empty
        let stall = SyncError(.networkStalled, "kind/one/a.bin: http://a.example/f: no byte for 5 s", isRetryable: true)
        let busy = SyncError(
            .httpStatus, "kind/one/b.bin: http://b.example/f: the server answered with status 503", isRetryable: true,
            diagnosis: .truncated)
        report.outcome = .failed
        report.results = [
            result(
                "a.bin", 1500, from: 1, seconds: 12, attempt(1, 5, 500, stall),
                attempt(8, 4, 1000, host: "b.example")),
            result(
                "b.bin", 700, .failed, from: 1, seconds: 9, attempt(1.5, 0.5, 0, host: "b.example", busy),
                attempt(9, 1, 0, host: "b.example", busy), error: busy),
            DownloadResult(model: "kind/two", path: "c.bin", sha256: digest, size: 9000, outcome: .kept),
        ]
        report.samples = [(1, 0), (6, 500), (12, 1500), (31.5, 1500)]
            .map { RunSample(seconds: $0, bytesDownloaded: $1, bytesHashed: 9000) }
        return report
    }

    /// All that can come from outside is that text.
    static func hostile(_ text: String) -> SyncReport {
        var report = empty
        let error = SyncError(.httpStatus, text)
        var told = attempt(0, 1, 5, host: text, error)
        told.url = "http://\(text)/\(text)"
        report.outcome = .failed
        report.host = text
        report.store = text
        report.command = text
        report.manifests = digest.map { [ManifestSource(path: text, sha256: $0)] } ?? []
        report.results = [result(text, 5, .failed, in: text, from: 0, seconds: 1, told, error: error)]
        return report
    }

    /// Ten thousand files in twenty models, as fast as they come; one in a thousand fails. The last is the largest.
    static var large: SyncReport {
        var report = empty
        report.outcome = .failed
        report.results = (0..<10_000).map { index in
            let from = Double(index) * 0.003
            let error = index % 1000 == 999 ? SyncError(.httpNotFound, "m/f\(index): not found") : nil
            return result(
                String(format: "part-%05d.bin", index), Int64(1000 + index), error == nil ? .downloaded : .failed,
                in: "shards/set-\(index / 500)", from: from, seconds: 0.2 + Double(index % 7) / 10,
                attempt(from, 0.1, 1000, error), error: error)
        }
        report.samples = (1...600).map {
            RunSample(seconds: Double($0) * 0.0525, bytesDownloaded: Int64($0) * 16_666, bytesHashed: 0)
        }
        return report
    }
}
