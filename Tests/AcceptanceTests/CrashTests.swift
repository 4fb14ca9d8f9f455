import Foundation
import Glibc
import TestSupport
import Testing

/// An update of a store that holds an older version, killed before each call that changes something, or with each such call
/// failing. A sample of what `make crash` runs, unless the environment asks for all.
@Suite(.serialized, .timeLimit(.minutes(60)), .enabled(if: FaultShim.isUsable, "needs a C compiler and no sanitizer"))
struct CrashTests {
    private static let isFull = ProcessInfo.processInfo.environment["MODELSYNC_CRASH"] == "full"

    /// Of so many calls those to hit: all of them, or about as many as asked for, spread.
    private func sample(_ count: Int, _ wanted: Int) -> [Int] {
        Self.isFull ? Array(1...count) : Array(stride(from: 1 + count % 3, through: count, by: max(1, count / wanted)))
    }

    @Test func everyKillLeavesAStoreThatIsValidAndThatTheNextRunCompletes() async throws {
        try await CrashWorld.with { world in
            let count = try await world.calls().count
            #expect(count > 80)
            var (tried, bad) = (0, 0)
            for index in sample(count, 14) {
                let store = try world.oldStore()
                let killed = try await world.apply(store) { $0.at = index }
                // Threads take turns: now and then a run has a call less.
                if killed.status != .exited(0) { #expect(killed.status == .signalled(SIGKILL), "\(killed)") }
                tried += 1
                bad += try await world.expectRecovers(store, "killed before call \(index) of \(count)")
            }
            print("crash: \(tried) kills, bad outcomes: \(bad)")
        }
    }

    @Test func everyCallThatFailsIsToldAndNothingIsLost() async throws {
        try await CrashWorld.with { world in
            let calls = try await world.calls()
            let errors: [Int32] = [ENOSPC, EIO, EDQUOT, EMLINK, EPERM, EINTR]
            var (tried, bad) = (0, 0)
            for index in sample(calls.count, 12) {
                // Threads take turns: which call is the so-manieth of all is another one each time, but for its name.
                let call = calls[index - 1]
                let occurrence = calls[..<index].count { $0.name == call.name }
                for error in Self.isFull ? errors : [errors[index % errors.count]] {
                    let store = try world.oldStore()
                    let what = "\(call.name) \(occurrence), of \(call.path) before, fails with \(error)"
                    let run = try await world.apply(store) { plan in
                        (plan.call, plan.at, plan.error) = (call.name, occurrence, error)
                    }
                    tried += 1
                    bad += world.expectClean(run, what)
                    bad += try await world.expectRecovers(store, what)
                }
            }
            print("crash: \(tried) failing calls, bad outcomes: \(bad)")
        }
    }

    @Test(arguments: ["pwrite", "fsync", "renameat2", "linkat", "tmpfile"])
    func aDiskThatIsFullFromThereOnLosesNothing(_ call: String) async throws {
        try await CrashWorld.with { world in
            for index in Self.isFull ? Array(1...6) : [1, 3] {
                let store = try world.oldStore()
                let what = "\(call) \(index) and all later ones find no room"
                let run = try await world.apply(store) { plan in
                    (plan.call, plan.at, plan.error, plan.hitsAllAfter) = (call, index, ENOSPC, true)
                }
                _ = world.expectClean(run, what)
                _ = try await world.expectRecovers(store, what)
            }
        }
    }

    /// Small blobs are files without names until they are blobs, and have names of their own where that can't be.
    @Test(arguments: [("tmpfile", EOPNOTSUPP), ("linkat", EPERM)])
    func filesWithoutNamesAreNotNeeded(_ call: String, _ error: Int32) async throws {
        try await CrashWorld.with { world in
            let store = try world.oldStore()
            let run = try await world.apply(store) { plan in
                (plan.call, plan.at, plan.error, plan.hitsAllAfter) = (call, 1, error, true)
            }
            #expect(run.exitCode == 0, "\(run)")
            _ = try await world.expectRecovers(store, "\(call) fails with \(error)")
        }
    }

    /// The chunks that are right are copied, the others fetched, and the whole takes the rotten blob's place.
    @Test func aRepairByChunksThatIsKilledIsDoneByTheNextRun() async throws {
        try await World.with { world in
            let large = try world.document("large.bin", (33 << 20) + 5, seed: 1)
            let manifest = try world.manifest(.init("m/large", files: [large.file("documents")]))
            #expect(try await world.apply(manifest).result.exitCode == 0)
            try damage(world.blob(large)) { $0[5 << 20] ^= 1 }
            try FileManager.default.moveItem(atPath: world.store, toPath: world.folder.appending("template"))
            let crash = CrashWorld(world: world, old: [:], new: [:], newManifest: manifest)
            let count = try await crash.calls().count
            var (tried, bad) = (0, 0)
            for index in sample(count, 6) {
                let store = try crash.oldStore()
                let killed = try await crash.apply(store) { $0.at = index }
                #expect([.signalled(SIGKILL), .exited(0)].contains(killed.status), "\(killed)")
                tried += 1
                bad += try await crash.expectRecovers(store, "repair killed before call \(index) of \(count)")
                try world.expectInPlace(large, "m/large")
            }
            print("crash: \(tried) kills of a repair, bad outcomes: \(bad)")
        }
    }

    /// What a power cut must not undo: bytes before the name, names before what shows them.
    @Test func whatANameStandsForIsDurableBeforeIt() async throws {
        try await CrashWorld.with { world in
            var unsynchronised: Set<String> = []
            // Names that a power cut may undo.
            var pending: Set<String> = []
            var violations: [String] = []
            for call in try await world.calls() {
                switch call.name {
                case "pwrite", "ftruncate", "fchmod", "futimens": unsynchronised.insert(call.path)
                case "openat", "mkdirat": pending.insert(call.path)
                case "linkat":
                    if call.other.contains("/blobs/"), unsynchronised.contains(call.path) {
                        violations.append("\(call.path) was linked as \(call.other) before its bytes were durable")
                    }
                    pending.insert(call.other)
                case "fsync":
                    unsynchronised.remove(call.path)
                    pending = pending.filter { ($0 as NSString).deletingLastPathComponent != call.path }
                case "syncfs": (unsynchronised, pending) = ([], [])
                case "renameat", "renameat2":
                    let isDurable = call.other.contains("/blobs/") || call.other.contains("/records/")
                    if isDurable, unsynchronised.contains(call.path) {
                        violations.append("\(call.path) was renamed to \(call.other) before its bytes were durable")
                    }
                    // Other models' blobs may be on their way meanwhile.
                    if let model = call.other.components(separatedBy: "/models/").dropFirst().first {
                        let blobs = (world.new[model] ?? [:]).values.flatMap { digest in
                            ["\(digest.prefix(2))", "\(digest.prefix(2))/\(digest)"].map {
                                "\(world.world.store)/blobs/sha256/\($0)"
                            }
                        }
                        let lost = pending.filter { $0.hasPrefix(call.path + "/") || blobs.contains($0) }
                        if !lost.isEmpty {
                            violations.append("\(call.other) is shown before these were durable: \(lost)")
                        }
                    }
                    pending.remove(call.path)
                    pending.insert(call.other)
                default: break
                }
            }
            #expect(violations.isEmpty, "\(violations.joined(separator: "\n"))")
        }
    }
}

/// A store that holds an older version of three models, and the manifest of a newer one.
private struct CrashWorld {
    struct Call {
        let name: String
        let path: String
        let other: String
    }

