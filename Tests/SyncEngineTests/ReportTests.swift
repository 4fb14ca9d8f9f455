import Foundation
import SyncDomain
import TestSupport
import Testing

@testable import SyncEngine

@Suite(.timeLimit(.minutes(1))) struct ReportTests {
    private func report(
        _ results: [DownloadResult], outcome: RunOutcome = .ok, error: SyncError? = nil
    ) throws -> SyncReport {
        SyncReport(
            runID: "20261120T184500Z-0a1b2c3d", command: "apply", toolVersion: "0.1.0", host: "host",
            startedAt: Timestamp(milliseconds: 0), finishedAt: Timestamp(milliseconds: 1500), seconds: 1.5,
            manifests: [ManifestSource(path: "-", sha256: try digest(3))], store: "/store", outcome: outcome,
            bytesVerified: 7, results: results, error: error, notes: ["not in the JSON"])
    }

    /// A run in which each outcome but `cancelled` comes about.
    private func eventfulRun() async throws -> World.Run {
        let world = World()
        let kept = try model("kept", [world.served("k", bytes(5, 1))])
        let damaged = try model("damaged", [world.served("d", bytes(6, 2))])
        let old = try model("old", [world.served("u", bytes(7, 3)), world.served("dropped", bytes(8, 4))])
        _ = try await world.apply(kept, damaged, old)
        world.store.damage(damaged.files[0].sha256, to: [1])
        world.store.putFile([1], at: "mine \u{1F600}\"\n", of: kept.name)
        let linked = try model("linked", [world.file("again", bytes(5, 1))])
        let new = try model("old", [world.served("u", bytes(9, 5))])
        let failed = try model("failed", [world.served("wrong", bytes(10, 6)), world.served("fine", bytes(11, 7))])
        let blocked = try model("blocked", [world.file("lost", bytes(12, 8)), world.file("here", bytes(5, 1))])
        world.transport.serve(failed.files[0].sources[0], bytes(10, 99))
        return try await world.apply(kept, damaged, linked, new, failed, blocked)
    }

    @Test(.enabled(if: ReportSchema.python != nil, "python3 has no module jsonschema"))
    func theReportFitsItsSchema() async throws {
        let run = try await eventfulRun()
        let outcomes: Set<ResultOutcome> = Set(run.results.map(\.outcome))
        #expect(outcomes == Set(ResultOutcome.allCases).subtracting([.cancelled]))
        let failure = SyncError(.storeLocked, "locked", isRetryable: true)
        for report in [try report(run.results, outcome: .failed), try report([], outcome: .failed, error: failure)] {
            try ReportSchema.report.validate(String(decoding: report.json, as: UTF8.self))
        }
        var plan = run.plan
        plan.manifest = try named(plan.manifest)
        try ReportSchema.plan.validate(String(decoding: plan.json(store: "/store"), as: UTF8.self))
    }

    /// The same manifest, read from a file.
    private func named(_ manifest: Manifest) throws -> Manifest {
        let mark = SourceMark(line: 1, column: 1)
        let models = manifest.models.map { model in
            let marks = model.files.map { _ in ManifestDraft.FileMarks(path: mark, digest: mark) }
            return ManifestDraft.ModelEntry(model: model, nameMark: mark, fileMarks: marks)
        }
        return try Manifest(checking: [ManifestDraft(path: "m.yaml", sha256: try digest(3), models: models)])
    }

    @Test(.enabled(if: ReportSchema.python != nil, "python3 has no module jsonschema"))
    func theReportOfACancelledRunFitsItsSchema() async throws {
        let world = World()
        let one = try model("m", [world.file("f", bytes(50, 1))])
        world.transport.script(one.files[0].sources[0], [.file(bytes(50, 1)).hanging(at: 20)])
        let running = Task { try await world.apply(one) }
        await world.transport.wait { $0.hanging == 1 }
        running.cancel()
        let results = try await running.value.results
        #expect(results.map(\.outcome) == [.cancelled])
        try ReportSchema.report.validate(String(decoding: try report(results, outcome: .cancelled).json, as: UTF8.self))
    }

    @Test func theSummaryAddsUpWhatTheResultsSay() async throws {
        let run = try await eventfulRun()
        let json = try JSONSerialization.jsonObject(with: Data(try report(run.results).json)) as? [String: Any]
        let summary = try #require(json?["summary"] as? [String: Int])
        let results = try #require(json?["results"] as? [[String: Any]])
        for outcome in ResultOutcome.allCases {
            #expect(summary[outcome.rawValue] == results.count { $0["outcome"] as? String == outcome.rawValue })
        }
        #expect(summary["bytes_downloaded"] == results.reduce(0) { $0 + ($1["bytes_downloaded"] as? Int ?? 0) })
        #expect(summary["bytes_verified"] == 7)
        #expect(summary["bytes_reused"] == 10)
        let wrong = try #require(results.first { $0["path"] as? String == "wrong" })
        #expect((wrong["error"] as? [String: Any])?["diagnosis"] as? String == "source_changed")
        #expect((wrong["attempts"] as? [[String: Any]])?.count == 2)
        #expect(json?["notes"] == nil)
    }

    @Test func outcomesAreCountedInWhateverOrderTheyCome() throws {
        let outcomes: [ResultOutcome] = [.kept, .kept, .failed, .kept, .linked, .failed, .failed]
        let results = outcomes.map { DownloadResult(model: "m", path: "p", sha256: nil, size: 1, outcome: $0) }
        #expect(try report(results).counts == [.kept: 3, .failed: 3, .linked: 1])
        #expect(try report([]).counts.isEmpty)
    }

    @Test func twoThreadsWriteTheSameReportAsOne() async throws {
        let results = try await eventfulRun().results
        for count in 0...results.count {
            let report = try report(Array(results.prefix(count)))
            let json = report.json
            #expect(await report.encoded() == json)
            #expect(json.count { $0 == UInt8(ascii: "\n") } == count + 1)
            let object = try JSONSerialization.jsonObject(with: Data(json)) as? [String: Any]
            #expect((object?["results"] as? [Any])?.count == count)
        }
    }

    @Test func noSecretIsInTheJSON() async throws {
        let world = World()
        var file = try world.file("f", bytes(10, 1))
        file.sources = [try SourceURL("https://a.example/f?token=sEcReT&b=sEcReT")]
        let run = try await world.apply(model("m", [file]))
        for bytes in [try report(run.results).json, run.plan.json(store: "/store")] {
            let text = String(decoding: bytes, as: UTF8.self)
            #expect(!text.contains("sEcReT"))
            #expect(text.contains("token=REDACTED&b=REDACTED"))
        }
    }
}

