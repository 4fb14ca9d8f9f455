/// What makes a manifest valid as a whole, over one file or several: unique names, unique paths, one size a digest.
struct ManifestRules {
    /// 4 EiB over all files: sums of sizes, and what is added to them for safety, stay in range.
    static let maximumTotalSize = Int64(1) << 62

    private(set) var issues: ManifestIssues
    private(set) var hosts: [HostKey: HostSettings] = [:]

    /// A place in one of the manifests; small, for there is one a digest.
    private struct Place {
        var draft: Int32
        var mark: SourceMark
    }

    private let drafts: [ManifestDraft]
    private var names: [String: Place] = [:]
    private var sizes: [SHA256Digest: (size: Int64, place: Place)] = [:]
    private var totalSize: Int64 = 0
    /// Whether any digest stands at two places or more.
    private(set) var hasSharedDigests = false

    /// Checks the manifests one by one and together, adding to what is known to be wrong already.
    init(checking drafts: [ManifestDraft], issues: ManifestIssues) {
        self.drafts = drafts
        self.issues = issues
        sizes.reserveCapacity(drafts.reduce(0) { $0 + $1.models.reduce(0) { $0 + $1.model.files.count } })
        for (index, draft) in drafts.enumerated() {
            for entry in draft.hosts { check(entry, in: draft.path) }
            for entry in draft.models {
                check(name: entry.model.name, at: Place(draft: Int32(clamping: index), mark: entry.nameMark))
                checkPaths(of: entry, in: draft.path)
                checkSizes(of: entry, in: index)
            }
        }
        checkNameFolders()
    }

    private mutating func check(_ entry: ManifestDraft.HostEntry, in path: String) {
        if let known = hosts[entry.host], known != entry.settings {
            issues.add(
                path, entry.mark,
                "host '\(entry.host)' has other settings elsewhere in these manifests; give it the same ones")
        }
        hosts[entry.host] = entry.settings
    }

    private mutating func check(name: ModelName, at place: Place) {
        guard let first = names[name.text] else {
            names[name.text] = place
            return
        }
        let line = seen(first, from: place)
        report(place, "model '\(name)' is already defined at \(line); names are unique")
    }

    private mutating func checkNameFolders() {
        let folders = FolderIndex(names.keys)
        for draft in drafts.indices {
            for entry in drafts[draft].models {
                let text = entry.model.name.text
                let place = Place(draft: Int32(clamping: draft), mark: entry.nameMark)
                folders.forEachEntry(above: text) { folder in
                    guard let outer = names[String(folder)] else { return }
                    let line = seen(outer, from: place)
                    report(place, "model '\(text)' lies in the folder of model '\(folder)' at \(line); rename one")
                }
            }
        }
    }

    private mutating func checkPaths(of entry: ManifestDraft.ModelEntry, in path: String) {
        let files = entry.model.files
        // By lower-case path, so that what would collide on a case-insensitive file system is found on any.
        var known: [String: Int] = Dictionary(minimumCapacity: files.count)
        var hasFolders = false
        // By index here and below: a copy of each file would count references for nothing.
        for index in files.indices {
            let key = Self.folded(files[index].path.text)
            hasFolders = hasFolders || key.utf8.contains(slash)
            if let first = known[key] {
                reportCollision(entry, index, with: first, in: path)
            } else {
                known[key] = index
            }
        }
        guard hasFolders else { return }
        let folders = FolderIndex(known.keys)
        for index in files.indices {
            folders.forEachEntry(above: Self.folded(files[index].path.text)) { folder in
                guard let outer = known[String(folder)] else { return }
                issues.add(
                    path, entry.fileMarks[index].path,
                    "'\(files[index].path)' lies under '\(files[outer].path)', which is a file at line "
                        + "\(entry.fileMarks[outer].path.line); rename one")
            }
        }
    }

    private mutating func reportCollision(
        _ entry: ManifestDraft.ModelEntry, _ index: Int, with first: Int, in path: String
    ) {
        let (file, other) = (entry.model.files[index], entry.model.files[first])
        let line = entry.fileMarks[first].path.line
        issues.add(
            path, entry.fileMarks[index].path,
            file.path == other.path
                ? "model '\(entry.model.name)' already has a file at '\(file.path)', at line \(line)"
                : "'\(file.path)' and '\(other.path)' at line \(line) differ only in case; rename one")
    }

    private mutating func checkSizes(of entry: ManifestDraft.ModelEntry, in draft: Int) {
        let files = entry.model.files
        for index in files.indices {
            let (digest, size) = (files[index].sha256, files[index].size)
            let place = Place(draft: Int32(clamping: draft), mark: entry.fileMarks[index].digest)
            if let first = sizes[digest] {
                hasSharedDigests = true
                if first.size == size { continue }
                let line = seen(first.place, from: place)
                report(
                    place,
                    "this sha256 has size \(size) here and \(first.size) at \(line); the same bytes have one size")
            } else {
                sizes[digest] = (size, place)
            }
            let (sum, isTooLarge) = totalSize.addingReportingOverflow(size)
            // Said once, at the file that is too much: all after it would be too.
            if totalSize <= Self.maximumTotalSize, isTooLarge || sum > Self.maximumTotalSize {
                report(place, "all files together have more than 4 EiB from here on; check the sizes")
            }
            totalSize = isTooLarge ? .max : sum
        }
    }

    private mutating func report(_ place: Place, _ message: @autoclosure () -> String) {
        issues.add(drafts[Int(place.draft)].path, place.mark, message())
    }

    private func seen(_ place: Place, from other: Place) -> String {
        place.draft == other.draft ? "line \(place.mark.line)" : "\(drafts[Int(place.draft)].path):\(place.mark.line)"
    }

    private static func folded(_ path: String) -> String {
        let bytes = path.utf8.span
        for index in bytes.indices where bytes[index] >= 0x80 || (0x41...0x5A).contains(bytes[index]) {
            return path.lowercased()
        }
        return path
    }
}

/// Tells which of many paths is a folder of another, in one pass over each path's bytes: a set of all folders would
/// take memory that grows with the square of a path's length.
private struct FolderIndex {
    private var hashes: Set<UInt64>

    init(_ entries: some Collection<String>) {
        hashes = Set(minimumCapacity: entries.count)
        for entry in entries { hashes.insert(entry.utf8.reduce(Self.seed, Self.extend)) }
    }

    /// Calls `body` with each folder of the path that may be an entry: look it up.
    func forEachEntry(above path: String, _ body: (Substring) -> Void) {
        var hash = Self.seed
        for index in path.utf8.indices {
            if path.utf8[index] == slash, hashes.contains(hash) { body(path[..<index]) }
            hash = Self.extend(hash, path.utf8[index])
        }
    }

    // FNV-1a, 64 bits: it can be extended byte by byte.
    private static let seed: UInt64 = 0xcbf2_9ce4_8422_2325
    private static func extend(_ hash: UInt64, _ byte: UInt8) -> UInt64 { (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
}
