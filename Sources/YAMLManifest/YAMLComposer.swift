import CLibYAML
import SyncDomain

/// libyaml's events to a ``YAMLDocument``, within budgets.
///
/// Aliases are not expanded: what they would expand to is summed as they are met, so that a document that is small
/// and would be huge is refused at the alias that makes it so.
struct YAMLComposer {
    static let maximumInputByteCount = 256 << 20
    static let maximumDepth = 64
    /// After expansion.
    static let maximumNodeCount = 10_000_000
    /// After expansion.
    static let maximumTextByteCount = 256 << 20
    static let maximumAnchorCount = 1_000_000

    /// What a node is when its aliases are expanded.
    private struct Extent {
        var nodes = 0
        var textBytes = 0

        func since(_ before: Extent) -> Extent {
            Extent(nodes: nodes - before.nodes, textBytes: textBytes - before.textBytes)
        }
    }

    private struct Frame {
        var node: YAMLDocument.Index
        /// All that was there before this node.
        var before: Extent
        /// Levels of collections below this one.
        var height = 0
        var anchor: String?
    }

    private struct Anchor {
        var node: YAMLDocument.Index
        /// Nil while the node is not complete: an alias to it would contain itself.
        var extent: Extent?
        var height = 0
    }

    private let path: String
    private var document = YAMLDocument()
    private var issues = ManifestIssues()
    private var total = Extent()
    private var stack: [Frame] = []
    private var anchors: [String: Anchor] = [:]
    private let partNodes: Int
    /// The first node and the first byte of text that are in no part yet.
    private var partStart = (node: 0, text: 0)

    private init(path: String, partNodes: Int) {
        self.path = path
        self.partNodes = partNodes
    }

    /// - Parameters:
    ///   - input: the whole document; need not be UTF-8, or YAML.
    ///   - path: for the issues.
    ///   - partNodes: how many nodes of a long sequence make a part.
    ///   - onPart: called with parts of the document as soon as they are complete, so that they can be read meanwhile.
    /// - Returns: the document, and what is wrong with its anchors, tags and end: it can be read all the same.
    /// - Throws: ``YAMLFailure`` for what is not YAML, is empty, or is beyond a budget.
    static func compose(
        _ input: [UInt8], path: String, partNodes: Int, onPart: (YAMLPart) -> Void
    ) throws(YAMLFailure) -> (document: YAMLDocument, issues: ManifestIssues) {
        try YAMLInputCheck.check(input)
        var composer = YAMLComposer(path: path, partNodes: partNodes)
        // Pages that are reserved and not used cost nothing; growing by copying would cost half as much again.
        composer.document.nodes.reserveCapacity(min(input.count / 12, maximumNodeCount))
        composer.document.text.reserveCapacity(input.count)
        try unsafe input.withUnsafeBufferPointer { bytes throws(YAMLFailure) in
            var parser = try unsafe YAMLEventParser(bytes)
            try composer.run(&parser, onPart)
        }
        guard let root = composer.document.nodes.first, !(root.kind == .scalar && composer.document.isNull(0)) else {
            throw YAMLFailure(
                mark: SourceMark(line: 1, column: 1), message: "the manifest is empty; it starts with 'version: 1'")
        }
        return (composer.document, composer.issues)
    }

    private mutating func run(
        _ parser: inout YAMLEventParser, _ onPart: (YAMLPart) -> Void
    ) throws(YAMLFailure) {
        var documents = 0
        while true {
            switch try parser.next() {
            case YAML_SCALAR_EVENT: try addScalar(parser)
            case YAML_MAPPING_START_EVENT: try begin(.mapping, parser)
            case YAML_SEQUENCE_START_EVENT: try begin(.sequence, parser)
            case YAML_MAPPING_END_EVENT, YAML_SEQUENCE_END_EVENT:
                end()
                if stack.count == YAMLPart.depth, let part = takePart() { onPart(part) }
            case YAML_ALIAS_EVENT: try addAlias(parser)
            case YAML_DOCUMENT_START_EVENT:
                documents += 1
                guard documents == 1 else {
                    issues.add(
                        path, parser.mark,
                        "a second document starts here; a manifest is one document, so write one file for each")
                    return
                }
            case YAML_STREAM_END_EVENT: return
            default: break
            }
        }
    }

    private mutating func addScalar(_ parser: borrowing YAMLEventParser) throws(YAMLFailure) {
        let tag = parser.tag
        let mark = parser.mark
        var node = YAMLDocument.Node(kind: .scalar, mark: mark)
        node.isPlain = tag.map { $0 == "tag:yaml.org,2002:int" } ?? parser.isPlain
        node.link = UInt32(document.text.count)
        node.count = UInt32(clamping: parser.scalarByteCount)
        // What is reported here is not looked at again.
        if let tag, !check(tag, fits: ["str", "int"], at: mark) { node.kind = .invalid }
        let before = total
        total.textBytes += parser.scalarByteCount
        // Before the text is copied: it may be as large as the input.
        try add(node)
        parser.appendScalar(to: &document.text)
        guard let anchor = parser.anchor else { return }
        try define(anchor, Anchor(node: UInt32(document.nodes.count - 1), extent: total.since(before)), at: mark)
    }

