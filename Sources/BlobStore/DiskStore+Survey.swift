public import SyncDomain
internal import Synchronization
internal import SystemSupport

extension DiskStore {
    /// Looks at names and times, while the hash threads begin with what these leave open. A file that can't be read is damaged,
    /// and no failure.
    public func survey(
        _ manifest: Manifest, depth: VerifyDepth, progress: @escaping @Sendable (SurveyProgress) -> Void
    ) async throws(SyncError) -> Inventory {
        guard exists else {
            let free = try await blocking { () throws(SystemFailure) in try self.freeBytes() }
            let models = manifest.models.map { model in
                ModelInventory(files: Array(repeating: FileInventory(), count: model.files.count))
            }
            return Inventory(models: models, bytesFree: free)
        }
        let batch = hashes.batch()
        let hashed = { @Sendable (bytes: Int64) in progress(.hashed(bytes: bytes)) }
        do throws(SyncError) {
            let survey = try await blocking { () throws(SystemFailure) in
                guard let budget = self.budget, depth == .full else {
                    return try Surveyor(self, manifest, depth) { batch.add(self.job($0, hashed)) }.look()
                }
                // What was verified longest ago goes first: that is known when all has been looked at.
                var survey = try Surveyor(self, manifest, depth, trustsCopies: true) { _ in }.look()
                survey.questions = self.ration(survey.questions, budget)
                let first = survey.questions.firstIndex { $0.isBlob && $0.wasSealed }
                for (index, question) in survey.questions.enumerated() {
                    batch.add(self.job(question, isFirst: index == first, budget, hashed))
                }
                return survey
            }
            let total = survey.questions.reduce(0) { $0 + $1.size }
            // Of a budget of time nobody knows how far it reaches.
            if total > 0, depth == .quick || budget == nil || budget?.bytes != nil { progress(.willHash(bytes: total)) }
            let verdicts = await batch.digests()
            if Task.isCancelled {
                // Of one with no digest nobody knows whether it could not be read or had not its turn.
                for (question, verdict) in zip(survey.questions, verdicts) where verdict != nil {
                    remember(question, isRight: verdict == question.expected, depth)
                }
                throw .cancelled("looking at \(path)")
            }
            return settle(survey, manifest, verdicts, depth)
        } catch {
            batch.cancel()
            throw error
        }
    }

    private func settle(
        _ survey: Surveyor.Findings, _ manifest: Manifest, _ verdicts: [SHA256Digest?], _ depth: VerifyDepth
    ) -> Inventory {
        let skipped = Set(scrubbed.withLock { $0.skipped }.keys)
        var models = survey.models
        var verified: Int64 = 0
        for (question, verdict) in zip(survey.questions, verdicts) {
            // Its seal still says what it is.
            if question.isBlob, question.wasSealed, skipped.contains(question.expected) { continue }
            if verdict != nil { verified += question.size }
            let isRight = verdict == question.expected
            remember(question, isRight: isRight, depth)
            for place in question.places {
                if question.isBlob {
                    models[place.model].files[place.file].blob =
                        isRight ? (question.wasSealed ? .intact : .unsealed) : Self.damage(verdict)
                } else {
                    // A blob's question comes before those of its views: its state is settled here.
                    let isCopy = question.wasSealed && models[place.model].files[place.file].blob.isRight
                    models[place.model].files[place.file].view = isRight ? (isCopy ? .current : .holdsBytes) : .other
                }
            }
        }
        return Inventory(models: models, bytesFree: survey.bytesFree, bytesVerified: verified)
    }

    private func remember(_ question: Surveyor.Question, isRight: Bool, _ depth: VerifyDepth) {
        let (digest, status) = (question.expected, question.status)
        if question.isBlob, depth == .full { note(digest, isRight: isRight) }
        if isRight, !question.wasSealed || !question.isBlob {
            verified.withLock { $0[digest, default: []].append(status) }
        } else if !isRight, question.wasSealed {
            _ = rotten.withLock { $0[digest, default: []].insert(status.inode) }
            scrubbed.withLock { $0.rotten.append(question) }
        }
    }

    private static func damage(_ verdict: SHA256Digest?) -> BlobState {
        verdict.map { .damaged(.digestMismatch, "has wrong bytes (sha256 \($0))") }
            ?? .damaged(.storeIO, "can't be read")
    }

