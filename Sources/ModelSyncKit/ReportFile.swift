internal import Glibc
internal import SystemSupport

/// A file that the report or the metrics of a run are to be written to. Made before the run, so that a path that can't work is told at once.
public struct ReportFile: Sendable {
    /// Absolute.
    public let path: String
    private let target: Target

    private enum Target {
        /// Replaced whole.
        case file(Folder, name: String)
        /// A device or a pipe: written to as it is.
        case stream
    }

    /// - Parameter path: absolute.
    /// - Throws: `store.io` or `store.permission` where no file can be made there.
    public init(_ path: String) throws(SyncError) {
        self.path = path
        // A link is followed: what it leads to is what the user means to be written.
        let real = Self.resolved(path)
        guard let end = real.lastIndex(of: "/"), real.index(after: end) < real.endIndex else {
            throw SyncError(.storeIO, "\(path): the name of a file is needed")
        }
        let name = String(real[real.index(after: end)...])
        let parent = end == real.startIndex ? "/" : String(real[..<end])
        do throws(SystemFailure) {
            let folder = try Folder.open(parent)
            switch try folder.statusIfPresent(name)?.kind {
            case .directory: throw SystemFailure("open", path, code: EISDIR)
            case .symbolicLink: throw SystemFailure("open", path, code: ENOENT)
            case .other:
                target = .stream
                return
            case .regular, nil: target = .file(folder, name: name)
            }
        } catch {
            throw SyncError(.storeIO, "\(path): no file can be written there: \(error.reason)")
        }
        guard unsafe access(parent, W_OK) == 0 else {
            throw SyncError(.storePermission, "\(path): no file can be written there: permission denied")
        }
    }

    private static func resolved(_ path: String) -> String {
        guard let real = unsafe realpath(path, nil) else { return path }
        defer { unsafe free(real) }
        return unsafe String(cString: real)
    }

    /// Replaces the file whole: readers see the old one or this. A device or a pipe is written to.
    ///
    /// - Throws: the system's failure.
    public func write(_ bytes: [UInt8]) throws(SyncError) {
        do throws(SystemFailure) {
            switch target {
            case .file(let folder, let name): try folder.replace(name, with: bytes)
            case .stream: try OpenFile.writeStream(path, bytes)
            }
        } catch {
            throw error.storeError
        }
    }
}
