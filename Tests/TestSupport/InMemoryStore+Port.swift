public import SyncDomain
import Synchronization

extension InMemoryStore {
    public func survey(
        _ manifest: Manifest, depth: VerifyDepth, progress: @escaping @Sendable (SurveyProgress) -> Void
    ) async throws(SyncError) -> Inventory {
        let (inventory, hashed) = try change(.survey, "", .survey(depth)) { state throws(SyncError) in
            var survey = InMemorySurvey(depth: depth)
            let models = try manifest.models.map { model throws(SyncError) in try survey.look(at: model, &state) }
            let inventory = Inventory(
                models: models, bytesFree: state.bytesFree, bytesVerified: survey.hashed.reduce(0, +))
            return (inventory, survey.hashed)
        }
        if !hashed.isEmpty { progress(.willHash(bytes: hashed.reduce(0, +))) }
        for bytes in hashed { progress(.hashed(bytes: bytes)) }
        if Task.isCancelled { throw .cancelled("looking at \(path)") }
        return inventory
    }

    public func ingest(_ digest: SHA256Digest, size: Int64) async throws(SyncError) -> IngestStart {
        try change(.ingest, digest.hex, .ingest(digest)) { state in
            if let (asks, bytes) = state.busy[digest] {
                if asks > 0 {
                    state.busy[digest] = (asks - 1, bytes)
                    return .busy
                }
                state.busy[digest] = nil
                if let bytes { state.blobs[digest] = File(bytes, isSealed: true) }
            }
            if state.isPresent(digest, size: size) { return .present }
            var partial = state.partials[digest] ?? Partial()
            if partial.isOpen { return .busy }
            if partial.bytes.count > Int(size) { partial = Partial() }
            if partial.bytes.isEmpty { partial.validated = nil }
            partial.isOpen = true
            state.partials[digest] = partial
            return .ready(InMemoryIngest(self, digest, size: size))
        }
    }

    public func adopt(_ path: RelativePath, of model: ModelName, as digest: SHA256Digest) async throws(SyncError) {
        try change(.adopt, digest.hex, .adopt(path.text, of: model, as: digest)) { state throws(SyncError) in
            guard let file = state.views[model]?[path.text] else {
                throw SyncError(.storeIO, "\(model)/\(path): there is no such file")
            }
            file.isSealed = true
            state.blobs[digest] = file
        }
    }

    public func reseal(_ digest: SHA256Digest) async {
        state.withLock { state in
            state.calls.append(.reseal(digest))
            state.blobs[digest]?.isSealed = true
        }
    }

    public func publish(_ model: Model) async throws(SyncError) -> [String] {
        try change(.publish, model.name.text, .publish(model.name)) { state throws(SyncError) in
            var folder = state.views[model.name] ?? [:]
            for file in state.records[model.name]?.files ?? [] { folder[file.path.text] = nil }
            for file in model.files { folder[file.path.text] = nil }
            state.views[model.name] = try Self.showing(model.files, of: model.name, in: folder, state)
            state.records[model.name] = model
            return []
        }
    }

    public func mend(_ files: [ModelFile], of model: ModelName) async throws(SyncError) -> [String] {
        try change(.mend, model.text, .mend(files.map(\.path.text), of: model)) { state throws(SyncError) in
            state.views[model] = try Self.showing(files, of: model, in: state.views[model] ?? [:], state)
            return []
        }
    }

    public func remove(_ model: ModelName) async throws(SyncError) -> Cleaning {
        try change(.remove, model.text, .remove(model)) { state in
            var cleaning = Cleaning()
            guard let record = state.records.removeValue(forKey: model) else { return cleaning }
            for file in record.files where state.views[model]?.removeValue(forKey: file.path.text) != nil {
                cleaning.views.append(Cleaning.Item(path: "models/\(model)/\(file.path)", bytes: 0))
            }
            cleaning.models = [model]
            return cleaning
        }
    }

    private static func showing(
        _ files: [ModelFile], of model: ModelName, in folder: [String: File], _ state: State
    ) throws(SyncError) -> [String: File] {
        var folder = folder
        for file in files {
            guard let blob = state.blobs[file.sha256] else {
                throw SyncError(.storeIO, "\(model)/\(file.path): its blob \(file.sha256) is not in the store")
            }
            let path = file.path.text
            guard !folder.keys.contains(where: { $0.hasPrefix(path + "/") || path.hasPrefix($0 + "/") }) else {
                throw SyncError(.storeIO, "\(model)/\(path): something else stands where the manifest has a file")
            }
            folder[path] = blob
        }
        return folder
    }

