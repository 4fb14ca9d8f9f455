import SyncDomain

/// Some items of a long sequence, copied out of a document that is still being composed.
struct YAMLPart: Sendable {
    /// Collections that are open in the items of a model's `files`: the manifest, `models`, the model, `files`.
    static let depth = 4
    /// Nodes of a part, at least: some 900 files, which are read in less than a millisecond.
    static let usualNodes = 8192

    /// The sequence in the whole document.
    let list: YAMLDocument.Index
    /// From the first item to the end of the last.
    let items: Range<YAMLDocument.Index>
    private let mark: SourceMark
    private let nodes: [YAMLDocument.Node]
    private let text: [UInt8]
    private let textStart: UInt32

    /// - Parameters:
    ///   - document: has no aliases.
    ///   - list: the sequence.
    ///   - first: its first item that the part is to have; the last is the last that the document has.
    ///   - textStart: where the text of the first item starts.
    init(of document: YAMLDocument, _ list: YAMLDocument.Index, from first: Int, textFrom textStart: Int) {
        self.list = list
        self.textStart = UInt32(textStart)
        items = UInt32(first)..<UInt32(document.nodes.count)
        mark = document.mark(list)
        nodes = Array(document.nodes[first...])
        text = Array(document.text[textStart...])
    }

    /// Makes a document whose root is a sequence of these items, with the marks that they have.
    func makeDocument() -> YAMLDocument {
        var out = YAMLDocument()
        out.text = text
        out.nodes.reserveCapacity(nodes.count + 1)
        // Who reads the items asks only whether there are any.
        out.nodes.append(YAMLDocument.Node(kind: .sequence, mark: mark, link: UInt32(nodes.count + 1), count: 1))
        for var node in nodes {
            switch node.kind {
            case .scalar: node.link -= textStart
            case .sequence, .mapping: node.link -= items.lowerBound - 1
            case .alias, .invalid: break
            }
            out.nodes.append(node)
        }
        return out
    }
}

/// What was read of a part.
struct FilePart: Sendable {
    let list: YAMLDocument.Index
    let items: Range<YAMLDocument.Index>
    let files: ManifestReader.FileList
    let issues: ManifestIssues

    init(reading part: YAMLPart, path: String, base: URLBase) {
        let reader = ManifestReader(
            part.makeDocument(), draft: ManifestDraft(path: path), issues: ManifestIssues(), base: base)
        list = part.list
        items = part.items
        files = reader.readFiles(0)
        issues = reader.issues
    }
}
