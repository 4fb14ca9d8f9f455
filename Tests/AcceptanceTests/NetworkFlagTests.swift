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
            // More is for a machine that is busy; less would be a broken promise.
            #expect(time >= .seconds(1.9) && time < .seconds(4), "\(time)")
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
}
