import Foundation
import TestSupport
import Testing

@testable import ModelSyncKit

/// What is made of a report before a browser sees it.
@Suite struct ReportPageTests {
    static let hostile = "</script><img src=http://evil.example/x onerror=alert(1)>\"'&\u{2028}\u{202E}x"

    @Test func whatComesFromOutsideIsTextAndNoMarkup() throws {
        let page = try SampleReport.page(of: SampleReport.hostile(Self.hostile))
        #expect(!page.contains("<img"))
        #expect(!page.contains("evil.example/x onerror=alert(1)>"))
        #expect(page.contains("&lt;/script&gt;&lt;img src=http://evil.example/x onerror=alert(1)&gt;&quot;&#39;&amp;"))
        #expect(page.contains(#"\u003c/script\u003e\u003cimg src=http://evil.example/x"#))
        #expect(page.components(separatedBy: "<script").count == 3)
        #expect(page.components(separatedBy: "</script").count == 3)
    }

    @Test func theEmbeddedReportIsTheReport() throws {
        let json = SampleReport.hostile(Self.hostile + "\u{2029}é€\u{A8}\u{A9}").json
        let embedded = ReportPage.embedded(json)
        #expect(!embedded.contains { [UInt8(ascii: "<"), UInt8(ascii: ">"), UInt8(ascii: "&")].contains($0) })
        let text = String(decoding: embedded, as: UTF8.self)
        #expect(!text.unicodeScalars.contains { ["\u{2028}", "\u{2029}"].contains($0) })
        let documents = try [json, embedded].map { try JSONSerialization.jsonObject(with: Data($0)) as? NSDictionary }
        #expect(documents[0] != nil && documents[0] == documents[1])
    }

