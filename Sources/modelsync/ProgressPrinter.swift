import ArgumentParser
import ModelSyncKit
import Synchronization

/// How progress is told on standard error.
enum ProgressStyle: String, ExpressibleByArgument, CaseIterable {
    case auto, plain, json, none
}

/// Tells what happens during a run, as lines for people or as JSON Lines for programs.
final class ProgressPrinter: SyncObserver {
    private struct Totals {
        var plannedBytes: Int64 = 0
        var running = 0
        var doneBytes: Int64 = 0
        var lastLine = ContinuousClock.now
    }

    /// A silent log looks like a hang.
    private static let lifeInterval = Duration.seconds(30)

    private let style: ProgressStyle
    private let isVerbose: Bool
    private let console: Console
    private let totals = Mutex(Totals())

    init(style: ProgressStyle, isVerbose: Bool, console: Console) {
        self.style = style
        self.isVerbose = isVerbose
        self.console = console
    }

    func observe(_ event: SyncEvent) {
        switch style {
        case .none: break
        case .json: if let line = Self.json(event) { Console.logSoon(String(decoding: line, as: UTF8.self)) }
        case .auto, .plain: if let line = plain(event) { console.note(line) }
        }
    }

    private func plain(_ event: SyncEvent) -> String? {
        switch event {
        case .planned(let plan):
            guard plan.bytesToFetch > 0 else { return nil }
            totals.withLock { $0.plannedBytes = plan.bytesToFetch }
            let files = ManifestText.count(plan.fetches.count, "file")
            return "fetching \(HumanFormat.bytes(plan.bytesToFetch)) in \(files)"
        case .waiting(let model, let path): return "waiting for another process to fetch \(model)/\(path)"
        case .started(let model, let path, let size, let resumed):
            totals.withLock { $0.running += 1 }
            guard isVerbose || resumed > 0 else { return nil }
            return "started \(model)/\(path) (\(HumanFormat.bytes(size)))"
                + (resumed > 0 ? ", \(HumanFormat.bytes(resumed)) here already" : "")
        case .progress(let progress): return life(progress)
        case .retrying(let model, let path, let error, let delay, _):
            return "retrying \(model)/\(path) in \(HumanFormat.duration(delay.seconds)): \(error.message)"
        case .finished(let result): return finished(result)
        case .verified(let bytes): return verifying(bytes)
        case .note(let text): return text
        }
    }

    private func finished(_ result: DownloadResult) -> String? {
        totals.withLock { totals in
            // Only what was begun has figures.
            if result.transfer != nil { totals.running -= 1 }
            totals.doneBytes += result.transfer?.bytesDownloaded ?? 0
            totals.lastLine = .now
        }
        guard result.outcome != .unmanaged else { return "unmanaged \(result.model)/\(result.path): stays as it is" }
        var line = "\(result.outcome.rawValue) \(result.model)/\(result.path) (\(HumanFormat.bytes(result.size))"
        if let transfer = result.transfer {
            line += " in \(HumanFormat.duration(transfer.seconds))"
            if let rate = transfer.bytesPerSecond { line += ", \(HumanFormat.bytes(Int64(rate)))/s" }
        }
        return line + ")"
    }

    private func life(_ progress: DownloadProgress) -> String? {
        totals.withLock { totals in
            guard ContinuousClock.now - totals.lastLine >= Self.lifeInterval else { return nil }
            totals.lastLine = .now
            let percent = HumanFormat.decimal(progress.percent, digits: 1)
            return "\(totals.running) running; \(progress.model)/\(progress.path) \(percent)% "
                + "at \(HumanFormat.bytes(Int64(progress.bytesPerSecond)))/s"
        }
    }

    private func verifying(_ bytes: Int64) -> String? {
        totals.withLock { totals in
            totals.doneBytes += bytes
            guard ContinuousClock.now - totals.lastLine >= Self.lifeInterval else { return nil }
            totals.lastLine = .now
            return "verifying: \(HumanFormat.bytes(totals.doneBytes)) hashed"
        }
    }

    private static func json(_ event: SyncEvent) -> [UInt8]? {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("event")
            switch event {
            case .planned(let plan):
                writer.string("planned")
                writer.key("fetches")
                writer.integer(plan.fetches.count)
                writer.key("bytes_to_fetch")
                writer.integer(plan.bytesToFetch)
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
            case .progress(let progress):
                writer.string("progress")
                writer.progress(progress)
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

    fileprivate mutating func progress(_ progress: DownloadProgress) {
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
