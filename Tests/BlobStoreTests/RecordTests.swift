import BlobStore
import Foundation
import SyncDomain
import TestSupport
import Testing

/// Records and reports on disk.
@Suite(.timeLimit(.minutes(1)))
struct RecordTests {
    @Test func aModelAndOneBelowItsRecordsNameKeepTheirRecords() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(10, seed: 1)
            let names = ["a", "a.json/b", "a.json/b.json", "b.json", "c.json/d.json/e", "c"]
            for order in [names, names.reversed()] {
                for name in order { try await world.bring(try modelOf(name, ["f": sample]), sample) }
            }
            let store = try #require(world.store as? DiskStore)
            #expect(try await store.records().map(\.name.text) == names.sorted(), world.dump)
            for name in names {
                #expect(try await store.record(try ModelName(name))?.name.text == name, world.dump)
                #expect(try await world.survey(try modelOf(name, ["f": sample])).isRecordCurrent, world.dump)
            }
        }
    }

    @Test func aModelsNameMayHaveManyAndLongSegments() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(10, seed: 1)
            let names = [
                (0..<200).map { "s\($0 % 10)" }.joined(separator: "/").prefix(400).description + "x",
                String(repeating: "n", count: 239),
                String(repeating: "n", count: 239) + "/" + String(repeating: "m", count: 239),
                String(repeating: "j", count: 234) + ".json/x",
            ]
            for name in names { try await world.bring(try modelOf(name, ["d/e/f": sample]), sample) }
            let store = try #require(world.store as? DiskStore)
            #expect(try await store.records().count == names.count)
            for name in names {
                let model = try modelOf(name, ["d/e/f": sample])
                #expect(world.bytes("d/e/f", of: model) == sample.bytes)
                #expect(try await store.record(model.name) == model)
            }
        }
    }

    @Test func aRecordHoldsAllOfTheModel() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(10, seed: 1)
            var file = try sample.file("d/ü \"quoted\" \u{1F600}.bin")
            file.sources = [try source("a?token=s%20t"), try SourceURL(absolutePath: "/x/ü y")]
            let model = Model(
                name: try ModelName("kind/size"), version: "1\n2", description: "\\ \u{2028} \t", license: "MIT",
                homepage: "https://example.org", tags: ["a", "b"], files: [file])
            try await world.bring(model, sample)
            let store = try #require(world.store as? DiskStore)
            #expect(try await store.record(model.name) == model)
            #expect(try await world.survey(model).isRecordCurrent)
        }
    }

    /// As on a file system that does not tell them apart.
    @Test func modelsWhoseNamesDifferInCaseAloneDoNotTakeEachOthersPlace() async throws {
        try await StoreWorld.with(.disk) { world in
            let sample = try Sample(10, seed: 1)
            let (lower, upper) = (try modelOf("m/one", ["f": sample]), try modelOf("m/One", ["f": sample]))
            try await world.bring(lower, sample)
            for name in ["records/m/one.json", "models/m/one"] {
                let other = name.replacingOccurrences(of: "one", with: "One")
                try FileManager.default.copyItem(
                    atPath: "\(world.store.path)/\(name)", toPath: "\(world.store.path)/\(other)")
            }
            let error = await failure { try await world.store.publish(upper) }
            #expect(error?.code == .storeIO && error?.message.contains("upper from lower case") == true)
            #expect(world.bytes("f", of: lower) == sample.bytes)
        }
    }

    @Test func theLast100ReportsAreKept() async throws {
        try await StoreWorld.with(.disk) { world in
            for number in 100..<230 { try await world.store.save(report: [UInt8(number)], runID: "run-\(number)") }
            let names = try FileManager.default.contentsOfDirectory(atPath: "\(world.store.path)/runs").sorted()
            #expect(names == (130..<230).map { "run-\($0).json" })
            #expect(contents("\(world.store.path)/runs/run-229.json") == [229])
        }
    }
}
