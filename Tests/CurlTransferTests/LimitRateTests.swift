import CurlTransfer
import SyncDomain
import Synchronization
import TestSupport
import Testing

/// A limited rate over real connections. Time passes in them: the margins are for machines that are busy.
@Suite(.timeLimit(.minutes(1))) struct LimitRateTests {
    private func limited(_ bytesPerSecond: Int64) -> CurlTransport.Options {
        var options = quickOptions()
        options.limitRate = bytesPerSecond
        return options
    }

    /// Fetches the URLs at once, and tells how long it took and how much each had brought when the first one ended.
    ///
    /// - Parameter gate: a server whose answers are stalled: its time begins when all are, and they are released. Else one whose
    ///   thread is late would have a smaller part.
    private func fetchAll(
        _ urls: [SourceURL], of bytes: [UInt8], _ options: CurlTransport.Options, gate: FaultServer? = nil
    ) async throws -> (time: Duration, atFirstEnd: [Int]) {
        let sinks = urls.map { _ in CollectingSink() }
        let size = Int64(bytes.count)
        let measured = try await withTransport(options) { transport in
            var start = ContinuousClock.now
            let ends = await withTaskGroup(of: [Int].self) { group in
                for (url, sink) in zip(urls, sinks) {
                    let request = TransferRequest(url: url, expectedSize: size, subject: "demo/tiny")
                    group.addTask {
                        let outcome = await transport.transfer(request, into: sink)
                        #expect(outcome.error == nil)
                        return sinks.map(\.bytes.count)
                    }
                }
                if let gate {
                    await gate.wait { $0.stalls == urls.count }
                    start = .now
                    gate.release()
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            return (ContinuousClock.now - start, ends.first ?? [])
        }
        for sink in sinks { #expect(sink.bytes == bytes) }
        return measured
    }

    private func expect(_ measured: (time: Duration, atFirstEnd: [Int]), seconds: Double, each count: Int) {
        // No sooner. How much later a busy machine alone decides: that is for a measurement, not for a test.
        #expect(measured.time >= .seconds(seconds * 0.93), "\(measured)")
        // One after the other the last would have nothing; at twice the speed of another, one has half of it left.
        for bytes in measured.atFirstEnd { #expect(bytes > count * 6 / 10, "\(measured)") }
    }

    @Test func transfersShareTheRateEvenly() async throws {
        let server = try FaultServer()
        let bytes = pattern(500_000)
        let urls = (0..<4).map { server.url("/\($0)") }
        for index in 0..<4 { server.script("/\(index)") { _, _ in .ok(bytes).stalled(at: 1) } }
        expect(
            try await fetchAll(urls, of: bytes, limited(1_000_000), gate: server), seconds: 2, each: bytes.count)
    }

    @Test(.enabled(if: !FaultShim.isSanitized, "where the rate is never reached nobody waits for a turn"))
    func aFileOverSeveralConnectionsGetsNoMoreThanAnother() async throws {
        let server = try FaultServer()
        let bytes = pattern(100_000)
        for path in ["/a", "/b"] { server.script(path) { _, _ in .ok(bytes).stalled(at: 1) } }
        try await withTransport(limited(200_000)) { transport in
            let others = (0..<5).map { _ in CollectingSink() }
            let othersAtEnd = Mutex<Int?>(nil)
            // At its last byte, and not when a task has heard of it: meanwhile the others have all of the rate.
            let alone = CollectingSink(onWrite: { bytesSoFar, count in
                guard bytesSoFar + count == 100_000 else { return }
                othersAtEnd.withLock { $0 = others.reduce(0) { $0 + $1.bytes.count } }
            })
            let sinks = [alone] + others
            await withTaskGroup(of: Void.self) { group in
                for (index, sink) in sinks.enumerated() {
                    let (path, subject) = index == 0 ? ("/a", "m/alone") : ("/b", "m/shared")
                    let request = TransferRequest(url: server.url(path), expectedSize: 100_000, subject: subject)
                    group.addTask { _ = await transport.transfer(request, into: sink) }
                }
                // A connection whose server is late would leave its part to others.
                await server.wait { $0.stalls == 6 }
                server.release()
                while othersAtEnd.withLock({ $0 }) == nil, await group.next() != nil {}
                // The file that comes alone has half of the rate, and the others have brought as much. By connections it had
                // a sixth, and the others ended with it: with 500,000 bytes.
                let brought = othersAtEnd.withLock { $0 }
                #expect((brought ?? .max) < 350_000, "\(brought ?? -1)")
                group.cancelAll()
            }
        }
    }

    @Test(.enabled(if: NginxServer.isInstalled, "nginx is not installed"), arguments: ["https", "http2"])
    func theRateHoldsOverTLS(_ version: String) async throws {
        try await TemporaryFolder.with { folder in
            let bytes = pattern(1_500_000)
            for index in 0..<4 { try folder.write(bytes, to: "documents/\(index)") }
            try await NginxServer.with(documents: folder.appending("documents")) { server in
                var options = limited(3_000_000)
                options.caFile = server.ca.file
                let base = version == "http2" ? server.http2 : server.https
                let urls = try (0..<4).map { try SourceURL("\(base)/\($0)") }
                expect(try await fetchAll(urls, of: bytes, options), seconds: 2, each: bytes.count)
                #expect(try server.requests().allSatisfy { $0.httpVersion == "HTTP/1.1" })
            }
        }
    }

    @Test func aWaitForTheRateIsNoStall() async throws {
        let server = try FaultServer()
        server.serve("/a", pattern(3000))
        var options = limited(700)
        options.stallTimeout = .seconds(1)
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: 3000, into: sink, options: options)
        #expect(outcome.error == nil && sink.bytes == pattern(3000))
    }

    @Test func aTransferThatWaitsIsCancelledAtOnce() async throws {
        let server = try FaultServer()
        server.serve("/a", pattern(50_000))
        try await withTransport(limited(1)) { transport in
            let request = TransferRequest(url: server.url("/a"), expectedSize: 50_000, subject: "demo/tiny a.bin")
            let (outcome, time) = await withTaskGroup(of: TransferOutcome.self) { group in
                group.addTask { await transport.transfer(request, into: CollectingSink()) }
                await server.wait { $0.bodyBytesSent == 50_000 }
                let start = ContinuousClock.now
                group.cancelAll()
                return (await group.next(), ContinuousClock.now - start)
            }
            #expect(outcome?.error?.code == .cancelled)
            // The next byte would come much later; how soon it ends depends on the machine.
            #expect(time < .seconds(10))
            await server.wait { $0.openConnections == 0 }
        }
    }

    @Test func aSinkThatRefusesUnderALimitEndsItsTransferAlone() async throws {
        let server = try FaultServer()
        for path in ["/a", "/b"] { server.serve(path, pattern(20_000)) }
        let full = SyncError(.storeNoSpace, "the disk is full")
        let refusing = CollectingSink(onWrite: { count, _ throws(SyncError) in if count > 5000 { throw full } })
        try await withTransport(limited(100_000)) { transport in
            let (a, b) = (server.url("/a"), server.url("/b"))
            async let other = transport.transfer(
                TransferRequest(url: b, expectedSize: 20_000, subject: "b"), into: CollectingSink())
            let outcome = await transport.transfer(
                TransferRequest(url: a, expectedSize: 20_000, subject: "a"), into: refusing)
            #expect(outcome.error == full && outcome.bytes == Int64(refusing.bytes.count))
            #expect(await other.error == nil)
        }
    }

    @Test func aBodyThatEndsEarlyIsToldAsSuchUnderALimit() async throws {
        let server = try FaultServer()
        server.script("/a", [.ok(pattern(60_000)).truncated(at: 40_000)])
        let sink = CollectingSink()
        let outcome = try await fetch(server.url("/a"), size: 60_000, into: sink, options: limited(100_000))
        #expect(outcome.error?.code == .networkInterrupted)
        #expect(sink.bytes == Array(pattern(60_000).prefix(Int(outcome.bytes))))
    }

    @Test func localFilesAreNotLimited() async throws {
        try await TemporaryFolder.with { folder in
            let bytes = pattern(1 << 20)
            let path = try folder.write(bytes, to: "a.bin")
            let sink = CollectingSink()
            let outcome = try await fetch(
                SourceURL("file://\(path)"), size: Int64(bytes.count), into: sink, options: limited(1))
            #expect(outcome.error == nil && sink.bytes == bytes)
        }
    }
}
