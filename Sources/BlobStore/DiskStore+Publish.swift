public import SyncDomain
internal import SystemSupport

extension DiskStore {
    /// Builds the folder aside and puts it in place whole; one process at a time. What is not modelsync's is carried over.
    public func publish(_ model: Model) async throws(SyncError) -> [String] {
        try await published { () throws(PublishFailure) in
            if let note = try self.noteOfChange(of: model.name, unless: { $0 == model }) { return [note] }
            var publisher = try Publisher(self, model)
            try publisher.publish()
            return publisher.notes
        }
    }

    /// Replaces the views one by one, each at once; those that are current are left alone.
    public func mend(_ files: [ModelFile], of model: ModelName) async throws(SyncError) -> [String] {
        try await published { () throws(PublishFailure) in
            let note = try self.noteOfChange(of: model) { record in files.allSatisfy(record.files.contains) }
            if let note { return [note] }
            var publisher = try Publisher(self, Model(name: model, files: files))
            try publisher.mend()
            return publisher.notes
        }
    }

    /// Where a run is made from records: what to tell of a model whose record is another by now, or gone. To publish it would bring
    /// back what another process has replaced or removed. Under the publish lock.
    private func noteOfChange(
        of name: ModelName, unless isAsItWas: (Model) -> Bool
    ) throws(PublishFailure) -> String? {
        guard isOfRecords else { return nil }
        let bytes = try PublishFailure.mapping { () throws(SystemFailure) in try recordBytes(name) }
        if let record = bytes.flatMap({ try? ModelRecord.decode($0) }), isAsItWas(record) { return nil }
        return "\(name): another process has changed it since this run began; it is left as it is"
    }

    /// Links the view's file into `blobs/`, or copies it, and seals it.
    ///
    /// - Throws: `store.io` if the file was written to since the survey hashed it.
    public func adopt(_ path: RelativePath, of model: ModelName, as digest: SHA256Digest) async throws(SyncError) {
        try await published { () throws(PublishFailure) in
            try PublishFailure.mapping { () throws(SystemFailure) in
                let modelFolder = try self.folder(StoreLayout.models).folder(model.text)
                let folder = try modelFolder.folder(path.parent.map(String.init) ?? "")
                let partial = try self.folder(StoreLayout.partial)
                let blobs = try self.blobFolder(of: digest, isDurable: true)
                self.unsealIfRotten(digest)
                let (view, name) = (String(path.lastComponent), StoreLayout.temporaryName("adopt"))
                do throws(SystemFailure) {
                    try partial.placeCopy(of: view, in: folder, as: name)
                    guard self.isVerified(try folder.status(view), digest) else {
                        throw SystemFailure("adopt", "\(folder.full(view)) was changed while it was looked at", code: 5)
                    }
                    let file = try partial.file(name, .read)
                    try file.setMode(0o444 & self.modeMask)
                    self.setSeal(of: digest, on: file)
                    try file.synchronize()
                    try blobs.takeOver(name, from: partial, as: digest.hex)
                    try blobs.synchronize()
                } catch {
                    try? partial.removeFile(name)
                    throw error
                }
            }
        }
    }

    /// At once for readers: they see all of the model's files, or none.
    public func remove(_ model: ModelName) async throws(SyncError) -> Cleaning {
        guard exists else { return Cleaning() }
        return try await published { () throws(PublishFailure) in
            var publisher = try Publisher(self, Model(name: model, files: []))
            return try publisher.remove()
        }
    }

    /// Runs `body` while no other process publishes: a model's folder is changed by one at a time.
    private func published<Value: Sendable>(
        _ body: @escaping @Sendable () throws(PublishFailure) -> Value
    ) async throws(SyncError) -> Value {
        do throws(PublishFailure) {
            return try await pool.tryRun { () throws(PublishFailure) in
                let lock = try PublishFailure.mapping { () throws(SystemFailure) in
                    let lock = try self.folder(StoreLayout.locks).file(StoreLayout.publishLock, .readWriteCreate)
                    try lock.lock(exclusive: true)
                    return lock
                }
                defer { lock.unlock() }
                // A name in a model's folder must not outlive, in a power cut, the blob's own.
                self.commits.settle()
                return try body()
            }
        } catch {
            throw error.error
        }
    }
}

