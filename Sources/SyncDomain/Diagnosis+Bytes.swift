extension Diagnosis {
    /// What wrong bytes are, by what the server called them and how they start.
    ///
    /// - Parameters:
    ///   - contentType: the value of Content-Type as it came, with or without parameters.
    ///   - firstBytes: the start of the body; 512 bytes are enough.
    /// - Returns: ``lfsPointer`` or ``htmlPage``, or nil where neither can be told from these.
    public static func of(contentType: String?, firstBytes: [UInt8]) -> Diagnosis? {
        // Before the content type: a web server may call a pointer file anything.
        if firstBytes.starts(with: "version https://git-lfs.github.com/spec/".utf8) { return .lfsPointer }
        if isHTML(contentType: contentType) || looksLikeHTML(firstBytes) { return .htmlPage }
        return nil
    }

    private static func isHTML(contentType: String?) -> Bool {
        guard let contentType else { return false }
        let type = contentType.prefix { $0 != ";" }.lowercased().filter { $0 != " " && $0 != "\t" }
        return type == "text/html" || type == "application/xhtml+xml"
    }

    private static func looksLikeHTML(_ bytes: [UInt8]) -> Bool {
        let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = bytes.starts(with: byteOrderMark) ? bytes.dropFirst(3) : bytes[...]
        let start = text.drop { [0x09, 0x0A, 0x0C, 0x0D, 0x20].contains($0) }.prefix(16)
        let lowered = start.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }
        return lowered.starts(with: "<!doctype html".utf8) || lowered.starts(with: "<html".utf8)
    }
}