    @Test func thePageHoldsJSONThatBrowsersTake() throws {
        let json = String(decoding: SampleReport.eventful.json, as: UTF8.self)
        let loose = json.replacingOccurrences(of: "}]}\n", with: "},]}\n")
        #expect(loose != json)
        let strict = try ReportDocument(json: Array(json.utf8)).json
        #expect((try? ReportDocument(json: Array(loose.utf8)).json) ?? strict == strict)
        let keys = try [Array(json.utf8), strict].map { document in
            Set(try #require(try JSONSerialization.jsonObject(with: Data(document)) as? [String: Any]).keys)
        }
        #expect(keys[0].subtracting(keys[1]) == ["schema"])
        #expect(keys[1].subtracting(keys[0]).isEmpty)
    }

    @Test func placesInATemplateAreFilledOnce() {
        let page = ReportPage.fill(Array("a{{x}}b{{y}}c{{x}}{{".utf8)) {
            $0 == "x" ? Array("{{y}}".utf8) : Array("Y".utf8)
        }
        #expect(String(decoding: page, as: UTF8.self) == "a{{y}}bYc{{y}}{{")
    }

    @Test func controlCharactersAreNotInThePage() throws {
        let page = try SampleReport.page(of: SampleReport.hostile("a\u{0}b\u{1B}[31mc\u{85}d"))
        #expect(page.contains("a\u{FFFD}b\u{FFFD}[31mc\u{FFFD}d"))
        #expect(!page.unicodeScalars.contains { $0.value < 0x20 && $0 != "\n" })
    }

    @Test func thePageNeedsNothingElse() throws {
        let page = try SampleReport.page(of: SampleReport.eventful)
        let markup = page.components(separatedBy: "<script")[0]
        for reference in ["src=", "href=\"http", "href=\"//", "url(", "@import", "style=\""] {
            #expect(!markup.contains(reference), "\(reference)")
        }
        #expect(markup.contains("default-src 'none'; img-src data:; style-src 'sha256-"))
        #expect(!markup.contains("{{"))
    }

    @Test func outcomeTotalsAndFailuresNeedNoScript() throws {
        let page = try SampleReport.page(of: SampleReport.eventful).components(separatedBy: "<script")[0]
        for text in [
            "1 of 3 files failed", "b.bin", "http.status", "truncated", "the server answered with status 503",
            "1.50 kB",
            "31.5 s", "2 attempts", "18:45:01.500", "sha256:000000",
        ] {
            #expect(page.contains(text), "\(text)")
        }
    }

    @Test(
        arguments: [
            (RunOutcome.ok, [], "Nothing to do"), (.ok, [.kept], "All is as the manifest says"),
            (.failed, [.kept, .failed], "1 of 2 files failed"), (.failed, [], "The run failed"),
            (.cancelled, [.downloaded, .cancelled, .skipped], "Cancelled: 2 of 3 files not done"),
            (.failed, Array(repeating: .failed, count: 1234), "1,234 of 1,234 files failed"),
        ] as [(RunOutcome, [ResultOutcome], String)])
    func theHeadSaysWhatCameOfIt(_ outcome: RunOutcome, _ results: [ResultOutcome], _ text: String) throws {
        var report = SampleReport.empty
        report.outcome = outcome
        report.results = results.enumerated().map { index, outcome in
            DownloadResult(
                model: "m", path: "\(index)", sha256: SampleReport.digest, size: 1, outcome: outcome,
                error: outcome == .failed ? SyncError(.httpStatus, "no") : nil)
        }
        #expect(try SampleReport.page(of: report).contains("<h1>\(text)</h1>"))
    }

    @Test func ofVeryManyFailuresTheFirstAreTold() throws {
        var report = SampleReport.empty
        report.outcome = .failed
        report.results = (0..<1100).map { index in
            DownloadResult(
                model: "m", path: "\(index)", sha256: SampleReport.digest, size: 1, outcome: .failed,
                error: SyncError(.httpStatus, "no"))
        }
        let page = try SampleReport.page(of: report)
        #expect(page.components(separatedBy: "<article").count == 101)
        #expect(page.contains("and 1,000 more"))
    }

    @Test(arguments: [
        ("", "is not a report: it is empty"), ("  \n", "is not a report: it is empty"),
        ("version: 1\n", "it is not a JSON object"), ("[]", "it is not a JSON object"),
        ("{\"a\" 1}", "it is not a JSON object"), ("{}", "it has no schema, expected 'modelsync.report/1'"),
        ("{\"schema\": \"modelsync.plan/1\"}", "its schema is 'modelsync.plan/1', expected 'modelsync.report/1'"),
        ("{\"schema\": \"modelsync.report/1\"}", "'command' is missing"), ("\u{FEFF}{}", "it is not a JSON object"),
        ("{\u{0}}", "it is not UTF-8 text"),
    ])
    func whatIsNoReportIsRefused(_ text: String, _ reason: String) {
        let error = #expect(throws: InvalidValue.self) { try ReportPage(json: Array(text.utf8)) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func aReportThatIsCutOffAnywhereIsRefused() throws {
        let json = SampleReport.eventful.json
        for length in stride(from: 1, to: json.count - 1, by: 7) {
            let error = #expect(throws: InvalidValue.self) { try ReportPage(json: Array(json[..<length])) }
            #expect(error?.reason.contains("report") == true)
        }
        let cut = #expect(throws: InvalidValue.self) { try ReportPage(json: Array(json[..<300])) }
        #expect(cut?.reason == "is not a whole report: it is cut off")
    }

    @Test(arguments: [
        ("\"size\":1500", "\"size\":\"big\"", "'results[0].size' has a value of another type"),
        ("\"url\":\"http", "\"uri\":\"http", "'results[0].attempts[0].url' is missing"),
        ("\"seconds\":31.500", "\"seconds\":-1e300", "a duration that is out of range"),
        ("\"results\":[", "\"results\":[7,", "'results[0]' has a value of another type"),
    ])
    func aReportWithAWrongValueIsRefusedWithItsPlace(_ was: String, _ becomes: String, _ reason: String) throws {
        var text = String(decoding: SampleReport.eventful.json, as: UTF8.self)
        text.replaceSubrange(try #require(text.range(of: was)), with: becomes)
        let error = #expect(throws: InvalidValue.self) { try ReportPage(json: Array(text.utf8)) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func fieldsThatAreNotKnownAreNoError() throws {
        let text = String(decoding: SampleReport.eventful.json, as: UTF8.self)
        let page = try ReportPage(json: Array(("{\"later\":{\"x\":[1]}," + text.dropFirst()).utf8))
        #expect(String(decoding: page.html, as: UTF8.self).contains("1 of 3 files failed"))
    }

    /// WCAG 2.2, 1.4.3 and 1.4.11: 4.5 for text, 3 for what else must be seen.
    @Test(arguments: [0, 1]) func coloursHaveContrastInBothThemes(_ theme: Int) throws {
        let sheet = try String(
            contentsOfFile: Repository.root + "/Sources/ModelSyncKit/Resources/report.css", encoding: .utf8)
        let block = sheet.components(separatedBy: ":root {")[1 + theme].components(separatedBy: "}")[0]
        var colours: [String: Double] = [:]
        for match in block.matches(of: /--(\w+): #([0-9a-f]{3,6})/) { colours[String(match.1)] = luminance(match.2) }
        for back in ["card", "back", "soft"] {
            for (text, least) in [("ink", 4.5), ("dim", 4.5), ("good", 3), ("bad", 4.5), ("warn", 3), ("focus", 3)] {
                #expect(contrast(colours[text], colours[back]) >= least, "\(text) on \(back)")
            }
        }
        for mark in ["s0", "s1", "s2", "s3", "s4", "s5", "verify", "wait"] {
            #expect(contrast(colours[mark], colours["card"]) >= 3, "\(mark)")
        }
    }

    private func contrast(_ a: Double?, _ b: Double?) -> Double {
        guard let a, let b else { return 0 }
        return (max(a, b) + 0.05) / (min(a, b) + 0.05)
    }

    private func luminance(_ hex: Substring) -> Double {
        let digits = hex.count == 3 ? hex.flatMap { [$0, $0] } : Array(hex)
        let parts = [0, 2, 4].map { index -> Double in
            let value = Double(Int(String(digits[index...index + 1]), radix: 16) ?? 0) / 255
            return value <= 0.04045 ? value / 12.92 : pow((value + 0.055) / 1.055, 2.4)
        }
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
    }
}
