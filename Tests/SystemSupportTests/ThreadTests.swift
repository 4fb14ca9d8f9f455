import TestSupport
import Testing

@testable import SystemSupport

@Suite(.timeLimit(.minutes(1)))
struct ThreadTests {
    @Test func aThreadMayBeJoinedTwice() {
        let ran = Monitor(0)
        let thread = WorkerThread(name: "a name that is longer than the kernel keeps") { ran.withLock { $0 += 1 } }
        thread.join()
        thread.join()
        #expect(ran.withLock { $0 } == 1)
    }

    @Test func aThreadThatJoinsItselfGoesOn() {
        let state = Monitor<(thread: WorkerThread?, isDone: Bool)>((nil, false))
        let thread = WorkerThread(name: "self") {
            state.wait { $0.thread }.join()
            state.withLock { $0.isDone = true }
            state.notifyAll()
        }
        state.withLock { $0.thread = thread }
        state.notifyAll()
        state.wait { $0.isDone ? () : nil }
        thread.join()
        state.withLock { $0.thread = nil }
    }

    @Test func aTimedWaitEndsWithAValueOrWithItsTime() {
        let state = Monitor(0)
        let late: Int? = state.wait(milliseconds: 1) { $0 > 0 ? $0 : nil }
        #expect(late == nil)
        let thread = WorkerThread(name: "setter") {
            state.withLock { $0 = 7 }
            state.notifyAll()
        }
        let value: Int? = state.wait(milliseconds: 60_000) { $0 > 0 ? $0 : nil }
        #expect(value == 7)
        thread.join()
    }

    @Test func aThreadMayWaitForAsyncWork() throws {
        struct Odd: Error {}
        let state = Monitor<Int?>(nil)
        let thread = WorkerThread(name: "caller") {
            let value = waiting {
                await Task.yield(); return 7
            }
            state.withLock { $0 = value }
            #expect(throws: Odd.self) { try waiting { () async throws(Odd) -> Int in throw Odd() } }
        }
        thread.join()
        #expect(state.withLock { $0 } == 7)
    }

    @Test func onePoolThreadKeepsTheOrder() async {
        let pool = BlockingPool(name: "pool", threads: 1)
        let order = Monitor([Int]())
        // Holds the thread, so that the others queue up in order.
        let gate = Monitor(false)
        async let first: Void = pool.run { gate.wait { $0 ? () : nil } }
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<1000 { group.addTask { await pool.run { order.withLock { $0.append(index) } } } }
            group.addTask {
                gate.withLock { $0 = true }
                gate.notifyAll()
            }
        }
        await first
        #expect(order.withLock { $0 }.sorted() == Array(0..<1000))
        for index in 0..<100 { #expect(await pool.run { index } == index) }
    }

    @Test func aPoolRunsAsManyAtOnceAsItHasThreads() async {
        let pool = BlockingPool(name: "pool", threads: 4)
        let arrived = Monitor(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    // Returns only when all four are here.
                    await pool.run {
                        arrived.withLock { $0 += 1 }
                        arrived.notifyAll()
                        arrived.wait { $0 == 4 ? () : nil }
                    }
                }
            }
        }
        #expect(arrived.withLock { $0 } == 4)
    }

    @Test func errorsComeThroughAsTheyAre() async {
        let pool = BlockingPool(name: "pool", threads: 1)
        do throws(SystemFailure) {
            try await pool.tryRun { () throws(SystemFailure) in throw SystemFailure("call", "subject", code: 5) }
            Issue.record("nothing was thrown")
        } catch {
            #expect(error == SystemFailure("call", "subject", code: 5))
        }
    }

    @Test func shuttingDownEndsWhatIsQueuedAndLaterWorkIsDoneByTheCaller() async {
        let pool = BlockingPool(name: "pool", threads: 2)
        let count = Monitor(0)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<200 { group.addTask { await pool.run { count.withLock { $0 += 1 } } } }
            group.addTask { pool.shutDown() }
        }
        pool.shutDown()
        #expect(count.withLock { $0 } == 200)
        #expect(await pool.run { 7 } == 7)
    }

    /// The caller goes on, and may let the pool go, before the thread has dropped the work that holds it.
    @Test func theLastReferenceMayGoOnAThreadOfThePool() async {
        for _ in 0..<200 {
            var pool: BlockingPool? = BlockingPool(name: "pool", threads: 2)
            let holder = pool
            _ = await pool?.run { holder === nil }
            pool = nil
        }
    }

    @Test func doneWorkHoldsNothing() async throws {
        final class Held: Sendable {}
        let pool = BlockingPool(name: "pool", threads: 1)
        weak var held: Held?
        do {
            let object = Held()
            held = object
            await pool.run { withExtendedLifetime(object) {} }
        }
        try await eventually("the work is dropped") { held == nil }
    }

    @Test func aQueueGivesBackWhatItWasGivenInOrder() {
        var queue = FIFO<Int>()
        #expect(queue.take() == nil)
        var (next, taken) = (0, 0)
        for round in 1..<200 {
            for _ in 0..<round % 7 {
                queue.append(next)
                next += 1
            }
            for _ in 0..<round % 5 {
                guard let element = queue.take() else { break }
                #expect(element == taken)
                taken += 1
            }
            #expect(queue.count == next - taken)
            #expect(!queue.contains { !(taken..<next).contains($0) })
            #expect(queue.contains { $0 == next - 1 } == (next > taken))
        }
        while let element = queue.take() {
            #expect(element == taken)
            taken += 1
        }
        #expect(taken == next)
    }

    @Test func tasksThatPreferAThreadRunOnItOneAfterAnother() async {
        let thread = TaskThread(name: "tasks")
        let state = Monitor<(running: Int, most: Int, done: Int)>((0, 0, 0))
        await withTaskExecutorPreference(thread) {
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<100 {
                    group.addTask {
                        for _ in 0..<10 {
                            state.withLock { state in
                                state.running += 1
                                state.most = max(state.most, state.running)
                            }
                            state.withLock { state in
                                state.running -= 1
                                state.done += 1
                            }
                            await Task.yield()
                        }
                    }
                }
            }
        }
        #expect(state.withLock { $0.done } == 1000)
        #expect(state.withLock { $0.most } == 1)
        thread.shutDown()
        thread.shutDown()
    }
}
