internal import SyncDomain

/// What went wrong with one request, before it is put into words that name the file and the URL.
struct TransferFault: Error, Equatable {
    var code: ErrorCode
    /// What happened, with what was got and what was expected: follows the subject and the URL in the message.
    var what: String
    /// What to do about it.
    var hint: String?
    var isRetryable = false
    var mustRestart = false
    var diagnosis: Diagnosis?

    init(_ code: ErrorCode, _ what: String, hint: String? = nil) {
        self.code = code
        self.what = what
        self.hint = hint
    }

    /// The same, worth another try.
    func retryable(_ isRetryable: Bool = true) -> TransferFault {
        var fault = self
        fault.isRetryable = isRetryable
        return fault
    }

    /// The same, worth another try that asks for no range.
    func restarting() -> TransferFault {
        var fault = self
        fault.isRetryable = true
        fault.mustRestart = true
        return fault
    }

    /// The same, with what the wrong bytes seem to be.
    func diagnosed(_ diagnosis: Diagnosis?) -> TransferFault {
        guard let diagnosis else { return self }
        var fault = self
        fault.diagnosis = diagnosis
        switch diagnosis {
        case .htmlPage:
            fault.what += "; the answer is a web page"
            fault.hint = "open the URL in a browser: it may want a login, a licence to be accepted, or another network"
        case .lfsPointer:
            fault.what += "; the answer is a Git LFS pointer"
            fault.hint =
                "use the URL that serves the file itself (on many hosts 'resolve' or 'media' in place of 'raw')"
        case .truncated, .transport, .sourceChanged:
            break
        }
        return fault
    }

    /// Puts it into words about a file, the URL that failed, and the one from which redirects led to it.
    func error(subject: String, url: SourceURL, origin: SourceURL) -> SyncError {
        var message = "\(subject): \(url.redacted)"
        if url != origin { message += " (redirected from \(origin.redacted))" }
        message += ": \(what)"
        if let hint { message += "; \(hint)" }
        return SyncError(code, message, isRetryable: isRetryable, diagnosis: diagnosis)
    }
}

/// Text from a server or a library, made safe to print.
enum Foreign {
    /// In quotes, without control characters, cut to a length that fits a line.
    static func quoted(_ text: String) -> String { "'\(plain(text, limit: 80))'" }

    static func plain(_ text: String, limit: Int = 200) -> String {
        // By scalar: a control character may hide in a cluster of others.
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars.prefix(limit) {
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator: out.append("?")
            default: out.append(scalar)
            }
        }
        return String(out) + (text.unicodeScalars.count > limit ? "…" : "")
    }
}