    let world: World
    /// By model: the digest at each path.
    let old: [String: [String: String]]
    let new: [String: [String: String]]
    let newManifest: String

    static func with(_ body: (CrashWorld) async throws -> Void) async throws {
        try await World.with { world in
            let same = try world.document("same.bin", 1_500_000, seed: 1)
            let (a1, a2) = (
                try world.document("a1.bin", 100_000, seed: 2), try world.document("a2.bin", 110_000, seed: 3)
            )
            let gone = try world.document("gone.bin", 30_000, seed: 4)
            let large = try world.document("large.bin", 2_200_000, seed: 5)
            let small = try (0..<6).map { try world.document("s\($0).bin", 1000 + $0, seed: UInt64(10 + $0)) }
            func set(_ files: [(String, Document)]) -> [ManifestText.File] {
                files.map { $0.1.file("documents", path: $0.0) }
            }
            let two = [("x.bin", small[0])]
            let oldOne = [("d/a.bin", a1), ("same.bin", same), ("gone.bin", gone)]
            let newOne = [("d/a.bin", a2), ("same.bin", same), ("e/large.bin", large)]
            let three = small.dropFirst().map { ($0.name, $0) }
            let oldManifest = try world.manifest(
                .init("m/one", files: set(oldOne)), .init("m/two", files: set(two)), named: "old.yaml")
            let newManifest = try world.manifest(
                .init("m/one", files: set(newOne)), .init("m/two", files: set(two)),
                .init("m/three", files: set(three)),
                named: "new.yaml")
            func digests(_ files: [(String, Document)]) -> [String: String] {
                Dictionary(uniqueKeysWithValues: files.map { ($0.0, $0.1.sha256) })
            }
            let first = try await world.apply(oldManifest)
            #expect(first.result.exitCode == 0, "\(first)")
            try world.folder.write("mine", to: "store/models/m/one/note.txt")
            try FileManager.default.moveItem(atPath: world.store, toPath: world.folder.appending("template"))
            try await body(
                CrashWorld(
                    world: world, old: ["m/one": digests(oldOne), "m/two": digests(two), "m/three": [:]],
                    new: ["m/one": digests(newOne), "m/two": digests(two), "m/three": digests(three)],
                    newManifest: newManifest))
        }
    }

