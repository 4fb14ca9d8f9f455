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
        guard text.utf8.count <= 32 else { return nil }
        let key = text.lowercased()
        let letters = Array(key.utf8)
        var best: (candidate: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(letters, Array(candidate.utf8))
            if distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        if let best, best.distance <= (letters.count < 5 ? 1 : 2) { return best.candidate }
        return candidates.first { synonyms[$0]?.contains(key) == true }
    }

    /// Letters to add, drop, replace or swap with their neighbour to make one of the other.
    static func distance(_ a: [UInt8], _ b: [UInt8]) -> Int {
        var rows = [Array(0...b.count)]
        for i in 0..<a.count {
            var row = [i + 1]
            for j in 0..<b.count {
                var cost = min(rows[i][j + 1] + 1, row[j] + 1, rows[i][j] + (a[i] == b[j] ? 0 : 1))
                if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, rows[i - 1][j - 1] + 1) }
                row.append(cost)
            }
            rows.append(row)
        }
        return rows[a.count][b.count]
    }
}
