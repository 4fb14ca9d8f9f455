/// What went wrong, as a code that programs branch on. The set is part of the report's contract.
public enum ErrorCode: String, Sendable, Hashable, CaseIterable {
    case httpStatus = "http.status"
    case httpNotFound = "http.not_found"
    case httpUnauthorized = "http.unauthorized"
    case httpRedirect = "http.redirect"
    case networkDNS = "network.dns"
    case networkConnect = "network.connect"
    case networkTLS = "network.tls"
    case networkStalled = "network.stalled"
    case networkInterrupted = "network.interrupted"
    case protocolViolation = "protocol"
    case sizeMismatch = "size.mismatch"
    case digestMismatch = "digest.mismatch"
    case storeNoSpace = "store.no_space"
    case storePermission = "store.permission"
    case storeIO = "store.io"
    case storeLocked = "store.locked"
    case policyScheme = "policy.scheme"
    case offline = "offline"
    case cancelled = "cancelled"
}

/// Whose fault wrong bytes seem to be.
public enum Diagnosis: String, Sendable, Hashable, CaseIterable {
    /// The answer is a web page: a login form, a captive portal, an error page sent with status 200.
    case htmlPage = "html_page"
    /// The answer is a Git LFS pointer file in place of the file that it points to.
    case lfsPointer = "lfs_pointer"
    /// The source ended before the file did.
    case truncated
    /// Two tries gave different bytes: something between the source and here changes them.
    case transport
    /// Two tries gave the same wrong bytes: the source or the manifest is wrong.
    case sourceChanged = "source_changed"
}

/// A failure of one file or of a run: a code to branch on and one message to read.
public struct SyncError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What programs branch on.
    public var code: ErrorCode
    /// Names the subject, what was got and expected, and what to do. Holds no secret.
    public var message: String
    /// Whether the same attempt could succeed later with nothing changed here.
    public var isRetryable: Bool
    /// For wrong bytes alone: why they seem to be wrong; nil where nobody can tell.
    public var diagnosis: Diagnosis?

    /// Permanent unless it is said otherwise.
    public init(_ code: ErrorCode, _ message: String, isRetryable: Bool = false, diagnosis: Diagnosis? = nil) {
        self.code = code
        self.message = message
        self.isRetryable = isRetryable
        self.diagnosis = diagnosis
    }

    /// The one wording for work that was cancelled; `subject` names the file or the run.
    public static func cancelled(_ subject: String) -> SyncError {
        SyncError(.cancelled, "\(subject): cancelled; what has arrived is kept, run the same command to go on")
    }

    /// `code: message`
    public var description: String { "\(code.rawValue): \(message)" }
}

/// A string that is not a valid digest, path, name or URL: what is wrong, in words that follow the subject.
public struct InvalidValue: Error, Sendable, Hashable {
    /// Holds no secret.
    public var reason: String

    /// Words that follow the subject and quote nothing that may be secret.
    public init(_ reason: String) {
        self.reason = reason
    }
}