    private mutating func begin(_ kind: YAMLDocument.Kind, _ parser: borrowing YAMLEventParser) throws(YAMLFailure) {
        let mark = parser.mark
        guard stack.count < Self.maximumDepth else {
            throw YAMLFailure(mark: mark, message: "this is nested deeper than \(Self.maximumDepth) levels")
        }
        if let tag = parser.tag { _ = check(tag, fits: [kind == .mapping ? "map" : "seq"], at: mark) }
        let before = total
        let index = UInt32(document.nodes.count)
        try add(YAMLDocument.Node(kind: kind, mark: mark))
        let anchor = parser.anchor
        if let anchor { try define(anchor, Anchor(node: index), at: mark) }
        stack.append(Frame(node: index, before: before, anchor: anchor))
        if stack.count == YAMLPart.depth { partStart = (document.nodes.count, document.text.count) }
    }

    /// - Returns: what is new of the sequence that is open, once it is worth another thread's while.
    private mutating func takePart() -> YAMLPart? {
        let list = stack[stack.count - 1].node
        let end = document.nodes.count
        // What aliases repeat is read and told of once: that takes one reader.
        guard end - partStart.node >= partNodes, !document.hasAliases, document.kind(list) == .sequence else {
            return nil
        }
        defer { partStart = (end, document.text.count) }
        return YAMLPart(of: document, list, from: partStart.node, textFrom: partStart.text)
    }

    private mutating func end() {
        guard let frame = stack.popLast() else { return }
        document.nodes[Int(frame.node)].link = UInt32(document.nodes.count)
        raise(to: frame.height + 1)
        // An inner node may have taken the name over: then the name means that one.
        if let anchor = frame.anchor, anchors[anchor]?.node == frame.node {
            anchors[anchor] = Anchor(node: frame.node, extent: total.since(frame.before), height: frame.height + 1)
        }
    }

    private mutating func addAlias(_ parser: borrowing YAMLEventParser) throws(YAMLFailure) {
        let mark = parser.mark
        let name = parser.anchor ?? ""
        guard let anchor = anchors[name] else {
            issues.add(path, mark, "no anchor \(quoted("&" + name)) comes before this alias of it")
            return try add(YAMLDocument.Node(kind: .invalid, mark: mark))
        }
        guard let extent = anchor.extent else {
            issues.add(path, mark, "the alias \(quoted("*" + name)) is inside the value that it stands for")
            return try add(YAMLDocument.Node(kind: .invalid, mark: mark))
        }
        guard stack.count + anchor.height <= Self.maximumDepth else {
            throw YAMLFailure(
                mark: mark, message: "with its aliases expanded, this is nested deeper than \(Self.maximumDepth) levels"
            )
        }
        var node = YAMLDocument.Node(kind: .alias, mark: mark)
        node.link = anchor.node
        document.hasAliases = true
        // The alias's own node is added below: an alias is no cheaper than what it stands for.
        total.nodes += extent.nodes
        total.textBytes += extent.textBytes
        raise(to: anchor.height)
        try add(node)
    }

    /// Gives the name to a node; one that had it before can't be named any more.
    private mutating func define(_ name: String, _ anchor: Anchor, at mark: SourceMark) throws(YAMLFailure) {
        anchors[name] = anchor
        guard anchors.count <= Self.maximumAnchorCount else {
            throw YAMLFailure(mark: mark, message: "the manifest has more than \(Self.maximumAnchorCount) anchors")
        }
    }

    /// Counts the node as a child of the collection that is open, and holds the budgets.
    private mutating func add(_ node: YAMLDocument.Node) throws(YAMLFailure) {
        total.nodes += 1
        guard total.nodes <= Self.maximumNodeCount, total.textBytes <= Self.maximumTextByteCount else {
            let limit =
                total.nodes > Self.maximumNodeCount
                ? "\(Self.maximumNodeCount) nodes" : "\(Self.maximumTextByteCount >> 20) MiB of text"
            let advice = document.hasAliases ? " with its aliases expanded" : ""
            throw YAMLFailure(mark: node.mark, message: "the manifest has more than \(limit)\(advice)")
        }
        if let parent = stack.last { document.nodes[Int(parent.node)].count += 1 }
        document.nodes.append(node)
    }

    private mutating func raise(to height: Int) {
        guard !stack.isEmpty else { return }
        stack[stack.count - 1].height = max(stack[stack.count - 1].height, height)
    }

    private mutating func check(_ tag: String, fits names: [String], at mark: SourceMark) -> Bool {
        let prefix = "tag:yaml.org,2002:"
        if tag == "!" || (tag.hasPrefix(prefix) && names.contains(String(tag.dropFirst(prefix.count)))) { return true }
        let shown = tag.hasPrefix(prefix) ? "!!" + tag.dropFirst(prefix.count) : tag
        issues.add(path, mark, "the tag \(quoted(shown)) does not fit here; write the value without a tag")
        return false
    }
}
