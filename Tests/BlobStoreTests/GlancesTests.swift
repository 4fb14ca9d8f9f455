import Foundation
import SyncDomain
import SystemSupport
import TestSupport
import Testing

@testable import BlobStore

/// The looks at a manifest's names that come ahead of a survey.
@Suite(.timeLimit(.minutes(1)))
struct GlancesTests {
    /// Of two models; every third blob is there, and every fifth path, each as many bytes long as its number.
    private static let files = 1_000

    private static func model(_ name: String, _ numbers: Range<Int>) throws -> Model {
        let files = try numbers.map { number in
            ModelFile(
                path: try RelativePath("\(number / 100)/\(number)"), size: 1, sha256: try digest(number),
                sources: [try source("origin")])
        }
        return Model(name: try ModelName(name), files: files)
    }

    private static func digest(_ number: Int) throws -> SHA256Digest { try Payload.digest(Array("\(number)".utf8)) }

    private static func withStore(_ body: (Manifest, _ blobs: Folder, _ models: Folder) throws -> Void) throws {
        try TemporaryFolder.withNow { temporary in
            for number in 0..<files {
                let digest = try digest(number)
                let bytes = String(repeating: "x", count: number)
                if number % 3 == 0 { try temporary.write(bytes, to: "blobs/\(digest.hex.prefix(2))/\(digest)") }
                let model = number < 600 ? "a" : "b/c"
                if number % 5 == 0 { try temporary.write(bytes, to: "models/\(model)/\(number / 100)/\(number)") }
            }
            let manifest = manifest(try model("a", 0..<600), try model("none", 0..<0), try model("b/c", 600..<files))
            try body(
                manifest, try Folder.open(temporary.appending("blobs")), try Folder.open(temporary.appending("models")))
        }
    }

    private static func check(_ glances: Glances) throws {
        var all: [Glances.Glance] = []
        for piece in 0..<glances.pieceCount { all += try glances.take(piece).glances }
        #expect(all.count == files)
        for (number, glance) in all.enumerated() {
            #expect(glance.blob?.size == (number % 3 == 0 ? Int64(number) : nil), "\(number)")
            #expect(glance.view?.size == (number % 5 == 0 ? Int64(number) : nil), "\(number)")
        }
    }

    @Test func whoeverTakesThemLooksAlone() throws {
        try Self.withStore { manifest, blobs, models in
            let glances = Glances(manifest, blobs: blobs, models: models)
            #expect(glances.pieceCount > 2)
            try Self.check(glances)
        }
    }

    @Test(arguments: 1...4) func withHelpersTheSameIsSeenInTheSameOrder(helpers: Int) throws {
        try Self.withStore { manifest, blobs, models in
            let pool = BlockingPool(name: "help", threads: helpers)
            for _ in 0..<20 {
                let glances = Glances(manifest, blobs: blobs, models: models)
                for _ in 0..<helpers { pool.submit { glances.help() } }
                try Self.check(glances)
            }
            pool.shutDown()
        }
    }

    @Test func helpersThatAreFarAheadWaitUntilThereIsRoomOrTheEnd() async throws {
        try await TemporaryFolder.with { temporary in
            let folder = try Folder.open(temporary.path)
            // A piece for each model: many more than may wait.
            let models = try (0..<500).map { try Self.model("m\($0)", $0..<$0 + 1) }
            let glances = Glances(Manifest(applied: models), blobs: folder, models: folder)
            let pool = BlockingPool(name: "help", threads: 2)
            async let first: Void = pool.run { glances.help() }
            async let second: Void = pool.run { glances.help() }
            for piece in 0..<100 { #expect(try glances.take(piece).glances.count == 1) }
            glances.end()
            _ = await (first, second)
        }
    }

    @Test(arguments: [false, true]) func whatCantBeLookedAtIsThrown(isHelped: Bool) throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            let file = ModelFile(
                path: try RelativePath("loop/file"), size: 1, sha256: try Self.digest(1), sources: [try source("o")])
            try FileManager.default.createDirectory(
                atPath: temporary.appending("m"), withIntermediateDirectories: true)
            try FileManager.default.createSymbolicLink(
                atPath: temporary.appending("m/loop"), withDestinationPath: "loop")
            let glances = Glances(
                manifest(Model(name: try ModelName("m"), files: [file])), blobs: folder, models: folder)
            if isHelped { glances.help() }
            #expect(throws: SystemFailure.self) { try glances.take(0) }
        }
    }
}
