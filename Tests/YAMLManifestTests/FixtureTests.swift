import Foundation
import SyncDomain
import Testing
import YAMLManifest

/// Every file in Fixtures/ with what is said about it, word for word, in `NAME.expected.txt` beside it.
@Suite struct FixtureTests {
    struct Fixture: Sendable, CustomTestStringConvertible {
        var folder: String
        var name: String

        var testDescription: String { "\(folder)/\(name)" }
        private var url: URL { Fixture.root.appending(path: folder).appending(path: name) }

        func bytes() throws -> [UInt8] { try [UInt8](Data(contentsOf: url)) }

        /// Nil for a fixture that nobody has written an expectation for.
        func expectation() -> String? {
            try? String(contentsOf: url.deletingPathExtension().appendingPathExtension("expected.txt"), encoding: .utf8)
        }

        static let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

        static func all(in folder: String) -> [Fixture] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: root.appending(path: folder).path)) ?? []
            return names.filter { $0.hasSuffix(".yaml") }.sorted().map { Fixture(folder: folder, name: $0) }
        }
    }

    @Test(arguments: Fixture.all(in: "invalid"))
    func everyErrorIsToldInTheseWords(_ fixture: Fixture) async throws {
        let expected = try #require(fixture.expectation(), "write the .expected.txt of this fixture")
        let issues = await #expect(throws: ManifestIssues.self) {
            try await checkedManifest(try fixture.bytes(), path: fixture.name)
        }
        #expect(issues.map { $0.description + "\n" } == expected)
    }

    @Test(arguments: Fixture.all(in: "valid"))
    func validManifestsHaveNoIssue(_ fixture: Fixture) async throws {
        #expect(fixture.expectation() == "", "the .expected.txt of a valid fixture is empty")
        let issues = await issuesOf(try fixture.bytes(), path: fixture.name)
        #expect(issues?.description == nil)
    }

    @Test func expectationsBelongToFixtures() throws {
        for folder in ["valid", "invalid"] {
            let names = try FileManager.default.contentsOfDirectory(atPath: Fixture.root.appending(path: folder).path)
            let fixtures = Set(names.filter { $0.hasSuffix(".yaml") }.map { $0.dropLast(".yaml".count) })
            let expectations = Set(
                names.filter { $0.hasSuffix(".expected.txt") }.map { $0.dropLast(".expected.txt".count) })
            #expect(fixtures == expectations)
            #expect(!fixtures.isEmpty)
        }
    }

    @Test func noMessageHoldsASecret() async throws {
        for fixture in Fixture.all(in: "invalid") {
            let text = await issuesOf(try fixture.bytes(), path: fixture.name)?.description ?? ""
            #expect(!text.contains("s3cret") && !text.contains("tok3n"), "\(fixture.name)")
        }
    }

    @Test func everyMessageIsOnePrintableLine() async throws {
        for fixture in Fixture.all(in: "invalid") {
            let issues = try #require(await issuesOf(try fixture.bytes(), path: fixture.name))
            for issue in issues.kept {
                #expect(issue.message.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
                #expect(issue.message.count < 400 && !issue.message.hasSuffix("."), "\(issue)")
                #expect(issue.mark.line >= 1 && issue.mark.column >= 1)
            }
        }
    }

    @Test(arguments: shippedManifests())
    func manifestsOfTheProjectDecode(_ url: URL) async throws {
        _ = try await checkedManifest([UInt8](Data(contentsOf: url)), path: url.lastPathComponent)
    }

    private static func shippedManifests() -> [URL] {
        let folder = Fixture.root.appending(path: "../../../manifests").standardizedFileURL
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        return files.filter { $0.pathExtension == "yaml" }.sorted { $0.path < $1.path }
    }
}
