import Foundation
import Glibc
import TestSupport
import Testing

extension AcceptanceTests {
    /// Where results and reports go, and what happens when they can't.
    @Suite struct Output {
        private static func world(_ body: (World, _ manifest: String) async throws -> Void) async throws {
            try await World.with { world in
                let document = try world.document("a.bin", 1000, seed: 1)
                let manifest = try world.manifest(ManifestText.Model("m", files: [document.file("documents")]))
                try await body(world, manifest)
            }
        }

        @Test func aReportThroughALinkIsWrittenWhereItLeads() async throws {
            try await Self.world { world, manifest in
                let real = try world.folder.write("before", to: "reports/real.json")
                let link = world.folder.appending("link.json")
                try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: real)
                let result = try await world.run("apply", manifest, "--report", link)
                #expect(result.exitCode == 0, "\(result)")
                #expect(try Report.read(real).outcome == "ok")
                #expect((try? FileManager.default.destinationOfSymbolicLink(atPath: link)) == real)
            }
        }

        @Test func aReportToADeviceLeavesTheDevice() async throws {
            try await Self.world { world, manifest in
                let result = try await world.run("apply", manifest, "--report", "/dev/null")
                #expect(result.exitCode == 0, "\(result)")
                let type = try FileManager.default.attributesOfItem(atPath: "/dev/null")[.type] as? FileAttributeType
                #expect(type == .typeCharacterSpecial)
            }
        }

        @Test func resultsThatCanNotBeWrittenAreAFailure() async throws {
            try await Self.world { world, manifest in
                let plan = "'\(Program.path)' plan '\(manifest)' --store '\(world.store)' --format json"
                let script = "exec \(plan) > /dev/full"
                var launch = Launch("/bin/sh", ["-c", script], environment: ["PATH": "/usr/bin:/bin"])
                launch.errors = try world.folder.write("", to: "errors")
                let status = try await ChildProcess(launch).wait()
                #expect(status == .exited(74))
                let errors = try String(contentsOfFile: launch.errors, encoding: .utf8)
                #expect(errors.contains("can't be written to standard output: no space left"))
            }
        }

        @Test func progressAsJSONIsJSONLinesAlsoWhenAFileFails() async throws {
            try await Self.world { world, manifest in
                try FileManager.default.removeItem(atPath: world.documents + "/a.bin")
                let result = try await world.run("apply", manifest, "--progress", "json", "--report", "-")
                #expect(result.exitCode == 1, "\(result)")
                for line in result.standardError.split(separator: "\n") {
                    #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(line.utf8)) }
                }
                #expect(throws: Never.self) { try JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) }
            }
        }

        /// Else each doubling of the table makes a run wait for the kernel.
        @Test func thereIsRoomForAThousandDescriptorsFromTheStart() async throws {
            try await Self.world { world, _ in
                let pipe = world.folder.appending("pipe")
                #expect(mkfifo(pipe, 0o600) == 0)
                let program = try world.program.start(["validate", pipe])
                var end: Int32 = -1
                try await program.wait(until: "it has got as far as its manifest") {
                    end = open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
                    return end >= 0
                }
                let status = try String(contentsOfFile: "/proc/\(program.process.pid)/status", encoding: .utf8)
                close(end)
                let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("FDSize:") })
                #expect(try #require(Int(line.dropFirst("FDSize:".count).trimmingPrefix("\t"))) >= 1024)
                _ = await program.wait()
            }
        }

        @Test func aSignalWhileTheManifestIsAwaitedEndsAtOnce() async throws {
            try await Self.world { world, _ in
                let pipe = world.folder.appending("pipe")
                #expect(mkfifo(pipe, 0o600) == 0)
                let program = try world.program.start(["validate", pipe])
                program.signal(SIGTERM)
                let result = await program.wait()
                #expect([143, nil].contains(result.exitCode), "\(result)")
            }
        }
    }
}
