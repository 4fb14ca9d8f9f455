internal import BlobStore
internal import SyncEngine

extension ModelManager {
    /// Whether a model that was applied can be loaded, and what each of its files lacks. Offline.
    ///
    /// - Parameters:
    ///   - name: of the model.
    ///   - depth: quick trusts what is untouched since it was verified and hashes the rest; full hashes all.
    /// - Returns: each of its files; of a model that the store does not know none, and it is not available.
    /// - Throws: the store's failures; `cancelled`.
    public func checkModelAvailability(
        of name: ModelName, depth: VerifyDepth = .quick
    ) async throws(SyncError) -> ModelAvailability {
        guard let model = try await metadata(of: name) else { return ModelAvailability(name: name, files: []) }
        return try await checkModelAvailability(of: model, depth: depth)
    }

    /// The same of a model as a manifest has it, whether or not it was ever applied. Offline.
    ///
    /// - Throws: the store's failures; `cancelled`.
    public func checkModelAvailability(
        of model: Model, depth: VerifyDepth = .quick
    ) async throws(SyncError) -> ModelAvailability {
        let plan = try await survey(model, depth, in: try open(.inspect))
        let files = plan.items.compactMap { item in
            plan.file(item).map { ModelAvailability.File(path: $0.path, size: $0.size, state: plan.state(of: item)) }
        }
        return ModelAvailability(name: model.name, files: files)
    }

    /// The folder or file to load a model from, after a look at its files. Offline.
    ///
    /// - Parameters:
    ///   - name: of a model that was applied.
    ///   - file: one path of the model; nil for the model's folder, and a look at all its files.
    ///   - depth: quick trusts what is untouched since it was verified, by its size and seal, and hashes the rest; full hashes
    ///     all.
    /// - Returns: an absolute path.
    /// - Throws: `store.io` where the model or path is not known here, `size.mismatch` or `digest.mismatch` where it is
    ///   damaged.
    public func path(
        of name: ModelName, file: String? = nil, depth: VerifyDepth = .quick
    ) async throws(SyncError) -> String {
        let store = try open(.inspect)
        guard var model = try await store.record(name) else {
            throw SyncError(
                .storeIO,
                "\(name): not in the store \(store.path); apply a manifest that has it, or see `modelsync list`")
        }
        if let file {
            model.files = model.files.filter { $0.path.text == file }
            guard !model.files.isEmpty else {
                throw SyncError(.storeIO, "\(name): has no file '\(file)'; see `modelsync show \(name)`")
            }
        }
        let plan = try await survey(model, depth, in: store)
        // Looked at alone, one file's record is not the model's: only what is about the file counts.
        for item in plan.items where plan.file(item) != nil && item.action != .keep {
            throw plan.defect(of: item)
        }
        guard file != nil, let only = model.files.first else { return store.modelPath(name) }
        return store.viewPath(only.path, of: name)
    }

    /// Whether all of a model's files are here and untouched since they were verified. Offline.
    public func isAvailable(_ name: ModelName) async -> Bool {
        (try? await checkModelAvailability(of: name))?.isAvailable ?? false
    }

    /// Bytes that may still be written to the store's file system; of the folder above where there is no store yet.
    ///
    /// - Throws: the store's failures.
    public func freeBytes() async throws(SyncError) -> Int64 {
        try await plan(Manifest(applied: [])).bytesFree
    }

    /// Whether there is room for what the manifest still needs, as it is asked before anything is fetched. Changes nothing.
    ///
    /// - Throws: the store's failures; `cancelled`.
    public func checkFreeSpace(for manifest: Manifest) async throws(SyncError) -> FreeSpace {
        let plan = try await plan(manifest)
        return FreeSpace(
            bytesToFetch: plan.bytesToFetch, bytesNeeded: plan.bytesNeeded, bytesFree: plan.bytesFree)
    }

    private func survey(
        _ model: Model, _ depth: VerifyDepth, in store: DiskStore
    ) async throws(SyncError) -> SyncPlan {
        var options = configuration.options
        options.depth = depth
        return try await engine(store, NoTransport(), options: options).plan(Manifest(applied: [model]))
    }
}

extension SyncPlan {
    fileprivate func state(of item: PlanItem) -> ModelAvailability.State {
        switch item.action {
        case .keep: .available
        case .download, .link, .remove: item.defect == nil ? .missing : .damaged(defect(of: item))
        case .repair, .update: .damaged(defect(of: item))
        }
    }
}
