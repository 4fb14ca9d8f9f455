import Foundation
import TestSupport
import Testing

enum Endpoint: String, CaseIterable, Sendable {
    case http, https, http2

    func base(_ server: NginxServer) -> String {
        switch self {
        case .http: server.http
        case .https: server.https
        case .http2: server.http2
        }
    }

    func arguments(_ server: NginxServer) -> [String] { self == .http ? [] : ["--ca-file", server.ca.file] }
}

extension AcceptanceTests {
    @Suite(.needsNginx) struct Applying {}
}

extension AcceptanceTests.Applying {
    @Test(arguments: Endpoint.allCases)
    func everyFileArrivesAndASecondApplyAsksForNothing(over endpoint: Endpoint) async throws {
        try await World.served { world, server in
            let sizes = [0, 1, 4095, 4096, 4097, 65_536, 300_000, 1 << 20, (3 << 20) + 17]
            let documents = try sizes.enumerated().map { index, size in
                try world.document("f\(index).bin", size, seed: UInt64(index + 1))
            }
            let base = endpoint.base(server)
            let manifest = try world.manifest(
                .init("kind/many", version: "1", files: documents.dropLast().map { $0.file(base) }),
                .init("kind/deep", files: [documents[8].file(base, path: "a/b c/\u{FC}ber.bin")]))

            let first = try await world.program.run(
                ["apply", manifest, "--store", world.store, "--report", world.folder.appending("r.json")]
                    + endpoint.arguments(server))
            #expect(first.exitCode == 0, "\(first)")
            let report = try Report.read(world.folder.appending("r.json"))
            #expect(report.outcome == "ok")
            #expect(report.names("downloaded").count == documents.count)
            #expect(report.summary["bytes_downloaded"] == sizes.reduce(0, +))
            for document in documents.dropLast() { try world.expectInPlace(document, "kind/many") }
            try world.expectInPlace(documents[8], "kind/deep", "a/b c/\u{FC}ber.bin")

            let requests = try server.requests()
            // An empty file needs no request.
            #expect(Set(requests.map(\.path)).isSuperset(of: documents.dropFirst().map { "/" + $0.name }))
            #expect(requests.filter { $0.method == "GET" }.count <= documents.count)
            // The last is large: it has a connection to itself.
            for request in requests {
                let isShared = endpoint == .http2 && request.path != "/" + documents[8].name
                #expect(request.httpVersion == (isShared ? "HTTP/2.0" : "HTTP/1.1"), "\(request)")
            }

            let second = try await world.apply(manifest)
            #expect(second.result.exitCode == 0, "\(second)")
            #expect(second.report.names("kept").count == documents.count)
            #expect(second.report.summary["bytes_downloaded"] == 0)
            #expect(try server.requests().count == requests.count)
        }
    }

    @Test(.needs("strace"), arguments: [Endpoint.https, .http2])
    func requestsOverOneConnectionLeaveTogether(over endpoint: Endpoint) async throws {
        try await World.served { world, server in
            let files = try (1...200).map { try world.document("f\($0).bin", 5000, seed: UInt64($0)) }
            let manifest = try world.manifest(.init("m", files: files.map { $0.file(endpoint.base(server)) }))
            let trace = world.folder.appending("trace")
            try Tool.run(
                "strace",
                ["-f", "-e", "trace=setsockopt", "-o", trace, Program.path, "apply", manifest, "--store", world.store]
                    + endpoint.arguments(server))
            var corks: [Substring: [Bool]] = [:]
            for line in readText(trace).split(separator: "\n") where line.contains("TCP_CORK") {
                let socket = line.split(separator: "setsockopt(").last?.prefix { $0 != "," } ?? ""
                corks[socket, default: []].append(line.contains("[1]"))
            }
            #expect(corks.isEmpty == (endpoint != .http2))
            // Nothing is held back for longer than one pass over the transfers.
            for socket in corks.values {
                #expect(socket.enumerated().allSatisfy { $1 == ($0 % 2 == 0) } && socket.last != true, "\(socket)")
            }
        }
    }

