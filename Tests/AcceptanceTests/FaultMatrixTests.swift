import Foundation
import ModelSyncKit
import SyncDomain
import TestSupport
import Testing

/// How a file ends for each way in which its origin can go wrong.
@Suite(.timeLimit(.minutes(5))) struct FaultMatrixTests {
    private let server: FaultServer

    init() throws { server = try FaultServer() }

    @Test(arguments: Fault.connections + Fault.bodies + Fault.ranges + Fault.statuses + Fault.redirects)
    func aFaultEndsAsItShouldAndLeavesNothingInTheWay(fault: Fault) async throws {
        try await FaultWorld.with { world in
            world.configuration.stallTimeout = fault.stallTimeout
            server.script("/f.bin", fault.answer)
            let result = try await world.fetch(server.url("/f.bin").text)
            try fault.ending.expect(of: result, in: world)
            if let requests = fault.requests { #expect(server.recording.requests.count == requests) }
            if let waits = fault.waits { #expect(world.time.waits == waits) }
            #expect(result.error?.message.contains("secret") != true)
            guard fault.ending.code != nil else { return }

            // Once the origin is right again, so is the file, and what had come of it is not fetched again.
            server.serve("/f.bin", FaultWorld.right)
            let mended = try await world.fetch(server.url("/f.bin").text)
            #expect(mended.outcome == "downloaded", "\(mended.error?.message ?? "")")
            #expect((mended.bytes_downloaded ?? 0) + (mended.bytes_resumed ?? 0) == FaultWorld.size)
            #expect(FileManager.default.contents(atPath: world.view) == Data(FaultWorld.right))
        }
    }

    @Test(arguments: [429, 503]) func aRetryAfterThatIsADateIsWaitedFor(status: Int) async throws {
        try await FaultWorld.with { world in
            server.script("/f.bin", Fault.once { _ in .status(status, retryAfter: httpDate(.now + 100)) })
            try Ending.arrives().expect(of: try await world.fetch(server.url("/f.bin").text), in: world)
            // To the second, less the time that the answer took; time(2), which libcurl asks, may be a tick behind.
            let wait = try #require(world.time.waits.first)
            #expect(world.time.waits.count == 1 && (.seconds(60)...(.seconds(101))).contains(wait), "\(wait)")
        }
    }

    @Test func aTokenDoesNotGoWithARedirectToAnotherHost() async throws {
        let other = try FaultServer()
        other.serve("/f.bin", FaultWorld.right)
        server.script("/f.bin", [.redirect(to: other.url("/f.bin").text)])
        try await FaultWorld.with { [server] world in
            world.configuration.environment = { $0 == "TOKEN" ? "t0ken" : nil }
            let result = try await world.fetch(
                server.url("/f.bin").text, bearerVariables: ["127.0.0.1:\(server.port)": "TOKEN"])
            try Ending.arrives().expect(of: result, in: world)
            #expect(server.recording.requests.map { $0.headers["authorization"] } == ["Bearer t0ken"])
            #expect(other.recording.requests.map { $0.headers["authorization"] } == [nil])
        }
    }

    @Test func aServerThatClosesIdleConnectionsCostsNothing() async throws {
        try await FaultWorld.with { world in
            world.configuration.options.jobs = 1
            var files: [ManifestText.File] = []
            for index in 0..<20 {
                let (path, bytes) = ("/\(index).bin", Payload.bytes(1000 + index, seed: UInt64(index)))
                // Some are closed after an answer, and some as the next request comes, after an answer that left it open.
                server.script(path) { request, attempt in
                    if index % 4 == 3 && attempt == 1 { return .hangUp }
                    let answer = FaultResponse.file(bytes, for: request)
                    return index % 4 == 1 ? answer.last() : answer
                }
                let url = server.url(path).text
                files.append(
                    .init("\(index).bin", size: bytes.count, sha256: try Payload.sha256(bytes), urls: [url]))
            }
            let report = try await world.apply(ManifestText([.init("m/one", files: files)]))
            #expect(report.outcome == "ok", "\(report.results.compactMap(\.error?.message))")
            #expect(report.summary["bytes_downloaded"] == files.reduce(0) { $0 + $1.size })
            #expect(report.results.allSatisfy { $0.attempts?.count == 1 })
            #expect(server.recording.requests.count == 25)
        }
    }

    @Test func aHostThatIsNotThereLeavesItToTheMirror() async throws {
        // Held to the end: a port that was given back may be another test's server by now.
        let port = try LoopbackSocket()
        defer { port.close() }
        let gone = "http://127.0.0.1:\(port.port)/f.bin"
        let mirror = try FaultServer()
        mirror.serve("/f.bin", FaultWorld.right)
        try await FaultWorld.with { world in
            try Ending.fails(.networkConnect).expect(of: try await world.fetch(gone), in: world)
            try Ending.fails(.networkDNS).expect(
                of: try await world.fetch("http://no-such-host.invalid/f.bin"), in: world)
            try Ending.arrives().expect(of: try await world.fetch(gone, mirror.url("/f.bin").text), in: world)
        }
    }
}

/// As HTTP writes dates: RFC 9110 section 5.6.7.
private func httpDate(_ date: Date) -> String {
    let format = DateFormatter()
    format.locale = Locale(identifier: "en_US_POSIX")
    format.timeZone = TimeZone(identifier: "GMT")
    format.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
    return format.string(from: date)
}
