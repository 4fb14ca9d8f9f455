import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    @Suite(.needsNginx) struct Secrets {}
}

extension AcceptanceTests.Secrets {
    /// The manifest's key for the host and port of a server's address.
    private func host(_ address: String) -> String { String(address.split(separator: "/").last ?? "") }

    @Test func aTokenGoesToItsHostAndPortAloneAndIsNeverShown() async throws {
        try await World.served { world, server in
            var world = world
            world.environment["TEST_MODELS_TOKEN"] = NginxServer.token
            let files = try (1...3).map { try world.document("f\($0).bin", 3_000, seed: UInt64($0)) }
            let manifest = try world.manifest(
                .init(
                    "m/one",
                    files: [
                        files[0].file(server.http + "/private"), files[1].file(server.http + "/elsewhere"),
                        files[2].file(server.elsewhere),
                    ]),
                bearerVariables: [host(server.http): "TEST_MODELS_TOKEN"])
            let run = try await world.apply(manifest, "--verbose")
            #expect(run.result.exitCode == 0, "\(run)")
            let requests = try server.requests()
            let authorized = requests.filter { !$0.authorization.isEmpty }
            #expect(Set(authorized.map { host(server.http).hasSuffix(":" + $0.port) }) == [true])
            #expect(authorized.contains { $0.path == "/private/f1.bin" })
            #expect(requests.filter { host(server.elsewhere).hasSuffix(":" + $0.port) }.count == 2)

            var said = run.result.output
            for command in [["plan", manifest], ["validate", manifest], ["list"], ["show", "m/one"]] {
                said += try await world.program.run(command + ["--verbose", "--store", world.store]).output
            }
            #expect(!said.contains(NginxServer.token))
            for (path, text) in world.contents(of: world.folder.path) where !path.hasSuffix("/in") {
                #expect(!text.contains(NginxServer.token), "\(path)")
            }
        }
    }

    @Test func aTokenThatIsNotSetIsNamedWhenTheHostAsksForIt() async throws {
        try await World.served { world, server in
            let document = try world.document("f.bin", 3_000, seed: 1)
            let manifest = try world.manifest(
                .init("m/one", files: [document.file(server.http + "/private")]),
                .init("m/two", files: [document.file(server.http + "/private")]),
                bearerVariables: [host(server.http): "TEST_MODELS_TOKEN"])
            let run = try await world.apply(manifest)
            #expect(run.result.exitCode == 1, "\(run)")
            let error = try #require(try run.report.result("m/one/f.bin").error)
            #expect(error.code == "http.unauthorized")
            #expect(error.message.contains("TEST_MODELS_TOKEN"))
        }
    }

    @Test func theValuesOfQueryParametersAreRedacted() async throws {
        try await World.served { world, server in
            let document = try world.document("f.bin", 3_000, seed: 1)
            let secret = "hidden7a91c4"
            let file = ManifestText.File(
                "f.bin", size: document.size, sha256: document.sha256,
                urls: [server.http + "/lost.bin?signature=\(secret)", server.http + "/f.bin?signature=\(secret)"])
            let manifest = try world.manifest(.init("m/one", files: [file]))
            let plan = try await world.run("plan", manifest, "--format", "json")
            let run = try await world.apply(manifest, "--verbose")
            #expect(run.result.exitCode == 0, "\(run)")
            #expect(try server.requests().contains { $0.path == "/f.bin?signature=\(secret)" })
            #expect(!plan.output.contains(secret))
            #expect(!run.result.output.contains(secret))
            #expect(try run.report.result("m/one/f.bin").attempts?.contains { $0.url.contains(secret) } == false)
            for (path, text) in world.contents(of: world.store + "/runs") {
                #expect(!text.contains(secret), "\(path)")
            }
        }
    }
}
