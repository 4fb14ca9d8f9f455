import Synchronization
import Testing

@testable import SyncEngine

@Suite struct TurnsTests {
    @Test func nobodyWaitsWhileThereAreTurns() async {
        let turns = Turns(2)
        #expect(await turns.enter())
        #expect(await turns.enter())
        turns.leave()
        #expect(await turns.enter())
    }

    private final class Count: Sendable {
        let state = Mutex((running: 0, most: 0))
    }

    @Test func atMostSoManyHaveATurn() async {
        let turns = Turns(3)
        let count = Count()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 {
                group.addTask {
                    guard await turns.enter() else { return }
                    count.state.withLock { state in
                        state.running += 1
                        state.most = max(state.most, state.running)
                    }
                    await Task.yield()
                    count.state.withLock { $0.running -= 1 }
                    turns.leave()
                }
            }
        }
        #expect(1...3 ~= count.state.withLock { $0.most })
        #expect(count.state.withLock { $0.running } == 0)
    }

    @Test func whoIsCancelledWhileWaitingHasNoTurn() async {
        let turns = Turns(1)
        #expect(await turns.enter())
        let waiting = Task { await turns.enter() }
        waiting.cancel()
        #expect(await !waiting.value)
        turns.leave()
        // The turn went to nobody, and is free.
        #expect(await turns.enter())
    }

    @Test func aTurnIsHeldAndGivenBackOnce() async {
        let turns = Turns(1)
        let turn = Turn(turns)
        #expect(await turn.enter())
        #expect(await turn.enter())
        turn.leave()
        turn.leave()
        #expect(await turns.enter())
        let waiting = Task { await turns.enter() }
        waiting.cancel()
        #expect(await !waiting.value)
    }

    @Test func whoIsHeavyIsNotPassedByAndDoesNotHoldUpOthersOnceCancelled() {
        var queue = TurnQueue<String>(10)
        let ids = (0..<4).map { _ in queue.newID() }
        #expect(queue.ask(ids[0], 6, "first") == true)
        #expect(queue.ask(ids[1], 5, "heavy") == nil)
        #expect(queue.ask(ids[2], 1, "light") == nil)
        let cancelled = queue.cancel(ids[1])
        #expect(cancelled.0 == "heavy" && cancelled.next == ["light"])
        #expect(queue.ask(ids[3], 5, "last") == nil)
        #expect(queue.giveBack(1) == [])
        #expect(queue.giveBack(1) == ["last"])
        // Too late: it has its turn.
        let late = queue.cancel(ids[3])
        #expect(late.0 == nil && late.next.isEmpty)
    }

    @Test func moreThanThereIsIsAllAndNothingIsNotWaitedFor() async {
        let turns = Turns(10)
        #expect(await turns.enter(11))
        #expect(await turns.enter(0))
        turns.leave(11)
        #expect(await turns.enter(10))
    }
}
