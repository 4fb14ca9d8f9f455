import ModelSyncKit

/// Progress for programs: JSON Lines.
enum ProgressJSON {
    static func line(_ event: SyncEvent) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("event")
            switch event {
            case .planned(let plan): writer.planned(plan)
            case .waiting(let model, let path):
                writer.string("waiting")
                writer.file(model, path)
            case .started(let model, let path, let size, let resumed):
                writer.string("started")
                writer.file(model, path)
                writer.key("total")
                writer.integer(size)
                writer.key("bytes")
                writer.integer(resumed)
            case .progress(let progress): writer.progress(progress)
            case .retrying(let model, let path, let error, let delay, let source):
                writer.string("retrying")
                writer.file(model, path)
                writer.key("source")
                writer.string(source)
                writer.key("delay_seconds")
                writer.decimal(delay.seconds)
                writer.key("error")
                error.write(to: &writer)
            case .finished(let result):
                writer.string("finished")
                writer.key("result")
                result.write(to: &writer)
            case .verifying(let total):
                writer.string("verifying")
                writer.key("total")
                writer.integer(total)
            case .verified(let bytes):
                writer.string("verified")
                writer.key("bytes")
                writer.integer(bytes)
            case .note(let text):
                writer.string("note")
                writer.key("text")
                writer.string(text)
            }
        }
        return writer.bytes
    }
}

extension JSONWriter {
    fileprivate mutating func file(_ model: String, _ path: String) {
        key("model")
        string(model)
        key("path")
        string(path)
    }

    fileprivate mutating func planned(_ plan: SyncPlan) {
        string("planned")
        key("fetches")
        integer(plan.fetches.count)
        key("bytes_to_fetch")
        integer(plan.bytesToFetch)
    }

    fileprivate mutating func progress(_ progress: DownloadProgress) {
        string("progress")
        file(progress.model, progress.path)
        key("bytes")
        integer(progress.bytes)
        key("total")
        integer(progress.total)
        key("percent")
        decimal(progress.percent)
        key("bytes_per_second")
        integer(Int64(progress.bytesPerSecond))
        key("eta_seconds")
        if let left = progress.secondsLeft { decimal(left) } else { null() }
        key("complete")
        bool(progress.isComplete)
    }
}