    /// A copy of the store with the older version.
    func oldStore() throws -> String {
        let store = world.folder.appending("store")
        try? FileManager.default.removeItem(atPath: store)
        // Hard links stay what they are.
        _ = try Tool.run("cp", ["-a", world.folder.appending("template"), store])
        return store
    }

    /// The update, with something in its way.
    func apply(_ store: String, _ plan: (inout FaultShim.Plan) -> Void = { _ in }) async throws -> ProgramResult {
        var faults = FaultShim.Plan(root: store)
        plan(&faults)
        var program = world.program
        program.environment.merge(faults.environment) { $1 }
        return try await program.run(["apply", newManifest, "--store", store, "--progress", "none"])
    }

    /// The calls of the update that change something, in order.
    func calls() async throws -> [Call] {
        let log = world.folder.appending("calls")
        try? FileManager.default.removeItem(atPath: log)
        let run = try await apply(try oldStore()) { $0.log = log }
        guard run.exitCode == 0 else { throw ToolFailure("\(run)") }
        return try String(contentsOfFile: log, encoding: .utf8).split(separator: "\n").map { line in
            let words = line.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
            return Call(name: words[1], path: words[2], other: words[3])
        }
    }

    /// The program ended by itself, and told what went wrong.
    ///
    /// - Returns: how many expectations were not met.
    func expectClean(_ run: ProgramResult, _ what: String) -> Int {
        let codes: [Int32] = [0, 1, 73, 74, 75]
        let isTold = run.exitCode == 0 || run.standardError.contains("error: ")
        let isClean = run.exitCode.map(codes.contains) == true && isTold
        #expect(isClean, "\(what): \(run)")
        return isClean ? 0 : 1
    }

    /// The store is valid now, and the next run completes the update and leaves nothing behind.
    ///
    /// - Returns: how many expectations were not met.
    func expectRecovers(_ store: String, _ what: String) async throws -> Int {
        var bad = try problems(store, [old, new])
        let next = try await world.program.run(["apply", newManifest, "--store", store, "--progress", "none"])
        if next.exitCode != 0 { bad.append("the next run failed: \(next)") }
        bad += try problems(store, [new])
        let verified = try await world.program.run(["verify", newManifest, "--store", store, "--progress", "none"])
        if verified.exitCode != 0 { bad.append("verify failed: \(verified)") }
        let swept = try await world.program.run(["gc", "--older-than", "0s", "--store", store])
        let left = tree(store + "/partial")
        if swept.exitCode != 0 || !left.isEmpty { bad.append("gc left \(left): \(swept)") }
        #expect(bad.isEmpty, "\(what):\n\(bad.joined(separator: "\n"))")
        return bad.count
    }

    /// What is wrong with blobs and views, each model of which must show one of the sets, whole.
    private func problems(_ store: String, _ sets: [[String: [String: String]]]) throws -> [String] {
        // With no sets it is about a blob that is rotten from the start.
        if new.isEmpty { return [] }
        var bad: [String] = []
        for (path, digest) in try digests(store + "/blobs/sha256") where (path as NSString).lastPathComponent != digest
        {
            bad.append("the blob \(path) has the bytes of \(digest)")
        }
        for model in new.keys.sorted() {
            var shown = try digests("\(store)/models/\(model)")
            if model == "m/one", shown.removeValue(forKey: "note.txt") == nil { bad.append("the user's file is gone") }
            if !sets.contains(where: { $0[model] == shown }) { bad.append("\(model) shows \(shown)") }
        }
        return bad
    }

    /// The digest of each file below the folder, by its path from there.
    private func digests(_ folder: String) throws -> [String: String] {
        let paths = tree(folder).filter { !$0.hasSuffix("Directory") }.map { String($0.prefix { $0 != " " }) }
        if paths.isEmpty { return [:] }
        let lines = try Tool.run("sha256sum", ["--zero", "--"] + paths.map { "\(folder)/\($0)" }).split(separator: "\0")
        return Dictionary(uniqueKeysWithValues: zip(paths, lines.map { String($0.prefix(64)) }))
    }
}
