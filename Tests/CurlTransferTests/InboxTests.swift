import Testing

@testable import CurlTransfer

@Suite struct InboxTests {
    private var inbox = Inbox<String>()

    private func text(_ reply: Inbox<String>.Reply) -> String {
        switch reply {
        case .nothing: "nothing"
        case .wake: "wake"
        case .end(let job): "end \(job)"
        }
    }

    private func text(_ commands: [Inbox<String>.Command]) -> [String] {
        commands.map { command in
            switch command {
            case .start(let id, let job): "start \(id) \(job)"
            case .cancel(let id): "cancel \(id)"
            }
        }
    }

    @Test mutating func cancelBeforeSubmitEndsTheJobUnstarted() {
        let id = inbox.reserve()
        #expect(text(inbox.cancel(id)) == "nothing")
        #expect(text(inbox.submit(id, "a")) == "end a")
        #expect(inbox.take().isEmpty)
    }

    @Test mutating func cancelBeforeTheLoopTookItWithdrawsTheJob() {
        let (a, b) = (inbox.reserve(), inbox.reserve())
        _ = inbox.mayWait()
        #expect(text(inbox.submit(a, "a")) == "wake")
        #expect(text(inbox.submit(b, "b")) == "nothing")
        #expect(text(inbox.cancel(a)) == "end a")
        #expect(text(inbox.cancel(a)) == "nothing")
        #expect(text(inbox.take()) == ["start \(b) b"])
    }

    @Test mutating func cancelOfARunningJobIsPassedOn() {
        let id = inbox.reserve()
        _ = inbox.submit(id, "a")
        _ = inbox.take()
        _ = inbox.mayWait()
        #expect(text(inbox.cancel(id)) == "wake")
        #expect(text(inbox.take()) == ["cancel \(id)"])
    }

    @Test mutating func cancelAfterTheEndDoesNothing() {
        let id = inbox.reserve()
        _ = inbox.submit(id, "a")
        _ = inbox.take()
        inbox.finish(id)
        #expect(text(inbox.cancel(id)) == "nothing")
        #expect(inbox.take().isEmpty)
    }

    @Test mutating func loopAtWorkIsNotWokenButLooksAgainBeforeItWaits() {
        let id = inbox.reserve()
        #expect(text(inbox.submit(id, "a")) == "nothing")
        #expect(inbox.mayWait() == false)
        #expect(text(inbox.take()) == ["start \(id) a"])
        #expect(text(inbox.cancel(id)) == "nothing")
        #expect(inbox.mayWait() == false)
    }

    @Test mutating func closedInboxTakesNoJobsAndAsksForNoWakeUps() {
        let (running, late) = (inbox.reserve(), inbox.reserve())
        _ = inbox.submit(running, "a")
        _ = inbox.take()
        _ = inbox.mayWait()
        #expect(text(inbox.close()) == "wake")
        #expect(inbox.mayWait() == false)
        #expect(text(inbox.close()) == "nothing")
        #expect(text(inbox.submit(late, "b")) == "end b")
        #expect(text(inbox.cancel(running)) == "nothing")
        #expect(inbox.take().isEmpty)
    }
}
