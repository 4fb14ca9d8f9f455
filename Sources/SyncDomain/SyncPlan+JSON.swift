extension SyncPlan {
    /// The plan as docs/plan.schema.json describes it, UTF-8: one item a line. `store` is the folder that it was made
    /// for.
    public func json(store: String) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string(Self.schema)
            writer.key("manifests")
            writer.manifests(manifest.sources)
            writer.key("store")
            writer.string(store)
            writer.key("verify")
            writer.string(depth.rawValue)
            writer.key("summary")
            writeSummary(&writer)
            writer.key("items")
            writer.array { writer in
                for item in items {
                    writer.newLine()
                    write(item, to: &writer)
                }
            }
        }
        writer.newLine()
        return writer.bytes
    }

    private func writeSummary(_ writer: inout JSONWriter) {
        let counts = counts
        writer.object { writer in
            for action in PlanAction.allCases {
                writer.key(action.rawValue)
                writer.integer(counts[action] ?? 0)
            }
            writer.key("bytes_to_fetch")
            writer.integer(bytesToFetch)
            writer.key("bytes_free")
            writer.integer(bytesFree)
        }
    }

    private func write(_ item: PlanItem, to writer: inout JSONWriter) {
        let file = file(item)
        writer.object { writer in
            writer.key("model")
            writer.string(manifest.models[item.model].name.text)
            writer.key("path")
            writer.string(path(item))
            writer.key("action")
            writer.string(item.action.rawValue)
            writer.key("reason")
            writer.string(item.reason)
            writer.key("size")
            writer.integer(size(item))
            writer.key("sha256")
            if let digest = digest(item) { writer.digest(digest) } else { writer.null() }
            writer.key("bytes_to_fetch")
            writer.integer(item.bytesToFetch)
            writer.key("bytes_partial")
            writer.integer(item.bytesPartial)
            writer.key("sources")
            writer.array { writer in
                for source in file?.sources ?? [] { writer.string(source.redacted) }
            }
        }
    }

    /// Bytes of the file that an item is about.
    public func size(_ item: PlanItem) -> Int64 {
        switch item.target {
        case .file(let index): manifest.models[item.model].files[index].size
        case .dropped(let index): dropped[index].file.size
        }
    }

    /// The digest of the file that an item is about; nil where no record tells it.
    public func digest(_ item: PlanItem) -> SHA256Digest? {
        switch item.target {
        case .file(let index): manifest.models[item.model].files[index].sha256
        case .dropped(let index): dropped[index].file.sha256
        }
    }
}
