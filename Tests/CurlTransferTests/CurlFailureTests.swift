import SyncDomain
import Testing

@testable import CurlTransfer

/// The numbers are those of libcurl-errors(3).
@Suite struct CurlFailureTests {
    private let limits = CurlFailure.Limits(connect: .seconds(7), stall: .seconds(9))

    @Test(
        arguments: [
            (5, ErrorCode.networkDNS, true), (6, .networkDNS, true), (7, .networkConnect, true),
            (97, .networkConnect, true),
            (35, .networkTLS, true), (60, .networkTLS, false), (77, .networkTLS, false), (58, .networkTLS, false),
            (59, .networkTLS, false),
            (66, .networkTLS, false), (53, .networkTLS, false), (54, .networkTLS, false), (82, .networkTLS, false),
            (83, .networkTLS, false),
            (90, .networkTLS, false), (91, .networkTLS, false), (64, .networkTLS, false),
            (18, .networkInterrupted, true),
            (16, .networkInterrupted, true), (92, .networkInterrupted, true), (52, .networkInterrupted, true),
            (55, .networkInterrupted, true),
            (56, .networkInterrupted, true), (80, .networkInterrupted, true), (47, .httpRedirect, false),
            (1, .protocolViolation, false),
            (3, .protocolViolation, false), (8, .protocolViolation, false), (23, .protocolViolation, false),
            (27, .protocolViolation, false),
            (61, .protocolViolation, false), (999, .protocolViolation, false),
        ] as [(UInt32, ErrorCode, Bool)])
    func codesHaveTheirMeaning(_ code: UInt32, _ expected: ErrorCode, _ isRetryable: Bool) {
        let fault = CurlFailure(code: code).fault(limits)
        #expect(fault.code == expected && fault.isRetryable == isRetryable)
        #expect(!fault.mustRestart)
    }

    @Test func timeoutsAreToldApartByHowFarTheyCame() {
        let name = CurlFailure(code: 28).fault(limits)
        let connect = CurlFailure(code: 28, isResolved: true).fault(limits)
        let stall = CurlFailure(code: 28, isResolved: true, isConnected: true).fault(limits)
        #expect([name.code, connect.code, stall.code] == [.networkDNS, .networkConnect, .networkStalled])
        #expect(connect.what.contains("within 7 s") && stall.what.contains("1 byte/s for 9 s"))
        #expect([name, connect, stall].allSatisfy { $0.isRetryable })
    }

    @Test(arguments: [
        ("SSL certificate problem: certificate has expired", "renewed"),
        ("SSL: no alternative certificate subject name matches target host name 'localhost'", "another host"),
        ("SSL certificate problem: unable to get local issuer certificate", "--ca-file"),
    ])
    func certificateProblemsSayWhatToDo(_ text: String, _ hint: String) {
        let fault = CurlFailure(code: 60, text: text).fault(limits)
        #expect(fault.what.contains(text) && fault.hint?.contains(hint) == true)
    }

    @Test(arguments: [5, 6, 7, 28, 56, 3, 97] as [UInt32])
    func textThatMayQuoteASecretIsNotPassedOn(_ code: UInt32) {
        let fault = CurlFailure(code: code, text: "in 'http://user:secret@proxy'").fault(limits)
        #expect(!fault.what.contains("secret") && fault.hint?.contains("secret") != true)
    }

    @Test func refusedTunnelNamesTheProxy() {
        #expect(CurlFailure(code: 56, proxyStatus: 407).fault(limits).code == .httpUnauthorized)
        let busy = CurlFailure(code: 56, proxyStatus: 503).fault(limits)
        #expect(busy.code == .networkConnect && busy.isRetryable)
        #expect(!CurlFailure(code: 56, proxyStatus: 403).fault(limits).isRetryable)
        #expect(CurlFailure(code: 56, proxyStatus: 200).fault(limits).code == .networkInterrupted)
    }

    @Test func connectNamesTheSystemsReason() {
        #expect(CurlFailure(code: 7, systemError: 111).fault(limits).what.contains("connection refused"))
    }

    @Test func foreignTextIsMadePrintable() {
        #expect(Foreign.quoted("a\u{1B}[31m\r\nb") == "'a?[31m??b'")
        #expect(Foreign.plain(String(repeating: "x", count: 300)).count == 201)
    }

    // MARK: Diagnosis

    @Test(arguments: [
        ("text/html", "", Diagnosis.htmlPage), ("Text/HTML ; charset=utf-8", "x", .htmlPage),
        (nil, "<!DOCTYPE html>", .htmlPage),
        (nil, "\u{FEFF}\r\n  <HTML lang=en>", .htmlPage),
        ("text/plain", "version https://git-lfs.github.com/spec/v1\noid", .lfsPointer),
        ("text/html", "version https://git-lfs.github.com/spec/v1\n", .lfsPointer),
        ("application/octet-stream", "\u{1}\u{2}", nil),
        (nil, "", nil), (nil, "<htm", nil), ("text/htmlx", "", nil), (nil, "x<html>", nil),
    ])
    func pagesAndPointersAreKnown(_ type: String?, _ text: String, _ expected: Diagnosis?) {
        #expect(Diagnosis.of(contentType: type, firstBytes: Array(text.utf8)) == expected)
    }
}
