import CurlTransfer
import SyncDomain
import TestSupport
import Testing

/// Transfers that are ended from outside, and many at once.
@Suite(.timeLimit(.minutes(1))) struct CancellationTests {
    private let server: FaultServer

    init() throws { server = try FaultServer() }

    private func request(_ path: String, size: Int64? = nil) -> TransferRequest {
        TransferRequest(url: server.url(path), expectedSize: size, subject: "demo/tiny a.bin")
    }

    @Test func cancelBeforeStartNeverOpensASocket() async throws {
        server.serve("/a", [1])
        try await withTransport(quickOptions()) { transport in
            let sink = CollectingSink()
            let request = request("/a")
            let outcome = await withTaskGroup(of: TransferOutcome.self) { group in
                group.cancelAll()
                group.addTask { await transport.transfer(request, into: sink) }
                return await group.next()
            }
            #expect(outcome?.error?.code == .cancelled && sink.begins.isEmpty)
        }
        #expect(server.recording.connections == 0)
    }

    @Test(arguments: ["/stall", "/silent"]) func cancelClosesTheConnection(_ path: String) async throws {
        server.script("/stall", [.ok(pattern(1000)).stalled(at: 10)])
        server.script("/silent", [.silence])
        try await withTransport(quickOptions()) { transport in
            let request = request(path, size: 1000)
            async let outcome = withTaskGroup(of: TransferOutcome.self) { group in
                group.addTask { await transport.transfer(request, into: CollectingSink()) }
                await server.wait { $0.stalls == 1 }
                group.cancelAll()
                return await group.next()
            }
            #expect(await outcome?.error?.code == .cancelled)
            await server.wait { $0.abandoned == 1 && $0.openConnections == 0 }
        }
    }

    /// Small files wait for a connection that they might share; over plain HTTP/1.1 there is none.
    @Test func aSmallFileThatStallsHoldsUpNoOther() async throws {
        server.script("/silent", [.silence])
        server.serve("/a", pattern(1000))
        try await withTransport(quickOptions()) { transport in
            let (silent, other) = (request("/silent", size: 1000), request("/a", size: 1000))
            async let held = transport.transfer(silent, into: CollectingSink())
            await server.wait { $0.stalls == 1 }
            let outcome = await transport.transfer(other, into: CollectingSink())
            #expect(outcome.error == nil && outcome.bytes == 1000)
            #expect(server.recording.abandoned == 0, "the first has not been given up")
            server.release()
            _ = await held
        }
    }

    @Test func cancelOfOneLeavesTheOthers() async throws {
        server.script("/stall", [.ok(pattern(1000)).stalled(at: 10)])
        server.serve("/a", pattern(5000))
        try await withTransport(quickOptions()) { transport in
            let (stalling, good) = (request("/stall"), request("/a", size: 5000))
            await withTaskGroup(of: TransferOutcome.self) { group in
                group.addTask { await transport.transfer(stalling, into: CollectingSink()) }
                await server.wait { $0.stalls == 1 }
                #expect(await transport.transfer(good, into: CollectingSink()).error == nil)
                group.cancelAll()
                #expect(await group.next()?.error?.code == .cancelled)
            }
            #expect(await transport.transfer(good, into: CollectingSink()).error == nil)
        }
    }

    @Test func shutDownEndsWhatIsInFlightAsCancelled() async throws {
        server.script("/stall", [.ok(pattern(1000)).stalled(at: 10)])
        let transport = try CurlTransport(options: quickOptions())
        let request = request("/stall")
        let outcomes = await withTaskGroup(of: TransferOutcome.self) { group in
            for _ in 0..<5 { group.addTask { await transport.transfer(request, into: CollectingSink()) } }
            await server.wait { $0.stalls == 5 }
            transport.shutDown()
            return await group.reduce(into: []) { $0.append($1) }
        }
        #expect(outcomes.count == 5 && outcomes.allSatisfy { $0.error?.code == .cancelled })
        await server.wait { $0.openConnections == 0 }
    }

    @Test func transferAfterShutDownIsCancelled() async throws {
        server.serve("/a", [1])
        let transport = try CurlTransport(options: quickOptions())
        transport.shutDown()
        transport.shutDown()
        #expect(await transport.transfer(request("/a"), into: CollectingSink()).error?.code == .cancelled)
        let file = TransferRequest(url: try SourceURL("file:///dev/null"), expectedSize: nil, subject: "a")
        #expect(await transport.transfer(file, into: CollectingSink()).error?.code == .cancelled)
        #expect(server.recording.connections == 0)
    }

    @Test func shutDownRacesWithStarts() async throws {
        server.serve("/a", pattern(100))
        for _ in 0..<20 {
            let transport = try CurlTransport(options: quickOptions())
            let request = request("/a", size: 100)
            await withTaskGroup(of: TransferOutcome.self) { group in
                for _ in 0..<10 { group.addTask { await transport.transfer(request, into: CollectingSink()) } }
                group.addTask {
                    transport.shutDown()
                    return TransferOutcome()
                }
                for await outcome in group { #expect(outcome.error == nil || outcome.error?.code == .cancelled) }
            }
        }
    }

    @Test func twoHundredTinyTransfersAtOnce() async throws {
        server.script("/a") { request, _ in .ok(Array(request.target.utf8)) }
        try await withTransport(quickOptions()) { transport in
            await withTaskGroup(of: Bool.self) { group in
                for index in 0..<200 {
                    let target = "/a?\(index)"
                    let request = request(target, size: Int64(target.utf8.count))
                    group.addTask {
                        let sink = CollectingSink()
                        let outcome = await transport.transfer(request, into: sink)
                        return outcome.error == nil && sink.bytes == Array(target.utf8)
                    }
                }
                #expect(await group.reduce(into: 0) { $0 += $1 ? 1 : 0 } == 200)
            }
        }
        #expect(server.recording.requests.count == 200)
    }

    @Test func connectionsAreReusedOneAfterTheOther() async throws {
        server.serve("/a", pattern(100))
        try await withTransport(quickOptions()) { transport in
            for _ in 0..<20 {
                #expect(await transport.transfer(request("/a", size: 100), into: CollectingSink()).error == nil)
            }
        }
        #expect(server.recording.connections == 1)
    }
}
