import SyncDomain

/// What one mapping says for each key that it may have, with its `<<` merged in.
struct MappingFields {
    struct Field {
        /// The key's node as it is written, in this mapping or one merged into it.
        var key: YAMLDocument.Index
        /// The value's node as it is written: it may be an alias.
        var value: YAMLDocument.Index
        /// 0 for the mapping's own keys; then by precedence of the merged mappings.
        var rank: UInt32
    }

    /// The mapping.
    let node: YAMLDocument.Index
    let schema: ManifestSchema
    /// The mappings that were read for this one: a second look at one of them can't add anything.
    private var merged: Set<YAMLDocument.Index> = []
    private var fields = InlineArray<16, Field>(repeating: Field(key: 0, value: 0, rank: 0))

    init(node: YAMLDocument.Index, schema: ManifestSchema) {
        self.node = node
        self.schema = schema
    }

    subscript(key: ManifestKey) -> Field? {
        let field = fields[Int(key.rawValue)]
        return field.value == 0 ? nil : field
    }

    mutating func set(_ key: ManifestKey, _ field: Field) { fields[Int(key.rawValue)] = field }

    /// - Returns: false if the mapping was merged before.
    mutating func merge(_ mapping: YAMLDocument.Index) -> Bool { merged.insert(mapping).inserted }
}

extension ManifestReader {
    /// Reads the keys of a mapping, and those that are merged into it; reports the ones that are wrong.
    ///
    /// - Parameters:
    ///   - node: as it is written.
    ///   - schema: the keys that it may have.
    /// - Returns: nil for what is no mapping, which is then reported.
    func fields(of node: YAMLDocument.Index, _ schema: ManifestSchema) -> MappingFields? {
        let mapping = document.resolve(node)
        guard document.kind(mapping) == .mapping else {
            reportType(of: node, "a \(schema.noun) is a mapping of keys to values")
            return nil
        }
        var fields = MappingFields(node: mapping, schema: schema)
        var rank: UInt32 = 0
        collect(mapping, rank: &rank, into: &fields)
        return fields
    }

    /// Own keys first, then what each merged mapping has: so the first one that sets a key is the one that counts.
    private func collect(_ mapping: YAMLDocument.Index, rank: inout UInt32, into fields: inout MappingFields) {
        let own = rank
        rank += 1
        var merge: YAMLDocument.Index = 0
        var key = mapping + 1
        let end = document.end(of: mapping)
        while key < end {
            let value = document.end(of: key)
            collect(MappingFields.Field(key: key, value: value, rank: own), merge: &merge, into: &fields)
            key = document.end(of: value)
        }
        if merge != 0 { collectMerged(merge, rank: &rank, into: &fields) }
    }

    private func collect(
        _ field: MappingFields.Field, merge: inout YAMLDocument.Index, into fields: inout MappingFields
    ) {
        let key = document.resolve(field.key)
        guard document.kind(key) == .scalar else { return reportType(of: field.key, "a key is text") }
        let text = document.bytes(key)
        if let known = fields.schema.key(text) {
            guard let first = fields[known] else { return fields.set(known, field) }
            if first.rank == field.rank { reportDuplicate(field.key, first: first.key) }
        } else if isMerge(key) {
            if merge != 0 { return report(field.key, "'<<' is here twice; write one, with a sequence: <<: [*a, *b]") }
            merge = field.value
        } else {
            report(field.key, fields.schema.messageForUnknownKey(document.string(key)))
        }
    }

    private func collectMerged(_ node: YAMLDocument.Index, rank: inout UInt32, into fields: inout MappingFields) {
        forEachMerged(node) { mapping in
            if fields.merge(mapping) { collect(mapping, rank: &rank, into: &fields) }
        }
    }

    /// Calls `body` with each mapping that a `<<` names, in order of precedence; reports what can't be merged.
    func forEachMerged(_ node: YAMLDocument.Index, _ body: (YAMLDocument.Index) -> Void) {
        let what = "'<<' takes a mapping, or a sequence of mappings"
        let source = document.resolve(node)
        switch document.kind(source) {
        case .mapping: body(source)
        case .sequence:
            forEachItem(source) { item in
                let mapping = document.resolve(item)
                guard document.kind(mapping) == .mapping else { return reportType(of: item, what) }
                body(mapping)
            }
        default: reportType(of: node, what)
        }
    }

    /// Whether a key is YAML's merge key; in quotes it is a key like any other.
    func isMerge(_ key: YAMLDocument.Index) -> Bool {
        document.isPlain(key) && document.bytes(key).elementsEqual("<<".utf8)
    }

    func reportDuplicate(_ key: YAMLDocument.Index, first: YAMLDocument.Index) {
        report(
            key,
            "duplicate key \(quoted(document.string(document.resolve(key)))); it is at line \(document.mark(first).line) already"
        )
    }
}