/// A failure of publishing: the system's, or something of the user's that stands in the way.
struct PublishFailure: Error {
    var error: SyncError

    static func mapping<Value>(_ body: () throws(SystemFailure) -> Value) throws(PublishFailure) -> Value {
        do throws(SystemFailure) { return try body() } catch { throw PublishFailure(error: error.storeError) }
    }

    static func inTheWay(_ path: String, _ what: String) -> PublishFailure {
        PublishFailure(
            error: SyncError(
                .storeIO, "\(path): \(what) stands where the manifest has a file; move it away and run again"))
    }
}

/// Makes one model's folder show its files. Under the publish lock.
struct Publisher {
    /// From so many on, one syncfs(2) costs less than an fsync(2) each.
    private static let manyFolders = 16
    private static let manyFiles = 1000

    private let store: DiskStore
    private let model: Model
    private let blobs: Folder
    private let partial: Folder
    private var copies = 0
    private(set) var notes: [String] = []

    init(_ store: DiskStore, _ model: Model) throws(PublishFailure) {
        self.store = store
        self.model = model
        (blobs, partial) = try PublishFailure.mapping { () throws(SystemFailure) in
            (try store.folder(StoreLayout.blobs), try store.folder(StoreLayout.partial))
        }
    }

    /// The model's whole set and its record.
    mutating func publish() throws(PublishFailure) {
        let (parent, name, record, announced) = try PublishFailure.mapping { () throws(SystemFailure) in
            let place = StoreLayout.modelFolder(model.name)
            let parent = try store.folder(StoreLayout.models).folder(place.parent, create: true)
            let record = try store.recordBytes(model.name).flatMap { try? ModelRecord.decode($0) }
            return (parent, place.name, record, try store.announced(model.name))
        }
        if let record, record.name != model.name {
            throw PublishFailure(
                error: SyncError(
                    .storeIO,
                    "\(model.name): this file system does not tell upper from lower case, and has \(record.name) in its place; "
                        + "remove that one first, or name this one otherwise"))
        }
        let exists = try PublishFailure.mapping { () throws(SystemFailure) in try parent.statusIfPresent(name) != nil }
        let isSameSet = exists && announced == nil && record.map { Self.set($0) == Self.set(model) } ?? false
        if isSameSet {
            try mend()
            try PublishFailure.mapping { () throws(SystemFailure) in try store.writeRecord(model) }
        } else {
            let left = announced.map { Self.left($0, in: parent, name) } ?? []
            let known = (record?.files.map(\.path.text) ?? []) + left
            do throws(PublishFailure) { try exchange(parent, name, known: known, exists: exists) } catch {
                // Where locks do nothing, another process may have shown the model meanwhile.
                guard !exists, (try? parent.status(name)) != nil else { throw error }
                try publish()
            }
        }
    }

    /// Of a publication that a crash ended, the paths that are shown: by their seal, for the user may have a file of
    /// such a name by now.
    private static func left(_ announced: Model, in parent: Folder, _ name: String) -> [String] {
        guard let folder = try? parent.folder(name) else { return [] }
        return announced.files.filter { Surveyor.isShown($0, in: folder) }.map(\.path.text)
    }

    private static func set(_ model: Model) -> [String: SHA256Digest] {
        Dictionary(model.files.map { ($0.path.text, $0.sha256) }) { first, _ in first }
    }

    /// Replaces single views, each at once, where the set does not change.
    mutating func mend() throws(PublishFailure) {
        let folder = try PublishFailure.mapping { () throws(SystemFailure) in
            try store.folder(StoreLayout.models).folder(model.name.text, create: true)
        }
        for file in model.files { try place(file, in: folder) }
        tellCopies()
    }

