internal import SyncDomain

/// What one hop shows of the run's credentials: decided anew for each, so that none follows a redirect.
struct Authorization {
    /// The token for exactly this host and port; nil leaves the hop to ~/.netrc.
    var bearer: String?
    /// The same for messages, without the token.
    var credential: StatusRule.Credential

    /// - Throws: `http.unauthorized` for a token that can't be in a header: it would end it and begin another.
    init(for url: SourceURL, from credentials: Credentials) throws(TransferFault) {
        guard let entry = credentials.entry(for: url) else {
            credential = .none
            return
        }
        guard let token = entry.token.map(Self.trimmed), !token.isEmpty else {
            credential = .missing(variable: entry.variable)
            return
        }
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw TransferFault(
                .httpUnauthorized, "the token in \(entry.variable) has a character that no token has",
                hint: "set \(entry.variable) to the token alone")
        }
        bearer = token
        credential = .bearer(variable: entry.variable)
    }

    /// Mounted secrets often end in a line end.
    private static func trimmed(_ token: String) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        guard let start = token.utf8.firstIndex(where: { !isSpace($0) }),
            let end = token.utf8.lastIndex(where: { !isSpace($0) })
        else { return "" }
        return String(token[start...end])
    }
}
