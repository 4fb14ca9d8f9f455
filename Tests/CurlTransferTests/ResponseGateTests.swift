import SyncDomain
import Testing

@testable import CurlTransfer

@Suite struct ResponseGateTests {
    private let tag = Validator(entityTag: "\"v1\"")

    private func head(_ status: Int, _ fields: (inout ResponseHead) -> Void = { _ in }) -> ResponseHead {
        var head = ResponseHead(status: status)
        fields(&head)
        return head
    }

    private func admit(
        _ head: ResponseHead, size: Int64? = 100_000, offset: Int64 = 0, validator: Validator? = nil
    ) -> ResponseGate.Admission {
        ResponseGate(expectedSize: size, offset: offset, validator: validator).admit(head)
    }

    private func fault(_ admission: ResponseGate.Admission) -> TransferFault? {
        switch admission {
        case .refuse(let fault), .inspect(let fault): fault
        case .begin, .redirect: nil
        }
    }

    private func part(_ range: String?, length: String? = nil, tag: String? = nil) -> ResponseHead {
        head(206) { head in
            head.contentRange = range
            head.contentLengths = length.map { [$0] } ?? []
            head.entityTag = tag
        }
    }

    @Test func wholeFileBeginsAtItsStart() {
        let head = head(200) { head in
            head.contentLengths = ["100000"]
            head.entityTag = "\"v1\""
        }
        #expect(admit(head) == .begin(at: 0, end: 100_000, validator: tag))
    }

    @Test func wholeFileToARangeStartsOver() {
        #expect(admit(head(200), offset: 5) == .begin(at: 0, end: 100_000, validator: nil))
    }

    @Test func weakTagIsNoValidator() {
        #expect(admit(head(200) { $0.entityTag = "W/\"v1\"" }) == .begin(at: 0, end: 100_000, validator: nil))
    }

    @Test func anyLengthIsFineWhereNoneIsExpected() {
        #expect(admit(head(200) { $0.contentLengths = ["7"] }, size: nil) == .begin(at: 0, end: nil, validator: nil))
    }

    @Test func otherLengthIsRefusedBeforeTheBytes() {
        let admission = admit(head(200) { $0.contentLengths = ["100001"] })
        #expect(fault(admission)?.code == .sizeMismatch)
        #expect(fault(admission)?.isRetryable == false)
        guard case .refuse = admission else {
            Issue.record("a large body is not looked into")
            return
        }
    }

    @Test(arguments: [("7", "application/octet-stream"), ("100001", "Text/HTML; charset=utf-8"), ("65536", nil)])
    func smallOrHTMLBodiesOfOtherLengthAreInspected(_ length: String, _ type: String?) {
        let admission = admit(
            head(200) { head in
                head.contentLengths = [length]
                head.contentType = type
            })
        guard case .inspect(let fault) = admission else {
            Issue.record("not inspected")
            return
        }
        #expect(fault.code == .sizeMismatch)
    }

    @Test(arguments: [["1", "2"], ["-1"], ["1, 1"], ["x"], [""]])
    func lengthThatIsNoneIsRefused(_ lengths: [String]) {
        #expect(fault(admit(head(200) { $0.contentLengths = lengths }))?.code == .protocolViolation)
    }

    @Test func repeatedEqualLengthIsOne() {
        #expect(fault(admit(head(200) { $0.contentLengths = ["100000", "100000"] })) == nil)
    }

    @Test func lengthMeansNothingWhereChunked() {
        let head = head(200) { head in
            head.contentLengths = ["3"]
            head.transferEncoding = "chunked"
        }
        #expect(admit(head) == .begin(at: 0, end: 100_000, validator: nil))
    }

    @Test(arguments: ["gzip", "br", "GZIP, identity", "x"])
    func encodedAnswersAreRefused(_ coding: String) {
        #expect(fault(admit(head(200) { $0.contentEncoding = coding }))?.code == .protocolViolation)
        #expect(fault(admit(head(200) { $0.transferEncoding = coding }))?.code == .protocolViolation)
    }

    @Test func identityIsNoEncoding() {
        #expect(fault(admit(head(200) { $0.contentEncoding = "Identity" })) == nil)
    }

    @Test(arguments: [201, 202, 203, 204, 205, 207, 299, 300, 304, 305, 101])
    func otherStatusesAreAgainstTheProtocol(_ status: Int) {
        #expect(fault(admit(head(status)))?.code == .protocolViolation)
    }

    @Test(arguments: [301, 302, 303, 307, 308])
    func redirectsNameTheirTarget(_ status: Int) {
        #expect(admit(head(status) { $0.location = "/b" }) == .redirect("/b"))
        #expect(fault(admit(head(status)))?.code == .protocolViolation)
    }

    // MARK: Ranges

    @Test(arguments: ["bytes 5-99999/100000", "bytes 5-99999/*"])
    func rangeThatWasAskedForGoesOn(_ range: String) {
        #expect(admit(part(range, length: "99995"), offset: 5) == .begin(at: 5, end: 100_000, validator: nil))
    }

    @Test func rangeKeepsTheValidatorThatItWasAskedWith() {
        let admission = admit(part("bytes 5-99999/100000"), offset: 5, validator: tag)
        #expect(admission == .begin(at: 5, end: 100_000, validator: tag))
    }

