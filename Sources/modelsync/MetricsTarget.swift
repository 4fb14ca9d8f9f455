import ArgumentParser
import Glibc
import ModelSyncKit

/// Where the metrics of a run go. Made before it, so that a path that can't work is told at once; written however the run
/// ends, also when it can't begin: an alert must not see the success of the day before.
struct MetricsTarget {
    private enum Output {
        case none, standardOutput
        case file(ReportFile)
    }

    private let output: Output
    private let command: String
    private let manifests: [String]
    private let store: String
    private let startedAt = Self.now
    private let started = ContinuousClock.now

    /// - Throws: a failure that says why the file can't be made.
    init(
        _ arguments: RunArguments, _ global: GlobalOptions, _ configuration: SyncConfiguration, _ command: String,
        manifests: [String]
    ) throws {
        switch arguments.metrics {
        case nil: output = .none
        case "-": output = .standardOutput
        case let path?:
            output = .file(
                try CommandFailure.creating { () throws(SyncError) in try ReportFile(configuration.absolute(path)) })
        }
        self.command = command
        self.manifests = manifests.map { $0.contains("://") ? SourceURL.redact($0) : $0 }
        store = ModelManager(store: global.store, configuration: configuration).store
    }

    /// Writes the metrics of a run that has a report.
    func write(_ report: SyncReport, status: ExitStatus) throws {
        var bytes: [UInt8] { report.metrics(exitCode: status.rawValue, manifests: manifests) }
        switch output {
        case .none: break
        case .standardOutput: Console.write(bytes)
        case .file(let file): try CommandFailure.creating { () throws(SyncError) in try file.write(bytes) }
        }
    }

    /// Runs what prepares a run, and the run. Where that fails with no report, the metrics tell so.
    func covering(_ body: () async throws -> Void) async throws {
        do { try await body() } catch {
            // A bare exit code is how a run ends that has told all else.
            if !(error is ExitCode) { try? write(unbegun(error), status: ExitStatus(failure: error)) }
            throw error
        }
    }

    private func unbegun(_ error: any Error) -> SyncReport {
        let cause = (error as? CommandFailure)?.cause ?? error as? SyncError
        return SyncReport(
            runID: "", command: command, toolVersion: ModelSyncVersion.current, host: "", startedAt: startedAt,
            finishedAt: Self.now, seconds: (ContinuousClock.now - started).seconds, manifests: [], store: store,
            outcome: cause?.code == .cancelled ? .cancelled : .failed, bytesVerified: 0, results: [], error: cause)
    }

    private static var now: Timestamp {
        var now = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &now)
        return Timestamp(milliseconds: Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000)
    }
}
