internal import SyncDomain
internal import SystemSupport

/// Gives blobs names. One thread at a time.
struct Linker {
    private let store: DiskStore
    private(set) var copies = 0

    init(_ store: DiskStore) {
        self.store = store
    }

    /// Gives a blob a name in `folder`: a link, or a copy with the blob's mode and seal where links can't be.
    mutating func put(_ file: ModelFile, in folder: Folder, as name: String) throws(SystemFailure) {
        let source = try store.blobFolder(of: file.sha256, isDurable: true)
        let isLinked = try folder.placeCopy(of: file.sha256.hex, in: source, as: name)
        guard !isLinked else { return }
        copies += 1
        let copy = try folder.file(name, .read)
        try copy.setMode(0o444 & store.modeMask)
        store.setSeal(of: file.sha256, on: copy)
        try copy.synchronize()
    }
}

extension Folder {
    /// Gives a file another name in this folder: a link where the file system has them, else a copy of its bytes.
    ///
    /// - Returns: whether it is a link.
    @discardableResult
    func placeCopy(of name: String, in source: Folder, as newName: String) throws(SystemFailure) -> Bool {
        do {
            try source.link(name, to: self, newName)
            return true
        } catch {
            guard error.isUnsupported else { throw error }
        }
        let original = try source.file(name, .read)
        let copy = try file(newName, .createNew, mode: 0o600)
        try copy.copy(original)
        return false
    }

    /// Exchanges two names where the file system can't do so at once: for a moment the other name is nobody's.
    func exchangeInSteps(_ name: String, with target: Folder, _ otherName: String) throws(SystemFailure) {
        let aside = StoreLayout.temporaryName("aside")
        try target.rename(otherName, to: self, aside)
        do { try rename(name, to: target, otherName) } catch {
            try? rename(aside, to: target, otherName)
            throw error
        }
        try rename(aside, to: self, name)
    }

    /// Renames a file into this folder over what has the name; a folder there is moved aside first.
    func takeOver(_ name: String, from source: Folder, as newName: String) throws(SystemFailure) {
        do {
            try source.rename(name, to: self, newName)
        } catch {
            // What is in such a folder may be somebody's: it is moved aside, not deleted.
            guard error.isDirectory || error.exists else { throw error }
            try renameNew(newName, to: source, StoreLayout.temporaryName("displaced"))
            try source.rename(name, to: self, newName)
        }
    }
}