    public func viewPath(_ path: RelativePath, of model: ModelName) -> String { "\(self.path)/models/\(model)/\(path)" }

    public func save(report: [UInt8], runID: String) async throws(SyncError) {
        try change(.save, runID, .save(runID: runID)) { state in
            state.reports[runID] = report
            for old in state.reports.keys.sorted().dropLast(100) { state.reports[old] = nil }
        }
    }

    public func failedHosts() async -> Set<HostKey> { failed.withLock { $0 } }

    public func save(failedHosts: Set<HostKey>) async { failed.withLock { $0 = failedHosts } }
}

/// One look at the store.
private struct InMemorySurvey {
    typealias State = InMemoryStore.State
    let depth: VerifyDepth
    /// The sizes of what was hashed.
    var hashed: [Int64] = []
    private var known: [SHA256Digest: BlobState] = [:]

    init(depth: VerifyDepth) {
        self.depth = depth
    }

    mutating func look(at model: Model, _ state: inout State) throws(SyncError) -> ModelInventory {
        let (record, folder) = (state.records[model.name], state.views[model.name] ?? [:])
        let recorded = Dictionary((record?.files ?? []).map { ($0.path.text, $0) }) { first, _ in first }
        var inventory = ModelInventory(files: [], isRecordCurrent: record == model)
        for file in model.files {
            let blob = try blob(file, &state)
            var found = FileInventory(blob: blob, view: try view(file, folder[file.path.text], blob, state))
            found.recorded =
                recorded[file.path.text].map { $0.sha256 == file.sha256 ? .sameBytes : .otherBytes } ?? .unknown
            let partial = state.partials[file.sha256]?.bytes.count ?? 0
            if blob != .intact && partial <= file.size { found.partialBytes = Int64(partial) }
            inventory.files.append(found)
        }
        let wanted = Set(model.files.map(\.path.text))
        for path in folder.keys.sorted() where !wanted.contains(path) {
            if let file = recorded[path] {
                inventory.dropped.append(ExtraFile(path: path, size: file.size, sha256: file.sha256))
            } else {
                inventory.unmanaged.append(ExtraFile(path: path, size: Int64(folder[path]?.bytes.count ?? 0)))
            }
        }
        return inventory
    }

    private mutating func blob(_ file: ModelFile, _ state: inout State) throws(SyncError) -> BlobState {
        if let known = known[file.sha256] { return known }
        let found = try lookAtBlob(file, &state)
        known[file.sha256] = found
        return found
    }

    private mutating func lookAtBlob(_ file: ModelFile, _ state: inout State) throws(SyncError) -> BlobState {
        guard let blob = state.blobs[file.sha256] else { return .absent }
        guard blob.bytes.count == Int(file.size) else {
            return .damaged(.sizeMismatch, "has \(blob.bytes.count) of \(file.size) bytes")
        }
        if blob.isSealed && depth == .quick { return .intact }
        let got = try hash(blob.bytes)
        if got == file.sha256 { return blob.isSealed ? .intact : .unsealed }
        if blob.isSealed { state.rotten.insert(ObjectIdentifier(blob)) }
        return .damaged(.digestMismatch, "has wrong bytes (sha256 \(got))")
    }

    private mutating func view(
        _ file: ModelFile, _ view: InMemoryStore.File?, _ blob: BlobState, _ state: State
    ) throws(SyncError) -> ViewState {
        guard let view else { return .absent }
        if let blob = state.blobs[file.sha256], blob === view { return .current }
        guard blob != .intact, view.bytes.count == Int(file.size) else { return .other }
        return try hash(view.bytes) == file.sha256 ? .holdsBytes : .other
    }

    private mutating func hash(_ bytes: [UInt8]) throws(SyncError) -> SHA256Digest {
        hashed.append(Int64(bytes.count))
        return try Payload.digestOrError(bytes)
    }
}

/// See ``BlobIngest``.
private final class InMemoryIngest: BlobIngest {
    typealias State = InMemoryStore.State

    private let store: InMemoryStore
    private let digest: SHA256Digest
    private let size: Int64
    /// Whose bytes come next, and whether it has ended. Under the store's lock too: in its state by reference.
    private let own: Own

