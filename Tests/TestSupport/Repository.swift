import Foundation

/// Where the files of the repository are that tests read.
public enum Repository {
    /// The folder that holds Package.swift.
    public static let root: String = {
        var url = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { url.deleteLastPathComponent() }
        return url.path
    }()

    /// The manifests that are shipped, absolute paths.
    public static var manifests: [String] { files(in: root + "/manifests", suffix: ".yaml") }

    /// The files of a folder whose names end in `suffix`, absolute paths, sorted; none if there is no such folder.
    public static func files(in folder: String, suffix: String) -> [String] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasSuffix(suffix) }.sorted().map { folder + "/" + $0 }
    }
}
