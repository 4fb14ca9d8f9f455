/// Every key that a manifest of version 1 may have, in any of its mappings.
enum ManifestKey: UInt8, CaseIterable {
    case version, hosts, models
    case name, description, license, homepage, tags, files
    case path, size, sha256, url, urls
    case bearerEnv, connections

    /// As it is written.
    var text: String {
        switch self {
        case .version: "version"
        case .hosts: "hosts"
        case .models: "models"
        case .name: "name"
        case .description: "description"
        case .license: "license"
        case .homepage: "homepage"
        case .tags: "tags"
        case .files: "files"
        case .path: "path"
        case .size: "size"
        case .sha256: "sha256"
        case .url: "url"
        case .urls: "urls"
        case .bearerEnv: "bearer_env"
        case .connections: "connections"
        }
    }
}

/// The keys that one kind of mapping may have.
struct ManifestSchema {
    /// As a message calls such a mapping: `this file has no 'size'`.
    let noun: String
    /// In the order of the documentation.
    let keys: [ManifestKey]

    private let texts: [[UInt8]]

    private init(_ noun: String, _ keys: [ManifestKey]) {
        self.noun = noun
        self.keys = keys
        texts = keys.map { Array($0.text.utf8) }
    }

    static let manifest = ManifestSchema("manifest", [.version, .hosts, .models])
    static let host = ManifestSchema("host", [.bearerEnv, .connections])
    static let file = ManifestSchema("file", [.path, .size, .sha256, .url, .urls])
    static let model = ManifestSchema(
        "model",
        [.name, .version, .description, .license, .homepage, .tags, .files, .path, .size, .sha256, .url, .urls])

    /// The key that is written so, or nil for one that has no place here.
    func key(_ text: ArraySlice<UInt8>) -> ManifestKey? {
        for (index, candidate) in texts.enumerated()
        where candidate.count == text.count && text.elementsEqual(candidate) {
            return keys[index]
        }
        return nil
    }

    /// What to say about a key that has no place here.
    func messageForUnknownKey(_ text: String) -> String {
        if let meant = KeySuggestion.best(for: text, among: keys.map(\.text)) {
            return "unknown key \(quoted(text)); did you mean '\(meant)'?"
        }
        return "unknown key \(quoted(text)); the keys of a \(noun) are \(keys.map(\.text).joined(separator: ", "))"
    }
}
