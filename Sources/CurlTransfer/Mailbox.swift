internal import CCurl
internal import SyncDomain
internal import Synchronization

/// A transfer that waits for its answer.
struct TransferJob: Sendable {
    var request: TransferRequest
    var sink: any TransferSink
    var continuation: CheckedContinuation<TransferOutcome, Never>

    /// Ends it before anything was done for it.
    func cancel() {
        continuation.resume(returning: TransferOutcome(error: .cancelled(request.subject)))
    }
}

/// The multi handle as it crosses to its thread.
///
/// The loop's thread alone uses it, but for curl_multi_wakeup(3), which any thread may call while the handle lives.
@safe struct MultiHandle: @unchecked Sendable {
    let raw: UnsafeMutableRawPointer

    func wake() {
        // It fails only where the pipe is full or gone: full is awake, and gone the loop finds out itself.
        _ = unsafe curl_multi_wakeup(raw)
    }
}

/// The door of the loop: an ``Inbox`` under a lock, and the handle to wake.
final class Mailbox: Sendable {
    private let inbox = Mutex(Inbox<TransferJob>())
    private let multi: MultiHandle

    init(waking multi: MultiHandle) {
        self.multi = multi
    }

    /// Before the transfer can be cancelled.
    func reserve() -> UInt64 { inbox.withLock { $0.reserve() } }

    /// Hands a job to the loop, or ends it at once. Once for each reserved id.
    func submit(_ id: UInt64, _ job: TransferJob) { perform { $0.submit(id, job) } }

    /// Ends a transfer if it still runs. At any time.
    func cancel(_ id: UInt64) { perform { $0.cancel(id) } }

    /// Tells the loop to end. A second call does nothing.
    func close() { perform { $0.close() } }

    /// For the loop: what there is to do, and whether it is the last.
    func take() -> (commands: [Inbox<TransferJob>.Command], isClosed: Bool) {
        inbox.withLock { ($0.take(), $0.isClosed) }
    }

    /// For the loop: whether there is nothing to take. If so, it is woken when there is.
    func mayWait() -> Bool { inbox.withLock { $0.mayWait() } }

    /// For the loop, before it answers.
    func finish(_ id: UInt64) { inbox.withLock { $0.finish(id) } }

    private func perform(_ event: (inout Inbox<TransferJob>) -> Inbox<TransferJob>.Reply) {
        let ended: TransferJob? = inbox.withLock { inbox in
            switch event(&inbox) {
            case .nothing: return nil
            case .wake:
                // Under the lock: the loop frees the handle only after it has seen the closed inbox through this lock,
                // and a closed inbox asks for no wake-up.
                multi.wake()
                return nil
            case .end(let job): return job
            }
        }
        ended?.cancel()
    }
}
