import TestSupport
import Testing

extension AcceptanceTests {
    /// What users say about their network.
    @Suite(.needsNginx) struct NetworkFlags {}
}

extension AcceptanceTests.NetworkFlags {
    @Test func theLimitHoldsForAllFilesTogether() async throws {
        try await World.served { world, server in
            let documents = try (0..<4).map { try world.document("\($0).bin", 512 << 10, seed: UInt64($0)) }
            let manifest = try world.manifest(.init("m/a", files: documents.map { $0.file(server.http) }))
            let start = ContinuousClock.now
            let run = try await world.apply(manifest, "--limit-rate", "1M")
            let time = ContinuousClock.now - start
            #expect(run.result.exitCode == 0, "\(run)")
            // Less would be a broken promise. The time has the program's start in it and the checks of its report: how much
            // more it is a busy machine decides.
            #expect(time >= .seconds(1.9) && time < .seconds(60), "\(time)")
        }
    }

    @Test func aServerThatAsksForACertificateGetsIt() async throws {
        try await World.served { world, server in
            let document = try world.document("a.bin", 5_000, seed: 1)
            let manifest = try world.manifest(.init("m/a", files: [document.file(server.mutual)]))
            let refused = try await world.apply(manifest, "--ca-file", server.ca.file, "--retries", "0")
            #expect(refused.result.exitCode != 0, "\(refused)")
            let own = try server.ca.issue("client", for: "DNS:client")
            let run = try await world.apply(
                manifest, "--ca-file", server.ca.file, "--client-cert", own.certificate, "--client-key", own.key)
            #expect(run.result.exitCode == 0, "\(run)")
            try world.expectInPlace(document, "m/a")
        }
    }

    @Test func aCertificateThatIsNotThereIsToldAsSuch() async throws {
        try await World.served { world, server in
            let document = try world.document("a.bin", 5_000, seed: 1)
            let manifest = try world.manifest(.init("m/a", files: [document.file(server.mutual)]))
            let run = try await world.apply(
                manifest, "--ca-file", server.ca.file, "--client-cert", world.folder.appending("none.pem"))
            #expect(run.result.exitCode != 0, "\(run)")
            #expect(run.result.standardError.contains("--client-cert"), "\(run)")
        }
    }

    /// A proxy that has the document for whatever host is asked for.
    private func proxied(_ document: Document, host: String) throws -> FaultServer {
        let server = try FaultServer()
        let bytes = Payload.bytes(document.size, seed: 1)
        for path in ["http://\(host)/\(document.name)", "/\(document.name)"] {
            server.script(path) { request, _ in .file(bytes, for: request) }
        }
        return server
    }

    @Test(arguments: [true, false]) func aProxyIsAskedWhereItIsNamed(byFlag: Bool) async throws {
        try await World.with { world in
            var world = world
            let document = try world.document("a.bin", 5_000, seed: 1)
            let proxy = try proxied(document, host: "models.invalid")
            let manifest = try world.manifest(.init("m/a", files: [document.file("http://models.invalid")]))
            let url = "http://127.0.0.1:\(proxy.port)"
            if !byFlag { world.environment["http_proxy"] = url }
            world.environment["no_proxy"] = "localhost"
            let run = byFlag ? try await world.apply(manifest, "--proxy", url) : try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(proxy.recording.requests.map(\.target) == ["http://models.invalid/a.bin"])
            try world.expectInPlace(document, "m/a")
        }
    }

    @Test func aHostOfNoProxyIsAskedItself() async throws {
        try await World.with { world in
            var world = world
            let document = try world.document("a.bin", 5_000, seed: 1)
            let server = try proxied(document, host: "models.invalid")
            let proxy = try FaultServer()
            world.environment["http_proxy"] = "http://127.0.0.1:\(proxy.port)"
            world.environment["no_proxy"] = "example.org,127.0.0.1"
            let manifest = try world.manifest(.init("m/a", files: [document.file("http://127.0.0.1:\(server.port)")]))
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(proxy.recording.requests.isEmpty)
            try world.expectInPlace(document, "m/a")
        }
    }

    @Test func theNetrcFileOfTheHomeIsShownToItsHostAlone() async throws {
        try await World.with { world in
            var world = world
            let document = try world.document("a.bin", 5_000, seed: 1)
            let server = try proxied(document, host: "models.invalid")
            world.environment["HOME"] = world.folder.path
            try world.folder.write("machine 127.0.0.1 login me password sesame\n", to: ".netrc")
            let port = server.port
            let manifest = try world.manifest(
                .init("m/a", files: [document.file("http://localhost:\(port)", "http://127.0.0.1:\(port)")]))
            server.script("/a.bin") { request, _ in
                let bytes = Payload.bytes(5_000, seed: 1)
                return request.headers["authorization"] == "Basic bWU6c2VzYW1l"
                    ? .file(bytes, for: request) : .status(401)
            }
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(
                server.recording.requests.map { $0.headers["authorization"] } == [nil, "Basic bWU6c2VzYW1l"])
            #expect(!run.description.contains("sesame"))
        }
    }

    @Test(arguments: [nil, 2]) func aHostHasNoMoreConnectionsThanTheManifestSays(bound: Int?) async throws {
        try await World.with { world in
            let server = try FaultServer()
            let documents = try (0..<12).map { try world.document("\($0).bin", 20_000, seed: UInt64($0)) }
            for (seed, document) in documents.enumerated() {
                let bytes = Payload.bytes(document.size, seed: UInt64(seed))
                server.script("/\(document.name)") { _, _ in .ok(bytes).dripping(1_000, everyMicroseconds: 5_000) }
            }
            let host = "127.0.0.1:\(server.port)"
            let text = ManifestText(
                [.init("m/a", files: documents.map { $0.file("http://\(host)") })],
                connections: bound.map { [host: $0] } ?? [:])
            let run = try await world.apply(try world.folder.write(text.text, to: "models.yaml"))
            #expect(run.result.exitCode == 0, "\(run)")
            let most = server.recording.maxOpenConnections
            if let bound { #expect(most <= bound) } else { #expect(most > 2) }
        }
    }

    @Test func aMirrorThatFailedIsAskedLastTheNextTimeAndAsUsualTheTimeAfter() async throws {
        try await World.with { world in
            let (bad, good) = (try FaultServer(), try FaultServer())
            let documents = try (0..<3).map { try world.document("\($0).bin", 5_000, seed: UInt64($0)) }
            for (seed, document) in documents.enumerated() {
                good.serve("/\(document.name)", Payload.bytes(5_000, seed: UInt64(seed)))
                bad.script("/\(document.name)") { _, _ in .status(500) }
            }
            let bases = ["http://127.0.0.1:\(bad.port)", "http://localhost:\(good.port)"]
            for (run, document) in documents.enumerated() {
                let manifest = try world.manifest(.init("m/\(run)", files: [document.file(bases[0], bases[1])]))
                let applied = try await world.apply(manifest, "--retries", "1")
                #expect(applied.result.exitCode == 0, "\(applied)")
                try world.expectInPlace(document, "m/\(run)")
            }
            #expect(bad.recording.requests.map(\.path) == ["/0.bin", "/2.bin"])
        }
    }
}