    /// Does nothing where the store can't be written, or where the blob was written to since it was hashed.
    public func reseal(_ digest: SHA256Digest) async {
        // A store that can't be written is verified each time instead: that is slower, and no failure.
        _ = try? await blocking { () throws(SystemFailure) in
            let file = try self.folder(StoreLayout.blobs).folder(StoreLayout.blobFolder(digest)).file(digest.hex, .read)
            // Written to since it was hashed: a seal would vouch for bytes that nobody has looked at.
            guard self.isVerified(try file.status(), digest) else { return }
            try? file.setMode(0o444 & self.modeMask)
            self.setSeal(of: digest, on: file)
        }
    }
}

/// The pass over names and times that comes before any hashing. On one thread; others look ahead for it.
struct Surveyor {
    struct Place {
        var model: Int
        var file: Int
    }

    /// A file that must be hashed to know what it is.
    struct Question: Sendable {
        var expected: SHA256Digest
        var size: Int64
        var isBlob: Bool
        var wasSealed: Bool
        /// As it was before it was hashed.
        var status: FileStatus
        var folder: Folder
        var path: String
        var places: [Place]

        func job(_ progress: @escaping @Sendable (Int64) -> Void) -> HashJob {
            let open = { @Sendable [folder, path] () throws(SystemFailure) in try folder.file(below: path) }
            return HashJob(size: size, open: open, progress: progress)
        }
    }

    struct Findings: Sendable {
        var models: [ModelInventory] = []
        var questions: [Question] = []
        var bytesFree: Int64 = 0
    }

    private struct Blob {
        var state: BlobState
        var status: FileStatus?
        var question: Int?
    }

    /// On a store of the network each look is a round trip.
    private static let helpers = 3

    private let store: DiskStore
    private let manifest: Manifest
    private let depth: VerifyDepth
    private let trustsCopies: Bool
    /// Told of each question as it comes up, in order.
    private let ask: (Question) -> Void
    private let blobs: Folder
    private let models: Folder
    private let glances: Glances
    private var piecesTaken = 0
    /// What is left of the piece that was taken last, the next file's at the end.
    private var ahead = Glances.Look(folder: nil, glances: [])
    /// Their status, and how many bytes of each are there.
    private var partials: [SHA256Digest: (status: FileStatus, count: Int64)] = [:]
    /// Of digests that more than one path may have.
    private var seen: [SHA256Digest: Blob] = [:]
    private var findings = Findings()
    /// Of the model being looked at: its paths that are there and no folder.
    private var viewFiles = 0

    init(
        _ store: DiskStore, _ manifest: Manifest, _ depth: VerifyDepth, trustsCopies: Bool = false,
        ask: @escaping (Question) -> Void
    ) throws(SystemFailure) {
        self.trustsCopies = trustsCopies || depth == .quick
        self.store = store
        self.manifest = manifest
        self.depth = depth
        self.ask = ask
        blobs = try Self.open(store, StoreLayout.blobs)
        models = try Self.open(store, StoreLayout.models)
        glances = Glances(manifest, blobs: blobs, models: models)
        if manifest.mayShareDigests { seen.reserveCapacity(manifest.models.reduce(0) { $0 + $1.files.count }) }
    }

    /// A folder of the layout that is not there yet is looked at as the store's own, in which its names are not.
    private static func open(_ store: DiskStore, _ name: String) throws(SystemFailure) -> Folder {
        do { return try store.folder(name) } catch {
            guard error.isNotFound, let root = store.root else { throw error }
            return root
        }
    }

    consuming func look() throws(SystemFailure) -> Findings {
        defer { glances.end() }
        for _ in 0..<min(Self.helpers, max(0, glances.pieceCount - 1)) {
            store.pool.submit { [glances] in glances.help() }
        }
        findings.bytesFree = try store.freeBytes()
        try lookAtPartials()
        for index in manifest.models.indices { try lookAtModel(index) }
        return findings
    }