@Suite struct TimestampTests {
    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (-1, "1969-12-31T23:59:59.999Z"), (-1000, "1969-12-31T23:59:59.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"), (951_868_799_999, "2000-02-29T23:59:59.999Z"),
            (4_107_542_399_000, "2100-02-28T23:59:59.000Z"), (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-2_203_934_400_000, "1900-02-28T12:00:00.000Z"), (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
            (-11_670_994_677_000, "1600-02-29T01:02:03.000Z"), (-62_135_596_800_000, "0001-01-01T00:00:00.000Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"), (1_709_213_820_007, "2024-02-29T13:37:00.007Z"),
        ] as [(Int64, String)])
    func aMomentIsWrittenAsRFC3339(_ milliseconds: Int64, _ text: String) {
        let moment = Timestamp(milliseconds: milliseconds)
        #expect(moment.description == text)
        #expect(moment.compact == text.prefix(19).filter { $0 != "-" && $0 != ":" } + "Z")
    }

    @Test func eachDayOfEightCenturiesIsTheCalendars() throws {
        var calendar = Calendar(identifier: .gregorian)
        calendar.timeZone = try #require(TimeZone(identifier: "UTC"))
        for day in stride(from: Int64(-135_000), to: 157_000, by: 7) {
            let noon = Date(timeIntervalSince1970: (Double(day) + 0.5) * 86400)
            let date = calendar.dateComponents([.year, .month, .day], from: noon)
            let text = Timestamp(milliseconds: day * 86_400_000).description.prefix(10)
            #expect(text.split(separator: "-").map { Int($0) } == [date.year, date.month, date.day])
        }
    }

    @Test func laterIsGreater() {
        #expect(Timestamp(milliseconds: -1) < Timestamp(milliseconds: 0))
        #expect(Duration.milliseconds(1500).seconds == 1.5)
    }
}

