import TestSupport
import Testing

extension AcceptanceTests {
    /// What `make test` runs the tests by.
    @Suite struct TestScriptTests {
        private func output(_ tests: String) throws -> [Substring] {
            try Tool.run(
                "bash", ["-c", "'\(Repository.root)/scripts/test' bash -c \"$1\"; echo \"status $?\"", "bash", tests]
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
    }
}
