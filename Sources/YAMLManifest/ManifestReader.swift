import SyncDomain

/// A YAML document to a ``ManifestDraft``: goes on after each error, so that all are found. Of use once.
final class ManifestReader {
    let document: YAMLDocument
    let base: URLBase
    private(set) var draft: ManifestDraft
    private(set) var issues: ManifestIssues
    /// By the node of `url` or `urls`: what aliases repeat is resolved once and shared.
    var sharedSources: [YAMLDocument.Index: [SourceURL]] = [:]
    /// By the node of `files`, for the same reason.
    var sharedFiles: [YAMLDocument.Index: FileList] = [:]
    /// By the node of `tags`, for the same reason.
    var sharedTags: [YAMLDocument.Index: [String]] = [:]
    private var reported: Set<ReportedRule> = []
    /// By the node of `files`: what was read of it already.
    private var parts: [YAMLDocument.Index: [FilePart]] = [:]

    /// The files of a model with their marks.
    struct FileList: Sendable {
        var files: [ModelFile] = []
        var marks: [ManifestDraft.FileMarks] = []
    }

    private struct ReportedRule: Hashable {
        var node: YAMLDocument.Index
        var file: String
        var line: Int
    }

    init(_ document: YAMLDocument, draft: ManifestDraft, issues: ManifestIssues, base: URLBase) {
        self.document = document
        self.draft = draft
        self.issues = issues
        self.base = base
    }

    /// Keeps what was read of some `files`, until they are asked for. In any order.
    func take(_ part: FilePart) { parts[part.list, default: []].append(part) }

    /// Hands out what was read of a list from its start on, with what is wrong with it.
    ///
    /// - Returns: the first item that is still to be read.
    func takeParts(of list: YAMLDocument.Index, into files: inout FileList) -> YAMLDocument.Index {
        let read = (parts.removeValue(forKey: list) ?? []).sorted { $0.items.lowerBound < $1.items.lowerBound }
        var next = list + 1
        // A part is missing where the caller was cancelled before it was begun.
        for part in read where part.items.lowerBound == next {
            next = part.items.upperBound
            files.files += part.files.files
            files.marks += part.files.marks
            issues.append(part.issues)
        }
        return next
    }

    /// Reads the whole document into the draft.
    func readManifest() {
        guard let fields = fields(of: 0, .manifest), readVersion(fields) else { return }
        if let hosts = fields[.hosts] { draft.hosts = readHosts(hosts.value) }
        guard let models = fields[.models] else {
            return report(fields.node, "this manifest has no 'models'; add them, or 'models: []' for none")
        }
        let list = document.resolve(models.value)
        guard document.kind(list) == .sequence else {
            return reportType(of: models.value, "'models' is a sequence: each model starts with '- name:'")
        }
        draft.models.reserveCapacity(document.childCount(list))
        forEachItem(list) { item in
            if let entry = readModel(item) { draft.models.append(entry) }
        }
    }

    /// - Returns: false if the manifest is of another version, which this program can't judge.
    private func readVersion(_ fields: MappingFields) -> Bool {
        guard let field = fields[.version] else {
            report(fields.node, "this manifest has no 'version'; start it with 'version: 1'")
            return true
        }
        let node = document.resolve(field.value)
        guard document.kind(node) == .scalar, !document.isNull(node) else {
            reportType(of: field.value, "'version' is the number 1")
            return true
        }
        let text = document.string(node)
        if document.isPlain(node), let number = Int64(text), String(number) == text {
            if number == 1 { return true }
            report(node, "manifest version \(number) is not known; this program reads version 1")
            return false
        }
        report(node, "version is \(describe(node)); write 'version: 1'")
        return true
    }
}

// MARK: What all parts of the reader use

extension ManifestReader {
    /// Calls `body` with each item of a sequence, as it is written; or with those from one on.
    func forEachItem(
        _ sequence: YAMLDocument.Index, from first: YAMLDocument.Index? = nil, _ body: (YAMLDocument.Index) -> Void
    ) {
        var item = first ?? sequence + 1
        let end = document.end(of: sequence)
        while item < end {
            body(item)
            item = document.end(of: item)
        }
    }

