extension ManifestDiff {
    /// The difference as docs/diff.schema.json describes it, UTF-8: one model a line. `old` and `new` are what was
    /// compared.
    public func json(old: [ManifestSource], new: [ManifestSource]) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string(Self.schema)
            writer.key("old")
            writer.manifests(old)
            writer.key("new")
            writer.manifests(new)
            writer.key("summary")
            writer.object { writer in
                for change in Change.allCases {
                    writer.key(change.rawValue)
                    writer.integer(counts[change] ?? 0)
                }
                writer.key("bytes_new")
                writer.integer(bytesNew)
            }
            writer.key("new_hosts")
            writer.strings(newHosts)
            writer.key("models")
            writer.array { writer in
                for model in models {
                    writer.newLine()
                    Self.write(model, to: &writer)
                }
            }
        }
        writer.newLine()
        return writer.bytes
    }

    private static func write(_ model: Entry, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("name")
            writer.string(model.name)
            writer.key("change")
            writer.string(model.change.rawValue)
            for (key, value) in [("version", \Model.version), ("license", \Model.license)] {
                writer.key(key)
                writer.pair(model) { writer, model in writer.stringOrNull(model?[keyPath: value]) }
            }
            writer.key("bytes")
            writer.pair(model) { writer, model in
                if let model { writer.integer(model.size) } else { writer.null() }
            }
            writer.key("changed_facts")
            writer.strings(model.changedFacts)
            writer.key("files")
            writer.array { writer in for file in model.files { write(file, to: &writer) } }
        }
    }

    private static func write(_ file: File, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("path")
            writer.string(file.path?.text ?? "")
            writer.key("change")
            writer.string(file.change.rawValue)
            for (key, entry) in [("before", file.before), ("after", file.after)] {
                writer.key(key)
                guard let entry else {
                    writer.null()
                    continue
                }
                writer.object { writer in
                    writer.key("size")
                    writer.integer(entry.size)
                    writer.key("sha256")
                    writer.digest(entry.sha256)
                    writer.key("sources")
                    writer.strings(entry.sources.map(\.redacted))
                }
            }
            writer.key("brings_code")
            writer.bool(file.bringsCode)
        }
    }
}

extension JSONWriter {
    /// `{"before": …, "after": …}`
    fileprivate mutating func pair(_ entry: ManifestDiff.Entry, _ value: (inout JSONWriter, Model?) -> Void) {
        object { writer in
            writer.key("before")
            value(&writer, entry.before)
            writer.key("after")
            value(&writer, entry.after)
        }
    }
}
