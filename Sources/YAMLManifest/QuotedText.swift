import SyncDomain

/// A piece of a manifest as a message may show it: in quotes, on one line, cut where it is long, and without the
/// secrets that a URL may hold, wherever somebody wrote one.
func quoted(_ text: String) -> String {
    let mayHoldSecret = text.utf8.contains(UInt8(ascii: "@")) || text.utf8.contains(UInt8(ascii: "?"))
    let text = mayHoldSecret ? SourceURL.redact(text) : text
    let limit = 64
    var out = "'"
    var count = 0
    for scalar in text.unicodeScalars {
        if count == limit {
            out += "…"
            break
        }
        count += 1
        out += isPrintable(scalar) ? String(scalar) : escape(scalar)
    }
    return out + "'"
}

/// Letters and the like: no control character, and nothing that turns the direction of text or hides it.
private func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII { return scalar.value >= 0x20 && scalar.value != 0x7F }
    return switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
    default: true
    }
}

private func escape(_ scalar: Unicode.Scalar) -> String {
    switch scalar {
    case "\n": "\\n"
    case "\r": "\\r"
    case "\t": "\\t"
    default: "\\u{" + String(scalar.value, radix: 16) + "}"
    }
}
