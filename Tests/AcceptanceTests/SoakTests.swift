import Foundation
import Glibc
import TestSupport
import Testing

/// Eight processes at a time apply one manifest to one store, and some of them are killed. A few seconds of what `make soak`
/// runs for ten minutes.
@Suite(.serialized, .timeLimit(.minutes(60)), .needsNginx)
struct SoakTests {
    private static let seconds = ProcessInfo.processInfo.environment["MODELSYNC_SOAK_SECONDS"].flatMap(Double.init)
    private static let processes = 8

    private func blobCount(_ world: World) -> Int {
        tree(world.store + "/blobs/sha256").filter { !$0.hasSuffix("Directory") }.count
    }

    @Test func aSharedStoreStaysValidAndEachBlobIsFetchedOnce() async throws {
        let count = Self.seconds == nil ? 40 : 200
        let end = Date().addingTimeInterval(Self.seconds ?? 5)
        var dice = SystemRandomNumberGenerator()
        try await World.served { world, nginx in
            let documents = try (0..<count).map { index in
                let size = [300, 5000, 20_000, 90_000, 1_300_000][index % 5] + index
                return try world.document("f\(index).bin", size, seed: UInt64(index))
            }
            let models = (0..<8).map { model in
                let own = documents.enumerated().filter { $0.offset % 8 == model }.map(\.element)
                return ManifestText.Model("m/\(model)", files: own.map { $0.file(nginx.http) })
            }
            let manifest = try world.folder.write(ManifestText(models).text, to: "models.yaml")
            let total = documents.reduce(0) { $0 + $1.size }
            var (rounds, kills, fetched, wanted) = (0, 0, 0, 0)
            repeat {
                rounds += 1
                try? FileManager.default.removeItem(atPath: world.store)
                var running = try (0..<Self.processes).map { _ in try world.startApply(manifest) }
                // One at a time is killed and started anew, wherever it is.
                for _ in 0..<Int.random(in: 0...4, using: &dice) {
                    let victim = Int.random(in: 0..<Self.processes, using: &dice)
                    let arrived = Int.random(in: 0..<count, using: &dice)
                    // It may end before: then nobody is killed.
                    try? await running[victim].program.signal(SIGKILL, when: "\(arrived) blobs") {
                        blobCount(world) >= arrived
                    }
                    if await running[victim].program.wait().status == .signalled(SIGKILL) {
                        kills += 1
                        running[victim] = try world.startApply(manifest)
                    }
                }
                for run in running {
                    let ended = try await run.finish()
                    #expect(ended.result.exitCode == 0, "\(ended)")
                    fetched += ended.report.summary["bytes_downloaded"] ?? 0
                }
                wanted += total
                let verified = try await world.verify(manifest)
                #expect(verified.result.exitCode == 0, "\(verified)")
                // Links of a folder that a kill left half built may be there until then.
                #expect(try await world.run("gc").exitCode == 0)
                #expect(tree(world.store + "/partial").isEmpty, "\(tree(world.store + "/partial"))")
            } while Date() < end
            print("soak: \(rounds) rounds, \(kills) kills; fetched \(fetched) of \(wanted) bytes by those that lived")
            // What was fetched by one that was killed is not told; nobody fetched what another had.
            #expect(fetched <= wanted)
        }
    }
}
