import SyncDomain
import Testing

@testable import SyncEngine

@Suite struct PlannerTests {
    /// What is in the store of one file of 100 bytes, and what the plan must say of it.
    struct Row: Sendable, CustomTestStringConvertible {
        var state: FileInventory
        var action: PlanAction
        var reason: String
        var defect: ErrorCode?
        /// Nil where nothing is fetched.
        var bytesToFetch: Int64?
        var adoptsView = false

        init(
            _ blob: BlobState, _ view: ViewState, _ recorded: RecordedState, partial: Int64 = 0, _ action: PlanAction,
            _ reason: String, defect: ErrorCode? = nil, fetch: Int64? = nil, adoptsView: Bool = false
        ) {
            state = FileInventory(blob: blob, view: view, recorded: recorded, partialBytes: partial)
            self.action = action
            self.reason = reason
            self.defect = defect
            bytesToFetch = fetch
            self.adoptsView = adoptsView
        }

        var testDescription: String { "\(state.blob) \(state.view) \(state.recorded) \(state.partialBytes)" }
    }

    static let short = BlobState.damaged(.sizeMismatch, "has 3 of 100 bytes")
    static let rotten = BlobState.damaged(.digestMismatch, "has wrong bytes (sha256 …)")

    static let withBlob: [Row] = [
        Row(.intact, .current, .sameBytes, .keep, "as the manifest says"),
        Row(.intact, .current, .unknown, .keep, "as the manifest says"),
        Row(.intact, .current, .otherBytes, .keep, "as the manifest says"),
        Row(.unsealed, .current, .sameBytes, .keep, "its time was changed; its bytes are right"),
        Row(.intact, .absent, .sameBytes, .link, "the blob is in the store, the file is not in the model's folder"),
        Row(.intact, .absent, .unknown, .link, "the blob is in the store, the file is not in the model's folder"),
        Row(.unsealed, .absent, .otherBytes, .link, "the blob is in the store, the file is not in the model's folder"),
        Row(
            .intact, .other, .sameBytes, .repair,
            "the file in the model's folder was replaced; the blob is in the store", defect: .digestMismatch),
        Row(.intact, .other, .otherBytes, .update, "the manifest wants other bytes; they are in the store"),
        Row(
            .unsealed, .other, .unknown, .update, "another file is at this path; the manifest's bytes are in the store"),
        Row(
            .intact, .holdsBytes, .sameBytes, .link,
            "the file in the model's folder has the right bytes, as a copy of its own"),
        Row(
            .unsealed, .holdsBytes, .unknown, .link,
            "the file in the model's folder has the right bytes, as a copy of its own"),
    ]

    static let withoutBlob: [Row] = [
        Row(.absent, .absent, .unknown, .download, "not in the store", fetch: 100),
        Row(.absent, .absent, .sameBytes, .download, "not in the store", fetch: 100),
        Row(.absent, .absent, .unknown, partial: 30, .download, "unfinished: 30 bytes are here", fetch: 70),
        Row(.absent, .absent, .unknown, partial: 100, .download, "unfinished: 100 bytes are here", fetch: 0),
        Row(.absent, .absent, .otherBytes, .update, "the manifest wants other bytes", fetch: 100),
        Row(.absent, .other, .otherBytes, partial: 1, .update, "the manifest wants other bytes", fetch: 99),
        Row(.absent, .other, .unknown, .update, "another file is at this path", fetch: 100),
        Row(
            .absent, .other, .sameBytes, .repair,
            "the blob is gone, and the file in the model's folder has wrong bytes", defect: .digestMismatch, fetch: 100),
        Row(short, .current, .sameBytes, .repair, "the blob has 3 of 100 bytes", defect: .sizeMismatch, fetch: 100),
        Row(short, .absent, .unknown, .repair, "the blob has 3 of 100 bytes", defect: .sizeMismatch, fetch: 100),
        Row(
            rotten, .current, .sameBytes, partial: 60, .repair, "the blob has wrong bytes (sha256 …)",
            defect: .digestMismatch, fetch: 40),
        Row(
            .damaged(.storeIO, "is a folder"), .other, .otherBytes, .repair, "the blob is a folder", defect: .storeIO,
            fetch: 100),
    ]

    static let withAdoption: [Row] = [
        Row(
            .absent, .holdsBytes, .unknown, .link, "a file in a model's folder has the right bytes already",
            adoptsView: true),
        Row(
            .absent, .holdsBytes, .otherBytes, .link, "a file in a model's folder has the right bytes already",
            adoptsView: true),
        Row(
            .absent, .holdsBytes, .sameBytes, .repair,
            "the blob is gone; a file in a model's folder still has its bytes",
            defect: .storeIO, adoptsView: true),
        Row(
            short, .holdsBytes, .sameBytes, .repair,
            "the blob has 3 of 100 bytes; a file in a model's folder still has its bytes", defect: .storeIO,
            adoptsView: true),
    ]

