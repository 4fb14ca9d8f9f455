import Foundation

/// A folder of a test's own, removed with all it holds when the test's scope ends.
public struct TemporaryFolder: Sendable {
    /// Absolute, with no symbolic link in it.
    public let path: String

    /// Makes a folder, runs `body` with it and removes it, whether or not `body` throws.
    public static func with<Result>(_ body: (TemporaryFolder) async throws -> Result) async throws -> Result {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        return try await body(folder)
    }

    /// The same for a body that does not suspend.
    public static func withNow<Result>(_ body: (TemporaryFolder) throws -> Result) throws -> Result {
        let folder = try TemporaryFolder()
        defer { folder.remove() }
        return try body(folder)
    }

    /// A folder that the caller must remove; prefer ``with(_:)``.
    public init() throws {
        let parent = FileManager.default.temporaryDirectory.resolvingSymlinksInPath()
        let url = parent.appendingPathComponent("modelsync-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(
            at: url, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
        path = url.path
    }

    /// The absolute path of something in the folder.
    public func appending(_ name: String) -> String { path + "/" + name }

    /// Writes a file, making the folders above it, and returns its absolute path.
    @discardableResult
    public func write(_ bytes: [UInt8], to name: String) throws -> String {
        let url = URL(fileURLWithPath: appending(name))
        try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        try Data(bytes).write(to: url)
        return url.path
    }

    /// Writes a text file and returns its absolute path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String { try write(Array(text.utf8), to: name) }

    /// Removes the folder; a folder in it that can't be written to is made writable first.
    public func remove() {
        makeFoldersWritable()
        try? FileManager.default.removeItem(atPath: path)
    }

    private func makeFoldersWritable() {
        guard let names = FileManager.default.enumerator(atPath: path) else { return }
        for case let name as String in names {
            let file = appending(name)
            let attributes = try? FileManager.default.attributesOfItem(atPath: file)
            guard attributes?[.type] as? FileAttributeType == .typeDirectory else { continue }
            try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: file)
        }
    }
}

/// All that is in a folder, for comparing before with after: relative paths, with what each is.
public func tree(_ folder: String) -> [String] {
    guard let names = FileManager.default.enumerator(atPath: folder) else { return [] }
    var out: [String] = []
    for case let name as String in names {
        let attributes = (try? FileManager.default.attributesOfItem(atPath: folder + "/" + name)) ?? [:]
        let type = (attributes[.type] as? FileAttributeType)?.rawValue ?? "?"
        let size = attributes[.type] as? FileAttributeType == .typeRegular ? " \(attributes[.size] ?? 0)" : ""
        out.append("\(name) \(type)\(size)")
    }
    return out.sorted()
}
