internal import SyncDomain
internal import SystemSupport

/// What stat(2) says of the blob and the path of each file of a manifest: most of what a survey of a whole store takes.
///
/// In pieces, in order, by several threads: helpers look at one piece after the other, and whoever takes them looks itself at one
/// that nobody has begun. It waits only for threads that are at work, so that it never waits for one of a pool that is busy.
final class Glances: Sendable {
    struct Glance: Sendable {
        var blob: FileStatus?
        /// Nil also where the model has no folder.
        var view: FileStatus?
    }

    /// What is to be seen of a piece's files, in the manifest's order.
    struct Look: Sendable {
        /// The model's, in which they were seen; nil where it has none.
        var folder: Folder?
        var glances: [Glance]
    }

    private struct Piece {
        var model: Int
        var files: Range<Int>
    }

    private struct State {
        /// The first piece that nobody has begun.
        var next = 0
        var looked: [Int: Result<Look, SystemFailure>] = [:]
    }

    private static let pieceFiles = 128
    /// Helpers go no further ahead than this: what they have seen of so many files, 16,384, waits in memory, some 3 MB.
    private static let mostPiecesAhead = 128

    private let manifest: Manifest
    private let blobs: Folder
    private let models: Folder
    /// By a digest's first byte: whether anything has the name of the folder that its blob would be in.
    private let hasBlobFolder: [Bool]
    private let pieces: [Piece]
    private let state = Monitor(State())

    init(_ manifest: Manifest, blobs: Folder, models: Folder) {
        self.manifest = manifest
        self.blobs = blobs
        self.models = models
        // A folder that can't be listed may be looked into all the same.
        let names = (try? blobs.entries()).map { Set($0.compactMap { UInt8($0.name, radix: 16) }) }
        hasBlobFolder = (0...UInt8.max).map { names?.contains($0) ?? true }
        pieces = manifest.models.enumerated().flatMap { index, model in
            stride(from: 0, to: model.files.count, by: Self.pieceFiles).map {
                Piece(model: index, files: $0..<min($0 + Self.pieceFiles, model.files.count))
            }
        }
    }

    var pieceCount: Int { pieces.count }

    /// Looks at pieces until all have been begun, or ``end()``.
    func help() {
        while let index = state.wait(until: { begin(&$0) }) {
            let look = look(at: pieces[index])
            state.withLock { $0.looked[index] = look }
            state.notifyAll()
        }
    }

    /// Nobody will take any more: helpers are not to go on, or wait.
    func end() {
        state.withLock { $0.next = pieces.count }
        state.notifyAll()
    }

    /// Each piece once, in order.
    func take(_ index: Int) throws(SystemFailure) -> Look {
        let isOwn = state.withLock { state in
            guard state.next <= index else { return false }
            state.next = index + 1
            return true
        }
        if isOwn { return try look(at: pieces[index]).get() }
        let looked = state.wait { $0.looked.removeValue(forKey: index) }
        state.notifyAll()
        return try looked.get()
    }

    /// - Returns: nil to wait, and nil of a value to end.
    private func begin(_ state: inout State) -> Int?? {
        guard state.next < pieces.count else { return .some(nil) }
        guard state.looked.count < Self.mostPiecesAhead else { return nil }
        defer { state.next += 1 }
        return state.next
    }

    private func look(at piece: Piece) -> Result<Look, SystemFailure> {
        let model = manifest.models[piece.model]
        // A link in its place is told when it would be written through; to look, nothing of the model is there.
        let folder = try? models.folder(model.name.text)
        var (path, glances): ([UInt8], [Glance]) = ([], [])
        glances.reserveCapacity(piece.files.count)
        do throws(SystemFailure) {
            for file in model.files[piece.files] {
                var glance = Glance()
                if hasBlobFolder[Int(file.sha256.leadingWord >> 24)] {
                    path.removeAll(keepingCapacity: true)
                    StoreLayout.appendBlobPath(file.sha256, to: &path)
                    glance.blob = try blobs.statusIfPresent(cString: path)
                }
                if let folder {
                    path.removeAll(keepingCapacity: true)
                    path += file.path.text.utf8
                    path.append(0)
                    glance.view = try folder.statusIfPresent(cString: path)
                }
                glances.append(glance)
            }
            return .success(Look(folder: folder, glances: glances))
        } catch {
            return .failure(error)
        }
    }
}