    @Test func identicalFilesAreFetchedOnce() async throws {
        try await World.served { world, server in
            let shared = try world.document("shared.bin", 200_000, seed: 1)
            let manifest = try world.manifest(
                .init("a/one", files: [shared.file(server.http), shared.file(server.http, path: "again/shared.bin")]),
                .init("a/two", files: [shared.file(server.http)]))
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            for (model, path) in [("a/one", "shared.bin"), ("a/one", "again/shared.bin"), ("a/two", "shared.bin")] {
                try world.expectInPlace(shared, model, path)
            }
            #expect(try server.requests().map(\.path) == ["/shared.bin"])
            #expect(run.report.summary["bytes_downloaded"] == 200_000)
        }
    }

    @Test func onlyPicksModelsByGlobAndByTag() async throws {
        try await World.served { world, server in
            let document = try world.document("x.bin", 1000, seed: 1)
            let manifest = try world.manifest(
                .init("whisper/small", files: [document.file(server.http)]),
                .init("whisper/large", tags: ["big"], files: [document.file(server.http)]),
                .init("other/model", tags: ["vad"], files: [document.file(server.http)]),
                .init("other/rest", files: [document.file(server.http)]))
            let byGlob = try await world.plan(manifest, "--only", "whisper/*")
            #expect(Set(byGlob.plan.items.map(\.model)) == ["whisper/small", "whisper/large"])
            let run = try await world.apply(manifest, "--only", "tag:vad", "--only", "*/small")
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(Set(run.report.results.map(\.model)) == ["whisper/small", "other/model"])
            #expect(try FileManager.default.contentsOfDirectory(atPath: world.store + "/models/other") == ["model"])
        }
    }