    @Test(arguments: withBlob + withoutBlob + withAdoption)
    func aFileIsPlannedByWhatIsThere(_ row: Row) throws {
        let plan = try Planner.plan([plannedFile("a.bin", byte: 1)], [row.state])
        try #require(plan.items.count == 1)
        let item = plan.items[0]
        #expect(item.action == row.action)
        #expect(item.reason == row.reason)
        #expect(item.defect == row.defect)
        #expect(item.fetch == row.bytesToFetch.map { _ in 0 })
        #expect(plan.fetches.count == (row.bytesToFetch == nil ? 0 : 1))
        #expect(item.bytesToFetch == row.bytesToFetch ?? 0)
        #expect(item.bytesPartial == (row.bytesToFetch == nil ? 0 : row.state.partialBytes))
        #expect(item.adoptsView == row.adoptsView)
        #expect(plan.unsealed == (row.state.blob == .unsealed ? [try digest(1)] : []))
        #expect(plan.hasChanges == (row.action != .keep))
    }

    @Test func sameBytesAreFetchedOnceFromAllTheirSources() throws {
        let (origin, second, third) = (
            try source("a"), try source("b", host: "b.example"), try source("c", host: "c.example")
        )
        let files = [
            try plannedFile("a.bin", byte: 1, urls: [origin, second]), try plannedFile("other.bin", byte: 2),
            try plannedFile("b.bin", byte: 1, urls: [second, third, third]),
            try plannedFile("c.bin", byte: 1, urls: [origin]),
        ]
        let states = [
            FileInventory(partialBytes: 40), FileInventory(), FileInventory(partialBytes: 40),
            FileInventory(view: .other, recorded: .unknown, partialBytes: 40),
        ]
        let plan = try Planner.plan(files, states)
        #expect(plan.fetches.map(\.sha256) == [try digest(1), try digest(2)])
        #expect(plan.fetches[0].sources == [origin, second, third])
        #expect(plan.fetches[0].item == 0)
        #expect(plan.fetches[0].size == 100)
        #expect(plan.items.map(\.action) == [.download, .download, .link, .update])
        #expect(plan.items.map(\.fetch) == [0, 1, 0, 0])
        #expect(plan.items.map(\.bytesToFetch) == [60, 100, 0, 0])
        #expect(plan.items.map(\.bytesPartial) == [40, 0, 0, 0])
        #expect(plan.items[2].reason == "the same bytes as m/one/a.bin: fetched once")
        #expect(plan.bytesToFetch == 160)
    }

    @Test(.timeLimit(.minutes(1)))
    func manyFilesOfOneDigestWithSourcesOfTheirOwnArePlannedInOneGo() throws {
        let files = try (0..<60_000).map { try plannedFile("f\($0)", size: 0, byte: 1) }
        let plan = try Planner.plan(files, [FileInventory](repeating: FileInventory(), count: files.count))
        #expect(plan.fetches.count == 1)
        #expect(plan.fetches[0].sources == files.map { $0.sources[0] })
    }

    @Test func aDamagedBlobOfTwoFilesIsOneFetchAndTwoRepairs() throws {
        let files = [try plannedFile("a", byte: 1), try plannedFile("b", byte: 1)]
        let plan = try Planner.plan(
            files,
            [FileInventory](repeating: FileInventory(blob: Self.rotten, view: .current, recorded: .sameBytes), count: 2)
        )
        #expect(plan.items.map(\.action) == [.repair, .repair])
        #expect(plan.items.map(\.fetch) == [0, 0])
        #expect(plan.bytesToFetch == 100)
    }

    @Test func oneViewGivesItsBytesToAllThatWantThem() throws {
        let files = [try plannedFile("a", byte: 1), try plannedFile("b", byte: 1), try plannedFile("c", byte: 1)]
        let plan = try Planner.plan(
            files,
            [FileInventory(), FileInventory(view: .holdsBytes), FileInventory(view: .holdsBytes, recorded: .sameBytes)])
        #expect(plan.fetches.isEmpty)
        #expect(plan.items.map(\.adoptsView) == [false, true, false])
        #expect(plan.items.map(\.action) == [.link, .link, .repair])
        #expect(plan.items.map(\.fetch) == [nil, nil, nil])
        #expect(plan.bytesToFetch == 0)
    }

    @Test func aBlobWhoseTimeWasChangedIsSealedOnceHoweverManyFilesHaveIt() throws {
        let files = [try plannedFile("a", byte: 1), try plannedFile("b", byte: 1), try plannedFile("c", byte: 2)]
        let state = FileInventory(blob: .unsealed, view: .current, recorded: .sameBytes)
        let plan = try Planner.plan(files, [state, state, state], isRecordCurrent: true)
        #expect(plan.unsealed == [try digest(1), try digest(2)])
        #expect(!plan.hasChanges)
    }

