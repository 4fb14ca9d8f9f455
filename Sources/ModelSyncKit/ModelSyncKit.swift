/// Makes the AI models of a declarative manifest be on this machine: verified, whole, and readable by their programs.
///
/// ``ModelManager`` is the entrance: it plans, applies and verifies a ``Manifest`` against a local store, and tells where
/// the models are. Nothing is printed, nothing is global.
@_exported public import SyncDomain

/// This release of modelsync.
public enum ModelSyncVersion {
    /// As `--version` and reports give it (semver.org).
    public static let current = "0.1.0"
}
