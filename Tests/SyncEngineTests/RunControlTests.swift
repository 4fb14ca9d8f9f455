import SyncDomain
import Synchronization
import TestSupport
import Testing

@testable import SyncEngine

@Suite(.timeLimit(.minutes(1))) struct RunControlTests {
    /// Cancels a model at an event, once.
    private final class Canceller: Sendable {
        let control = RunControl()
        private let model: ModelName

        init(_ model: String) throws { self.model = try ModelName(model) }

        func cancel() { control.cancel(model) }
    }

    @Test func cancellingAModelBeforeTheRunAsksNothingForIt() async throws {
        let world = World()
        let one = try model("one", [world.served("a", bytes(50, 1)), world.served("b", bytes(60, 2))])
        let two = try model("two", [world.served("c", bytes(70, 3))])
        #expect(world.control.cancel(one.name))
        let run = try await world.apply(one, two)
        #expect(run.outcomes == ["one/a": .cancelled, "one/b": .cancelled, "two/c": .downloaded])
        #expect(world.transport.recording.requests.map(\.url) == two.files[0].sources)
        #expect(!world.store.calls.contains(.publish(one.name)))
        #expect(world.store.calls.contains(.publish(two.name)))
        #expect(world.log.finished.map(\.path).sorted() == ["a", "b", "c"])
    }

    @Test func cancellingAModelThatStallsEndsItAndTheRestGoesOn() async throws {
        var world = World()
        world.options.jobs = 2
        let stalling = try world.file("a", bytes(100, 1))
        world.transport.script(stalling.sources[0], [.file(bytes(100, 1)).hanging(at: 40)])
        let waiting = try world.served("w", bytes(30, 2))
        let held = try world.file("b", bytes(80, 3))
        world.transport.script(held.sources[0], [.file(bytes(80, 3)).hanging(at: 10)])
        let (one, two) = (try model("one", [stalling, waiting]), try model("two", [held]))
        let running = Task { [world] in try await world.apply(one, two) }
        await world.transport.wait { $0.hanging == 2 }
        #expect(world.control.cancel(one.name))
        await world.transport.wait { $0.hanging == 1 }
        try await eventually("two files are done with") { world.log.finished.count >= 2 }
        // It is done with a moment after its last file was told of: until then there is something to cancel.
        try await eventually("the model is done with") { !world.control.cancel(one.name) }
        world.transport.release()
        let run = try await running.value
        #expect(run.outcomes["one/a"] == .cancelled && run.outcomes["two/b"] == .downloaded, "\(run.outcomes)")
        #expect(run.outcomes["one/w"] == .cancelled)
        #expect(try run.result("one/a").error?.code == .cancelled)
        #expect(world.store.partial(stalling.sha256) == Array(bytes(100, 1).prefix(40)))
        #expect(!world.store.calls.contains(.publish(one.name)))
        try await world.expectNothingIsOpen(one)

        world.control = RunControl()
        let next = try await world.apply(one, two)
        #expect(next.results.allSatisfy { $0.isSuccess })
        #expect(try next.result("one/a").transfer?.bytesResumed == 40)
    }

    @Test func cancellingAModelThatIsDoneChangesNothing() async throws {
        let world = World()
        let one = try model("one", [world.served("a", bytes(50, 1))])
        let held = try world.file("b", bytes(80, 3))
        world.transport.script(held.sources[0], [.file(bytes(80, 3)).hanging(at: 10)])
        let two = try model("two", [held])
        let running = Task { [world] in try await world.apply(one, two) }
        await world.transport.wait { $0.hanging == 1 }
        try await eventually("the model is shown") { world.store.calls.contains(.publish(one.name)) }
        #expect(world.control.cancel(one.name) == false)
        let three = try ModelName("three")
        #expect(world.control.cancel(three) == false)
        world.transport.release()
        #expect(try await running.value.results.map(\.outcome) == [.downloaded, .downloaded])
        #expect(world.control.cancel(two.name) == false)
        #expect(world.control.cancelAll() == [])
    }

    @Test func aFileThatAnotherModelWantsComesAllTheSame() async throws {
        let world = World()
        let content = bytes(100, 1)
        let shared = try world.file("a", content)
        world.transport.script(shared.sources[0], [.file(content).hanging(at: 40)])
        let (one, two) = (try model("one", [shared]), try model("two", [shared]))
        let running = Task { [world] in try await world.apply(one, two) }
        await world.transport.wait { $0.hanging == 1 }
        world.control.cancel(one.name)
        world.transport.release()
        let run = try await running.value
        #expect(run.outcomes == ["one/a": .cancelled, "two/a": .linked], "\(run.outcomes)")
        #expect(run.results.map { $0.file == nil } == [true, false])
        #expect(world.transport.recording.requests.count == 1)
        // What the first was told as come is told again as it is.
        #expect(world.log.finished.filter { $0.model == "one" }.map(\.outcome) == [.downloaded, .cancelled])
    }

    @Test func aFileEndsWithTheLastOfTheModelsThatWantIt() async throws {
        let world = World()
        let content = bytes(100, 1)
        let shared = try world.file("a", content)
        world.transport.script(shared.sources[0], [.file(content).hanging(at: 40)])
        let (one, two) = (try model("one", [shared]), try model("two", [shared]))
        let running = Task { [world] in try await world.apply(one, two) }
        await world.transport.wait { $0.hanging == 1 }
        world.control.cancel(one.name)
        #expect(world.transport.recording.hanging == 1)
        world.control.cancel(two.name)
        #expect(try await running.value.results.map(\.outcome) == [.cancelled, .cancelled])
        #expect(world.store.partial(shared.sha256)?.count == 40)
    }

    @Test func cancellingAllEndsAllThatIsNotDone() async throws {
        var world = World()
        world.options.jobs = 2
        let contents = (0..<4).map { bytes(100 + $0, UInt64($0)) }
        let files = try contents.enumerated().map { try world.served("f\($0)", $1) }
        for index in 1...3 {
            world.transport.script(files[index].sources[0], [.file(contents[index]).hanging(at: 10 * index)])
        }
        let models = try files.enumerated().map { try model("m\($0)", [$1]) }
        let running = Task { [world] in try await world.apply(models) }
        await world.transport.wait { $0.hanging == 2 }
        try await eventually("the model is shown") { world.store.calls.contains(.publish(models[0].name)) }
        #expect(world.control.cancelAll().map(\.text) == ["m1", "m2", "m3"])
        let run = try await running.value
        #expect(run.results.map(\.outcome) == [.downloaded, .cancelled, .cancelled, .cancelled])
        #expect(world.store.partial(files[1].sha256)?.count == 10)
        #expect(world.transport.recording.count(files[3].sources[0]) == 0)
    }

    @Test func cancellingAllBeforeTheRunAsksNothing() async throws {
        let world = World()
        let one = try model("one", [world.served("a", bytes(50, 1))])
        #expect(world.control.cancelAll() == [])
        #expect(try await world.apply(one).results.map(\.outcome) == [.cancelled])
        #expect(world.transport.recording.requests.isEmpty)
    }

    @Test func aModelThatIsWholeAlreadyIsNotCancelled() async throws {
        var world = World()
        let one = try model("one", [world.served("a", bytes(50, 1))])
        _ = try await world.apply(one)
        world.control = RunControl()
        world.control.cancel(one.name)
        #expect(try await world.apply(one).results.map(\.outcome) == [.kept])
    }

    @Test func aWaitForAnotherTryOfACancelledModelEndsAtOnce() async throws {
        let canceller = try Canceller("m")
        var world = World(time: ManualClock { _ in canceller.cancel() })
        world.control = canceller.control
        let file = try world.file("f", bytes(100, 1))
        world.transport.script(file.sources[0], [.file(bytes(100, 1)).cut(at: 30)])
        let run = try await world.apply(model("m", [file]))
        #expect(run.results.map(\.outcome) == [.cancelled])
        #expect(world.transport.recording.requests.count == 1)
        #expect(world.store.partial(file.sha256)?.count == 30)
    }

    @Test func aWaitForAnotherProcessOfACancelledModelEndsAtOnce() async throws {
        let canceller = try Canceller("m")
        var world = World(time: ManualClock { _ in canceller.cancel() })
        world.control = canceller.control
        let file = try world.served("f", bytes(100, 1))
        world.store.setBusy(file.sha256, asks: .max)
        #expect(try await world.apply(model("m", [file])).results.map(\.outcome) == [.cancelled])
        #expect(world.transport.recording.requests.isEmpty)
    }

    @Test func aWaitForAConnectionOfACancelledModelEndsAtOnce() async throws {
        var world = World()
        world.options.connections = 1
        let files = [try world.file("a", bytes(80, 3)), try world.file("b", bytes(50, 1))]
        world.transport.script(files[0].sources[0], [.file(bytes(80, 3)).hanging(at: 10)])
        world.transport.script(files[1].sources[0], [.file(bytes(50, 1)).hanging(at: 10)])
        let models = [try model("one", [files[0]]), try model("two", [files[1]])]
        let running = Task { [world] in try await world.apply(models) }
        await world.transport.wait { $0.hanging == 1 }
        // Either may have the one connection: the other waits for it.
        let waiting = world.transport.recording.count(files[0].sources[0]) == 1 ? 1 : 0
        let path = files[waiting].path.text
        try await eventually("the other has begun") {
            world.log.events.contains { if case .started(_, path, _, _) = $0 { true } else { false } }
        }
        world.control.cancel(models[waiting].name)
        try await eventually("a file is done with") { !world.log.finished.isEmpty }
        #expect(world.log.finished.map(\.outcome) == [.cancelled])
        world.transport.release()
        let outcomes = try await running.value.outcomes
        #expect(
            outcomes == [
                "one/a": waiting == 0 ? .cancelled : .downloaded, "two/b": waiting == 1 ? .cancelled : .downloaded,
            ])
    }

    /// Else a test that waits for what never comes would never end.
    @Test func aWaitForTheTransportEndsWithTheTestsTimeLimit() async {
        let transport = ScriptedTransport()
        let early = Task { await transport.wait { _ in false } }
        early.cancel()
        await early.value
        let late = Task.immediate { await transport.wait { _ in false } }
        late.cancel()
        await late.value
    }

    /// What is large enough to be shared.
    @Test func aLargeFileEndsWithItsModel() async throws {
        var world = World()
        // This store takes no parts: a second connection that asks before the first hangs would fail the file.
        world.options.connections = 1
        let content = bytes(17 << 20, 5)
        let large = try world.file("large", content)
        world.transport.script(large.sources[0], [.file(content).hanging(at: 1 << 20)])
        let one = try model("one", [large])
        let running = Task { [world] in try await world.apply(one) }
        await world.transport.wait { $0.hanging >= 1 }
        world.control.cancel(one.name)
        #expect(try await running.value.results.map(\.outcome) == [.cancelled])
        #expect((world.store.partial(large.sha256)?.count ?? 0) >= 1 << 20)
    }

    @Test func nothingIsPrunedWhereAModelWasCancelled() async throws {
        var world = World()
        let (old, new) = (
            try model("old", [world.served("a", bytes(5, 1))]), try model("new", [world.served("b", bytes(6, 2))])
        )
        _ = try await world.apply(old)
        world.control = RunControl()
        world.control.cancel(new.name)
        let plan = try await world.engine.plan(Manifest(applied: [new]).removing([old.name]))
        let results = await world.engine.apply(plan).results
        #expect(results.map(\.outcome) == [.cancelled, .skipped], "\(results)")
        #expect(world.store.view("a", of: old.name) == bytes(5, 1))
    }
}