    @Test func whatTheModelNoLongerHasIsRemoved() throws {
        let old = ExtraFile(path: "old/gone.bin", size: 7, sha256: try digest(9))
        let plan = try Planner.plan(
            [plannedFile("a", byte: 1)], [FileInventory(blob: .intact, view: .current, recorded: .sameBytes)],
            dropped: [old])
        try #require(plan.items.count == 2)
        let item = plan.items[1]
        #expect(item.action == .remove)
        #expect(plan.path(item) == "old/gone.bin")
        #expect(plan.size(item) == 7)
        #expect(plan.digest(item) == old.sha256)
        #expect(plan.file(item) == nil)
        #expect(plan.subject(item) == "m/one/old/gone.bin")
        #expect(item.fetch == nil)
        #expect(plan.hasChanges)
        #expect(plan.models == [PlannedModel(isRecordStale: true, isSameSet: false)])
    }

    @Test func droppedFilesOfSeveralModelsKeepTheirPlaces() throws {
        let manifest = Manifest(applied: [
            try model("a", [plannedFile("x", byte: 1)]), try model("b", [plannedFile("x", byte: 2)]),
        ])
        let state = FileInventory(blob: .intact, view: .current, recorded: .sameBytes)
        let plan = Planner.plan(
            manifest,
            Inventory(
                models: [
                    ModelInventory(
                        files: [state], dropped: [ExtraFile(path: "one", size: 1), ExtraFile(path: "two", size: 2)]),
                    ModelInventory(files: [state], dropped: [ExtraFile(path: "three", size: 3)]),
                ], bytesFree: 0))
        #expect(plan.items.map(plan.subject) == ["a/x", "a/one", "a/two", "b/x", "b/three"])
        #expect(plan.items.map(plan.size) == [100, 1, 2, 100, 3])
    }

    @Test func whatNobodyKnowsIsToldAndNotTouched() throws {
        let plan = try Planner.plan(
            [plannedFile("a", byte: 1)], [FileInventory(blob: .intact, view: .current, recorded: .sameBytes)],
            isRecordCurrent: true, unmanaged: [ExtraFile(path: "notes.txt", size: 5)])
        #expect(plan.items.count == 1)
        #expect(plan.unmanaged.map(\.file.path) == ["notes.txt"])
        #expect(plan.unmanaged.map(\.model) == [0])
        #expect(!plan.hasChanges)
    }

    @Test(
        arguments: [
            ([.sameBytes, .sameBytes], true, false, true), ([.sameBytes, .sameBytes], false, true, true),
            ([.sameBytes, .otherBytes], false, true, false), ([.sameBytes, .unknown], false, true, false),
        ] as [([RecordedState], Bool, Bool, Bool)])
    func aSetIsTheSameWhereTheRecordHasAllItsBytes(
        _ recorded: [RecordedState], isCurrent: Bool, isStale: Bool, isSameSet: Bool
    ) throws {
        let plan = try Planner.plan(
            [plannedFile("a", byte: 1), plannedFile("b", byte: 2)], recorded.map { FileInventory(recorded: $0) },
            isRecordCurrent: isCurrent)
        #expect(plan.models == [PlannedModel(isRecordStale: isStale, isSameSet: isSameSet)])
    }

    @Test func whenAllIsAsTheManifestSaysThereIsNothingToDo() throws {
        let files = try (0..<10).map { try plannedFile("f\($0)", byte: UInt8($0)) }
        let state = FileInventory(blob: .intact, view: .current, recorded: .sameBytes)
        let plan = try Planner.plan(files, files.map { _ in state }, isRecordCurrent: true)
        #expect(plan.counts == [.keep: 10])
        #expect(plan.fetches.isEmpty)
        #expect(plan.bytesToFetch == 0)
        #expect(plan.bytesNeeded == 0)
        #expect(!plan.hasChanges)
        #expect(plan.models == [PlannedModel(isRecordStale: false, isSameSet: true)])
    }

    @Test func anEmptyManifestIsAnEmptyPlan() {
        let plan = Planner.plan(Manifest(applied: []), Inventory(models: [], bytesFree: 5, bytesVerified: 6))
        #expect(plan.items.isEmpty && plan.models.isEmpty)
        #expect(plan.bytesFree == 5)
        #expect(plan.bytesVerified == 6)
    }

    @Test(
        arguments: [(1, 2), (10, 11), (11, 13), (1000, 1100), (1 << 62, (1 << 62) / 10 * 11 + 5)] as [(Int64, Int64)])
    func aTenthMoreThanWhatIsToComeMustBeFree(size: Int64, needed: Int64) throws {
        let plan = try Planner.plan([plannedFile("a", size: size, byte: 1)], [FileInventory()])
        #expect(plan.bytesToFetch == size)
        #expect(plan.bytesNeeded == needed)
    }

    @Test func partialBytesNeedNoSpaceAgain() throws {
        let plan = try Planner.plan(
            [plannedFile("a", size: 1000, byte: 1), plannedFile("b", size: 500, byte: 2)],
            [FileInventory(partialBytes: 900), FileInventory()])
        #expect(plan.bytesToFetch == 600)
        #expect(plan.bytesNeeded == 660)
    }
}
