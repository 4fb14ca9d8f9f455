/// What was taken out of a store, or would be.
public struct Cleaning: Sendable {
    /// A file that goes.
    public struct Item: Sendable, Hashable {
        /// Below the store's folder.
        public var path: String
        /// Bytes of disk that come free with it: 0 where it has another name.
        public var bytes: Int64

        /// The file and its room.
        public init(path: String, bytes: Int64) {
            self.path = path
            self.bytes = bytes
        }
    }

    /// Models whose views and records went.
    public var models: [ModelName] = []
    /// Views of those models.
    public var views: [Item] = []
    /// Blobs that nothing refers to.
    public var blobs: [Item] = []
    /// Unfinished downloads and what crashes left.
    public var partials: [Item] = []
    /// Old reports.
    public var reports: [Item] = []
    /// Bytes of blobs that nothing refers to any more, and that stay.
    public var bytesUnreferenced: Int64 = 0
    /// What is worth telling, and is no failure.
    public var notes: [String] = []

    /// Nothing yet.
    public init() {}

    /// Bytes of disk that came free, or would.
    public var bytesFreed: Int64 { (views + blobs + partials + reports).reduce(0) { $0 + $1.bytes } }

    /// Adds what another one took.
    public mutating func add(_ other: Cleaning) {
        models += other.models
        views += other.views
        blobs += other.blobs
        partials += other.partials
        reports += other.reports
        bytesUnreferenced += other.bytesUnreferenced
        notes += other.notes
    }

    /// One JSON document: what went, in numbers and path by path.
    public func json(store: String, isDryRun: Bool) -> [UInt8] {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("schema")
            writer.string("modelsync.cleaning/1")
            writer.key("store")
            writer.string(store)
            writer.key("dry_run")
            writer.bool(isDryRun)
            writer.key("models")
            writer.strings(models.map(\.text))
            for (key, items) in [("views", views), ("blobs", blobs), ("partials", partials), ("reports", reports)] {
                writer.key(key)
                write(items, to: &writer)
            }
            writer.key("bytes_freed")
            writer.integer(bytesFreed)
            writer.key("bytes_unreferenced")
            writer.integer(bytesUnreferenced)
            writer.key("notes")
            writer.strings(notes)
        }
        writer.newLine()
        return writer.bytes
    }

    private func write(_ items: [Item], to writer: inout JSONWriter) {
        writer.array { writer in
            for item in items {
                writer.newLine()
                writer.object { writer in
                    writer.key("path")
                    writer.string(item.path)
                    writer.key("bytes")
                    writer.integer(item.bytes)
                }
            }
        }
    }
}
