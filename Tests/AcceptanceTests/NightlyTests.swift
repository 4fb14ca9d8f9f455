import Foundation
import TestSupport
import Testing

extension Trait where Self == ConditionTrait {
    /// Skips where a command is missing.
    static func needs(_ tools: String...) -> Self {
        .enabled(
            if: tools.allSatisfy { Tool.find($0) != nil },
            "\(tools.joined(separator: " or ")) is not installed; `make test` installs it")
    }
}

extension AcceptanceTests {
    /// What a nightly job, its log and its alerts rely on.
    @Suite struct Nightly {
        private static func world(_ body: (World, _ manifest: String) async throws -> Void) async throws {
            try await World.with { world in
                let document = try world.document("a.bin", 1000, seed: 1)
                let manifest = try world.manifest(ManifestText.Model("m", files: [document.file("documents")]))
                try await body(world, manifest)
            }
        }

        /// The sample of that name, which has one.
        private static func value(_ name: String, in metrics: String) -> String? {
            let line = readText(metrics).split(separator: "\n").first { $0.hasPrefix("modelsync_\(name){") }
            return line?.split(separator: " ").last.map(String.init)
        }

        @Test(.needs("promtool")) func promtoolTakesTheMetricsOfEachRun() async throws {
            try await Self.world { world, manifest in
                let metrics = world.folder.appending("m.prom")
                for arguments in [["apply", manifest], ["verify"], ["verify", "--budget", "1G"]] {
                    let result = try await world.program.run(
                        arguments + ["--store", world.store, "--metrics", metrics])
                    #expect(result.exitCode == 0, "\(result)")
                    try Tool.run("promtool", ["check", "metrics"], input: Array(readText(metrics).utf8))
                }
                #expect(Self.value("oldest_verification_timestamp_seconds", in: metrics) != nil)
                let mode = try FileManager.default.attributesOfItem(atPath: metrics)[.posixPermissions] as? Int
                #expect(mode == 0o644)
                let names = try FileManager.default.contentsOfDirectory(atPath: world.folder.path)
                #expect(names.filter { $0.contains("prom") } == ["m.prom"])
            }
        }

        @Test func aRunThatFailsOrCanNotBeginSaysSoInItsMetrics() async throws {
            try await Self.world { world, manifest in
                let metrics = world.folder.appending("m.prom")
                try FileManager.default.removeItem(atPath: world.documents + "/a.bin")
                let missing = world.folder.appending("missing.yaml")
                let noStore = manifest + "/store"
                for (arguments, code) in [
                    (["apply", manifest, "--store", world.store], 1), (["apply", missing, "--store", world.store], 66),
                    (["apply", manifest, "--store", noStore], 73),
                    (["apply", manifest, "--only", "x", "--store", world.store], 64),
                ] as [([String], Int32)] {
                    try? FileManager.default.removeItem(atPath: metrics)
                    let result = try await world.program.run(arguments + ["--metrics", metrics])
                    #expect(result.exitCode == code, "\(result)")
                    #expect(Self.value("run_success", in: metrics) == "0", "\(result)")
                    #expect(Self.value("run_exit_code", in: metrics) == String(code), "\(result)")
                }
            }
        }

        @Test func aRunThatIsEndedBySystemdSaysSoInItsMetrics() async throws {
            try await World.with { world in
                let document = try world.document("f.bin", 4 << 20, seed: 1)
                let server = try world.stalling(document, at: 2 << 20)
                let manifest = try world.manifest(.init("m/one", files: [document.file(server.http)]))
                let metrics = world.folder.appending("m.prom")
                let started = try world.startApply(manifest, ["--metrics", metrics])
                try await started.program.signal(SIGTERM, when: "bytes are coming") { world.partialBytes >= 1 << 20 }
                #expect(await started.program.wait().exitCode == 143)
                #expect(Self.value("run_exit_code", in: metrics) == "143")
                #expect(readText(metrics).contains(#"outcome="cancelled"} 1"#))
            }
        }

