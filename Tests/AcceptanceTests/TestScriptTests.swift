import TestSupport
import Testing

extension AcceptanceTests {
    /// What `make test` runs the tests by.
    @Suite struct TestScriptTests {
        private func output(_ tests: String, limit: String = "") throws -> [Substring] {
            try Tool.run(
                "bash",
                [
                    "-c", "TEST_LIMIT=\(limit) '\(Repository.root)/scripts/test' bash -c \"$1\"; echo \"status $?\"",
                    "bash", tests,
                ]
            ).split(separator: "\n")
        }

        @Test func failuresAreToldAgainBeforeTheSummaryAndFailTheBuild() throws {
            let failed = try output(
                "echo '✘ a failed'; echo '↳ why'; echo '✔ b passed'; echo '✘ the run failed'; exit 3")
            #expect(
                failed == [
                    "✘ a failed", "↳ why", "✔ b passed", "✘ the run failed",
                    "✘ a failed", "↳ why", "✘ the run failed", "✘ the run failed", "status 3",
                ])
            #expect(try output("echo '✔ all passed'") == ["✔ all passed", "status 0"])
        }

        @Test func testsThatHangAreEndedAndNamed() throws {
            let hung = try output(
                "echo '◇ Test run started.'; echo '◇ Test a() started.'; echo '◇ Test b() started.'; "
                    + "echo '✔ Test a() passed after 1 second.'; sleep 60",
                limit: "0.2")
            #expect(
                hung.suffix(4) == [
                    "✘ not over after 0.2; begun and, as far as the log goes, not ended:", "✘ b()",
                    "✔ Test a() passed after 1 second.", "status 124",
                ])
        }
    }
}
