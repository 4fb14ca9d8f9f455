import CurlTransfer
import Glibc
import SyncDomain
import Synchronization
import TestSupport
import Testing

/// `file` URLs.
@Suite(.timeLimit(.minutes(1))) struct LocalFileTests {
    private let bytes = pattern(3_000_000)

    private func withFile(_ body: (_ folder: TemporaryFolder, _ url: SourceURL) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            try await body(folder, SourceURL(absolutePath: folder.write(bytes, to: "a file.bin")))
        }
    }

    @Test func wholeFileArrivesInSlices() async throws {
        try await withFile { _, url in
            let sink = CollectingSink()
            let outcome = try await fetch(url, size: 3_000_000, into: sink)
            #expect(outcome.error == nil && outcome.bytes == 3_000_000 && outcome.httpStatus == nil)
            #expect(sink.bytes == bytes && sink.writes == 3 && outcome.firstBytes == Array(bytes.prefix(512)))
        }
    }

    @Test func restIsReadFromItsOffset() async throws {
        try await withFile { _, url in
            let sink = CollectingSink(Array(bytes.prefix(2_500_000)))
            let outcome = try await fetch(url, size: 3_000_000, offset: 2_500_000, into: sink)
            #expect(
                outcome.error == nil && outcome.bytes == 500_000 && sink.bytes == bytes && outcome.firstBytes.isEmpty)
            #expect(sink.begins.map(\.offset) == [2_500_000])
        }
    }

    @Test func otherSizeIsRefusedBeforeTheBytes() async throws {
        try await withFile { _, url in
            let sink = CollectingSink()
            let outcome = try await fetch(url, size: 3_000_001, into: sink)
            #expect(outcome.error?.code == .sizeMismatch && sink.begins.isEmpty)
            #expect(outcome.error?.message.contains("has 3000000 bytes, expected 3000001") == true)
        }
    }

    @Test func pointerFileIsDiagnosed() async throws {
        try await TemporaryFolder.with { folder in
            let path = try folder.write("version https://git-lfs.github.com/spec/v1\n", to: "a")
            #expect(try await fetch(SourceURL(absolutePath: path), size: 5).error?.diagnosis == .lfsPointer)
        }
    }

    @Test func offsetPastTheEndMustRestart() async throws {
        try await withFile { _, url in
            let outcome = try await fetch(url, offset: 3_000_001)
            #expect(outcome.mustRestart && outcome.error != nil)
        }
    }

    @Test func missingFileIsNamed() async throws {
        let outcome = try await fetch(SourceURL("file:///no/such%20file"), size: 1)
        #expect(outcome.error?.code == .httpNotFound && outcome.error?.isRetryable == false)
        #expect(outcome.error?.message.contains("/no/such file is not there") == true)
    }

    @Test func foldersAndPipesAreNoFiles() async throws {
        try await TemporaryFolder.with { folder in
            #expect(mkfifo(folder.appending("pipe"), 0o600) == 0)
            for path in [folder.path, folder.appending("pipe")] {
                let outcome = try await fetch(SourceURL(absolutePath: path))
                #expect(
                    outcome.error?.code == .storeIO && outcome.error?.message.contains("not a regular file") == true)
            }
        }
    }

    @Test(.disabled(if: geteuid() == 0, "root may read everything"))
    func unreadableFileIsAMatterOfPermission() async throws {
        try await withFile { folder, url in
            #expect(chmod(folder.appending("a file.bin"), 0) == 0)
            let outcome = try await fetch(url)
            #expect(outcome.error?.code == .storePermission)
        }
    }

    @Test func sinkThatThrowsEndsTheReading() async throws {
        try await withFile { _, url in
            let full = SyncError(.storeNoSpace, "the disk is full")
            let sink = CollectingSink(onWrite: { count, _ throws(SyncError) in if count > 0 { throw full } })
            let outcome = try await fetch(url, into: sink)
            #expect(outcome.error == full && outcome.bytes == 1 << 20)
        }
    }

    @Test func cancelEndsTheReadingAtTheNextSlice() async throws {
        try await withFile { _, url in
            try await withTransport(quickOptions()) { transport in
                let request = TransferRequest(url: url, expectedSize: nil, subject: "a")
                let hold = Hold()
                let sink = CollectingSink(onWrite: { _, _ in hold.enter() })
                let outcome = await withTaskGroup(of: TransferOutcome.self) { group in
                    group.addTask { await transport.transfer(request, into: sink) }
                    await hold.entered()
                    group.cancelAll()
                    hold.open()
                    return await group.next()
                }
                #expect(outcome?.error?.code == .cancelled && outcome?.bytes == 1 << 20)
            }
        }
    }

    /// As many readings as there are threads are held up.
    @Test func cancelEndsAReadingThatHasNotBegun() async throws {
        try await withFile { _, url in
            try await withTransport(quickOptions()) { transport in
                let request = TransferRequest(url: url, expectedSize: nil, subject: "a")
                let hold = Hold()
                let held = CollectingSink(onWrite: { _, _ in hold.enter() })
                let sink = CollectingSink()
                await withTaskGroup(of: Void.self) { group in
                    for _ in 0..<2 {
                        group.addTask { _ = await transport.transfer(request, into: held) }
                        await hold.entered()
                    }
                    let waiting = Task.immediate { await transport.transfer(request, into: sink) }
                    waiting.cancel()
                    // Where it ends too late, the test does at its time limit.
                    let outcome = await withTaskCancellationHandler {
                        await waiting.value
                    } onCancel: {
                        hold.open()
                    }
                    #expect(outcome.error?.code == .cancelled)
                    hold.open()
                }
                #expect(sink.begins.isEmpty)
            }
        }
    }

    @Test func shutDownWaitsForTheReadingToEnd() async throws {
        try await withFile { _, url in
            let transport = try CurlTransport(options: quickOptions())
            let request = TransferRequest(url: url, expectedSize: nil, subject: "a")
            let hold = Hold()
            let sink = CollectingSink(onWrite: { _, _ in hold.enter() })
            let outcome = await withTaskGroup(of: TransferOutcome.self) { group in
                group.addTask { await transport.transfer(request, into: sink) }
                await hold.entered()
                hold.open()
                transport.shutDown()
                return await group.next()
            }
            #expect(outcome?.error == nil || outcome?.error?.code == .cancelled)
        }
    }
}

/// A place in a sink where the test holds up the thread that writes.
private final class Hold: Sendable {
    private let arrivals: AsyncStream<Void>
    private let arrival: AsyncStream<Void>.Continuation
    private let isOpen = Atomic(false)

    init() { (arrivals, arrival) = AsyncStream.makeStream() }

    func enter() {
        arrival.yield()
        while !isOpen.load(ordering: .acquiring) { sched_yield() }
    }

    func entered() async { for await _ in arrivals { return } }

    func open() { isOpen.store(true, ordering: .releasing) }
}