        @Test func metricsAreForRunsAndGoToOnePlace() async throws {
            try await Self.world { world, manifest in
                let both = try await world.run("apply", manifest, "--report", "-", "--metrics", "-")
                #expect(both.exitCode == 64, "\(both)")
                let dry = try await world.run("apply", manifest, "--dry-run", "--metrics", "-")
                #expect(dry.exitCode == 64, "\(dry)")
                let output = try await world.run("apply", manifest, "--metrics", "-")
                #expect(output.exitCode == 0, "\(output)")
                #expect(output.standardOutput.split(separator: "\n").allSatisfy { $0.contains("modelsync_") })
            }
        }

        @Test func aLineInTheJournalHasItsPriority() async throws {
            try await Self.world { world, manifest in
                try world.folder.write("version: 1\nmodels:\n  - nme: a\n    sie: 3\n", to: "bad.yaml")
                let bad = world.folder.appending("bad.yaml")
                let applied = try await stderr(of: ["apply", manifest], world, journal: true)
                #expect(applied.allSatisfy { $0.hasPrefix("<6>") } && !applied.isEmpty, "\(applied)")
                let failed = try await stderr(of: ["show", "nothing"], world, journal: true)
                #expect(failed.count == 1 && failed[0].hasPrefix("<3>error: "), "\(failed)")
                let issues = try await stderr(of: ["validate", bad], world, journal: true)
                #expect(issues.count > 1 && issues.allSatisfy { $0.hasPrefix("<3>") }, "\(issues)")
                // The variable is inherited by children whose standard error goes elsewhere.
                let redirected = try await stderr(of: ["show", "nothing"], world, journal: false)
                #expect(redirected.first?.hasPrefix("error: ") == true, "\(redirected)")
            }
        }

        private func stderr(of arguments: [String], _ world: World, journal: Bool) async throws -> [String] {
            let stream = journal ? "$(stat -L -c %d:%i /proc/self/fd/2)" : "1:2"
            let script = "JOURNAL_STREAM=\(stream) exec \"$0\" \"$@\""
            var launch = Launch(
                "/bin/sh", ["-c", script, Program.path] + arguments + ["--store", world.store],
                environment: ["PATH": "/usr/bin:/bin", "HOME": world.folder.path])
            launch.errors = try world.folder.write("", to: "errors")
            _ = try await ChildProcess(launch).wait()
            return readText(launch.errors).split(separator: "\n").map(String.init)
        }
    }

    /// The examples of deploy/.
    @Suite struct Deploying {
        private static let deploy = Repository.root + "/deploy"

        @Test(.needs("systemd-analyze")) func systemdTakesTheUnits() throws {
            try TemporaryFolder.withNow { folder in
                let units =
                    Repository.files(in: Self.deploy + "/systemd", suffix: ".service")
                    + Repository.files(in: Self.deploy + "/systemd", suffix: ".timer")
                #expect(units.count == 4)
                let copies = try units.map { unit in
                    try folder.write(
                        readText(unit).replacing("=/usr/bin/modelsync", with: "=" + Program.path),
                        to: URL(fileURLWithPath: unit).lastPathComponent)
                }
                try Tool.run("systemd-analyze", ["verify", "--man=no"] + copies)
            }
        }

        @Test(.needs("systemd-analyze", "strace"), .enabled(if: !FaultShim.isSanitized, "sanitizers call more"))
        func theUnitsAllowTheSystemCallsOfARun() async throws {
            try await World.with { world in
                let document = try world.document("a.bin", 40 << 20, seed: 1)
                let manifest = try world.manifest(.init("m", files: [document.file("documents")]))
                var called: Set<Substring> = []
                for arguments in [["apply", manifest], ["verify", "--budget", "1G"]] {
                    let trace = world.folder.appending("trace")
                    try Tool.run(
                        "strace", ["-f", "-c", "-o", trace, Program.path] + arguments + ["--store", world.store])
                    called.formUnion(
                        readText(trace).split(separator: "\n").compactMap { $0.split(separator: " ").last })
                }
                let allowed = try Self.calls("@system-service").subtracting(Self.calls("@privileged"))
                    .union(["mincore", "execve"])
                // Lines of the table that are no calls.
                let others: Set<Substring> = ["syscall", "total"]
                let refused = called.subtracting(allowed).subtracting(others).filter { !$0.hasPrefix("-") }
                #expect(refused.isEmpty && called.contains("openat"), "\(refused)")
            }
        }

