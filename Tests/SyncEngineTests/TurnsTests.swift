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

    @Test func bytesAreHeldUpToTheirBound() {
        let held = HeldBytes(most: 10)
        #expect(held.add(6) && held.add(4) && held.add(0) && !held.add(1))
        held.remove(4)
        #expect(!held.add(5) && held.add(4))
    }
}
