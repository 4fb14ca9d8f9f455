import Foundation
import SyncDomain
import Testing

/// A crash between the exchange of a model's folder and the writing of its record.
@Suite struct InterruptedPublicationTests {
    /// A store in which `new` is shown and announced, and the record is still that of `old`.
    private static func interrupted(
        _ body: (StoreWorld, _ old: Model, _ new: Model) async throws -> Void
    ) async throws {
        try await StoreWorld.with(.disk) { world in
            let (x, y, z) = (try Sample(100, seed: 1), try Sample(100, seed: 2), try Sample(100, seed: 3))
            let old = try modelOf("m", ["x": x, "y": y])
            let new = try modelOf("m", ["x": x, "z": z])
            try await world.bring(old, x, y)
            let record = "\(world.store.path)/records/m.json"
            let before = try #require(contents(record))
            try await world.bring(new, x, z)
            try FileManager.default.moveItem(atPath: record, toPath: "\(world.store.path)/records/.m.json.next")
            #expect(FileManager.default.createFile(atPath: record, contents: Data(before)))
            try await body(world, old, new)
        }
    }

    @Test func theSetBeforeComesBackWithNoFileOfTheOther() async throws {
        try await Self.interrupted { world, old, _ in
            let found = try await world.survey(old)
            #expect(!found.isRecordCurrent && found.unmanaged.isEmpty, world.dump)
            #expect(found.dropped.map(\.path) == ["z"], world.dump)
            _ = try await world.store.publish(old)
            #expect(world.paths(of: old) == ["x", "y"], world.dump)
            #expect(try await world.survey(old).isRecordCurrent, world.dump)
        }
    }

    @Test func theNewSetIsCompleted() async throws {
        try await Self.interrupted { world, _, new in
            #expect(try await !world.survey(new).isRecordCurrent, world.dump)
            _ = try await world.store.publish(new)
            let found = try await world.survey(new)
            #expect(found.isRecordCurrent && found.dropped.isEmpty && found.unmanaged.isEmpty, world.dump)
            #expect(world.paths(of: new) == ["x", "z"], world.dump)
        }
    }

    @Test func aFileOfTheUsersOfSuchANameStays() async throws {
        try await Self.interrupted { world, old, new in
            try world.removeView("z", of: new)
            try world.write([1, 2, 3], to: "z", of: new)
            #expect(try await world.survey(old).unmanaged.map(\.path) == ["z"], world.dump)
            _ = try await world.store.publish(old)
            #expect(world.bytes("z", of: old) == [1, 2, 3], world.dump)
            #expect(world.paths(of: old) == ["x", "y", "z"], world.dump)
        }
    }
}