    private mutating func lookAtPartials() throws(SystemFailure) {
        guard let folder = try? store.folder(StoreLayout.partial) else { return }
        for entry in try folder.entries() {
            guard let digest = StoreLayout.digest(ofPartial: entry.name),
                let status = try folder.statusIfPresent(entry.name), status.kind == .regular
            else { continue }
            let journal = try? folder.file(StoreLayout.journalFile(digest), .read).readAll(limit: 1 << 20)
            let present = journal.flatMap(PartialJournal.decode)?.present(in: status.size).count
            partials[digest] = (status, present ?? status.size)
        }
    }

    /// Bytes that a download would go on from: what is too long is started anew.
    private func partialBytes(_ file: ModelFile) -> Int64 {
        guard let partial = partials[file.sha256], partial.status.size <= file.size else { return 0 }
        return partial.count
    }

    private mutating func lookAtModel(_ index: Int) throws(SystemFailure) {
        let model = manifest.models[index]
        let recordBytes = try store.recordBytes(model.name)
        let announced = try store.announced(model.name)
        let isCurrent = announced == nil && recordBytes.map { $0 == ModelRecord.encode(model) } ?? false
        let record = isCurrent ? model : recordBytes.flatMap { try? ModelRecord.decode($0) }
        var recorded: [String: SHA256Digest] = [:]
        if !isCurrent { for file in record?.files ?? [] { recorded[file.path.text] = file.sha256 } }
        // A link in its place is told when it would be written through; to look, nothing of the model is there.
        let folder = try? models.folder(model.name.text)
        // Now, while the helpers look ahead: after the last look they would stand idle. What another process adds meanwhile may
        // hide a file that is not ours from this report, and from nothing else.
        let filesInFolder = try folder.map { folder throws(SystemFailure) in try Self.count(in: folder) } ?? 0
        var inventory = ModelInventory(files: [], isRecordCurrent: isCurrent)
        inventory.files.reserveCapacity(model.files.count)
        viewFiles = 0
        for (position, file) in model.files.enumerated() {
            var state = try lookAtFile(file, at: Place(model: index, file: position))
            if isCurrent {
                state.recorded = .sameBytes
            } else if let digest = recorded.removeValue(forKey: file.path.text) {
                state.recorded = digest == file.sha256 ? .sameBytes : .otherBytes
            }
            inventory.files.append(state)
        }
        if let folder {
            for file in record?.files ?? [] where recorded[file.path.text] != nil {
                guard let status = try folder.statusIfPresent(file.path.text), status.kind != .directory else {
                    continue
                }
                inventory.dropped.append(ExtraFile(path: file.path.text, size: file.size, sha256: file.sha256))
            }
            if let announced { inventory.dropped += leftovers(of: announced, in: folder, model, recorded) }
            if filesInFolder > viewFiles + inventory.dropped.count {
                inventory.unmanaged = try unmanaged(in: folder, model, inventory.dropped)
            }
        }
        findings.models.append(inventory)
    }

    /// What a publication that a crash ended has shown, and neither the manifest nor the record has.
    private func leftovers(
        of announced: Model, in folder: Folder, _ model: Model, _ recorded: [String: SHA256Digest]
    ) -> [ExtraFile] {
        let wanted = Set(model.files.map(\.path.text))
        return announced.files
            .filter { !wanted.contains($0.path.text) && recorded[$0.path.text] == nil && Self.isShown($0, in: folder) }
            .map { ExtraFile(path: $0.path.text, size: $0.size, sha256: $0.sha256) }
    }

    /// Whether the folder has that file of ours, untouched.
    static func isShown(_ file: ModelFile, in folder: Folder) -> Bool {
        guard let status = try? folder.status(file.path.text) else { return false }
        return Seal.isIntact(status, file.sha256, size: file.size)
    }

