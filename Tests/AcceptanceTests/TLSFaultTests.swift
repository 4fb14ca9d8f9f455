import Foundation
import ModelSyncKit
import SyncDomain
import TestSupport
import Testing

/// Certificates that vouch for nothing, and TLS that ends where it should not.
@Suite(.needsNginx, .timeLimit(.minutes(5))) struct TLSFaultTests {
    /// nginx over the right file, and a world that trusts its authority.
    private func served(_ body: (inout FaultWorld, NginxServer) async throws -> Void) async throws {
        try await FaultWorld.with { world in
            try world.folder.write(FaultWorld.right, to: "documents/f.bin")
            let documents = world.folder.appending("documents")
            var world = world
            try await NginxServer.with(documents: documents) { server in
                world.configuration.caFile = server.ca.file
                try await body(&world, server)
            }
        }
    }

    private static let certificates: [(String, @Sendable (NginxServer) -> String, String)] = [
        ("expired", \.expired, "must be renewed"), ("self-signed", \.selfSigned, "--ca-file"),
        ("for another host", \.wrongHost, "for another host"),
    ]

    @Test func aCertificateThatIsNoGoodIsRefusedAtOnceWithAHint() async throws {
        try await served { world, server in
            for (name, base, hint) in Self.certificates {
                let result = try await world.fetch(base(server) + "/f.bin")
                try Ending.fails(.networkTLS).expect(of: result, in: world)
                #expect(result.attempts?.count == 1, "\(name)")
                #expect(result.error?.message.contains(hint) == true, "\(name): \(result.error?.message ?? "")")
            }
            #expect(try server.requests().isEmpty)
            // The authority is not the machine's: without it nothing vouches for the right one.
            world.configuration.caFile = nil
            try Ending.fails(.networkTLS).expect(of: try await world.fetch(server.https + "/f.bin"), in: world)
        }
    }

    @Test(arguments: [1, 2, nil]) func tlsThatIsCutInMidRecordIsGoneOnFrom(times: Int?) async throws {
        try await served { world, server in
            let proxy = try CuttingProxy(
                to: server.httpsPort, cuttingAfter: FaultWorld.cut, connections: times)
            let result = try await world.fetch("https://localhost:\(proxy.port)/f.bin")
            // Each connection brings some bytes, and so none of them counts as a failure.
            try Ending.arrives().expect(of: result, in: world)
            let attempts = try #require(result.attempts)
            #expect(times.map { attempts.count == $0 + 1 } ?? (attempts.count > 2))
            #expect(attempts.dropLast().allSatisfy { $0.error?.code == "network.interrupted" })
        }
    }

    @Test func aHandshakeThatIsCutIsTriedAgain() async throws {
        try await served { world, server in
            let once = try CuttingProxy(to: server.httpsPort, cuttingAfter: 100, connections: 1)
            let url = "https://localhost:\(once.port)/f.bin"
            try Ending.arrives().expect(of: try await world.fetch(url), in: world)
        }
        try await served { world, server in
            let always = try CuttingProxy(to: server.httpsPort, cuttingAfter: 100)
            let result = try await world.fetch("https://localhost:\(always.port)/f.bin")
            try Ending.fails(.networkTLS).expect(of: result, in: world)
            #expect(result.attempts?.count == FaultWorld.attempts)
        }
    }

    @Test func aServerThatNeverAnswersTheHandshakeIsLeft() async throws {
        try await FaultWorld.with { world in
            world.configuration.connectTimeout = .seconds(1)
            let silent = try CuttingProxy(to: 9, cuttingAfter: nil)
            // By its address: the look at a name would be in the time too, and nobody shows a certificate.
            let result = try await world.fetch("https://127.0.0.1:\(silent.port)/f.bin")
            try Ending.fails(.networkConnect).expect(of: result, in: world)
            #expect(result.attempts?.count == FaultWorld.attempts)
        }
    }

    @Test func aRedirectDownFromHTTPSIsRefused() async throws {
        try await served { world, server in
            let result = try await world.fetch(server.https + "/elsewhere/f.bin")
            try Ending.fails(.httpRedirect).expect(of: result, in: world)
            #expect(try server.requests().map(\.status) == [302])
        }
    }
}
