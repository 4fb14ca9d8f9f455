/// A run that fetches now, in whichever process, as its store tells of it.
public struct ActiveRun: Sendable, Hashable {
    /// What a file is at.
    public enum State: String, Sendable, Hashable, CaseIterable {
        /// Another process fetches it.
        case waiting
        case transferring
        /// An attempt failed, and another comes.
        case retrying
        /// All bytes are here and are looked at.
        case verifying
    }

    /// A file that is on its way.
    public struct File: Sendable, Hashable {
        /// What it is at.
        public var state: State
        /// How far it is, as it was last told; no rate and no time left where nothing has come for some seconds.
        public var progress: DownloadProgress

        /// Takes the parts as they are.
        public init(state: State, progress: DownloadProgress) {
            self.state = state
            self.progress = progress
        }
    }

    /// The id of its report.
    public var runID: String
    /// The subcommand that runs.
    public var command: String
    /// The name of the machine that it runs on.
    public var host: String
    /// The id of its process there.
    public var processID: Int32
    /// By that machine's wall clock.
    public var startedAt: Timestamp
    /// In the order in which they began.
    public var files: [File]

    /// Takes the parts as they are.
    public init(
        runID: String, command: String, host: String, processID: Int32, startedAt: Timestamp, files: [File] = []
    ) {
        self.runID = runID
        self.command = command
        self.host = host
        self.processID = processID
        self.startedAt = startedAt
        self.files = files
    }

    /// One run as an object: `run_id`, `command`, `host`, `pid`, `started_at`, `files`.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("run_id")
            writer.string(runID)
            writer.key("command")
            writer.string(command)
            writer.key("host")
            writer.string(host)
            writer.key("pid")
            writer.integer(processID)
            writer.key("started_at")
            writer.timestamp(startedAt)
            writer.key("files")
            writer.array { writer in
                for file in files {
                    writer.newLine()
                    file.write(to: &writer)
                }
            }
        }
    }

    /// The runs of a store as one JSON document.
    public static func json(_ runs: [ActiveRun], store: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string("modelsync.active/1")
            writer.key("store")
            writer.string(store)
            writer.key("runs")
            writer.array { writer in
                for run in runs {
                    writer.newLine()
                    run.write(to: &writer)
                }
            }
        }
        writer.newLine()
        return writer.bytes
    }
}

extension ActiveRun.File {
    fileprivate func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("model")
            writer.string(progress.model)
            writer.key("path")
            writer.string(progress.path)
            writer.key("state")
            writer.string(state.rawValue)
            writer.key("bytes")
            writer.integer(progress.bytes)
            writer.key("total")
            writer.integer(progress.total)
            writer.key("bytes_per_second")
            writer.integer(Int64(progress.bytesPerSecond))
            writer.key("seconds_left")
            if let seconds = progress.secondsLeft { writer.decimal(seconds) } else { writer.null() }
        }
    }
}

/// A model that was cancelled, and in which run.
public struct CancelledModel: Sendable, Hashable {
    /// The model.
    public var name: ModelName
    /// The run that it was a part of, as it was before.
    public var run: ActiveRun

    /// The model and its run.
    public init(name: ModelName, run: ActiveRun) {
        self.name = name
        self.run = run
    }
}
