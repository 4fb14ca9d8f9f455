public import SyncDomain
internal import SystemSupport

/// What somebody asks of a run.
public struct CancelRequest: Sendable, Hashable {
    /// What the answer names it by.
    public var id: String
    /// Nil for all.
    public var models: [ModelName]?
}

/// How a request is doing.
public enum CancelReply: Sendable, Hashable {
    case pending
    case answered([ModelName])
    /// The run ended without an answer.
    case ended
}

/// A run's own entry among those that the store tells of. It blocks: for one thread at a time.
public final class ActiveEntry: Sendable {
    private let folder: Folder
    private let id: String
    private let owner: FileStatus
    /// Locked as long as the run lives: the kernel drops that with the process.
    private let lock: OpenFile

    fileprivate init(_ folder: Folder, _ id: String, owner: FileStatus) throws(SystemFailure) {
        self.folder = folder
        self.id = id
        self.owner = owner
        // Whoever finds the name finds it locked: a free one is a dead run's, and goes.
        let temporary = StoreLayout.activeLockBegun(id)
        lock = try folder.file(temporary, .createNew, mode: 0o600)
        try lock.give(toOwnerOf: owner)
        _ = try lock.tryLock(exclusive: true)
        try folder.rename(temporary, to: folder, StoreLayout.activeLock(id))
    }

    /// Replaces what is told of the run.
    public func write(_ run: ActiveRun) throws(SyncError) {
        do throws(SystemFailure) {
            try folder.put(ActiveRecord.encode(run), as: StoreLayout.activeStatus(id), owner: owner)
        } catch {
            throw error.storeError
        }
    }

    /// What was asked since the last call. What can't be read is nothing.
    public func takeRequests() -> [CancelRequest] {
        names("cancel").compactMap { name, request in
            let bytes = try? folder.file(name, .read).readAll(limit: ActiveRecord.limit)
            try? folder.removeFile(name)
            return bytes.flatMap { ActiveRecord.decodeModels($0) }.map { CancelRequest(id: request, models: $0) }
        }
    }

    /// Tells what was cancelled for a request. One who can't be told is told by the end of the run.
    public func answer(_ request: CancelRequest, _ models: [ModelName]) {
        try? folder.put(
            ActiveRecord.encode(models), as: StoreLayout.activeRequest(request.id, of: id, "answer"), owner: owner)
    }

    /// Whether somebody has still to read an answer.
    public var isAwaited: Bool { !names("answer").isEmpty }

    private func names(_ kind: String) -> [(name: String, request: String)] {
        ((try? folder.entries()) ?? []).compactMap { entry in
            StoreLayout.request(entry.name, of: id, kind).map { (entry.name, $0) }
        }
    }

    /// Takes the entry out: the run fetches nothing any more.
    public func end() { ActiveFolder.remove(id, in: folder) }
}

extension Folder {
    /// Replaces a file whole; made by root, it is the store's owner's all the same.
    fileprivate func put(_ bytes: [UInt8], as name: String, owner: FileStatus) throws(SystemFailure) {
        let temporary = ".\(name).tmp"
        // What a failure left.
        try? removeFile(temporary)
        let file = try file(temporary, .createNew, mode: 0o600)
        try file.give(toOwnerOf: owner)
        unsafe try file.write(bytes.span.bytes, at: 0)
        try rename(temporary, to: self, name)
    }
}

extension DiskStore {
    /// Makes the entry of a run. Blocks.
    ///
    /// - Throws: `store.permission` where this user is not the store's owner; the store's failures.
    public func beginActivity(runID: String) throws(SyncError) -> ActiveEntry {
        do throws(SystemFailure) {
            guard let root, let active = try ActiveFolder(root, create: true) else {
                throw SystemFailure("open", path, code: Self.notFound)
            }
            return try ActiveEntry(active.folder, runID, owner: active.owner)
        } catch {
            throw notOwner(error)
        }
    }

    /// The runs that live. What is left of dead ones is taken out, where that can be.
    ///
    /// - Parameters:
    ///   - host: this machine, as runs on it name it.
    ///   - now: the present, in seconds since 1970.
    /// - Returns: they, in order of their ids.
    /// - Throws: `store.permission` where this user is not the store's owner; the store's failures.
    public func activeRuns(host: String, now: Int64) async throws(SyncError) -> [ActiveRun] {
        try await inActive { active throws(SystemFailure) in
            try active?.ids().compactMap { id in
                switch active?.life(of: id, host: host, now: now) {
                case .lives(let run): return run
                case .dead:
                    active.map { ActiveFolder.remove(id, in: $0.folder) }
                    return nil
                case .silent, nil: return nil
                }
            } ?? []
        }
    }

    /// Asks a run to cancel models, or all with nil.
    ///
    /// - Returns: the request's id.
    /// - Throws: the store's failures.
    public func requestCancel(_ models: [ModelName]?, of runID: String) async throws(SyncError) -> String {
        let request = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        return try await inActive { active throws(SystemFailure) in
            guard let active else { return request }
            try active.folder.put(
                ActiveRecord.encode(models), as: StoreLayout.activeRequest(request, of: runID, "cancel"),
                owner: active.owner)
            return request
        }
    }

    /// What became of a request.
    ///
    /// - Throws: the store's failures.
    public func reply(
        to request: String, of runID: String, host: String, now: Int64
    ) async throws(SyncError) -> CancelReply {
        try await inActive { active throws(SystemFailure) in
            guard let active else { return .ended }
            let name = StoreLayout.activeRequest(request, of: runID, "answer")
            if let bytes = try? active.folder.file(name, .read).readAll(limit: ActiveRecord.limit),
                let models = ActiveRecord.decodeModels(bytes)
            {
                try active.folder.removeFile(name)
                return .answered(models ?? [])
            }
            if case .dead = active.life(of: runID, host: host, now: now) { return .ended }
            return .pending
        }
    }

    /// Takes back a request that nobody has read.
    public func withdraw(_ request: String, of runID: String) async {
        try? await inActive { active throws(SystemFailure) in
            try? active?.folder.removeFile(StoreLayout.activeRequest(request, of: runID, "cancel"))
        }
    }

    private func inActive<Value: Sendable>(
        _ work: @escaping @Sendable (ActiveFolder?) throws(SystemFailure) -> Value
    ) async throws(SyncError) -> Value {
        let result = await pool.run { [root] () -> Result<Value, SystemFailure> in
            do throws(SystemFailure) {
                return .success(try work(try root.flatMap { root throws(SystemFailure) in try ActiveFolder(root) }))
            } catch { return .failure(error) }
        }
        do throws(SystemFailure) { return try result.get() } catch { throw notOwner(error) }
    }

    private func notOwner(_ failure: SystemFailure) -> SyncError {
        guard failure.isPermission else { return failure.storeError }
        return SyncError(
            .storePermission,
            "\(path)/\(StoreLayout.active): only the store's owner may see and cancel what runs on it; run as that user"
        )
    }
}
