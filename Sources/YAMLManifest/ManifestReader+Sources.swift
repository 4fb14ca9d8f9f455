import SyncDomain

extension ManifestReader {
    /// - Returns: nil if there is no URL or one of them is wrong, which is then reported.
    func readSources(_ fields: MappingFields) -> [SourceURL]? {
        guard let (key, value) = sourceField(fields) else { return nil }
        let node = document.resolve(value)
        guard document.hasAliases else { return readSources(key, value) }
        if let known = sharedSources[node] { return known }
        let sources = readSources(key, value)
        if let sources { sharedSources[node] = sources }
        return sources
    }

    /// - Returns: the path as it is written, or the last component of the first URL. Nil if there is none that is valid,
    ///   which is reported unless it is the URL that is wrong.
    func readPath(_ fields: MappingFields, sources: [SourceURL]?) -> RelativePath? {
        guard let field = fields[.path] else { return sources.flatMap { defaultPath(fields, $0) } }
        guard let node = scalar(field.value, "'path'") else { return nil }
        let text = document.string(node)
        do { return try RelativePath(text) } catch {
            report(node, "path \(quoted(text)): \(error.reason)")
            return nil
        }
    }

    private func defaultPath(_ fields: MappingFields, _ sources: [SourceURL]) -> RelativePath? {
        let name = sources.first?.lastPathComponent ?? ""
        // A '%2F' in the URL is no folder of the model.
        if !name.utf8.contains(UInt8(ascii: "/")), let path = try? RelativePath(name) { return path }
        if let field = fields[.url] ?? fields[.urls] {
            report(document.resolve(field.value), "the URL does not end in a name that a file can have; add 'path'")
        }
        return nil
    }

    /// Picks `url` or `urls`; of a mapping and what is merged into it, the one that is nearer counts.
    private func sourceField(_ fields: MappingFields) -> (ManifestKey, YAMLDocument.Index)? {
        switch (fields[.url], fields[.urls]) {
        case (nil, nil):
            report(fields.node, "this \(fields.schema.noun) has no URL; add 'url', or 'urls' for several")
            return nil
        case (let one?, nil): return (.url, one.value)
        case (nil, let many?): return (.urls, many.value)
        case (let one?, let many?):
            if one.rank != many.rank { return one.rank < many.rank ? (.url, one.value) : (.urls, many.value) }
            let second = document.mark(one.key) < document.mark(many.key) ? many : one
            report(second.key, "'url' and 'urls' are both here; write all URLs under 'urls'")
            return nil
        }
    }

    private func readSources(_ key: ManifestKey, _ value: YAMLDocument.Index) -> [SourceURL]? {
        let node = document.resolve(value)
        if key == .url {
            guard document.kind(node) != .sequence else {
                report(node, "'url' is one URL; this is a sequence, so write 'urls'")
                return nil
            }
            return readURL(value, "'url'").map { [$0] }
        }
        guard document.kind(node) == .sequence else {
            reportType(of: value, "'urls' is a sequence of URLs, and 'url' is one")
            return nil
        }
        if document.childCount(node) == 0 {
            report(node, "'urls' has no items; add the URL that the file comes from")
            return nil
        }
        var sources: [SourceURL] = []
        sources.reserveCapacity(document.childCount(node))
        forEachItem(node) { item in
            if let url = readURL(item, "an item of 'urls'") { sources.append(url) }
        }
        return sources.count == document.childCount(node) ? sources : nil
    }

    /// The messages never quote the URL: it may hold a secret.
    private func readURL(_ value: YAMLDocument.Index, _ subject: String) -> SourceURL? {
        guard let node = scalar(value, subject) else { return nil }
        do { return try base.resolve(document.string(node)) } catch {
            report(node, error.reason)
            return nil
        }
    }
}
