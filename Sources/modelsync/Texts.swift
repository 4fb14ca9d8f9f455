import ModelSyncKit

/// Manifests in words.
enum ManifestText {
    static func summary(_ manifest: Manifest) -> String {
        let files = manifest.models.reduce(0) { $0 + $1.files.count }
        let size = manifest.models.reduce(0) { $0 + $1.size }
        return "\(count(manifest.models.count, "model")), \(count(files, "file")), \(HumanFormat.bytes(size))"
    }

    static func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
}

/// A plan for people: a line for each change, grouped by model, then the sums.
struct PlanText {
    let plan: SyncPlan
    let isVerbose: Bool

    func print() {
        var model = -1
        // Bytes, not strings: a plan may have a line for each of a hundred thousand files.
        var line: [UInt8] = []
        for item in plan.items where item.action != .keep || isVerbose {
            if item.model != model {
                model = item.model
                Console.print(plan.manifest.models[model].name.text)
            }
            line.removeAll(keepingCapacity: true)
            line += "  \(Self.sign(item.action)) \(item.action.rawValue) ".utf8
            line += DisplayText.clean(plan.path(item)).utf8
            line += " (\(HumanFormat.bytes(plan.size(item)))): ".utf8
            line += item.reason.utf8
            if [.download, .update].contains(item.action), plan.file(item)?.path.canRunCode == true {
                line += "; can run code when loaded".utf8
            }
            line.append(UInt8(ascii: "\n"))
            Console.write(line)
        }
        for (model, file) in plan.unmanaged {
            let path = DisplayText.clean(file.path)
            Console.print("  ? unmanaged \(plan.manifest.models[model].name)/\(path): stays")
        }
        Console.print(Self.summary(plan))
    }

    static func summary(_ plan: SyncPlan) -> String {
        let counts = plan.counts
        guard plan.hasChanges else {
            return "nothing to do: \(ManifestText.count(plan.items.count, "file")) as the manifest says"
        }
        let changes = PlanAction.allCases.filter { $0 != .keep }
        let parts = changes.compactMap { action in counts[action].map { "\($0) to \(action.rawValue)" } }
        let partial = plan.items.reduce(0) { $0 + $1.bytesPartial }
        return "plan: \(parts.joined(separator: ", ")); \(HumanFormat.bytes(plan.bytesToFetch)) to fetch, "
            + "\(HumanFormat.bytes(partial)) partial already, \(HumanFormat.bytes(plan.bytesFree)) free"
    }

    private static func sign(_ action: PlanAction) -> String {
        switch action {
        case .download: "+"
        case .repair: "!"
        case .update: "~"
        case .link: "="
        case .keep: " "
        case .remove: "-"
        }
    }
}

/// The end of a run for people.
struct SummaryText {
    let report: SyncReport
    /// Where the report was also written.
    let target: String?
    let console: Console
    /// Standard error is JSON Lines: the events have told what failed, and one more tells the end.
    let isJSON: Bool

    func print(toStandardOutput: Bool, isQuiet: Bool) {
        // Lines of progress may wait to be written: they come before the end.
        Console.flush()
        if isJSON { Console.log(String(decoding: json, as: UTF8.self)) } else { printFailures() }
        let paint: Console.Paint =
            switch report.outcome {
            case .ok: .green
            case .failed: .red
            case .cancelled: .yellow
            }
        let word = toStandardOutput ? console.painted(outcome, paint) : outcome
        let lines =
            ["\(word): \(headline)"]
            + ((target ?? report.storedPath).map { ["report: \(DisplayText.clean($0))"] } ?? [])
        for line in lines {
            if toStandardOutput {
                if !isQuiet { Console.print(line) }
            } else if !isJSON {
                console.note(line)
            }
        }
    }

    /// Each reason once.
    private func printFailures() {
        for note in report.notes { console.note(DisplayText.clean("note: \(note)"), .warning) }
        if let error = report.error { console.error(DisplayText.clean(error.message)) }
        let failures = FailureSummary(report)
        for group in failures.groups { console.error(DisplayText.clean(group.text)) }
        for hint in failures.hints { console.hint(hint) }
    }

    /// The first word of the last line but one.
    private var outcome: String {
        let verb = report.command == "verify" ? "verified" : "applied"
        return report.outcome == .ok ? verb : report.outcome.rawValue
    }