    private mutating func lookAtFile(
        _ file: ModelFile, at place: Place
    ) throws(SystemFailure) -> FileInventory {
        let glance = try nextGlance()
        let blob = lookAtBlob(file, glance.blob, at: place)
        var state = FileInventory(blob: blob.state, partialBytes: 0)
        if blob.state != .intact { state.partialBytes = partialBytes(file) }
        // What is hashed is to be what was looked at, in whatever folder has the model's name by then.
        guard let folder = ahead.folder, let view = glance.view else { return state }
        if view.kind != .directory { viewFiles += 1 }
        if let status = blob.status, view.isSameFile(as: status) {
            state.view = .current
        } else if trustsCopies, Seal.isIntact(view, file.sha256, size: file.size), blob.state == .intact {
            // A copy, where links can't be or were lost: trusted by its own seal.
            state.view = .current
        } else if view.kind == .regular, view.size == file.size,
            blob.state != .intact || blob.question != nil || !trustsCopies
        {
            state.view = .other
            add(
                Question(
                    expected: file.sha256, size: file.size, isBlob: false,
                    wasSealed: Seal.isIntact(view, file.sha256, size: file.size), status: view, folder: folder,
                    path: file.path.text, places: [place]))
        } else {
            state.view = .other
        }
        return state
    }

    private mutating func nextGlance() throws(SystemFailure) -> Glances.Glance {
        if ahead.glances.isEmpty {
            ahead = try glances.take(piecesTaken)
            ahead.glances.reverse()
            piecesTaken += 1
        }
        return ahead.glances.removeLast()
    }

    private mutating func lookAtBlob(_ file: ModelFile, _ status: FileStatus?, at place: Place) -> Blob {
        if manifest.mayShareDigests, let known = seen[file.sha256] {
            if let question = known.question { findings.questions[question].places.append(place) }
            return known
        }
        var blob = Blob(state: .absent, status: status)
        if let status {
            let isSealed = Seal.isIntact(status, file.sha256, size: file.size)
            if status.kind != .regular {
                blob.state = .damaged(.storeIO, status.kind == .directory ? "is a folder" : "is not a regular file")
            } else if status.size != file.size {
                blob.state = .damaged(.sizeMismatch, "has \(status.size) of \(file.size) bytes")
            } else if isSealed && depth == .quick {
                blob.state = .intact
            } else {
                // Until the hash tells: `intact` for a whole seal, so that views of it count as current.
                blob.state = isSealed ? .intact : .unsealed
                blob.question = findings.questions.count
                add(
                    Question(
                        expected: file.sha256, size: file.size, isBlob: true, wasSealed: isSealed, status: status,
                        folder: blobs, path: StoreLayout.blobPath(file.sha256),
                        places: [place]))
            }
        }
        if blob.state != .intact, let partial = partials[file.sha256] {
            // Room that a killed download has reserved is there for the rest of it.
            findings.bytesFree += max(0, partial.status.allocated - partial.count)
        }
        if manifest.mayShareDigests { seen[file.sha256] = blob }
        return blob
    }

    private mutating func add(_ question: Question) {
        findings.questions.append(question)
        ask(question)
    }

    /// How many files are there, or things that can't be files of a manifest: names are only looked at where that is more than
    /// are known.
    private static func count(in folder: Folder) throws(SystemFailure) -> Int {
        var count = 0
        var folders = [folder]
        while let next = folders.popLast() {
            let census = try next.census()
            count += census.files
            for name in census.folders {
                if name.isExactName { folders.append(try next.folder(name)) } else { count += 1 }
            }
        }
        return count
    }

    private func unmanaged(
        in folder: Folder, _ model: Model, _ dropped: [ExtraFile]
    ) throws(SystemFailure) -> [ExtraFile] {
        let names = Set(model.files.map(\.path.text) + dropped.map(\.path))
        return try folder.files().filter { !names.contains($0.path) }
            .map { ExtraFile(path: $0.path, size: $0.size) }.sorted { $0.path < $1.path }
    }
}

extension String {
    /// Whether it is the name that the file system has: of a name that is no UTF-8, bytes were replaced as it was read.
    var isExactName: Bool { !unicodeScalars.contains("\u{FFFD}") }
}

extension Folder {
    /// All files below, of any kind but folders, with their path from here.
    func files(under prefix: String = "") throws(SystemFailure) -> [(path: String, size: Int64)] {
        var out: [(path: String, size: Int64)] = []
        for entry in try entries() {
            if !entry.name.isExactName {
                out.append((prefix + entry.name, 0))
            } else if entry.kind == .directory {
                out += try folder(entry.name).files(under: prefix + entry.name + "/")
            } else if let status = try statusIfPresent(entry.name) {
                out.append((prefix + entry.name, status.size))
            }
        }
        return out
    }
}
