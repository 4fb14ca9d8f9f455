import Foundation
import ModelSyncKit
import SyncDomain
import Synchronization
import TestSupport
import Testing

/// Many files from an origin where one request in three fails, each in one way or another: all arrive. A small sample of
/// what `make chaos` runs, unless the environment asks for more.
@Suite(.timeLimit(.minutes(10))) struct ChaosTests {
    private static let fileCount = environment("MODELSYNC_CHAOS_FILES").flatMap(Int.init) ?? 60
    /// To repeat a run: its faults are the same, request by request of each file.
    private static let seed = environment("MODELSYNC_CHAOS_SEED").flatMap(UInt64.init) ?? 1

    private static func environment(_ name: String) -> String? {
        ProcessInfo.processInfo.environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    @Test func everyFileArrivesFromAnOriginWhereOneRequestInThreeFails() async throws {
        print("chaos: \(Self.fileCount) files, MODELSYNC_CHAOS_SEED=\(Self.seed)")
        let origin = try ChaosOrigin(seed: Self.seed, count: Self.fileCount)
        try await FaultWorld.with { world in
            world.configuration.stallTimeout = .seconds(2)
            // With five, one file in 243 would have no luck.
            world.configuration.options.attempts = 25
            let report = try await world.apply(try origin.manifest(in: world.folder))
            for result in report.results where !result.success {
                Issue.record("seed \(Self.seed): \(result.name): \(result.error?.message ?? "")")
            }
            #expect(report.results.count == Self.fileCount)
            for (path, bytes) in origin.files {
                let view = world.store + "/models/" + path
                #expect(FileManager.default.contents(atPath: view) == Data(bytes), "seed \(Self.seed): \(path)")
            }
            let (answers, faults) = origin.counts
            print("chaos: \(answers) answers, \(faults) of them wrong")
            #expect(faults * 5 > answers, "no chaos: seed \(Self.seed)")
            #expect(try FileManager.default.contentsOfDirectory(atPath: world.store + "/partial").isEmpty)
        }
    }
}

/// Files of all sizes, and a server that often goes wrong over them.
private final class ChaosOrigin: Sendable {
    /// By `model/path`.
    let files: [(path: String, bytes: [UInt8])]
    private let server: FaultServer
    private let script = ChaosScript()

    /// Many models, so that some are published while others still come.
    private static let filesOfAModel = 25

    init(seed: UInt64, count: Int) throws {
        var chance = Dice(seed: seed)
        server = try FaultServer()
        files = (0..<count).map { index in
            let size = Self.size(index, &chance)
            let path = "chaos/\(index / Self.filesOfAModel)/\(index).bin"
            return (path, Payload.bytes(size, seed: seed &+ UInt64(index)))
        }
        for (path, bytes) in files {
            let seed = chance.next()
            for kind in ["origin", "mirror"] {
                server.script("/\(kind)/\(path)") { [script] request, attempt in
                    var chance = Dice(seed: seed &+ UInt64(attempt) &* 1_000_003)
                    return script.answer(request, bytes, path, isLast: kind == "mirror", &chance)
                }
            }
        }
    }

    /// Of each hundred files one is empty and one of several MiB.
    private static func size(_ index: Int, _ chance: inout Dice) -> Int {
        switch index % 100 {
        case 7: 0
        case 11: chance.number(in: 3 << 20...9 << 20)
        default: chance.number(in: 1...300_000)
        }
    }

    var counts: (answers: Int, faults: Int) { script.counts }

    /// Each file has an origin that may refuse it for good, and a mirror that never does.
    func manifest(in folder: TemporaryFolder) throws -> ManifestText {
        let paths = try files.enumerated().map { try folder.write($1.bytes, to: "chaos/\($0)") }
        let lines = try Tool.run("sha256sum", ["--zero", "--"] + paths).split(separator: "\0")
        var models: [String: [ManifestText.File]] = [:]
        for (line, file) in zip(lines, files) {
            let (model, name) = Self.parts(file.path)
            let urls = ["origin", "mirror"].map { server.url("/\($0)/\(file.path)").text }
            models[model, default: []].append(
                .init(name, size: file.bytes.count, sha256: String(line.prefix(64)), urls: urls))
        }
        return ManifestText(models.sorted { $0.key < $1.key }.map { .init($0.key, files: $0.value) })
    }

    private static func parts(_ path: String) -> (model: String, name: String) {
        guard let end = path.lastIndex(of: "/") else { return ("", path) }
        return (String(path[..<end]), String(path[path.index(after: end)...]))
    }
}

/// What the server answers; it outlives whoever made it, as the server's threads do.
private final class ChaosScript: Sendable {
    private let state = Mutex(State())

    private struct State {
        var answers = 0
        var faults = 0
        /// Of what is wrong in each of its bytes a file gets no more than one: twice would be for good.
        var spoiled: Set<String> = []
    }

    var counts: (answers: Int, faults: Int) { state.withLock { ($0.answers, $0.faults) } }

    func answer(
        _ request: FaultRequest, _ bytes: [UInt8], _ path: String, isLast: Bool, _ chance: inout Dice
    ) -> FaultResponse {
        let etag = ["\"\(path)\"", "W/\"\(path)\"", nil][chance.number(in: 0...2)]
        let right = FaultResponse.file(bytes, etag: etag, for: request)
        let isWrong = chance.number(in: 0...2) == 0
        state.withLock { state in
            state.answers += 1
            state.faults += isWrong ? 1 : 0
        }
        guard isWrong else { return chance.number(in: 0...9) == 0 ? right.last() : right }
        if !isLast && chance.number(in: 0...9) == 0 { return final(bytes, request, &chance) }
        if chance.number(in: 0...9) == 0, state.withLock({ $0.spoiled.insert(path).inserted }) {
            return .file(bytes.map { $0 ^ 0x20 }, etag: etag, for: request)
        }
        return passing(right, bytes, request, &chance)
    }

    /// What can be mended by another try.
    private func passing(
        _ right: FaultResponse, _ bytes: [UInt8], _ request: FaultRequest, _ chance: inout Dice
    ) -> FaultResponse {
        let place = chance.number(in: 0...max(0, right.body.count - 1))
        let faults: [() -> FaultResponse] = [
            { right.truncated(at: place) }, { right.reset(at: place) }, { right.chunked().truncated(at: place) },
            { right.withoutLength().truncated(at: place) }, { .hangUp }, { .ok(bytes) },
            { .status(408) }, { .status(500) }, { .status(429, retryAfter: "7") }, { .status(503, retryAfter: "-9") },
            { right.header("X", "").dripping(max(1, right.body.count / 3), everyMicroseconds: 1000) },
        ]
        // They take the time that a stall takes to be seen, and so are rare.
        if chance.number(in: 0...19) == 0 { return chance.number(in: 0...1) == 0 ? .silence : right.stalled(at: place) }
        guard let start = request.rangeStart, chance.number(in: 0...2) == 0 else {
            return faults[chance.number(in: 0...(faults.count - 1))]()
        }
        let other = "bytes \(start + 1)-\(bytes.count - 1)/\(bytes.count)"
        return chance.number(in: 0...1) == 0 ? .status(416) : .part(right.body, contentRange: other)
    }

    /// What ends it with this source.
    private func final(_ bytes: [UInt8], _ request: FaultRequest, _ chance: inout Dice) -> FaultResponse {
        let faults: [FaultResponse] = [
            .status(401), .status(404), .status(501), .redirect(to: request.path), .redirect(to: "file:///etc/passwd"),
            .ok(bytes + [1, 2, 3]), .ok(bytes).header("Content-Encoding", "gzip"), .status(503, retryAfter: "86400"),
            .ok(Array("<html>log in".utf8)).header("Content-Type", "text/html"),
            .ok([UInt8](repeating: 7, count: 999)).chunked().endless(),
        ]
        return faults[chance.number(in: 0...(faults.count - 1))]
    }
}
