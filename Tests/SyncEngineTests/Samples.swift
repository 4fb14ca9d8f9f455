import SyncDomain

@testable import SyncEngine

/// A digest that is nobody's: 32 times the same byte.
func digest(_ byte: UInt8) throws -> SHA256Digest { try SHA256Digest(bytes: [UInt8](repeating: byte, count: 32)) }

/// A URL of a host; other hosts are other mirrors.
func source(_ path: String, host: String = "origin.example.org") throws -> SourceURL {
    try SourceURL("https://\(host)/\(path)")
}

/// A file that nobody fetches: its digest is 32 times `byte`.
func plannedFile(_ path: String, size: Int64 = 100, byte: UInt8, urls: [SourceURL]? = nil) throws -> ModelFile {
    ModelFile(path: try RelativePath(path), size: size, sha256: try digest(byte), sources: try urls ?? [source(path)])
}

func model(_ name: String, _ files: [ModelFile]) throws -> Model { Model(name: try ModelName(name), files: files) }

extension Planner {
    /// A plan for one model.
    static func plan(
        _ files: [ModelFile], _ states: [FileInventory], isRecordCurrent: Bool = false, dropped: [ExtraFile] = [],
        unmanaged: [ExtraFile] = []
    ) throws -> SyncPlan {
        plan(
            Manifest(applied: [try model("m/one", files)]),
            Inventory(
                models: [
                    ModelInventory(
                        files: states, isRecordCurrent: isRecordCurrent, dropped: dropped, unmanaged: unmanaged)
                ], bytesFree: 1 << 40))
    }
}
