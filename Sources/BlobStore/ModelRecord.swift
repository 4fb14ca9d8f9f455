internal import FoundationEssentials
internal import SyncDomain
internal import SystemSupport

/// A manifest entry as it was applied: what `list`, `show`, `path` and `verify` work from with no manifest.
enum ModelRecord {
    static let schema = "modelsync.record/1"

    /// The same model gives the same bytes, so that one comparison tells whether a record is current.
    static func encode(_ model: Model) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string(schema)
            writer.key("name")
            writer.string(model.name.text)
            for (key, value) in model.facts {
                guard let value else { continue }
                writer.key(key)
                writer.string(value)
            }
            writer.key("tags")
            writer.strings(model.tags)
            writer.key("files")
            writer.array { writer in
                for file in model.files {
                    writer.newLine()
                    write(file, to: &writer)
                }
            }
        }
        writer.newLine()
        return writer.bytes
    }

    private static func write(_ file: ModelFile, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.key("path")
            writer.string(file.path.text)
            writer.key("size")
            writer.integer(file.size)
            writer.key("sha256")
            writer.digest(file.sha256)
            writer.key("urls")
            writer.array { writer in
                for source in file.sources { writer.string(source.text) }
            }
        }
    }

    private struct Stored: Decodable {
        struct File: Decodable {
            var path: String
            var size: Int64
            var sha256: String
            var urls: [String]
        }

        var schema: String
        var name: String
        var version: String?
        var description: String?
        var license: String?
        var homepage: String?
        var tags: [String]
        var files: [File]
    }

    /// - Throws: ``InvalidValue`` if the bytes are no record of this program.
    static func decode(_ bytes: [UInt8]) throws(InvalidValue) -> Model {
        guard let stored = try? JSONDecoder().decode(Stored.self, from: Data(bytes)), stored.schema == schema else {
            throw InvalidValue("not a record of schema \(schema)")
        }
        var model = Model(
            name: try ModelName(stored.name), version: stored.version, description: stored.description,
            license: stored.license, homepage: stored.homepage, tags: stored.tags)
        for file in stored.files {
            var sources: [SourceURL] = []
            for url in file.urls { sources.append(try SourceURL(url)) }
            guard file.size >= 0 else { throw InvalidValue("a record with a negative size") }
            model.files.append(
                ModelFile(
                    path: try RelativePath(file.path), size: file.size, sha256: try SHA256Digest(hex: file.sha256),
                    sources: sources))
        }
        return model
    }
}

/// `partial/<digest>.journal`: what can't be seen in the bytes of a partial.
struct PartialJournal: Codable {
    /// Of the source's URL: the URL itself may hold secrets.
    var sourceSHA256: String?
    var entityTag: String?
    /// First and past-the-end offsets of what is there; nil where that is all up to the end of the file.
    var ranges: [[Int64]]?

    private enum CodingKeys: String, CodingKey {
        case sourceSHA256 = "source_sha256"
        case entityTag = "etag"
        case ranges
    }

    /// Nil if there is nothing to tell.
    init?(_ sourceSHA256: SHA256Digest?, _ validator: Validator?, _ present: ByteRanges?) {
        if validator == nil && present == nil { return nil }
        self.sourceSHA256 = sourceSHA256?.hex
        entityTag = validator?.entityTag
        ranges = present?.ranges.map { [$0.lowerBound, $0.upperBound] }
    }

    var encoded: [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            if let sourceSHA256, let entityTag {
                writer.key("source_sha256")
                writer.string(sourceSHA256)
                writer.key("etag")
                writer.string(entityTag)
            }
            guard let ranges else { return }
            writer.key("ranges")
            writer.array { writer in
                for range in ranges { writer.array { writer in for bound in range { writer.integer(bound) } } }
            }
        }
        return writer.bytes
    }

    /// Nil for what can't be read: the bytes are then continued without a validator, and the digest decides.
    static func decode(_ bytes: [UInt8]) -> PartialJournal? {
        try? JSONDecoder().decode(PartialJournal.self, from: Data(bytes))
    }

    var validated: (sourceSHA256: SHA256Digest, validator: Validator)? {
        guard let source = sourceSHA256.flatMap({ try? SHA256Digest(hex: $0) }),
            let validator = entityTag.flatMap(Validator.init(entityTag:))
        else { return nil }
        return (source, validator)
    }

    /// What is there of a file of that length: a crash may have kept the journal's last word and lost bytes.
    func present(in length: Int64) -> ByteRanges {
        guard let ranges else { return ByteRanges(0..<length) }
        var present = ByteRanges()
        for bounds in ranges where bounds.count == 2 && 0 <= bounds[0] && bounds[0] < min(bounds[1], length) {
            present.insert(bounds[0]..<min(bounds[1], length))
        }
        return present
    }
}

extension StoreVersion {
    private struct Stored: Decodable {
        var layout: Int
    }

    /// Nil for what is no such file.
    static func decode(_ bytes: [UInt8]) -> Int? {
        (try? JSONDecoder().decode(Stored.self, from: Data(bytes)))?.layout
    }
}