    @Test func aMissingFileFailsAloneAndTheOthersArrive() async throws {
        try await World.served { world, server in
            let documents = try (1...4).map { try world.document("f\($0).bin", 10_000, seed: UInt64($0)) }
            let gone = Document(name: "gone.bin", size: 5, sha256: String(repeating: "0", count: 64))
            let manifest = try world.manifest(
                .init("m/good", files: documents.map { $0.file(server.http) }),
                .init("m/bad", files: [gone.file(server.http)]))
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 1, "\(run)")
            #expect(run.report.outcome == "failed")
            #expect(run.report.names("downloaded").count == 4)
            let failed = try run.report.result("m/bad/gone.bin")
            #expect(failed.outcome == "failed")
            #expect(failed.error?.code == "http.not_found")
            #expect(failed.error?.message.contains("gone.bin") == true)
            #expect(run.result.standardError.contains("gone.bin"))
            // Another request could not have gone better.
            #expect(try server.requests().filter { $0.path == "/gone.bin" }.count == 1)
        }
    }

    @Test func aMirrorGivesWhatTheOriginLacks() async throws {
        try await World.served { world, server in
            let document = try world.document("f.bin", 10_000, seed: 1)
            let manifest = try world.manifest(
                .init("m/one", files: [document.file(server.http + "/lost", server.elsewhere)]))
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            let result = try run.report.result("m/one/f.bin")
            #expect(result.source == server.elsewhere + "/f.bin")
            #expect(result.attempts?.map(\.url) == [server.http + "/lost/f.bin", server.elsewhere + "/f.bin"])
            #expect(result.attempts?.first?.error?.code == "http.not_found")
            try world.expectInPlace(document, "m/one")
        }
    }

    @Test func wrongBytesAreNeverPublished() async throws {
        try await World.served { world, server in
            let document = try world.document("f.bin", 10_000, seed: 1)
            let wrong = Document(name: "f.bin", size: 10_000, sha256: try Payload.sha256([1, 2, 3]))
            let run = try await world.apply(try world.manifest(.init("m/one", files: [wrong.file(server.http)])))
            #expect(run.result.exitCode == 1, "\(run)")
            let error = try #require(try run.report.result("m/one/f.bin").error)
            #expect(error.code == "digest.mismatch")
            #expect(error.diagnosis == "source_changed")
            #expect(error.message.contains(document.sha256) && error.message.contains(wrong.sha256))
            #expect(!FileManager.default.fileExists(atPath: world.view("m/one", "f.bin")))
            #expect(!FileManager.default.fileExists(atPath: world.blob(wrong)))

            // Once the manifest is right, the bytes that came are used.
            let before = try server.requests().count
            let mended = try await world.apply(try world.manifest(.init("m/one", files: [document.file(server.http)])))
            #expect(mended.result.exitCode == 0, "\(mended)")
            #expect(try server.requests().count == before)
            try world.expectInPlace(document, "m/one")
        }
    }

    @Test func aWrongSizeIsRefusedBeforeTheBytes() async throws {
        try await World.served { world, server in
            let document = try world.document("f.bin", 10_000, seed: 1)
            let wrong = Document(name: "f.bin", size: 9_999, sha256: document.sha256)
            let run = try await world.apply(try world.manifest(.init("m/one", files: [wrong.file(server.http)])))
            #expect(run.result.exitCode == 1, "\(run)")
            let result = try run.report.result("m/one/f.bin")
            #expect(result.error?.code == "size.mismatch")
            #expect(result.attempts?.allSatisfy { $0.bytes == 0 } == true)
        }
    }

    @Test func anUntrustedCertificateIsRefusedWithAHint() async throws {
        try await World.served { world, server in
            let document = try world.document("f.bin", 1000, seed: 1)
            let unknown = try await world.apply(
                try world.manifest(.init("m/one", files: [document.file(server.https)])))
            #expect(unknown.result.exitCode == 1, "\(unknown)")
            let first = try #require(try unknown.report.result("m/one/f.bin").error)
            #expect(first.code == "network.tls")
            #expect(first.message.contains("--ca-file"))

            let misnamed = try await world.apply(
                try world.manifest(.init("m/one", files: [document.file(server.wrongHost)])),
                "--ca-file", server.ca.file)
            #expect(misnamed.result.exitCode == 1, "\(misnamed)")
            let second = try #require(try misnamed.report.result("m/one/f.bin").error)
            #expect(second.code == "network.tls")
            #expect(second.message.contains("certificate"))
            #expect(try server.requests().isEmpty)
        }
    }

    @Test func anUpdateIsSeenWholeOrNotAtAll() async throws {
        try await World.served { world, server in
            let old = [try world.document("a1", 5_000, seed: 1), try world.document("b1", 6_000, seed: 2)]
            let new = [try world.document("a2", 5_000, seed: 3), try world.document("b2", 4 << 20, seed: 4)]
            func manifest(_ documents: [Document], _ bases: [String]) throws -> String {
                let files = documents.indices.map { documents[$0].file(bases[$0], path: ["a", "b"][$0]) }
                return try world.manifest(.init("m/one", files: files))
            }
            #expect(try await world.apply(manifest(old, [server.http, server.http])).result.exitCode == 0)

            let stalling = try world.stalling(new[1], at: 3 << 20)
            let update = try world.startApply(try manifest(new, [server.http, stalling.http]))
            try await update.program.wait(until: "one file and half of the other are here") {
                world.partialBytes > 2 << 20 && FileManager.default.fileExists(atPath: world.blob(new[0]))
            }
            try world.expectInPlace(old[0], "m/one", "a")
            try world.expectInPlace(old[1], "m/one", "b")
            stalling.release()
            let run = try await update.finish()
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(run.report.names("updated") == ["m/one/a", "m/one/b"])
            try world.expectInPlace(new[0], "m/one", "a")
            try world.expectInPlace(new[1], "m/one", "b")
        }
    }
}
