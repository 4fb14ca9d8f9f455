internal import SystemSupport

/// Brings what is in a model's folder and nobody's but the user's from the old folder to the new one. On one thread.
struct Carrier {
    /// Paths that are modelsync's.
    private let managed: Set<String>
    /// By path: what was in the old folder, and what the new one was given for it.
    private var carried: [String: (old: FileStatus, new: FileStatus)] = [:]

    init(except managed: Set<String>) {
        self.managed = managed
    }

    /// Links it into the new folder, before that is shown.
    mutating func carry(from old: Folder, to staged: Folder) throws(SystemFailure) {
        for file in try old.files() where !managed.contains(file.path) {
            // It could not be carried over, and must not go with the old folder.
            guard file.path.isExactName else {
                throw SystemFailure("rename it: its name", old.full(file.path), code: 84)
            }
            do throws(SystemFailure) {
                // First: what is written from now on is seen to be later.
                let before = try old.status(file.path)
                try Self.link(file.path, from: old, to: staged)
                carried[file.path] = (before, try staged.status(file.path))
            } catch {
                // A link or a device on a file system without hard links: it is moved when the new folder is shown.
                guard error.isSymbolicLink || error.isNoDevice else { throw error }
            }
        }
    }

    /// Once the new folder is shown: what appeared in the old one after it was carried over, or was replaced or written there,
    /// goes to the new one. What the user has put there since is later still, and stays.
    func settle(from old: Folder, to new: Folder) throws(SystemFailure) {
        for file in try old.files() where !managed.contains(file.path) {
            guard let shown = try? new.status(file.path) else {
                try Self.move(file.path, from: old, to: new)
                continue
            }
            guard let carried = carried[file.path], shown.isSameFile(as: carried.new) else { continue }
            let left = try old.status(file.path)
            if !left.isSameFile(as: shown), !left.isUnwritten(since: carried.old) {
                try Self.move(file.path, from: old, to: new, isReplacing: true)
            }
        }
    }

    private static func link(_ path: String, from old: Folder, to new: Folder) throws(SystemFailure) {
        let (source, target, name) = try place(path, in: old, new)
        guard try !target.placeCopy(of: name, in: source, as: name) else { return }
        // The only one there will be when the old folder is gone.
        let copy = try target.file(name, .read)
        try copy.setMode(try source.status(name).mode)
        try copy.synchronize()
    }

    /// Moves one file from folder to folder, to the same path.
    static func move(
        _ path: String, from old: Folder, to new: Folder, isReplacing: Bool = false
    ) throws(SystemFailure) {
        let (source, target, name) = try place(path, in: old, new)
        if isReplacing {
            try source.rename(name, to: target, name)
        } else {
            try source.renameNew(name, to: target, name)
        }
    }

    private static func place(
        _ path: String, in old: Folder, _ new: Folder
    ) throws(SystemFailure) -> (source: Folder, target: Folder, name: String) {
        let end = path.utf8.lastIndex(of: UInt8(ascii: "/"))
        let (folder, name) =
            end.map { (String(path[..<$0]), String(path[path.utf8.index(after: $0)...])) } ?? ("", path)
        return (try old.folder(folder), try new.folder(folder, create: true), name)
    }
}