    @Test func totalOfARangeIsItsEndWhereNoSizeIsKnown() {
        #expect(admit(part("bytes 5-9/10"), size: nil, offset: 5) == .begin(at: 5, end: 10, validator: nil))
        #expect(admit(part("bytes 5-9/*"), size: nil, offset: 5) == .begin(at: 5, end: nil, validator: nil))
    }

    @Test(arguments: [
        "bytes 4-99999/100000", "bytes 6-99999/100000", "bytes 0-99999/100000", "bytes 5-9/100000", "x", nil,
    ])
    func otherRangeThanAskedIsAgainstTheProtocol(_ range: String?) {
        let fault = fault(admit(part(range), offset: 5))
        #expect(fault?.code == .protocolViolation)
        #expect(fault?.mustRestart == true && fault?.isRetryable == true)
    }

    @Test func rangeOfOtherTotalIsOfAnotherFile() {
        let fault = fault(admit(part("bytes 5-100000/100001"), offset: 5))
        #expect(fault?.code == .sizeMismatch)
        #expect(fault?.mustRestart == false && fault?.isRetryable == false)
    }

    @Test func rangeWithOtherLengthIsAgainstTheProtocol() {
        #expect(fault(admit(part("bytes 5-99999/100000", length: "7"), offset: 5))?.code == .protocolViolation)
    }

    @Test func partWithoutARangeAskedForIsAgainstTheProtocol() {
        let fault = fault(admit(part("bytes 0-99999/100000")))
        #expect(fault?.code == .protocolViolation && fault?.mustRestart == false)
    }

    @Test func changedTagMustRestart() {
        let fault = fault(admit(part("bytes 5-99999/100000", tag: "\"v2\""), offset: 5, validator: tag))
        #expect(fault?.mustRestart == true && fault?.isRetryable == true)
    }

    @Test func weakenedTagOfTheSameVersionIsNoChange() {
        let admission = admit(part("bytes 5-99999/100000", tag: "W/\"v1\""), offset: 5, validator: tag)
        #expect(admission == .begin(at: 5, end: 100_000, validator: tag))
    }

    @Test func rangePastTheEndMustRestart() {
        let fault = fault(admit(head(416), offset: 5))
        #expect(fault?.mustRestart == true && fault?.isRetryable == true)
        #expect(self.fault(admit(head(416)))?.mustRestart == false)
        let sameSize = head(416) { $0.contentRange = "bytes */100000" }
        #expect(self.fault(admit(sameSize, offset: 5))?.mustRestart == true)
    }

    @Test func rangePastTheEndOfAFileOfAnotherSizeIsRefusedForGood() {
        let fault = fault(admit(head(416) { $0.contentRange = "bytes */4" }, offset: 5))
        #expect(fault?.code == .sizeMismatch && fault?.isRetryable == false)
    }

    // MARK: Statuses

    @Test(arguments: [
        (401, ErrorCode.httpUnauthorized, false), (403, .httpUnauthorized, false), (407, .httpUnauthorized, false),
        (404, .httpNotFound, false), (410, .httpNotFound, false), (400, .httpStatus, false), (408, .httpStatus, true),
        (418, .httpStatus, false), (425, .httpStatus, true), (429, .httpStatus, true), (500, .httpStatus, true),
        (501, .httpStatus, false), (502, .httpStatus, true), (503, .httpStatus, true), (504, .httpStatus, true),
        (505, .httpStatus, false), (599, .httpStatus, true), (600, .httpStatus, false),
    ])
    func statusesHaveTheirCode(_ status: Int, _ code: ErrorCode, _ isRetryable: Bool) {
        let fault = fault(admit(head(status)))
        #expect(fault?.code == code && fault?.isRetryable == isRetryable)
    }

    @Test func refusedCredentialsNameTheirVariable() {
        let missing = StatusRule.fault(status: 401, credential: .missing(variable: "EXAMPLE_TOKEN"))
        #expect(missing.hint?.contains("set EXAMPLE_TOKEN") == true)
        let refused = StatusRule.fault(status: 403, credential: .bearer(variable: "EXAMPLE_TOKEN"))
        #expect(refused.what.contains("the token in EXAMPLE_TOKEN was refused"))
        #expect(StatusRule.fault(status: 401, credential: .none).hint?.contains("~/.netrc") == true)
    }

    // MARK: Counting

    @Test func meterCutsTheBodyAtItsEnd() {
        var meter = BodyMeter(from: 5, end: 10)
        #expect(meter.admit(3) == (3, false))
        #expect(meter.shortfall()?.code == .networkInterrupted)
        #expect(meter.shortfall()?.diagnosis == .truncated)
        #expect(meter.shortfall()?.what.contains("got 8 of 10 bytes") == true)
        #expect(meter.admit(3) == (2, true))
        #expect(meter.shortfall() == nil)
        #expect(meter.admit(1) == (0, true))
    }

    @Test func meterWithoutAnEndTakesAll() {
        var meter = BodyMeter(from: 0, end: nil)
        #expect(meter.admit(1 << 40) == (1 << 40, false))
        #expect(meter.shortfall() == nil)
    }
}
