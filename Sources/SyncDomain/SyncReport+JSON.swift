extension SyncReport {
    /// The report as docs/report.schema.json describes it: one result a line.
    public var json: [UInt8] { document([lines(results.indices)]) }

    /// As ``json``, a half of the results on another thread: at the end of a run of many nothing else is left to do.
    package func encoded() async -> [UInt8] {
        let middle = results.count / 2
        async let second = lines(middle..<results.count)
        let first = lines(0..<middle)
        return document([first, await second])
    }

    private func document(_ lines: [JSONWriter]) -> [UInt8] {
        var writer = JSONWriter(capacity: lines.reduce(1 << 16) { $0 + $1.bytes.count })
        writer.object { writer in
            writeHead(&writer)
            writer.key("summary")
            writeSummary(&writer)
            if let error {
                writer.key("error")
                error.write(to: &writer)
            }
            writeSamples(&writer)
            writer.key("results")
            writer.array { writer in
                for part in lines { writer.append(part) }
            }
        }
        writer.newLine()
        return writer.bytes
    }

    private func lines(_ range: Range<Int>) -> JSONWriter {
        // What a file takes that came with one request: where it is too little, all is copied once more.
        var writer = JSONWriter(capacity: range.count * 640, isContinuation: range.lowerBound > 0)
        // In place: a copy of each of a hundred thousand takes longer than to write it.
        let results = results.span
        for index in range {
            writer.newLine()
            results[index].write(to: &writer)
        }
        return writer
    }

    private func writeHead(_ writer: inout JSONWriter) {
        writer.key("schema")
        writer.string(Self.schema)
        writer.key("run_id")
        writer.string(runID)
        writer.key("command")
        writer.string(command)
        writer.key("tool_version")
        writer.string(toolVersion)
        writer.key("host")
        writer.string(host)
        writer.key("started_at")
        writer.timestamp(startedAt)
        writer.key("finished_at")
        writer.timestamp(finishedAt)
        writer.key("seconds")
        writer.decimal(seconds)
        writer.key("manifests")
        writer.manifests(manifests)
        writer.key("store")
        writer.string(store)
        writer.key("outcome")
        writer.string(outcome.rawValue)
        guard let oldestVerification else { return }
        writer.key("oldest_verification")
        writer.timestamp(oldestVerification)
    }

    private func writeSamples(_ writer: inout JSONWriter) {
        if samples.isEmpty { return }
        writer.key("samples")
        writer.array { writer in
            for sample in samples {
                writer.object { writer in
                    writer.key("seconds")
                    writer.decimal(sample.seconds)
                    writer.key("bytes_downloaded")
                    writer.integer(sample.bytesDownloaded)
                    writer.key("bytes_hashed")
                    writer.integer(sample.bytesHashed)
                }
            }
        }
    }

    private func writeSummary(_ writer: inout JSONWriter) {
        let counts = counts
        writer.object { writer in
            for outcome in ResultOutcome.allCases {
                writer.key(outcome.rawValue)
                writer.integer(counts[outcome] ?? 0)
            }
            writer.key("bytes_downloaded")
            writer.integer(bytesDownloaded)
            writer.key("bytes_resumed")
            writer.integer(bytesResumed)
            writer.key("bytes_reused")
            writer.integer(bytesReused)
            writer.key("bytes_verified")
            writer.integer(bytesVerified)
        }
    }
}

extension DownloadResult {
    /// One result as an object of the report.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("model")
            writer.string(model)
            writer.key("path")
            writer.string(path)
            writer.key("sha256")
            if let sha256 { writer.digest(sha256) } else { writer.null() }
            writer.key("size")
            writer.integer(size)
            writer.key("outcome")
            writer.string(outcome.rawValue)
            writer.key("success")
            writer.bool(isSuccess)
            writer.key("file")
            writer.stringOrNull(file)
            transfer?.write(to: &writer)
            if let error {
                writer.key("error")
                error.write(to: &writer)
            }
        }
    }
}

extension TransferStatistics {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.key("source")
        writer.stringOrNull(source)
        writer.key("bytes_downloaded")
        writer.integer(bytesDownloaded)
        writer.key("bytes_resumed")
        writer.integer(bytesResumed)
        writer.key("seconds")
        writer.decimal(seconds)
        writer.key("bytes_per_second")
        writer.integer(Int64(bytesPerSecond ?? 0))
        writer.key("started_at")
        writer.timestamp(startedAt)
        writer.key("attempts")
        writer.array { writer in
            for attempt in attempts { attempt.write(to: &writer) }
        }
    }
}

extension TransferAttempt {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("url")
            writer.string(url)
            writer.key("started_at")
            writer.timestamp(startedAt)
            writer.key("seconds")
            writer.decimal(seconds)
            writer.key("bytes")
            writer.integer(bytes)
            writer.key("http_status")
            if let httpStatus { writer.integer(httpStatus) } else { writer.null() }
            writer.key("error")
            if let error { error.write(to: &writer) } else { writer.null() }
        }
    }
}

extension SyncError {
    /// The error as an object of the report.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("code")
            writer.string(code.rawValue)
            writer.key("message")
            writer.string(message)
            writer.key("retryable")
            writer.bool(isRetryable)
            writer.key("diagnosis")
            writer.stringOrNull(diagnosis?.rawValue)
        }
    }
}

extension JSONWriter {
    /// The manifests of a run, as reports and plans name them.
    mutating func manifests(_ sources: [ManifestSource]) {
        array { writer in
            for source in sources {
                writer.object { writer in
                    writer.key("path")
                    writer.string(source.path)
                    writer.key("sha256")
                    writer.digest(source.sha256)
                }
            }
        }
    }
}
