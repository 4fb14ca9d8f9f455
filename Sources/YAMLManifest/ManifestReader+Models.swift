import SyncDomain

extension ManifestReader {
    private static let fileKeys: [ManifestKey] = [.path, .size, .sha256, .url, .urls]

    /// - Parameter item: an item of `models`, as it is written.
    /// - Returns: nil where the model has no valid name; the errors of its files are told all the same.
    func readModel(_ item: YAMLDocument.Index) -> ManifestDraft.ModelEntry? {
        guard let fields = fields(of: item, .model) else { return nil }
        let name = readName(fields)
        let version = string(fields[.version], .version)
        let description = string(fields[.description], .description)
        let license = string(fields[.license], .license)
        let homepage = string(fields[.homepage], .homepage)
        let tags = readTags(fields[.tags])
        let list = readFiles(of: fields, item)
        guard let name, let field = fields[.name] else { return nil }
        let model = Model(
            name: name, version: version, description: description, license: license, homepage: homepage, tags: tags,
            files: list.files)
        return ManifestDraft.ModelEntry(model: model, nameMark: place(of: field, in: item), fileMarks: list.marks)
    }

    private func readName(_ fields: MappingFields) -> ModelName? {
        guard let field = fields[.name] else {
            report(fields.node, "this model has no 'name'; add one, like 'kind/size'")
            return nil
        }
        guard let node = scalar(field.value, "'name'") else { return nil }
        let text = document.string(node)
        do { return try ModelName(text) } catch {
            report(node, "name \(quoted(text)): \(error.reason)")
            return nil
        }
    }

    private func readTags(_ field: MappingFields.Field?) -> [String] {
        guard let field else { return [] }
        let list = document.resolve(field.value)
        guard document.kind(list) == .sequence else {
            reportType(of: field.value, "'tags' is a sequence, like [speech, english]")
            return []
        }
        if let known = sharedTags[list] { return known }
        var tags: [String] = []
        forEachItem(list) { item in
            guard let node = scalar(item, "an item of 'tags'") else { return }
            tags.append(document.string(node))
        }
        if document.hasAliases { sharedTags[list] = tags }
        return tags
    }

    private func readFiles(of model: MappingFields, _ item: YAMLDocument.Index) -> FileList {
        guard let field = model[.files] else {
            if Self.fileKeys.allSatisfy({ model[$0] == nil }) {
                report(model.node, "this model has no files; add 'files', or 'url', 'size' and 'sha256' for one file")
            } else if let (file, marks) = readFile(model, item) {
                return FileList(files: [file], marks: [marks])
            }
            return FileList()
        }
        for key in Self.fileKeys {
            guard let other = model[key] else { continue }
            report(other.key, "'\(key.text)' and 'files' are both here; move '\(key.text)' into an item of 'files'")
        }
        let node = document.resolve(field.value)
        guard document.kind(node) == .sequence else {
            reportType(of: field.value, "'files' is a sequence: each file starts with '-'")
            return FileList()
        }
        if let known = sharedFiles[node] { return known }
        let list = readFiles(node)
        if document.hasAliases { sharedFiles[node] = list }
        return list
    }

    func readFiles(_ sequence: YAMLDocument.Index) -> FileList {
        let count = document.childCount(sequence)
        if count == 0 { report(sequence, "'files' has no items; add one, or remove the model") }
        var list = FileList()
        list.files.reserveCapacity(count)
        list.marks.reserveCapacity(count)
        let rest = takeParts(of: sequence, into: &list)
        forEachItem(sequence, from: rest) { item in
            guard let fields = fields(of: item, .file), let (file, marks) = readFile(fields, item) else { return }
            list.files.append(file)
            list.marks.append(marks)
        }
        return list
    }

    /// Reads what a mapping says of a file: an item of `files`, or a model of one file.
    ///
    /// - Parameters:
    ///   - fields: what the mapping has.
    ///   - item: the mapping as it is written in its sequence.
    /// - Returns: nil if anything is wrong, which is then reported.
    private func readFile(
        _ fields: MappingFields, _ item: YAMLDocument.Index
    ) -> (ModelFile, ManifestDraft.FileMarks)? {
        let size = readSize(fields)
        let digest = readDigest(fields)
        let sources = readSources(fields)
        let path = readPath(fields, sources: sources)
        guard let size, let digest, let sources, let path else { return nil }
        guard let digestField = fields[.sha256], let pathField = fields[.path] ?? fields[.url] ?? fields[.urls] else {
            return nil
        }
        let marks = ManifestDraft.FileMarks(
            path: place(of: pathField, in: item), digest: place(of: digestField, in: item))
        return (ModelFile(path: path, size: size, sha256: digest, sources: sources), marks)
    }

    private func readSize(_ fields: MappingFields) -> Int64? {
        guard let field = fields[.size] else {
            report(fields.node, "this \(fields.schema.noun) has no 'size'; add its bytes, like 'size: 84141911'")
            return nil
        }
        guard let node = scalar(field.value, "'size'", "a number") else { return nil }
        if let size = wholeNumber(node) { return size }
        let digits = document.bytes(node)
        let isWhole = !digits.isEmpty && digits.allSatisfy { (0x30...0x39).contains($0) }
        if !document.isPlain(node) && isWhole {
            report(node, "size is \(describe(node)); write it without quotes")
        } else if isWhole && digits.first != UInt8(ascii: "0") {
            report(node, "size is \(describe(node)); the largest is \(Int64.max)")
        } else {
            report(node, "size is \(describe(node)); write whole bytes in decimal, like 1000000000")
        }
        return nil
    }

    private func readDigest(_ fields: MappingFields) -> SHA256Digest? {
        guard let field = fields[.sha256] else {
            report(
                fields.node, "this \(fields.schema.noun) has no 'sha256'; add the 64 hex digits that sha256sum prints")
            return nil
        }
        guard let node = scalar(field.value, "'sha256'") else { return nil }
        do { return try SHA256Digest(hex: document.bytes(node).span) } catch {
            report(node, "sha256 \(quoted(document.string(node))): \(error.reason)")
            return nil
        }
    }
}
