import ModelSyncKit
import TestSupport
import Testing

/// Standard input is the process's own, and left to the tests of the command.
@Suite(.timeLimit(.minutes(1))) struct ManifestLoaderTests {
    private static let sha256 = String(repeating: "ab", count: 32)

    private func text(_ name: String, urls: [String] = ["https://h.example/f"]) -> String {
        ManifestText([.init(name, files: [.init("f", size: 5, sha256: Self.sha256, urls: urls)])]).text
    }

    private func failure(_ place: Place, _ paths: String...) async -> ManifestLoadError? {
        do throws(ManifestLoadError) {
            _ = try await place.loader.load(paths)
            return nil
        } catch { return error }
    }

    @Test func aManifestThatIsNotThereIsNotFound() async throws {
        try await Place.with { place in
            guard case .notFound(let path) = await failure(place, "no/such.yaml") else {
                Issue.record("another error")
                return
            }
            #expect(path == "no/such.yaml")
        }
    }

    @Test func aFolderIsNoManifest() async throws {
        try await Place.with { place in
            try place.folder.write("x", to: "folder/x")
            guard case .unreadable(let error) = await failure(place, "folder") else {
                Issue.record("another error")
                return
            }
            #expect(error.code == .storeIO)
            #expect(error.message.hasPrefix("folder: "))
        }
    }

    @Test func allErrorsOfAllManifestsAreToldWithTheirPlaces() async throws {
        try await Place.with { place in
            try place.folder.write("version: 1\nmodels:\n  - nmae: a\n", to: "a.yaml")
            try place.folder.write("version: 2\n", to: "b.yaml")
            guard case .invalid(let issues) = await failure(place, "a.yaml", place.folder.appending("b.yaml")) else {
                Issue.record("another error")
                return
            }
            #expect(issues.count >= 2)
            let lines = issues.description.split(separator: "\n")
            #expect(lines.contains { $0.hasPrefix("a.yaml:3:") && $0.contains("did you mean 'name'") })
            #expect(lines.contains { $0.hasPrefix(place.folder.appending("b.yaml") + ":1:") })
        }
    }

    @Test func twoManifestsMayNotHaveOneModel() async throws {
        try await Place.with { place in
            try place.folder.write(text("m/one"), to: "a.yaml")
            try place.folder.write(text("m/one"), to: "b.yaml")
            try place.folder.write(text("m/two"), to: "c.yaml")
            guard case .invalid(let issues) = await failure(place, "a.yaml", "b.yaml") else {
                Issue.record("another error")
                return
            }
            #expect(issues.count == 1)
            #expect(issues.description.hasPrefix("b.yaml:"))
            #expect(issues.description.contains("a.yaml:3"))
            let both = try await place.loader.load(["a.yaml", "c.yaml"])
            #expect(both.models.map(\.name.text) == ["m/one", "m/two"])
            #expect(both.sources.map(\.path) == ["a.yaml", "c.yaml"])
        }
    }

    @Test func relativeURLsAreRelativeToTheManifestsFolder() async throws {
        try await Place.with { place in
            try place.folder.write(text("m", urls: ["x/f", "../up", "/srv/f"]), to: "deep/er/m.yaml")
            for path in ["deep/er/m.yaml", place.folder.appending("deep/er/m.yaml"), "deep/../deep/er/m.yaml"] {
                let manifest = try await place.loader.load([path])
                let paths = manifest.models[0].files[0].sources.map { $0.filePath ?? "" }
                #expect(paths.map { $0.hasSuffix("/deep/er/x/f") } == [true, false, false], "\(paths)")
                #expect(paths[1].hasSuffix("/deep/up"))
                #expect(paths[2] == "/srv/f")
            }
        }
    }

    @Test func aManifestIsFetchedAndItsURLsAreRelativeToIt() async throws {
        try await Place.with { place in
            let server = try FaultServer()
            server.serve("/dir/m.yaml", Array(text("m", urls: ["f?x=1", "../g", "https://h.example/h"]).utf8))
            let manifest = try await place.loader.load([server.url("/dir/m.yaml?token=sEcReT").text])
            let base = "http://127.0.0.1:\(server.port)"
            let urls = manifest.models[0].files[0].sources.map(\.text)
            #expect(urls == ["\(base)/dir/f?x=1", "\(base)/g", "https://h.example/h"])
            #expect(manifest.sources.map(\.path) == ["\(base)/dir/m.yaml?token=REDACTED"])
        }
    }

    @Test func aManifestThatTheServerDoesNotHaveIsNotFound() async throws {
        try await Place.with { place in
            let server = try FaultServer()
            guard case .notFound(let path) = await failure(place, server.url("/no.yaml?token=sEcReT").text) else {
                Issue.record("another error")
                return
            }
            #expect(path.hasSuffix("/no.yaml?token=REDACTED"))
        }
    }

    @Test func aManifestThatTheServerRefusesIsUnreadable() async throws {
        try await Place.with { place in
            let server = try FaultServer()
            server.script("/m.yaml", [.status(403)])
            guard case .unreadable(let error) = await failure(place, server.url("/m.yaml").text) else {
                Issue.record("another error")
                return
            }
            #expect(error.code == .httpUnauthorized)
        }
    }

    @Test func offlineNoManifestIsFetched() async throws {
        try await Place.with { place in
            var place = place
            place.configuration.options.isOffline = true
            let server = try FaultServer()
            guard case .unreadable(let error) = await failure(place, server.url("/m.yaml").text) else {
                Issue.record("another error")
                return
            }
            #expect(error.code == .offline)
            #expect(server.recording.requests.isEmpty)
        }
    }

    @Test func aSecretInAnUnusableURLIsNotTold() async throws {
        try await Place.with { place in
            guard case .unreadable(let error) = await failure(place, "https://user:sEcReT@h.example/m.yaml") else {
                Issue.record("another error")
                return
            }
            #expect(error.code == .policyScheme)
            #expect(!error.message.contains("sEcReT"))
        }
    }
}
