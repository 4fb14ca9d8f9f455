internal import FoundationEssentials
internal import SyncDomain
internal import SystemSupport

/// What a run tells of itself in the store, and what others ask of it there.
enum ActiveRecord {
    static let schema = "modelsync.active-run/1"
    static let limit = 4 << 20

    static func encode(_ run: ActiveRun) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string(schema)
            writer.key("started_milliseconds")
            writer.integer(run.startedAt.milliseconds)
            writer.key("run")
            run.write(to: &writer)
        }
        writer.newLine()
        return writer.bytes
    }

    /// What a request wants cancelled, nil for all; or what an answer says was.
    static func encode(_ models: [ModelName]?) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string(schema)
            writer.key("models")
            if let models { writer.strings(models.map(\.text)) } else { writer.null() }
        }
        writer.newLine()
        return writer.bytes
    }

    private struct Stored: Decodable {
        struct File: Decodable {
            var model: String
            var path: String
            var state: String
            var bytes: Int64
            var total: Int64
            var bytes_per_second: Double
            var seconds_left: Double?
        }

        struct Run: Decodable {
            var run_id: String
            var command: String
            var host: String
            var pid: Int32
            var files: [File]
        }

        var schema: String
        var started_milliseconds: Int64
        var run: Run
    }

    private struct StoredModels: Decodable {
        var schema: String
        var models: [String]?
    }

    /// Nil for what is no such record, or holds what would lead a terminal astray.
    static func decode(_ bytes: [UInt8]) -> ActiveRun? {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes)), stored.schema == schema,
            [stored.run.run_id, stored.run.command, stored.run.host].allSatisfy(isPlain)
        else { return nil }
        // No figure may be one that arithmetic traps on.
        var run = ActiveRun(
            runID: stored.run.run_id, command: stored.run.command, host: stored.run.host, processID: stored.run.pid,
            startedAt: Timestamp(milliseconds: min(max(0, stored.started_milliseconds), 253_402_300_799_999)))
        for file in stored.run.files {
            guard let state = ActiveRun.State(rawValue: file.state), isPlain(file.model), isPlain(file.path) else {
                continue
            }
            let (total, rate, left) = (max(0, file.total), file.bytes_per_second, file.seconds_left)
            run.files.append(
                ActiveRun.File(
                    state: state,
                    progress: DownloadProgress(
                        model: file.model, path: file.path, bytes: min(max(0, file.bytes), total), total: total,
                        bytesPerSecond: min(max(0, rate), 1e15), secondsLeft: left.map { min(max(0, $0), 1e9) })))
        }
        return run
    }

    /// Nil for what is neither a request nor an answer.
    static func decodeModels(_ bytes: [UInt8]) -> [ModelName]?? {
        guard let stored = try? JSONDecoder().decode(StoredModels.self, from: Data(bytes)), stored.schema == schema
        else { return nil }
        return .some(stored.models?.compactMap { try? ModelName($0) })
    }

    private static func isPlain(_ text: String) -> Bool {
        !text.unicodeScalars.contains { $0.properties.generalCategory == .control }
    }
}
