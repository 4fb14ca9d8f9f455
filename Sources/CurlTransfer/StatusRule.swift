internal import SyncDomain

/// What a status of 400 and more means: its code, whether it is worth another try, and what to do.
enum StatusRule {
    /// What was shown to the host that answered. Holds no secret.
    enum Credential: Equatable {
        /// The manifest gives none for the host.
        case none
        /// The manifest names a variable that is not set.
        case missing(variable: String)
        /// The token in this variable.
        case bearer(variable: String)
    }

    static func fault(status: Int, credential: Credential) -> TransferFault {
        switch status {
        case 401, 403: unauthorized(status, credential)
        case 407:
            TransferFault(
                .httpUnauthorized, "the proxy wants credentials (status 407)",
                hint: "give them in the proxy's URL (--proxy, https_proxy)")
        case 404, 410:
            TransferFault(
                .httpNotFound, "not found (status \(status))",
                hint: "check the URL in the manifest, and whether the file has moved")
        default:
            TransferFault(.httpStatus, "the server answered with status \(status)", hint: hint(status))
                .retryable(isTransient(status))
        }
    }

    /// 408, 425, 429 and 5xx other than 501 and 505.
    static func isTransient(_ status: Int) -> Bool {
        switch status {
        case 408, 425, 429: true
        case 501, 505: false
        default: (500..<600).contains(status)
        }
    }

    private static func hint(_ status: Int) -> String {
        switch status {
        case 429: "the server wants fewer requests: try again later, or with fewer --connections"
        case _ where isTransient(status): "try again later"
        default: "check the URL in the manifest"
        }
    }

    private static func unauthorized(_ status: Int, _ credential: Credential) -> TransferFault {
        let what = "the server wants other credentials (status \(status))"
        switch credential {
        case .none:
            return TransferFault(
                .httpUnauthorized, what,
                hint: "give the host a 'bearer_env' under 'hosts:' in the manifest, or an entry in ~/.netrc")
        case .missing(let variable):
            return TransferFault(
                .httpUnauthorized, what, hint: "set \(variable), which the manifest names for this host")
        case .bearer(let variable):
            return TransferFault(
                .httpUnauthorized, "the token in \(variable) was refused (status \(status))",
                hint: "check that it is valid, and that its owner may read this file")
        }
    }
}