        /// The system calls of a set of systemd's, and of the sets in it.
        private static func calls(_ set: String) throws -> Set<Substring> {
            let text = try Tool.run("systemd-analyze", ["syscall-filter", "--no-pager", set])
            var out: Set<Substring> = []
            for word in text.split(whereSeparator: \.isNewline).dropFirst().map({ $0.drop { $0 == " " } })
            where !word.hasPrefix("#") {
                if word.hasPrefix("@") { out.formUnion(try calls(String(word))) } else { out.insert(word) }
            }
            return out
        }

        @Test(.needs("promtool")) func promtoolTakesTheAlertsAndTheyNameMetricsThatThereAre() throws {
            let rules = Self.deploy + "/prometheus/modelsync.rules.yml"
            try Tool.run("promtool", ["check", "rules", rules])
            let source = readText(Repository.root + "/Sources/SyncDomain/SyncReport+Metrics.swift")
            for match in readText(rules).matches(of: /expr: .*modelsync_(\w+)/) {
                #expect(source.contains("\"\(match.1)\""), "\(match.1)")
            }
        }

        @Test(.needs("promtool")) func theAlertsFireForBadRunsAndForNoneThatIsWell() throws {
            let rules = Self.deploy + "/prometheus/modelsync.rules.yml"
            func series(_ name: String, _ labels: String, _ value: Int) -> String {
                "      - {series: 'modelsync_\(name){\(labels)}', values: '\(value)x3000'}\n"
            }
            // After 48 hours; the well one has just ended, the bad one at the beginning.
            let (well, bad) = (#"command="verify",store="/w""#, #"command="verify",store="/b""#)
            var test =
                "rule_files: ['\(rules)']\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n"
            test += series("run_success", well, 1) + series("run_success", bad, 0)
            test += series("run_finished_timestamp_seconds", well, 172_800)
            test += series("run_finished_timestamp_seconds", bad, 0)
            test +=
                series("run_files", well + #",outcome="failed""#, 0)
                + series("run_files", bad + #",outcome="failed""#, 2)
            test += series("run_failures", bad + #",code="store.no_space""#, 1)
            test += series("oldest_verification_timestamp_seconds", well, 0)
            test += "    promql_expr_test:\n"
            for (name, count) in [
                ("RunFailed", 1), ("RunMissing", 1), ("Corrupt", 1), ("NoSpace", 1), ("VerificationBehind", 0),
            ] {
                let query = #"count(ALERTS{alertname="Modelsync\#(name)",alertstate="firing"}) or vector(0)"#
                test += "      - {expr: '\(query)', eval_time: 48h, exp_samples: [{labels: '{}', value: \(count)}]}\n"
            }
            try TemporaryFolder.withNow { folder in
                let file = try folder.write(test, to: "test.yml")
                try Tool.run("promtool", ["test", "rules", file])
            }
        }

        @Test func theCommandsInTheExamplesAreOnesThatTheProgramTakes() async throws {
            try await World.with { world in
                let lines = ["systemd/modelsync.service", "systemd/modelsync-scrub.service", "cron/modelsync"]
                    .flatMap { readText(Self.deploy + "/" + $0).split(separator: "\n") }
                let commands = lines.compactMap { line in
                    line.firstRange(of: /(bin\/| )modelsync (?=apply|verify)/).map { line[$0.upperBound...] }
                }
                #expect(commands.count == 4)
                for command in commands {
                    let words = command.replacing(/\$\{?MODELSYNC_(\w+)\}?/) { $0.1 == "BUDGET" ? "200G" : "m.yaml" }
                        .replacing("/etc/modelsync/models.yaml", with: "m.yaml")
                        .replacing("/var/lib/modelsync/metrics/", with: world.folder.path + "/")
                        .split(separator: " ").map(String.init)
                    // It fails for want of a manifest, and not for the words.
                    let result = try await world.program.run(words)
                    #expect(result.exitCode != 64, "\(result)")
                }
            }
        }
    }
}
