/// What was meant by a name that nobody knows.
public enum Suggestion {
    /// Longer names are not looked at: the work grows with the square.
    private static let longest = 64

    /// The candidate that is nearest in spelling, the first of several; nil where none is near: one letter off for names
    /// under five letters, two for others. The case of letters does not count.
    public static func nearest(to text: String, among candidates: some Sequence<String>) -> String? {
        let letters = Array(text.lowercased().utf8)
        guard letters.count <= longest else { return nil }
        let most = letters.count < 5 ? 1 : 2
        var best: (candidate: String, distance: Int)?
        for candidate in candidates where abs(candidate.utf8.count - letters.count) <= most {
            let distance = distance(letters, Array(candidate.lowercased().utf8))
            if distance <= most, distance < best?.distance ?? .max { best = (candidate, distance) }
        }
        return best?.candidate
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

extension ModelName {
    /// The one of `names` that was meant by `text`: the nearest in spelling, or the only one that ends in it
    /// (`tiny` for `whisper/tiny`).
    public static func suggestion(for text: String, among names: [ModelName]) -> ModelName? {
        let texts = names.map(\.text)
        let found = Suggestion.nearest(to: text, among: texts)
        if let found, let index = texts.firstIndex(of: found) { return names[index] }
        let ends = names.filter { $0.text.hasSuffix("/" + text) }
        return ends.count == 1 ? ends.first : nil
    }
}

extension ModelSelector {
    /// What was meant by a selector that picks no model: a name, `FOLDER/*` or `tag:NAME` that picks one.
    public static func suggestion(for text: String, among models: [Model]) -> String? {
        // Others would have to be escaped for a terminal, and quoted for a shell.
        let tags = Set(models.flatMap(\.tags)).filter { $0.utf8.allSatisfy { (0x21...0x7E).contains($0) } }
        if tags.contains(text) { return "tag:" + text }
        if let name = ModelName.suggestion(for: text, among: models.map(\.name)) { return name.text }
        let folders = Set(models.flatMap { $0.name.folders.map { $0 + "/*" } })
        return Suggestion.nearest(to: text, among: folders.sorted() + tags.map { "tag:" + $0 }.sorted())
    }
}

extension ModelName {
    /// `a` and `a/b` of `a/b/c`.
    fileprivate var folders: [String] {
        text.indices.filter { text[$0] == "/" }.map { String(text[..<$0]) }
    }
}
