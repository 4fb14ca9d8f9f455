import ModelSyncKit
import Testing

@testable import modelsync

@Suite struct ProgressFrameTests {
    private func lines(_ board: ProgressBoard, _ columns: Int, _ rows: Int = 24, at now: Double = 10) -> [String] {
        ProgressFrame(columns: columns, rows: rows).lines(board, at: now)
    }

    @Test func fortyColumnsTellHowFarAndHowLong() throws {
        #expect(
            lines(try .half(), 40) == [
                "weights.safe..ors [==> ]   50%     0:10",
                "m/config.json     [==> ]   50%     0:10",
                "0 of 12 files     [==> ]   50%     0:11",
            ])
    }

    @Test func eightyColumnsTellAll() throws {
        #expect(
            lines(try .half(), 80) == [
                "m/weights.safetensors [==>  ]   50%  2.00 GB of 4.00 GB   200 MB/s     eta 0:10",
                "m/config.json         [==>  ]   50%  1.00 kB of 2.00 kB    100 B/s     eta 0:10",
                "0 of 12 files         [==>  ]   50%  2.00 GB of 4.00 GB   200 MB/s     eta 0:11",
            ])
    }

    @Test func aWideWindowHasLongNamesAndBars() throws {
        let lines = lines(try .half(), 200)
        #expect(lines.allSatisfy { $0.hasSuffix("eta 0:10") || $0.hasSuffix("eta 0:11") })
        #expect(lines.map { DisplayText.width($0) } == [148, 148, 148])
        #expect(lines.map { $0.count { $0 == "=" } } == [17, 17, 17])
    }

    @Test(arguments: Array(0...60) + Array(stride(from: 61, through: 210, by: 7)))
    func noLineReachesTheLastColumn(columns: Int) throws {
        let names = [
            "音声認識/モデル.bin", "a/very/long/path/of/a/file/with/many/folders/in/it/model-00001-of-00012.safetensors",
            "🎵🎵🎵", "b",
        ]
        var board = try ProgressBoard.running(names.map { ($0, 999_949_999_999, 999_000_000_000) }, of: 100_000)
        for _ in 0..<1000 { board.apply(.finished(result("x", 1, .failed)), at: 10) }
        board.apply(
            .retrying(model: "m", path: "b", error: .cancelled("b"), after: .seconds(999_999), source: ""), at: 10)
        for now in [10, 30, 1e7] {
            for line in lines(board, columns, 12, at: now) {
                #expect(DisplayText.width(line) < max(1, columns), "\(line)")
            }
        }
    }

    @Test(arguments: 0...30)
    func theWindowIsNeverFilled(rows: Int) throws {
        let board = try ProgressBoard.running((0..<20).map { ("f\($0)", 1000, 500) })
        let lines = lines(board, 80, rows)
        #expect(lines.count <= max(rows < 2 ? 0 : 1, rows - 3))
        #expect(rows < 2 || lines.last?.hasPrefix("0 of 20 files") == true)
    }

    @Test func filesThatDoNotFitAreCounted() throws {
        let board = try ProgressBoard.running((0..<20).map { ("f\($0)", 1000, 500) })
        #expect(
            lines(board, 80, 12).map { $0.prefix { $0 != " " } } == [
                "m/f0", "m/f1", "m/f2", "m/f3", "m/f4", "m/f5", "m/f6", "and", "0",
            ])
        #expect(lines(board, 80, 12)[7] == "and 13 more")
        #expect(lines(board, 80, 5)[0] == "20 files are coming")
        #expect(lines(board, 80, 4).count == 1)
    }

    @Test func filesThatFlashByAreNotShown() throws {
        var board = try ProgressBoard.running([("a", 1000, 500)], of: 2)
        board.apply(.started(model: "m", path: "b", size: 10, resumedFrom: 0), at: 10)
        #expect(lines(board, 80, at: 10.2).count == 2)
        #expect(lines(board, 80, at: 10.25).count == 3)
    }

    @Test func failuresStayInSightInANarrowWindow() throws {
        var board = try ProgressBoard.half()
        for _ in 0..<3 { board.apply(.finished(result("x", 0, .failed)), at: 10) }
        let starts = [
            (200, "3 of 12 files, 3 failed  "), (80, "3/12 files, 3 failed  [="), (60, "3 of 12 files, 3 failed  [="),
            (40, "3/12, 3 failed    [="), (30, "3 of 12 files, 3 failed   50%"), (25, "3/12, 3 failed       50%"),
        ]
        for (columns, start) in starts { #expect(lines(board, columns).last?.hasPrefix(start) == true) }
    }

    @Test(arguments: [80, 60, 40])
    func aFileTellsWhyItDoesNotMove(columns: Int) throws {
        var board = try ProgressBoard.running([("all", 1000, 1000), ("again", 1000, 500), ("silent", 1000, 500)])
        board.apply(
            .retrying(model: "m", path: "again", error: .cancelled("m"), after: .seconds(65), source: ""), at: 15)
        let lines = lines(board, columns, at: 20)
        #expect(lines[0].hasSuffix("  verifying"))
        #expect(lines[1].hasSuffix("  retry in 1:00"))
        #expect(lines[2].hasSuffix("  no data 0:10"))
        #expect(lines[3].hasSuffix("  no data 0:10"))
    }

    @Test func verificationHasABarOnceItsSizeIsKnown() {
        var board = ProgressBoard(now: 0)
        #expect(lines(board, 80) == ["looking at the store"])
        board.apply(.verified(bytes: 1_000_000_000), at: 1)
        board.measure(at: 1)
        #expect(lines(board, 80, at: 1) == ["verifying                                       1.00 GB  1.00 GB/s"])
        board.apply(.verifying(total: 4_000_000_000), at: 1)
        #expect(
            lines(board, 80, at: 1) == [
                "verifying             [=>   ]   25%  1.00 GB of 4.00 GB  1.00 GB/s     eta 0:03"
            ])
    }

    @Test func namesAreWrittenCleanly() throws {
        let board = try ProgressBoard.running([("a\u{1B}[2J\u{202E}b\n", 1000, 500)])
        #expect(lines(board, 80)[0].hasPrefix("m/a?[2Jb?  "))
    }

    @Test(
        arguments: [
            (0, "0:00"), (0.2, "0:01"), (59, "0:59"), (60, "1:00"), (3599, "59:59"), (3600, "1:00:00"),
            (35_999, "9:59:59"),
            (36_000, "10h 0m"), (359_999, "99h 59m"), (360_000, "4d 4h"), (8_639_999, "99d 23h"), (-1, "0:00"),
        ] as [(Double, String)])
    func timesAreShort(seconds: Double, text: String) {
        #expect(ProgressLayout.clock(seconds) == text)
        #expect(text.count <= 7)
    }
}
