internal import SyncDomain

/// Decides, from the head of an answer alone, whether its body may reach the sink and where it would start.
struct ResponseGate {
    enum Admission: Equatable {
        /// The body is the file from this offset on, and ends at `end` where that is known.
        case begin(at: Int64, end: Int64?, validator: Validator?)
        /// The file is elsewhere: the value of Location.
        case redirect(String)
        /// The request failed; the body says nothing that matters.
        case refuse(TransferFault)
        /// The body is not the file; its first bytes tell what it is.
        case inspect(TransferFault)
    }

    /// Declared bodies up to this size are looked into when they are wrong: pages and pointers are that small.
    static let inspectableBytes: Int64 = 64 * 1024

    var expectedSize: Int64?
    var offset: Int64
    /// Where the range that was asked for ends; nil for the end of the file.
    var end: Int64?
    var validator: Validator?
    /// What this run would show to the host that answers, for the words of a refusal.
    var credential: StatusRule.Credential = .none

    init(expectedSize: Int64?, offset: Int64, end: Int64? = nil, validator: Validator? = nil) {
        self.expectedSize = expectedSize
        self.offset = offset
        self.end = end
        self.validator = validator
    }

    /// Called once, with the final head.
    func admit(_ head: ResponseHead) -> Admission {
        switch head.status {
        case 200: whole(head)
        case 206: part(head)
        case 301, 302, 303, 307, 308:
            if let location = head.location {
                .redirect(location)
            } else {
                .refuse(TransferFault(.protocolViolation, "status \(head.status) without a Location to go to"))
            }
        case 416: rangeRefused(head)
        case 400...: .refuse(StatusRule.fault(status: head.status, credential: credential))
        default:
            .refuse(TransferFault(.protocolViolation, "status \(head.status), which is no answer to a GET of a file"))
        }
    }

    /// Bytes of the whole file, as the head of an answer declares them.
    func declaredSize(_ head: ResponseHead) -> Int64? {
        if head.status == 206 { return head.contentRange.flatMap(ContentRange.init)?.total }
        guard head.status == 200, case .bytes(let length) = declaredLength(head) else { return nil }
        return length
    }

    private func whole(_ head: ResponseHead) -> Admission {
        if let fault = coding(head) { return .refuse(fault) }
        switch declaredLength(head) {
        case .invalid(let fault): return .refuse(fault)
        case .unknown: break
        case .bytes(let length):
            guard let expectedSize, length != expectedSize else { break }
            return sizeMismatch(head, got: length, expected: expectedSize)
        }
        return .begin(at: 0, end: expectedSize, validator: head.entityTag.flatMap(Validator.init(entityTag:)))
    }

    private func part(_ head: ResponseHead) -> Admission {
        if offset == 0 && end == nil {
            return .refuse(
                TransferFault(.protocolViolation, "a part of the file (status 206), where the whole was asked for"))
        }
        if let fault = coding(head) { return .refuse(fault) }
        if let fault = changed(head) { return .refuse(fault) }
        guard let text = head.contentRange, let range = ContentRange(text) else {
            let got = head.contentRange.map(Foreign.quoted) ?? "none"
            return .refuse(wrongRange("a part of the file without a valid Content-Range (got \(got))"))
        }
        if let total = range.total, let expectedSize, total != expectedSize {
            return sizeMismatch(head, got: total, expected: expectedSize)
        }
        guard range.first == offset else {
            return .refuse(wrongRange("the file from byte \(range.first) on, where byte \(offset) was asked for"))
        }
        let end = end ?? range.total ?? expectedSize
        if let end, range.last != end - 1 {
            return .refuse(
                wrongRange("the file to byte \(range.last), where all to byte \(end - 1) was asked for"))
        }
        if case .bytes(let length) = declaredLength(head), length != range.last - range.first + 1 {
            return .refuse(
                wrongRange("\(length) bytes declared for a range of \(range.last - range.first + 1)"))
        }
        return .begin(at: offset, end: end, validator: head.entityTag.flatMap(Validator.init(entityTag:)) ?? validator)
    }

    /// Some servers ignore If-Range: the tag of what they send tells.
    private func changed(_ head: ResponseHead) -> TransferFault? {
        guard let validator, let got = head.entityTag else { return nil }
        // A proxy may weaken the tag of the very same bytes.
        let opaque = got.utf8.starts(with: "W/".utf8) ? String(got.dropFirst(2)) : got
        guard opaque != validator.entityTag else { return nil }
        let what =
            "the file at the source has changed since its first bytes came"
            + " (entity tag got \(Foreign.quoted(got)), expected \(Foreign.quoted(validator.entityTag)))"
        return TransferFault(.protocolViolation, what, hint: "it is fetched from its start").restarting()
    }

