import SyncDomain
import YAMLManifest

/// A manifest as the program reads it: decoded, then checked as a whole.
func checkedManifest(
    _ bytes: [UInt8], path: String = "m.yaml", base: URLBase = .folder("/srv/manifests")
) async throws(ManifestIssues) -> Manifest {
    let (draft, issues) = await YAMLManifestDecoder().decode(bytes, path: path, base: base)
    return try Manifest(checking: [draft], issues: issues)
}

func checkedManifest(_ text: String, base: URLBase = .folder("/srv/manifests")) async throws(ManifestIssues) -> Manifest
{
    try await checkedManifest(Array(text.utf8), base: base)
}

func issuesOf(_ bytes: [UInt8], path: String = "m.yaml", base: URLBase = .folder("/srv/manifests")) async
    -> ManifestIssues?
{
    do throws(ManifestIssues) {
        _ = try await checkedManifest(bytes, path: path, base: base)
        return nil
    } catch {
        return error
    }
}

func issuesOf(_ text: String, base: URLBase = .folder("/srv/manifests")) async -> ManifestIssues? {
    await issuesOf(Array(text.utf8), base: base)
}