    /// The views go first, and then what tells whose they were: the other way round, a crash would leave files that are
    /// taken for the user's own.
    mutating func remove() throws(PublishFailure) -> Cleaning {
        let place = StoreLayout.modelFolder(model.name)
        let (parent, record, announced) = try PublishFailure.mapping { () throws(SystemFailure) in
            let record = try store.recordBytes(model.name).map { bytes throws(SystemFailure) in
                do { return try ModelRecord.decode(bytes) } catch {
                    throw SystemFailure("read", "\(StoreLayout.records)/\(model.name).json is damaged", code: 5)
                }
            }
            let parent = try store.folder(StoreLayout.models).folderIfPresent(place.parent)
            return (parent, record, try store.announced(model.name))
        }
        var cleaning = Cleaning()
        guard record != nil || announced != nil else { return cleaning }
        let folder = try PublishFailure.mapping { () throws(SystemFailure) in try parent?.folderIfPresent(place.name) }
        if let parent, let folder {
            let left = announced.map { Self.left($0, in: parent, place.name) } ?? []
            let known = (record?.files.map(\.path.text) ?? []) + left
            cleaning.views = try views(known, in: folder)
            try takeAway(parent, place.name, known)
        }
        try PublishFailure.mapping { () throws(SystemFailure) in
            try store.removeRecord(model.name)
            try store.folder(StoreLayout.models).removeEmpty(place.parent)
        }
        cleaning.models = [model.name]
        cleaning.notes = notes
        return cleaning
    }

    private func views(_ paths: [String], in folder: Folder) throws(PublishFailure) -> [Cleaning.Item] {
        try PublishFailure.mapping { () throws(SystemFailure) in
            var items: [Cleaning.Item] = []
            for path in paths {
                guard let status = try folder.statusIfPresent(path), status.kind != .directory else { continue }
                items.append(
                    Cleaning.Item(path: "\(StoreLayout.models)/\(model.name)/\(path)", bytes: status.freedBytes))
            }
            return items
        }
    }

    private mutating func takeAway(_ parent: Folder, _ name: String, _ known: [String]) throws(PublishFailure) {
        let managed = Set(known)
        let others = try PublishFailure.mapping { () throws(SystemFailure) in
            try parent.folder(name).files().filter { !managed.contains($0.path) }
        }
        guard others.isEmpty else {
            notes.append("\(model.name): files that no manifest knows stay in its folder (\(others.count))")
            return try exchange(parent, name, known: known, exists: true)
        }
        try PublishFailure.mapping { () throws(SystemFailure) in
            let temporary = StoreLayout.temporaryName("folder")
            try parent.renameNew(name, to: partial, temporary)
            try parent.synchronize()
            // What came into it since it was looked at is the user's.
            let old = try partial.folder(temporary)
            for file in try old.files() where !managed.contains(file.path) {
                try Carrier.move(file.path, from: old, to: try parent.folder(name, create: true))
            }
            try partial.removeTree(temporary)
        }
    }

    private mutating func place(_ file: ModelFile, in folder: Folder) throws(PublishFailure) {
        let name = String(file.path.lastComponent)
        let parent: Folder
        do throws(SystemFailure) {
            parent = try folder.folder(file.path.parent ?? "", create: true)
            let present = try parent.statusIfPresent(name)
            if let present, try isCurrent(present, file) { return }
            // An empty folder is nobody's; one that is not makes this throw.
            if present?.kind == .directory { try parent.removeFolder(name) }
        } catch {
            throw error.exists || error.code == 20
                ? .inTheWay(folder.full(file.path.text), "something else") : PublishFailure(error: error.storeError)
        }
        try PublishFailure.mapping { () throws(SystemFailure) in
            let temporary = StoreLayout.temporaryName("view")
            do throws(SystemFailure) {
                var linker = Linker(store)
                try linker.put(file, in: partial, as: temporary)
                copies += linker.copies
                try partial.rename(temporary, to: parent, name)
            } catch {
                try? partial.removeFile(temporary)
                throw error
            }
            try parent.synchronize()
        }
    }

    private func isCurrent(_ view: FileStatus, _ file: ModelFile) throws(SystemFailure) -> Bool {
        let blob = try blobs.status(StoreLayout.blobPath(file.sha256))
        return view.isSameFile(as: blob) || store.isTrusted(view, file.sha256, size: file.size)
    }