    /// Reports an error at a node, once for each rule that it breaks: what several aliases stand for is read for each
    /// of them.
    ///
    /// - Parameters:
    ///   - node: where.
    ///   - message: made only if it is kept.
    ///   - file: with `line`, stands for the rule: leave it out, or hand on the caller's.
    ///   - line: see `file`.
    func report(
        _ node: YAMLDocument.Index, _ message: @autoclosure () -> String, file: String = #fileID, line: Int = #line
    ) {
        // Past the limit all are only counted, so that this set stays small.
        let isKept = issues.kept.count < ManifestIssues.maximumKept
        if isKept, document.hasAliases, !reported.insert(ReportedRule(node: node, file: file, line: line)).inserted {
            return
        }
        issues.add(draft.path, document.mark(node), message())
    }

    /// Reports a node that has the wrong type, or no value.
    ///
    /// - Parameters:
    ///   - node: as it is written.
    ///   - rule: what would be right, as a whole clause.
    ///   - file: as for ``report(_:_:file:line:)``.
    ///   - line: see `file`.
    func reportType(
        of node: YAMLDocument.Index, _ rule: @autoclosure () -> String, file: String = #fileID, line: Int = #line
    ) {
        let target = document.resolve(node)
        // What an alias of nothing would be was reported where it stands.
        if document.kind(target) == .invalid { return }
        report(target, "\(rule()); this is \(describe(target))", file: file, line: line)
    }

    func describe(_ node: YAMLDocument.Index) -> String {
        switch document.kind(node) {
        case .mapping: "a mapping"
        case .sequence: "a sequence"
        case .scalar where document.isNull(node): "empty"
        case .scalar: (document.isPlain(node) ? "" : "the text ") + quoted(document.string(node))
        case .alias, .invalid: "an alias"
        }
    }

    /// Finds the node of a scalar that is not null.
    ///
    /// - Parameters:
    ///   - node: as it is written.
    ///   - subject: how a message calls it: `'size'`, `an item of 'tags'`.
    ///   - type: what it is.
    ///   - file: as for ``report(_:_:file:line:)``.
    ///   - line: see `file`.
    /// - Returns: nil for anything else, which is then reported.
    func scalar(
        _ node: YAMLDocument.Index, _ subject: @autoclosure () -> String, _ type: String = "text",
        file: String = #fileID, line: Int = #line
    ) -> YAMLDocument.Index? {
        let target = document.resolve(node)
        guard document.kind(target) == .scalar else {
            reportType(of: node, "\(subject()) is \(type)", file: file, line: line)
            return nil
        }
        guard document.isNull(target) else { return target }
        report(target, "\(subject()) has no value; give it one, or remove it", file: file, line: line)
        return nil
    }

    func string(_ field: MappingFields.Field?, _ key: ManifestKey, line: Int = #line) -> String? {
        guard let field, let node = scalar(field.value, "'\(key.text)'", line: line) else { return nil }
        return document.string(node)
    }

    /// A whole number as YAML and people write it alike: decimal digits, with no sign and no leading zero.
    ///
    /// - Returns: nil for anything else, also if it is too large.
    func wholeNumber(_ node: YAMLDocument.Index) -> Int64? {
        let digits = document.bytes(node)
        guard document.isPlain(node), !digits.isEmpty, digits.count == 1 || digits.first != UInt8(ascii: "0") else {
            return nil
        }
        var value: Int64 = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            let (tens, isTooLarge) = value.multipliedReportingOverflow(by: 10)
            let (sum, isTooLargeNow) = tens.addingReportingOverflow(Int64(digit - UInt8(ascii: "0")))
            guard !isTooLarge && !isTooLargeNow else { return nil }
            value = sum
        }
        return value
    }

    /// Where the rules about the whole manifest should point for a value of an entry, which is as it is written in its
    /// sequence: at the value, or at the entry where the value stands elsewhere and is shared.
    func place(of field: MappingFields.Field, in entry: YAMLDocument.Index) -> SourceMark {
        document.isAlias(entry) || field.rank > 0 ? document.mark(entry) : document.mark(field.value)
    }
}
