extension SyncReport {
    /// The run in the Prometheus text exposition format, for node_exporter's textfile collector: gauges in base units, each
    /// with the labels `command`, `store` and `manifest`, so that files of several jobs do not collide. Every sample is there
    /// in every run, also where it is 0, but the ones that only a verification has.
    ///
    /// - Parameters:
    ///   - exitCode: what the process exits with.
    ///   - manifests: how they were named, redacted: the label is the same when they can't be read.
    /// - Returns: the whole file.
    public func metrics(exitCode: Int32, manifests: [String]) -> [UInt8] {
        var writer = MetricsWriter(labels: [
            ("command", command), ("store", store), ("manifest", manifests.joined(separator: ",")),
        ])
        writeRun(&writer, exitCode)
        writeFiles(&writer)
        writeBytes(&writer)
        return writer.bytes
    }

    private func writeRun(_ writer: inout MetricsWriter, _ exitCode: Int32) {
        writer.gauge("build_info", "Always 1; the version of the program that ran.", 1, [("version", toolVersion)])
        writer.gauge(
            "run_success", "Whether the last run left all as the manifest says.",
            outcome == .ok && exitCode == 0 ? 1 : 0)
        writer.family("run_outcome", "How the last run ended: 1 for one of ok, failed and cancelled.")
        for candidate in RunOutcome.allCases {
            writer.sample("run_outcome", candidate == outcome ? 1 : 0, [("outcome", candidate.rawValue)])
        }
        writer.gauge("run_exit_code", "What the last run exited with.", Int64(exitCode))
        writer.gauge("run_started_timestamp_seconds", "When the last run began.", startedAt)
        writer.gauge("run_finished_timestamp_seconds", "When the last run ended.", finishedAt)
        writer.gauge("run_duration_seconds", "How long the last run took.", milliseconds: Int64(seconds * 1000))
        guard let oldestVerification else { return }
        writer.gauge(
            "oldest_verification_timestamp_seconds",
            "When the file that was hashed longest ago was hashed, of those that the last verification looked at.",
            oldestVerification)
    }

    private func writeFiles(_ writer: inout MetricsWriter) {
        let counts = counts
        writer.family("run_files", "Files of the last run by what became of them.")
        for outcome in ResultOutcome.allCases {
            writer.sample("run_files", Int64(counts[outcome] ?? 0), [("outcome", outcome.rawValue)])
        }
        var failures: [ErrorCode: Int64] = [:]
        for result in results where result.outcome == .failed {
            if let error = result.error { failures[error.code, default: 0] += 1 }
        }
        if let error { failures[error.code, default: 0] += 1 }
        writer.family(
            "run_failures", "Files that failed in the last run, and the run as a whole if it did, by error code.")
        for code in ErrorCode.allCases {
            writer.sample("run_failures", failures[code] ?? 0, [("code", code.rawValue)])
        }
        let attempts = results.reduce(0) { $0 + ($1.transfer?.attempts.count { $0.error != nil } ?? 0) }
        writer.gauge(
            "run_failed_requests", "Requests of the last run that brought less than they should: most are tried again.",
            Int64(attempts))
    }

    private func writeBytes(_ writer: inout MetricsWriter) {
        writer.gauge("run_downloaded_bytes", "Bytes that the last run took from sources.", bytesDownloaded)
        writer.gauge("run_resumed_bytes", "Bytes of unfinished downloads that the last run used.", bytesResumed)
        writer.gauge(
            "run_reused_bytes", "Bytes that were here already, and were not fetched by the last run.", bytesReused)
        writer.gauge("run_verified_bytes", "Bytes that the last run hashed.", bytesVerified)
    }
}

/// Writes families of gauges; their names all begin with `modelsync_`.
private struct MetricsWriter {
    private(set) var bytes: [UInt8] = []
    private let labels: [(name: String, value: String)]

    init(labels: [(name: String, value: String)]) {
        self.labels = labels
    }

    /// What all samples of a name are; they follow.
    mutating func family(_ name: String, _ help: String) {
        bytes += "# HELP modelsync_\(name) \(help)\n# TYPE modelsync_\(name) gauge\n".utf8
    }

    mutating func sample(_ name: String, _ value: some CustomStringConvertible, _ more: [(String, String)] = []) {
        let pairs = (labels + more).map { "\($0.0)=\"\(Self.escaped($0.1))\"" }
        bytes += "modelsync_\(name){\(pairs.joined(separator: ","))} \(value)\n".utf8
    }

    mutating func gauge(_ name: String, _ help: String, _ value: Int64, _ more: [(String, String)] = []) {
        family(name, help)
        sample(name, value, more)
    }

    mutating func gauge(_ name: String, _ help: String, _ time: Timestamp) {
        gauge(name, help, milliseconds: time.milliseconds)
    }

    mutating func gauge(_ name: String, _ help: String, milliseconds: Int64) {
        family(name, help)
        sample(name, HumanFormat.decimal(Double(milliseconds) / 1000, digits: 3))
    }

    private static func escaped(_ value: String) -> String {
        var out = ""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\"": out += "\\\""
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}