    /// Builds the new folder aside and puts it in place in one step, so that readers see one set or the other. `known`
    /// are the paths that the record has: what of them the manifest lacks goes with the old folder.
    private mutating func exchange(
        _ parent: Folder, _ name: String, known: [String], exists: Bool
    ) throws(PublishFailure) {
        let temporary = StoreLayout.temporaryName("folder")
        var isShown = false
        do {
            let staged = try PublishFailure.mapping { () throws(SystemFailure) in
                try partial.folder(temporary, create: true)
            }
            var carrier = Carrier(except: exists ? Set(known + model.files.map(\.path.text)) : [])
            try PublishFailure.mapping { () throws(SystemFailure) in
                if exists { try carrier.carry(from: try parent.folder(name), to: staged) }
            }
            try stage(in: staged)
            try PublishFailure.mapping { () throws(SystemFailure) in try store.announce(model) }
            try swap(temporary, parent, name, exists: exists)
            isShown = true
            try PublishFailure.mapping { () throws(SystemFailure) in try parent.synchronize() }
            try PublishFailure.mapping { () throws(SystemFailure) in try store.confirm(model) }
            try PublishFailure.mapping { () throws(SystemFailure) in
                guard exists else { return }
                try carrier.settle(from: try partial.folder(temporary), to: try parent.folder(name))
                try partial.removeTree(temporary)
            }
        } catch {
            // What was staged are links alone; the blobs and the old folder are as they were. Once the new set is shown, it is
            // the old folder that has the name, and what is in it may be somebody's.
            if !isShown { try? partial.removeTree(temporary) }
            throw error
        }
        tellCopies()
    }

    private mutating func stage(in staged: Folder) throws(PublishFailure) {
        let parents = model.files.map { $0.path.parent.map(String.init) ?? "" }
        let isMany = Set(parents).count >= Self.manyFolders
        var folders: [String: Folder] = [:]
        for (file, parent) in zip(model.files, parents) where folders[parent] == nil {
            folders[parent] = try inTheWay(file) { () throws(SystemFailure) in
                try staged.folder(parent, create: true, isDurable: !isMany)
            }
        }
        copies += try link(Array(zip(model.files, parents.compactMap { folders[$0] })).map { ($0, $1) })
        try PublishFailure.mapping { () throws(SystemFailure) in
            // The names must be on disk before the folder that holds them is put in place.
            if isMany { return try staged.synchronizeFileSystem() }
            for folder in folders.values { try folder.synchronize() }
            try staged.synchronize()
        }
    }

    /// Gives each file its name, on two threads where they are many: nothing else is left to do meanwhile.
    ///
    /// - Returns: how many had to be copied.
    private func link(_ places: [(file: ModelFile, folder: Folder)]) throws(PublishFailure) -> Int {
        let count = places.count >= Self.manyFiles ? 2 : 1
        let results = concurrently(count) { part in
            Result { () throws(PublishFailure) in
                var linker = Linker(store)
                for (file, folder) in places[places.count * part / count..<places.count * (part + 1) / count] {
                    try inTheWay(file) { () throws(SystemFailure) in
                        try linker.put(file, in: folder, as: String(file.path.lastComponent))
                    }
                }
                return linker.copies
            }
        }
        var copies = 0
        for result in results { copies += try result.get() }
        return copies
    }

    private func inTheWay<Value>(
        _ file: ModelFile, _ body: () throws(SystemFailure) -> Value
    ) throws(PublishFailure) -> Value {
        do throws(SystemFailure) { return try body() } catch {
            throw error.exists || error.code == 20
                ? .inTheWay("\(store.modelPath(model.name))/\(file.path)", "something that is not modelsync's")
                : PublishFailure(error: error.storeError)
        }
    }

    private mutating func swap(
        _ temporary: String, _ parent: Folder, _ name: String, exists: Bool
    ) throws(PublishFailure) {
        try PublishFailure.mapping { () throws(SystemFailure) in
            if exists {
                guard try parent.status(name).kind == .directory else {
                    throw SystemFailure("open", parent.full(name), code: 40)
                }
                do throws(SystemFailure) { try partial.exchange(temporary, with: parent, name) } catch {
                    guard error.isUnsupported else { throw error }
                    try partial.exchangeInSteps(temporary, with: parent, name)
                    notes.append(
                        "\(model.name): this file system can't exchange folders; for a moment readers found none")
                }
            } else {
                try partial.renameNew(temporary, to: parent, name)
            }
        }
    }

    private mutating func tellCopies() {
        guard copies > 0 else { return }
        notes.append(
            "\(model.name): this file system has no hard links; \(copies) files were copied, and take their space twice"
        )
    }
}
