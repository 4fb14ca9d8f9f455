public import SyncDomain
internal import SystemSupport

extension DiskStore {
    /// The models that were applied to this store, by name. Nothing is read but the records.
    ///
    /// - Throws: `store.io` for a record that can't be read, naming it.
    public func records() async throws(SyncError) -> [Model] {
        guard exists else { return [] }
        let found = try await blocking { () throws(SystemFailure) -> [(String, [UInt8])] in
            var out: [(String, [UInt8])] = []
            try Self.collect(try self.folder(StoreLayout.records), into: &out)
            return out
        }
        var models: [Model] = []
        for (path, bytes) in found { models.append(try Self.decode(bytes, at: path)) }
        return models.sorted { $0.name < $1.name }
    }

    /// The record of one model; nil where there is none.
    public func record(_ name: ModelName) async throws(SyncError) -> Model? {
        guard exists else { return nil }
        let found = try await blocking { () throws(SystemFailure) -> [UInt8]? in try self.recordBytes(name) }
        guard let found else { return nil }
        return try Self.decode(found, at: "\(path)/\(StoreLayout.records)/\(name).json")
    }

    func recordBytes(_ name: ModelName) throws(SystemFailure) -> [UInt8]? {
        let place = StoreLayout.record(name)
        do {
            return try folder(StoreLayout.records).folder(place.folder).file(place.file, .read).readAll()
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    func writeRecord(_ model: Model) throws(SystemFailure) {
        let place = StoreLayout.record(model.name)
        let folder = try folder(StoreLayout.records).folder(place.folder, create: true)
        try folder.replace(place.file, with: ModelRecord.encode(model))
    }

    /// Writes down what will be shown. After a crash the model's folder may show it while the record speaks of the set
    /// before: then its files would be taken for the user's own, and stay.
    func announce(_ model: Model) throws(SystemFailure) {
        let place = StoreLayout.record(model.name)
        let folder = try folder(StoreLayout.records).folder(place.folder, create: true)
        try folder.replace(StoreLayout.announcement(place.file), with: ModelRecord.encode(model))
    }

    /// Makes what was announced the record, once it is shown.
    func confirm(_ model: Model) throws(SystemFailure) {
        let place = StoreLayout.record(model.name)
        let folder = try folder(StoreLayout.records).folder(place.folder)
        do throws(SystemFailure) {
            try folder.rename(StoreLayout.announcement(place.file), to: folder, place.file)
        } catch {
            // Where locks do nothing, another process may have made it its record: this one's comes after.
            guard error.isNotFound else { throw error }
            return try writeRecord(model)
        }
        try folder.synchronize()
    }

    /// What a publication was about to show, or has shown, when a crash ended it; nil where none was.
    func announced(_ name: ModelName) throws(SystemFailure) -> Model? {
        let place = StoreLayout.record(name)
        do {
            let file = try folder(StoreLayout.records).folder(place.folder)
                .file(StoreLayout.announcement(place.file), .read)
            return try? ModelRecord.decode(try file.readAll())
        } catch {
            guard error.isNotFound else { throw error }
            return nil
        }
    }

    func removeRecord(_ name: ModelName) throws(SystemFailure) {
        let place = StoreLayout.record(name)
        let records = try folder(StoreLayout.records)
        guard let folder = try? records.folder(place.folder) else { return }
        for name in [StoreLayout.announcement(place.file), place.file] {
            do throws(SystemFailure) { try folder.removeFile(name) } catch { if !error.isNotFound { throw error } }
        }
        try folder.synchronize()
        try records.removeEmpty(place.folder)
    }

    /// The names of all models of which there is a record, or what a publication that a crash ended left. No record is read.
    public func names() async throws(SyncError) -> Set<ModelName> {
        guard exists else { return [] }
        return try await blocking { () throws(SystemFailure) in try self.recordedNames() }
    }

    /// The names of all models that have a record, or an announcement of one. No record is read.
    func recordedNames() throws(SystemFailure) -> Set<ModelName> {
        var names: Set<ModelName> = []
        try Self.collectNames(try folder(StoreLayout.records), [], into: &names)
        return names
    }

    private static func collectNames(
        _ folder: Folder, _ above: [String], into names: inout Set<ModelName>
    ) throws(SystemFailure) {
        for entry in try folder.entries() {
            if entry.kind == .directory {
                try collectNames(try folder.folder(entry.name), above + [entry.name], into: &names)
            } else if let name = StoreLayout.model(ofRecord: entry.name, in: above) {
                names.insert(name)
            }
        }
    }

    private static func collect(_ folder: Folder, into out: inout [(String, [UInt8])]) throws(SystemFailure) {
        for entry in try folder.entries() {
            if entry.kind == .directory {
                try collect(try folder.folder(entry.name), into: &out)
            } else if entry.kind == .regular, entry.name.hasSuffix(".json"), !entry.name.hasPrefix(".") {
                out.append((folder.full(entry.name), try folder.file(entry.name, .read).readAll()))
            }
        }
    }

    private static func decode(_ bytes: [UInt8], at path: String) throws(SyncError) -> Model {
        do throws(InvalidValue) { return try ModelRecord.decode(bytes) } catch {
            throw SyncError(.storeIO, "\(path): \(error.reason); apply its manifest again to write it anew")
        }
    }

    /// The absolute path of a report that is kept.
    public func reportPath(_ runID: String) -> String { "\(path)/\(StoreLayout.runs)/\(runID).json" }

    /// Writes it to `runs/` under the run's id. Of more than 100 the first by name, which are the oldest, go.
    public func save(report: [UInt8], runID: String) async throws(SyncError) {
        try await blocking { () throws(SystemFailure) in
            let runs = try self.folder(StoreLayout.runs)
            // A crash may lose the report of the run that it ended; it must not cost each run two fsyncs.
            try runs.replace(runID + ".json", with: report, isDurable: false)
            let names = try runs.entries().map(\.name).filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.sorted()
            for name in names.dropLast(StoreLayout.keptRuns) { try? runs.removeFile(name) }
        }
    }

    /// A host a line, in `runs/failed-hosts`.
    public func failedHosts() async -> Set<HostKey> {
        await pool.run { [self] in
            guard let file = try? folder(StoreLayout.runs).file(StoreLayout.failedHosts, .read),
                let bytes = try? file.readAll(limit: 1 << 20)
            else { return [] }
            return Set(
                bytes.split(separator: UInt8(ascii: "\n")).compactMap {
                    try? HostKey(String(decoding: $0, as: UTF8.self))
                })
        }
    }

    /// Replaces the file whole.
    public func save(failedHosts: Set<HostKey>) async {
        let text = failedHosts.map { "\($0)\n" }.sorted().joined()
        await pool.run { [self] in
            guard let runs = try? folder(StoreLayout.runs) else { return }
            if text.isEmpty {
                try? runs.removeFile(StoreLayout.failedHosts)
            } else {
                try? runs.replace(StoreLayout.failedHosts, with: Array(text.utf8), isDurable: false)
            }
        }
    }
}