@Suite struct JSONWriterTests {
    private func decoded(_ writer: JSONWriter) throws -> Any {
        try JSONSerialization.jsonObject(with: Data(writer.bytes), options: .fragmentsAllowed)
    }

    @Test func everyCharacterComesBack() throws {
        var text = ""
        for value in UInt32(0)...0x2FF { text.unicodeScalars.append(try #require(Unicode.Scalar(value))) }
        text += "\u{2028}\u{2029}\u{FEFF}\u{FFFF}\u{1F600}\u{10FFFF}e\u{301}\\u0041\"</script>\r\n"
        var writer = JSONWriter()
        writer.string(text)
        let back = try #require(try decoded(writer) as? String)
        #expect(Array(back.unicodeScalars) == Array(text.unicodeScalars))
        #expect(writer.bytes.allSatisfy { $0 >= 0x20 && $0 != 0x7F })
    }

    @Test func structuresComeBack() throws {
        var writer = JSONWriter()
        writer.object { writer in
            writer.key("empty")
            writer.object { _ in }
            writer.key("list")
            writer.array { writer in
                writer.array { _ in }
                writer.newLine()
                writer.bool(true)
                writer.null()
                writer.strings(["a", ""])
                writer.stringOrNull(nil)
            }
            writer.key("numbers")
            writer.array { writer in
                writer.integer(Int64.max)
                writer.integer(Int64.min)
                writer.decimal(0.0004)
                writer.decimal(-0.0004)
                writer.decimal(-1.0005)
                writer.decimal(12.3456)
            }
        }
        let text = String(decoding: writer.bytes, as: UTF8.self)
        let numbers = "9223372036854775807,-9223372036854775808,0.000,0.000,-1.001,12.346"
        #expect(text == "{\"empty\":{},\"list\":[[]\n,true,null,[\"a\",\"\"],null],\"numbers\":[\(numbers)]}")
        #expect((try decoded(writer) as? [String: Any])?.count == 3)
    }

    @Test(arguments: [Double.nan, .infinity, -.infinity, 1e300])
    func whatIsNoJSONNumberIsNull(_ value: Double) throws {
        var writer = JSONWriter()
        writer.decimal(value)
        #expect(writer.bytes == Array("null".utf8))
    }
}

@Suite struct HumanFormatTests {
    @Test(
        arguments: [
            (0, "0 B"), (21, "21 B"), (999, "999 B"), (1000, "1.00 kB"), (9994, "9.99 kB"), (9995, "10.0 kB"),
            (99_949, "99.9 kB"), (99_950, "100 kB"), (999_499, "999 kB"), (999_500, "1.00 MB"), (84_141_911, "84.1 MB"),
            (1_500_000_000, "1.50 GB"), (Int64.max, "9.22 EB"),
        ] as [(Int64, String)])
    func bytesHaveThreeDigits(_ count: Int64, _ text: String) {
        #expect(HumanFormat.bytes(count) == text)
    }

    @Test(
        arguments: [
            (0, "0.00 s"), (3.2, "3.20 s"), (9.94, "9.94 s"), (9.96, "10.0 s"), (59.9, "59.9 s"), (59.96, "1 min 0 s"),
            (250, "4 min 10 s"), (3599.6, "1 h 0 min"), (7500, "2 h 5 min"), (1e300, "41666 d 16 h"),
        ] as [(Double, String)])
    func durationsAreInTheUnitsThatPeopleUse(_ seconds: Double, _ text: String) {
        #expect(HumanFormat.duration(seconds) == text)
    }

    @Test(
        arguments: [
            (1.25, 1, "1.3"), (0.05, 2, "0.05"), (-0.5, 1, "-0.5"), (-12.04, 1, "-12.0"), (7, 0, "7"),
            (0.999, 2, "1.00"),
        ] as [(Double, Int, String)])
    func decimalsAreRounded(_ value: Double, _ digits: Int, _ text: String) {
        #expect(HumanFormat.decimal(value, digits: digits) == text)
    }
}