    /// Only used under the store's lock.
    private final class Own: @unchecked Sendable {
        var source: SourceURL?
        var isEnded = false
    }

    init(_ store: InMemoryStore, _ digest: SHA256Digest, size: Int64) {
        self.store = store
        self.digest = digest
        self.size = size
        own = Own()
    }

    var waitsInMemory: Bool { store.waitsInMemory }

    var byteCount: Int64 { store.state.withLock { Int64($0.partials[digest]?.bytes.count ?? 0) } }

    var missing: [Range<Int64>] { ByteRanges(0..<byteCount).missing(of: size) }

    func validator(for source: SourceURL) -> Validator? {
        store.state.withLock { state in
            guard let known = state.partials[digest]?.validated, known.source == source else { return nil }
            return known.validator
        }
    }

    func expect(from source: SourceURL) {
        store.state.withLock { state in
            state.calls.append(.expect(digest, source))
            own.source = source
        }
    }

    func begin(at offset: Int64, validator: Validator?) throws(SyncError) {
        try change(.begin, .begin(digest, offset: offset)) { partial throws(SyncError) in
            let count = Int64(partial.bytes.count)
            guard offset == 0 || offset == count else {
                throw SyncError(
                    .protocolViolation, "\(self.digest): bytes from \(offset) on were offered where \(count) are there")
            }
            let validated = self.own.source.flatMap { source in validator.map { (source: source, validator: $0) } }
            if offset == 0 {
                partial.bytes = []
                partial.validated = validated
            } else if partial.validated?.source != validated?.source
                || partial.validated?.validator != validated?.validator
            {
                partial.validated = nil
            }
        }
    }

    func write(_ bytes: RawSpan) throws(SyncError) {
        let copy = bytes.withUnsafeBytes { Array($0) }
        try change(.write, nil) { partial throws(SyncError) in
            guard partial.bytes.count + copy.count <= Int(self.size) else {
                throw SyncError(
                    .sizeMismatch, "\(self.digest): more than the \(self.size) bytes that it has were offered")
            }
            partial.bytes += copy
        }
    }

    func restart() throws(SyncError) {
        try change(.restart, .restart(digest)) { partial in
            partial.bytes = []
            partial.validated = nil
        }
    }

    func commit() async throws(SyncError) -> CommitResult {
        if Task.isCancelled { throw .cancelled(digest.hex) }
        let bytes = try change(.commit, .commit(digest)) { $0.bytes }
        let got = try Payload.digestOrError(bytes)
        guard got == digest, Int64(bytes.count) == size else { return .mismatch(got) }
        place(bytes, as: digest)
        return .committed
    }

    func keepUnreferenced(as digest: SHA256Digest) async throws(SyncError) {
        let bytes = try change(.keepUnreferenced, .keepUnreferenced(self.digest, as: digest)) { $0.bytes }
        guard try Payload.digestOrError(bytes) == digest else {
            throw SyncError(.storeIO, "\(self.digest): the bytes that are there have another digest than \(digest)")
        }
        place(bytes, as: digest)
    }

    func close() {
        store.state.withLock { state in
            state.calls.append(.close(digest))
            guard !own.isEnded else { return }
            own.isEnded = true
            state.partials[digest]?.isOpen = false
            if state.partials[digest]?.bytes.isEmpty == true { state.partials[digest] = nil }
        }
    }

    private func place(_ bytes: [UInt8], as digest: SHA256Digest) {
        store.state.withLock { state in
            own.isEnded = true
            state.partials[self.digest] = nil
            if !state.isPresent(digest, size: Int64(bytes.count)) {
                // Views of what is replaced are no longer taken for the blob.
                state.blobs[digest]?.isSealed = false
                state.blobs[digest] = InMemoryStore.File(bytes, isSealed: true)
            }
        }
    }

    private func change<Value: Sendable>(
        _ operation: InMemoryStore.Operation, _ call: InMemoryStore.Call?,
        _ body: (inout InMemoryStore.Partial) throws(SyncError) -> Value
    ) throws(SyncError) -> Value {
        try store.change(operation, digest.hex, call) { state throws(SyncError) in
            guard !self.own.isEnded, var partial = state.partials[self.digest] else {
                throw SyncError(.storeIO, "\(self.digest): this download has ended")
            }
            defer { state.partials[self.digest] = partial }
            return try body(&partial)
        }
    }
}
