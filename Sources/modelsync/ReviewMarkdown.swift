import ModelSyncKit

/// Plans and differences as a comment on a pull request, in the Markdown that GitHub and GitLab share.
///
/// What a manifest says stands in code spans alone: there it can be no link, no mention, no markup.
enum ReviewMarkdown {
    /// More lines than these are counted, not shown: a comment has room for 65,536 characters.
    private static let lineLimit = 200

    static func text(of diff: ManifestDiff) -> String {
        let details = diff.models.flatMap { model in
            model.files.map { file in
                [file.change.rawValue, code("\(model.name)/\(file.path?.text ?? "")"), file.bytesText, note(file)]
            }
        }
        return "### modelsync diff\n\n\(diff.summary)\n\n" + review(diff)
            + folded(["change", "file", "size", ""], details, "file")
    }

    static func text(of plan: SyncPlan, changing diff: ManifestDiff, store: String) -> String {
        let details = plan.items.filter { $0.action != .keep }.map { item in
            [
                item.action.rawValue, code(plan.subject(item)), HumanFormat.bytes(plan.size(item)),
                item.bytesToFetch > 0 ? HumanFormat.bytes(item.bytesToFetch) : "", code(item.reason),
            ]
        }
        return "### modelsync plan\n\n\(PlanText.summary(plan))\n\nStore: \(code(store))\n\n" + review(diff)
            + folded(["action", "file", "size", "to fetch", "why"], details, "file")
    }

    private static func review(_ diff: ManifestDiff) -> String {
        var out = ""
        if !diff.models.isEmpty {
            let rows = diff.models.map { model in
                [
                    model.change.rawValue, code(model.name), change(model, \.version), change(model, \.license),
                    change(model.before?.size, model.after?.size), what(model),
                ]
            }
            let (shown, rest) = (rows.prefix(lineLimit), rows.count - lineLimit)
            out += table(["", "model", "version", "licence", "size", "files"], Array(shown)) + "\n"
            if rest > 0 { out += "and \(ManifestText.count(rest, "model")) more\n\n" }
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
        let shown = { (text: String?) in text.map(code) ?? "none" }
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
        let shown = names.prefix(20).map(code).joined(separator: ", ")
        return names.count > 20 ? shown + " and \(names.count - 20) more" : shown
    }

    private static func folded(_ head: [String], _ rows: [[String]], _ noun: String) -> String {
        if rows.isEmpty { return "" }
        var out = "<details><summary>\(ManifestText.count(rows.count, noun))</summary>\n\n"
        out += table(head, Array(rows.prefix(lineLimit)))
        if rows.count > lineLimit { out += "\nand \(rows.count - lineLimit) more: `--format json` has them all\n" }
        return out + "\n</details>\n"
    }

    private static func table(_ head: [String], _ rows: [[String]]) -> String {
        let rule = head.map { _ in "---" }
        return ([head, rule] + rows).map { "| " + $0.joined(separator: " | ") + " |\n" }.joined()
    }

    /// A code span that holds the text whatever is in it, also in a cell of a table. Bytes that would move what follows
    /// are shown as spaces.
    static func code(_ text: String) -> String {
        let clean = text.unicodeScalars.map { $0.properties.isControl ? " " : String($0) }.joined()
            .replacing("|", with: "\\|")
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
