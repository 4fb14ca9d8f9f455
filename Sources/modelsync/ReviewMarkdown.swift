import ModelSyncKit

/// Plans and differences as a comment on a pull request, in the Markdown that GitHub and GitLab share.
///
/// What a manifest says stands in code spans alone: there it can be no link, no mention, no markup.
enum ReviewMarkdown {
    /// More is counted, not shown: a comment has room for 65,536 characters, and has two tables at most.
    private static let lineLimit = 200
    private static let tableBytes = 26_000

    static func text(of diff: ManifestDiff) -> String {
        let files = diff.models.lazy.flatMap { model in model.files.lazy.map { (model.name, $0) } }
        let details = files.prefix(lineLimit).map { model, file in
            [file.change.rawValue, code("\(model)/\(file.path?.text ?? "")"), file.bytesText, note(file)]
        }
        let count = diff.models.reduce(0) { $0 + $1.files.count }
        return "### modelsync diff\n\n\(diff.summary)\n\n" + review(diff)
            + folded(["change", "file", "size", ""], Array(details), of: count)
    }

    static func text(of plan: SyncPlan, changing diff: ManifestDiff, store: String) -> String {
        let changes = plan.items.filter { $0.action != .keep }
        let details = changes.prefix(lineLimit).map { item in
            [
                item.action.rawValue, code(plan.subject(item)), HumanFormat.bytes(plan.size(item)),
                item.bytesToFetch > 0 ? HumanFormat.bytes(item.bytesToFetch) : "", code(item.reason),
            ]
        }
        let head = "\(PlanText.summary(plan))\n\nStore: \(code(store, inTable: false))"
        return "### modelsync plan\n\n\(head)\n\n" + review(diff)
            + folded(["action", "file", "size", "to fetch", "why"], details, of: changes.count)
    }

    private static func review(_ diff: ManifestDiff) -> String {
        var out = ""
        if !diff.models.isEmpty {
            let rows = diff.models.prefix(lineLimit).map { model in
                [
                    model.change.rawValue, code(model.name), change(model, \.version), change(model, \.license),
                    change(model.before?.size, model.after?.size), what(model),
                ]
            }
            out += table(["", "model", "version", "licence", "size", "files"], rows, of: diff.models.count) + "\n"
        }
        if !diff.newHosts.isEmpty { out += "**New source hosts:** \(list(diff.newHosts))\n\n" }
        let files = diff.codeFiles.map { "\($0.model)/\($0.path)" }
        if !files.isEmpty {
            out += "**Can run code when loaded** (pickle formats; a checksum says that a file is the one that was "
            out += "reviewed, not that it is harmless): \(list(files))\n\n"
        }
        return out
    }

    private static func change(_ model: ManifestDiff.Entry, _ key: KeyPath<Model, String?>) -> String {
        let (before, after) = (model.before?[keyPath: key], model.after?[keyPath: key])
        let shown = { (text: String?) in text.map { code($0) } ?? "none" }
        guard model.change == .changed, before != after else { return shown(after ?? before) }
        return "\(shown(before)) → \(shown(after))"
    }

    private static func change(_ before: Int64?, _ after: Int64?) -> String {
        ManifestDiff.Entry.text(before, after).replacing("->", with: "→")
    }

    private static func what(_ model: ManifestDiff.Entry) -> String {
        let parts = ManifestDiff.FileChange.allCases.compactMap { change -> String? in
            let count = model.files.count { $0.change == change }
            guard count > 0 else { return nil }
            return change == .sources ? "\(count) from other sources" : "\(count) \(change.rawValue)"
        }
        let facts = model.changedFacts.filter { !["version", "license"].contains($0) }
        return (parts + (facts.isEmpty ? [] : ["other \(facts.joined(separator: ", "))"])).joined(separator: ", ")
    }

    private static func note(_ file: ManifestDiff.File) -> String {
        if file.bringsCode { return "can run code when loaded" }
        return file.change == .sources ? "same bytes, other sources" : ""
    }

    private static func list(_ names: [String]) -> String {
        let shown = names.prefix(20).map { code($0, inTable: false) }.joined(separator: ", ")
        return names.count > 20 ? shown + " and \(names.count - 20) more" : shown
    }

    private static func folded(_ head: [String], _ rows: [[String]], of count: Int) -> String {
        if count == 0 { return "" }
        return "<details><summary>\(ManifestText.count(count, "file"))</summary>\n\n" + table(head, rows, of: count)
            + "\n</details>\n"
    }

    /// As many of the rows as there is room for, and how many of `count` are not among them.
    private static func table(_ head: [String], _ rows: [[String]], of count: Int) -> String {
        func line(_ row: [String]) -> String { "| " + row.joined(separator: " | ") + " |\n" }
        var out = line(head) + line(head.map { _ in "---" })
        var shown = 0
        for row in rows {
            let next = line(row)
            guard out.utf8.count + next.utf8.count < tableBytes else { break }
            out += next
            shown += 1
        }
        return shown < count ? out + "\nand \(count - shown) more: `--format json` has them all\n" : out
    }

    /// A code span that holds the text whatever is in it; in a cell of a table a bar would end the cell. What would move what
    /// follows is shown as spaces.
    static func code(_ text: String, inTable: Bool = true) -> String {
        let clean = text.unicodeScalars.map { $0.properties.isControl ? " " : String($0) }.joined()
            .replacing("|", with: inTable ? "\\|" : "|")
        var (longest, run) = (0, 0)
        for character in clean {
            run = character == "`" ? run + 1 : 0
            longest = max(longest, run)
        }
        let fence = String(repeating: "`", count: longest + 1)
        let needsSpace = clean.hasPrefix("`") || clean.hasSuffix("`") || clean.isEmpty
        return needsSpace ? "\(fence) \(clean) \(fence)" : fence + clean + fence
    }
}

extension Unicode.Scalar.Properties {
    /// Controls, line and paragraph separators, and what reorders text.
    fileprivate var isControl: Bool {
        [.control, .format, .lineSeparator, .paragraphSeparator].contains(generalCategory)
    }
}