    private func wrongRange(_ what: String) -> TransferFault {
        let hint = "the server's ranges are broken: the file is fetched from its start"
        return TransferFault(.protocolViolation, what, hint: hint).restarting()
    }

    private func rangeRefused(_ head: ResponseHead) -> Admission {
        // Where the file ends before what is there, its start leads to this answer again.
        if let expectedSize, let total = head.contentRange.flatMap(ContentRange.unsatisfiedTotal), total != expectedSize
        {
            return sizeMismatch(head, got: total, expected: expectedSize)
        }
        let what = "the server has nothing from byte \(offset) on (status 416)"
        let fault = TransferFault(.httpStatus, what, hint: "the file is fetched from its start")
        return .refuse(offset > 0 ? fault.restarting() : fault)
    }

    private func sizeMismatch(_ head: ResponseHead, got: Int64, expected: Int64) -> Admission {
        let fault = TransferFault(
            .sizeMismatch, "got a file of \(got) bytes, expected \(expected)",
            hint: "check the size in the manifest, and that the URL still names this version")
        let isPage = Diagnosis.of(contentType: head.contentType, firstBytes: []) == .htmlPage
        // A part of the file does not start with its first bytes: nothing to be told from it.
        guard head.status == 200, isPage || got <= Self.inspectableBytes else { return .refuse(fault) }
        return .inspect(fault)
    }

    /// Codings that would make the bytes others than the file's.
    private func coding(_ head: ResponseHead) -> TransferFault? {
        if let coding = head.contentEncoding, !["", "identity"].contains(coding.lowercased()) {
            return TransferFault(
                .protocolViolation,
                "the answer is encoded (Content-Encoding got \(Foreign.quoted(coding)), expected none)",
                hint: "the server, or a proxy on the way, must send the file as it is")
        }
        if let coding = head.transferEncoding, !["chunked", "identity"].contains(coding.lowercased()) {
            return TransferFault(.protocolViolation, "the answer has the Transfer-Encoding \(Foreign.quoted(coding))")
        }
        return nil
    }

    private enum DeclaredLength {
        case unknown
        case bytes(Int64)
        case invalid(TransferFault)
    }

    private func declaredLength(_ head: ResponseHead) -> DeclaredLength {
        // With a Transfer-Encoding a Content-Length means nothing (RFC 9112 section 6.3).
        if head.transferEncoding != nil { return .unknown }
        guard let first = head.contentLengths.first else { return .unknown }
        guard let length = Decimal.parse(first), head.contentLengths.allSatisfy({ $0 == first }) else {
            let got = Foreign.quoted(head.contentLengths.joined(separator: ", "))
            return .invalid(
                TransferFault(.protocolViolation, "the answer's Content-Length is \(got), which is no length"))
        }
        return .bytes(length)
    }
}

/// Counts a body against the end that it should have.
struct BodyMeter: Equatable {
    /// Where the file ends; nil where nobody said.
    let end: Int64?
    /// The offset in the file of the next byte.
    private(set) var position: Int64

    init(from offset: Int64, end: Int64?) {
        self.end = end
        position = offset
    }

    /// - Returns: how many of the next `count` bytes belong to the file, and whether more came than belong.
    mutating func admit(_ count: Int) -> (take: Int, overruns: Bool) {
        guard let end else {
            position += Int64(count)
            return (count, false)
        }
        let take = Int(min(Int64(count), max(0, end - position)))
        position += Int64(take)
        return (take, take < count)
    }

    /// The body ran past its end and was cut off there.
    func overrun() -> TransferFault {
        TransferFault(
            .sizeMismatch, "the body goes on after \(end ?? position) bytes, where the file should end",
            hint: "check the size in the manifest, and that the URL still names this version")
    }

    /// What to say of a body that ended here without a word from libcurl; nil if that is where it should.
    func shortfall() -> TransferFault? {
        guard let end, position < end else { return nil }
        var fault = TransferFault(.networkInterrupted, "the body ended early: got \(position) of \(end) bytes")
            .retryable()
        fault.diagnosis = .truncated
        return fault
    }
}
