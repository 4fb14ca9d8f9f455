internal import SyncDomain

/// What was meant by a key that nobody knows.
enum KeySuggestion {
    /// Names that other tools have for the same thing.
    private static let synonyms: [String: [String]] = [
        "sha256": ["checksum", "digest", "hash", "sha", "sha256sum", "sha_256"],
        "url": ["uri", "source", "href", "link"],
        "urls": ["uris", "sources", "mirrors", "mirror"],
        "size": ["bytes", "length", "size_bytes", "filesize"],
        "path": ["file", "filename", "dest", "destination", "target"],
        "license": ["licence"],
        "bearer_env": ["bearer_token", "token_env", "token", "bearer", "auth"],
        "connections": ["max_connections"],
        "models": ["artifacts"],
    ]

    /// The candidate that is nearest in spelling, or means the same; nil where none is near.
    static func best(for text: String, among candidates: [String]) -> String? {
        let key = text.lowercased()
        return Suggestion.nearest(to: key, among: candidates)
            ?? candidates.first { synonyms[$0]?.contains(key) == true }
    }
}
