import SyncDomain

/// A YAML document as one array of small nodes in document order, and one buffer of all text: a manifest of a million
/// nodes is two allocations.
///
/// A collection's children follow it directly, each with all that is below it; so the next sibling of a node is the
/// node at its ``end(of:)``.
struct YAMLDocument {
    /// The place of a node in the array. The root is 0, and so never the child or the value of anything.
    typealias Index = UInt32

    enum Kind: UInt8 {
        case scalar, sequence, mapping
        /// Stands for an anchored node, which is never an alias itself.
        case alias
        /// Stands for what has been reported already: an alias of nothing.
        case invalid
    }

    struct Node {
        var kind: Kind
        /// Of a scalar: whether it is written without quotes and without a tag, so that its text decides its type.
        var isPlain = false
        var mark: SourceMark
        /// Where a scalar's text starts; the node that an alias stands for; where a collection ends.
        var link: UInt32 = 0
        /// Bytes of a scalar's text; children of a collection.
        var count: UInt32 = 0
    }

    var nodes: [Node] = []
    var text: [UInt8] = []
    /// Whether one node may be met twice on a walk.
    var hasAliases = false

    /// The node itself, or what it stands for if it is an alias.
    func resolve(_ index: Index) -> Index {
        let node = nodes[Int(index)]
        return node.kind == .alias ? node.link : index
    }

    func kind(_ index: Index) -> Kind { nodes[Int(index)].kind }

    func mark(_ index: Index) -> SourceMark { nodes[Int(index)].mark }

    func isAlias(_ index: Index) -> Bool { nodes[Int(index)].kind == .alias }

    /// The node after this one and all that is below it.
    func end(of index: Index) -> Index {
        let node = nodes[Int(index)]
        return node.kind == .sequence || node.kind == .mapping ? node.link : index + 1
    }

    func childCount(_ index: Index) -> Int { Int(nodes[Int(index)].count) }

    /// The bytes of a scalar, UTF-8.
    func bytes(_ index: Index) -> ArraySlice<UInt8> {
        let node = nodes[Int(index)]
        return text[Int(node.link)..<Int(node.link) + Int(node.count)]
    }

    func string(_ index: Index) -> String { String(decoding: bytes(index), as: UTF8.self) }

    func isPlain(_ index: Index) -> Bool { nodes[Int(index)].isPlain }

    /// Whether a scalar is YAML's null: empty, `~` or `null` without quotes.
    func isNull(_ index: Index) -> Bool {
        let node = nodes[Int(index)]
        guard node.kind == .scalar, node.isPlain, node.count <= 4 else { return false }
        return switch node.count {
        case 0: true
        case 1: text[Int(node.link)] == UInt8(ascii: "~")
        case 4: ["null", "Null", "NULL"].contains { bytes(index).elementsEqual($0.utf8) }
        default: false
        }
    }
}
