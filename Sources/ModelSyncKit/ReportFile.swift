internal import Glibc
internal import SystemSupport

/// A file that a report is to be written to. Made before the run, so that a path that can't work is told at once.
public struct ReportFile: Sendable {
    /// Absolute.
    public let path: String
    private let folder: Folder
    private let name: String

    /// - Parameter path: absolute.
    /// - Throws: `store.io` or `store.permission` where no file can be made there.
    public init(_ path: String) throws(SyncError) {
        self.path = path
        guard let end = path.lastIndex(of: "/"), path.index(after: end) < path.endIndex else {
            throw SyncError(.storeIO, "\(path): the report needs the name of a file")
        }
        name = String(path[path.index(after: end)...])
        let parent = end == path.startIndex ? "/" : String(path[..<end])
        do throws(SystemFailure) {
            folder = try Folder.open(parent)
            if try folder.statusIfPresent(name)?.kind == .directory { throw SystemFailure("open", path, code: EISDIR) }
        } catch {
            throw SyncError(.storeIO, "\(path): the report can't be written there: \(error.reason)")
        }
        guard unsafe access(parent, W_OK) == 0 else {
            throw SyncError(.storePermission, "\(path): the report can't be written there: permission denied")
        }
    }

    /// Replaces the file whole: readers see the old one or this.
    ///
    /// - Throws: the system's failure.
    public func write(_ bytes: [UInt8]) throws(SyncError) {
        do throws(SystemFailure) { try folder.replace(name, with: bytes) } catch { throw error.storeError }
    }
}
