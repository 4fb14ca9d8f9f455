import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// `modelsync report`: from a real run's report to a page.
    @Suite struct ReportPages {
        /// A run in which one file comes, at a second try where the first is to stall, and one is not there.
        private static func withReport(stalls: Bool = false, _ body: (World, _ report: String) async throws -> Void)
            async throws
        {
            try await World.with { world in
                let (good, lost) = (
                    try world.document("good.bin", 50_000, seed: 1), try world.document("lost.bin", 900, seed: 2)
                )
                let server = try FaultServer()
                defer { server.stop() }
                let bytes = Payload.bytes(50_000, seed: 1)
                server.script("/good.bin") { request, attempt in
                    var response = FaultServer.Response.file(bytes, for: request)
                    if stalls && attempt == 1 { response.fault = (20_000, .stall) }
                    return response
                }
                server.script("/lost.bin", [.status(404)])
                let base = "http://127.0.0.1:\(server.port)"
                let manifest = try world.manifest(.init("kind/one", files: [good.file(base), lost.file(base)]))
                let report = world.folder.appending("report.json")
                let run = try await world.run(
                    "apply", manifest, "--report", report, "--stall-timeout", stalls ? "2" : "30", "--progress", "none")
                #expect(run.exitCode == 1, "\(run)")
                try await body(world, report)
            }
        }

        @Test func aRunsReportBecomesAPage() async throws {
            try await Self.withReport { world, report in
                let out = try world.folder.write("before", to: "page.html")
                let result = try await world.run("report", report, "--html", "page.html")
                #expect(result.exitCode == 0, "\(result)")
                #expect(result.standardOutput.isEmpty)
                #expect(result.standardError == "page: \(out)\n")
                let page = readText(out)
                #expect(page.hasPrefix("<!doctype html>") && page.hasSuffix("</html>\n"))
                #expect(page.utf8.count < 100_000)
                #expect(page.contains("<h1>1 of 2 files failed</h1>"))
                #expect(page.contains("http.not_found"))
            }
        }

        @Test(.enabled(if: Browser.path != nil, "chromium is not installed; `make test` installs it"))
        func thePageOfARunShowsItsStallItsFailureAndItsThroughput() async throws {
            try await Self.withReport(stalls: true) { world, report in
                let result = try await world.run("report", report, "--html", "-")
                let whole = try await Browser.visit(result.standardOutput)
                #expect(whole.console == [])
                let visit = try await Browser.visit(
                    result.standardOutput,
                    driver: """
                        return { spots: [...document.querySelectorAll("#timeline-rows .spot")].map((s) => s.textContent).sort().join(""),
                          rows: document.querySelectorAll("#rows tr:not(.pad)").length,
                          lines: document.querySelectorAll("#chart path.line").length,
                          first: document.querySelector("#timeline-rows button").getAttribute("aria-label") };
                        """)
                let facts = try visit.facts()
                // On a busy machine an answer may be so late that it is a stall, too.
                #expect(Set(facts["spots"] as? String ?? "") == ["F", "S"], "\(facts)")
                #expect(facts["rows"] as? Int == 2)
                #expect(facts["lines"] as? Int == 1)
                #expect((facts["first"] as? String)?.contains("stalled: ") == true, "\(facts)")
            }
        }

        @Test func aReportCanComeFromStandardInput() async throws {
            try await Self.withReport { world, report in
                let fromFile = try await world.run("report", report, "--html", "-")
                let piped = try await world.run("report", "-", "--html", "-", input: Array(readText(report).utf8))
                #expect(piped.exitCode == 0 && piped.standardError.isEmpty, "\(piped)")
                #expect(piped.standardOutput == fromFile.standardOutput)
                #expect(piped.standardOutput.hasPrefix("<!doctype html>"))
            }
        }

        @Test func whatCanNotBecomeAPageIsTold() async throws {
            try await Self.withReport { world, report in
                let whole = readText(report)
                let cut = try world.folder.write(String(whole.prefix(700)), to: "cut.json")
                let plan = try await world.run("plan", world.folder.appending("models.yaml"), "--format", "json")
                let other = try world.folder.write(plan.standardOutput, to: "plan.json")
                let cases: [(file: String, code: Int32, says: String)] = [
                    ("none.json", 66, "none.json: no such report"),
                    (cut, 65, "cut.json: is not a whole report: it is cut off"),
                    (other, 65, "plan.json: is not a report that this program knows: its schema is 'modelsync.plan/1'"),
                    (
                        world.folder.appending("models.yaml"), 65,
                        "models.yaml: is not a report: it is not a JSON object"
                    ),
                    (world.folder.path, 74, "\(world.folder.path): the report can't be read: is a directory"),
                ]
                let out = try world.folder.write("before", to: "page.html")
                for (file, code, says) in cases {
                    let result = try await world.run("report", file, "--html", out)
                    #expect(result.exitCode == code, "\(result)")
                    #expect(result.standardError.contains(says), "\(result)")
                    #expect(result.standardOutput.isEmpty)
                }
                #expect(readText(out) == "before")
            }
        }

        @Test func aPageThatCanNotBeWrittenIsTold() async throws {
            try await Self.withReport { world, report in
                let result = try await world.run("report", report, "--html", "no/such/folder/page.html")
                #expect(result.exitCode == 73, "\(result)")
                #expect(result.standardError.contains("no/such/folder/page.html"))
                let usage = try await world.run("report", report)
                #expect(usage.exitCode == 64, "\(usage)")
                #expect(usage.standardError.contains("--html"))
            }
        }
    }
}