    private var json: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("event")
            writer.string("ended")
            writer.key("outcome")
            writer.string(report.outcome.rawValue)
            writer.key("report")
            writer.stringOrNull(target ?? report.storedPath)
            writer.key("notes")
            writer.strings(report.notes)
            guard let error = report.error else { return }
            writer.key("error")
            error.write(to: &writer)
        }
        return writer.bytes
    }

    private var headline: String {
        let counts = report.counts
        let parts = ResultOutcome.allCases.compactMap { outcome in counts[outcome].map { "\($0) \(outcome.rawValue)" } }
        var text = parts.isEmpty ? "no files" : parts.joined(separator: ", ")
        var bytes = report.bytesDownloaded
        if report.bytesDownloaded > 0 || report.bytesResumed > 0 {
            text += "; \(HumanFormat.bytes(report.bytesDownloaded)) fetched"
            if report.bytesResumed > 0 { text += ", \(HumanFormat.bytes(report.bytesResumed)) resumed" }
        } else if report.command == "verify" {
            bytes = report.bytesVerified
            text += "; \(HumanFormat.bytes(bytes)) hashed"
        }
        if let oldest = report.oldestVerification {
            let seconds = Double(report.finishedAt.milliseconds - oldest.milliseconds) / 1000
            text += seconds < 60 ? "" : "; the oldest verification is \(HumanFormat.duration(seconds)) old"
        }
        text += " in \(HumanFormat.duration(report.seconds))"
        // Of less than a second it would tell of the start more than of the way.
        guard bytes > 0, report.seconds >= 1 else { return text }
        return text + ", \(HumanFormat.bytes(Int64(Double(bytes) / report.seconds)))/s"
    }
}

/// Models in words and as JSON.
enum ModelText {
    static func name(_ text: String) throws -> ModelName {
        do throws(InvalidValue) { return try ModelName(text) } catch {
            throw CommandFailure(message: "'\(text)': \(error.reason)", status: .usage)
        }
    }

    /// For a name that the store does not have.
    static func unknown(_ name: ModelName, in manager: ModelManager) async -> String {
        let meant = ModelName.suggestion(for: name.text, among: (try? await manager.names()) ?? [])
        let hint = meant.map { "did you mean '\($0)'?" } ?? "apply a manifest that has it, or see `modelsync list`"
        return "\(name): not in the store \(manager.store); \(hint)"
    }

    static func printTable(_ models: [Model]) {
        let rows =
            [["NAME", "VERSION", "FILES", "SIZE"]]
            + models.map { model in
                let version = model.version.map(DisplayText.clean) ?? "-"
                return [model.name.text, version, String(model.files.count), HumanFormat.bytes(model.size)]
            }
        let widths = (0..<4).map { column in rows.map { DisplayText.width($0[column]) }.max() ?? 0 }
        for row in rows {
            let cells = zip(row, widths).map { DisplayText.padded($0, to: $1) }
            Console.print(String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed()))
        }
    }

    static func printDetails(_ model: Model) {
        Console.print(model.name.text)
        let tags = model.tags.isEmpty ? nil : model.tags.joined(separator: ", ")
        for (key, value) in model.facts + [("tags", tags)] {
            if let value { Console.print("  \(key): \(DisplayText.clean(value))") }
        }
        Console.print("  files: \(model.files.count), \(HumanFormat.bytes(model.size))")
        for file in model.files {
            Console.print("    \(file.path)  \(HumanFormat.bytes(file.size))  sha256 \(file.sha256)")
            for source in file.sources { Console.print("      \(DisplayText.clean(source.redacted))") }
        }
    }

    static func json(_ models: [Model], store: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string("modelsync.list/1")
            writer.key("store")
            writer.string(store)
            writer.key("models")
            writer.array { writer in
                for model in models {
                    writer.newLine()
                    write(model, to: &writer, store: nil)
                }
            }
        }
        writer.newLine()
        return writer.bytes
    }

    static func json(_ model: Model, store: String) -> [UInt8] {
        var writer = JSONWriter()
        write(model, to: &writer, store: store)
        writer.newLine()
        return writer.bytes
    }

    /// With a store, its files are told one by one; with nil, their number.
    private static func write(_ model: Model, to writer: inout JSONWriter, store: String?) {
        writer.object { writer in
            writer.key("name")
            writer.string(model.name.text)
            for (key, value) in model.facts {
                writer.key(key)
                writer.stringOrNull(value)
            }
            writer.key("tags")
            writer.strings(model.tags)
            writer.key("size")
            writer.integer(model.size)
            writer.key("files")
            guard let store else { return writer.integer(model.files.count) }
            writer.array { writer in
                for file in model.files { write(file, of: model, to: &writer, store: store) }
            }
        }
    }

    private static func write(_ file: ModelFile, of model: Model, to writer: inout JSONWriter, store: String) {
        writer.object { writer in
            writer.key("path")
            writer.string(file.path.text)
            writer.key("size")
            writer.integer(file.size)
            writer.key("sha256")
            writer.digest(file.sha256)
            writer.key("file")
            writer.string("\(store)/models/\(model.name)/\(file.path)")
            writer.key("sources")
            writer.strings(file.sources.map(\.redacted))
        }
    }
}
