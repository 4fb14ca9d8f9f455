public import SyncDomain

/// Reads manifests of version 1 with libyaml.
///
/// Any number of calls may run at once. Time and memory grow with the input alone, whatever it holds, and with what its
/// aliases stand for, up to ten million nodes.
public struct YAMLManifestDecoder: ManifestDecoding {
    private let partNodes: Int

    /// A decoder; calls share nothing.
    public init() {
        self.init(partNodes: YAMLPart.usualNodes)
    }

    /// - Parameter partNodes: how many nodes of a model's `files` are worth being read by another task meanwhile.
    package init(partNodes: Int) {
        self.partNodes = partNodes
    }

    /// Decodes a whole manifest.
    ///
    /// - Parameters:
    ///   - bytes: the whole document, UTF-8; any bytes are taken, and what is wrong with them is reported.
    ///   - path: as the user named it, for messages.
    ///   - base: what relative URLs are relative to.
    /// - Returns: everything that could be decoded, and everything that is wrong. An entry that something is wrong
    ///   with is not in the draft; of what is not YAML, and of another version of manifest, nothing is.
    public func decode(
        _ bytes: [UInt8], path: String, base: URLBase
    ) async -> (draft: ManifestDraft, issues: ManifestIssues) {
        let draft = ManifestDraft(path: path)
        return await withTaskGroup(of: FilePart?.self) { group in
            do throws(YAMLFailure) {
                let (document, issues) = try YAMLComposer.compose(bytes, path: path, partNodes: partNodes) { part in
                    group.addTask { Task.isCancelled ? nil : FilePart(reading: part, path: path, base: base) }
                }
                // What an alias, anywhere, stands for is told once: one reader must see it all.
                if document.hasAliases { group.cancelAll() }
                let reader = ManifestReader(document, draft: draft, issues: issues, base: base)
                for await part in group {
                    if let part, !document.hasAliases { reader.take(part) }
                }
                reader.readManifest()
                return (reader.draft, reader.issues)
            } catch {
                group.cancelAll()
                var issues = ManifestIssues()
                issues.add(path, error.mark, error.message)
                return (draft, issues)
            }
        }
    }
}
