import Foundation
import SyncDomain
import SyncEngine
import Synchronization
import TestSupport
import Testing

@testable import ModelSyncKit

/// The machine's time, in which nobody waits: how long somebody would have is written down, and has passed.
final class HastyClock: Sendable {
    private let asked = Mutex<[Duration]>([])
    private let origin = ContinuousClock.now

    /// The waits that were asked for, in order.
    var waits: [Duration] { asked.withLock { $0 } }

    /// Chance is always 1: each backoff is as long as it may be.
    var clock: RunClock {
        RunClock(
            monotonic: { self.waits.reduce(ContinuousClock.now - self.origin, +) },
            wall: { Timestamp(milliseconds: Int64(Date().timeIntervalSince1970 * 1000)) },
            sleep: { duration in
                self.asked.withLock { $0.append(duration) }
                try Task.checkCancellation()
                await Task.yield()
            },
            chance: { 1 })
    }
}

/// The whole way in this process: a manifest, the real transport, the real store, the report as it was kept.
struct FaultWorld {
    static let size = 100_000
    static let right = Payload.bytes(size, seed: 1)
    static let wrong = Payload.bytes(size, seed: 2)
    static let otherWrong = Payload.bytes(size, seed: 3)
    /// Where faults in mid-file happen.
    static let cut = 40_000
    static let attempts = 3

    let folder: TemporaryFolder
    let time = HastyClock()
    var configuration = SyncConfiguration()

    /// The ends of files whose reports were held against the schema: a process each would take longer than all else.
    private static let heldEnds = Mutex<Set<[String?]>>([])
    private static let digest = Result { try Payload.sha256(right) }

    static func with(_ body: (inout FaultWorld) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            var world = FaultWorld(folder: folder)
            world.configuration.workingFolder = folder.path
            world.configuration.environment = { _ in nil }
            // The machine's own proxy is none of the test's.
            world.configuration.proxy = ""
            world.configuration.options.attempts = attempts
            world.configuration.connectTimeout = .seconds(20)
            world.configuration.stallTimeout = .seconds(20)
            try await body(&world)
        }
    }

    var store: String { folder.appending("store") }
    var view: String { store + "/models/m/one/f.bin" }
    var blob: String {
        get throws {
            let digest = try Self.digest.get()
            return "\(store)/blobs/sha256/\(digest.prefix(2))/\(digest)"
        }
    }

    /// Applies a manifest and reads the report that the store keeps. One of each kind is held against the schema.
    func apply(_ text: ManifestText) async throws -> Report {
        let path = try folder.write(text.text, to: "models.yaml")
        let manifest = try await ManifestLoader(configuration: configuration).load([path])
        let manager = ModelManager(
            store: store, configuration: configuration, observer: SilentObserver(), clock: time.clock)
        let report = try await manager.apply(manifest)
        let stored = try #require(report.storedPath, "\(report.notes)")
        let read = try Report.decode(stored)
        let ends = Set(read.results.map { [$0.outcome, $0.error?.code, $0.error?.diagnosis] })
        let isNew = Self.heldEnds.withLock { held in
            defer { held.formUnion(ends) }
            return !ends.isSubset(of: held)
        }
        if isNew { try ReportSchema.report.validate(files: [stored]) }
        return read
    }

    /// Applies a manifest of one file, `m/one/f.bin`, which is ``right``.
    func fetch(_ urls: String..., bearerVariables: [String: String] = [:]) async throws -> Report.Result {
        let file = ManifestText.File("f.bin", size: Self.size, sha256: try Self.digest.get(), urls: urls)
        let text = ManifestText([.init("m/one", files: [file])], bearerVariables: bearerVariables)
        return try await apply(text).result("m/one/f.bin")
    }
}

/// What is to come of a file.
struct Ending: Sendable {
    /// Nil where the file arrives.
    var code: ErrorCode?
    var diagnosis: Diagnosis?
    /// All bytes of bodies that were taken, over all attempts.
    var bytes: ClosedRange<Int>

    static func arrives(_ bytes: ClosedRange<Int>) -> Ending { Ending(bytes: bytes) }
    static func arrives(_ bytes: Int = FaultWorld.size) -> Ending { arrives(bytes...bytes) }

    static func fails(_ code: ErrorCode, _ diagnosis: Diagnosis? = nil, _ bytes: ClosedRange<Int>) -> Ending {
        Ending(code: code, diagnosis: diagnosis, bytes: bytes)
    }

    static func fails(_ code: ErrorCode, _ diagnosis: Diagnosis? = nil, _ bytes: Int = 0) -> Ending {
        fails(code, diagnosis, bytes...bytes)
    }

    /// Holds a result against it: outcome, code, diagnosis, bytes, and what is in the store.
    func expect(of result: Report.Result, in world: FaultWorld) throws {
        #expect(result.outcome == (code == nil ? "downloaded" : "failed"))
        #expect(result.error?.code == code?.rawValue, "\(result.error?.message ?? "")")
        #expect(result.error?.diagnosis == diagnosis?.rawValue)
        let moved = try #require(result.bytes_downloaded)
        #expect(bytes.contains(moved), "\(moved) bytes, not \(bytes)")
        #expect(moved == result.attempts?.reduce(0) { $0 + $1.bytes })
        #expect(result.bytes_resumed == 0)
        let isThere = FileManager.default.fileExists(atPath: world.view)
        #expect(isThere == (code == nil))
        #expect(try FileManager.default.fileExists(atPath: world.blob) == isThere)
        if isThere { #expect(FileManager.default.contents(atPath: world.view) == Data(FaultWorld.right)) }
        if code != nil { #expect(result.error?.message.hasPrefix("m/one/f.bin: ") == true) }
    }
}
