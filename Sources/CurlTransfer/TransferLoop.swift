internal import CCurl
internal import Glibc
internal import SyncDomain

/// A transfer that has begun. Used by the loop's thread alone.
final class RunningTransfer {
    let id: UInt64
    let job: TransferJob
    let exchange: Exchange
    /// A new one for each hop: CURLOPT_BUFFERSIZE is refused by a handle that still has the buffer of its last request.
    var easy: EasyHandle
    let throttle: Throttle?
    private let connections: SharedConnections
    /// Whether a connection was opened for it.
    private(set) var hasOpened = false
    /// Bytes of its turn under a limited rate, and whether it has more than the turn allows: libcurl holds them.
    var turnBytes = 0
    var isPaused = false

    /// - Throws: if libcurl has no memory left.
    init(
        id: UInt64, job: TransferJob, throttle: Throttle?, _ connections: SharedConnections
    ) throws(TransferFault) {
        self.id = id
        self.job = job
        self.throttle = throttle
        self.connections = connections
        easy = try EasyHandle()
        exchange = Exchange(job.request, into: job.sink)
    }

    func didOpen(_ socket: curl_socket_t) {
        hasOpened = true
        connections.didOpen(socket, for: id)
    }

    /// The transfer that a handle was given as its context.
    @unsafe static func at(_ context: UnsafeMutableRawPointer) -> RunningTransfer {
        unsafe Unmanaged<RunningTransfer>.fromOpaque(context).takeUnretainedValue()
    }
}

@available(*, unavailable)
extension RunningTransfer: Sendable {}

/// The loop around libcurl's multi handle: take what others ask, let libcurl work, answer what has ended, wait.
///
/// Made, run and freed on one thread, which owns everything of libcurl's.
@safe final class TransferLoop {
    /// Connections that are kept: the engine's bound of open ones, and as many of other hosts.
    private static let connectionLimit = 128
    /// How often slow endings are looked for.
    private static let sweepMilliseconds: Int32 = 500

    /// From so many transfers on, answers may gather for so many microseconds: each pass over them costs, and so does each
    /// wake-up of whoever waits for one.
    private static let many = 8
    private static let gatheringMicroseconds: UInt32 = 150

    private let multi: UnsafeMutableRawPointer
    private let mailbox: Mailbox
    private let options: CurlTransport.Options
    private let throttle: Throttle?
    private var running: [UInt64: RunningTransfer] = [:]
    private let shared = SharedConnections()
    private var nextSweep = ContinuousClock.now

    init(_ multi: MultiHandle, _ mailbox: Mailbox, _ options: CurlTransport.Options) {
        unsafe self.multi = multi.raw
        self.mailbox = mailbox
        throttle = Throttle(bytesPerSecond: options.limitRate)
        var options = options
        if let rate = options.limitRate {
            options.connectTimeout += Throttle.longestPause(rate)
            options.stallTimeout += Throttle.longestPause(rate)
        }
        self.options = options
    }

    /// Returns when the mailbox is closed and everybody has an answer; the multi handle is freed then.
    func run() {
        ignoreBrokenPipes()
        _ = unsafe modelsync_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Self.connectionLimit)
        while true {
            let (commands, isClosed) = mailbox.take()
            for command in commands { obey(command) }
            if isClosed { break }
            guard work() else {
                // libcurl's own state is broken: nobody may wait for it, and nobody else may come.
                mailbox.close()
                continue
            }
        }
        for transfer in running.values { detach(transfer) }
        for transfer in running.values { answer(transfer, transfer.exchange.cancelled()) }
        running = [:]
        // After the easy handles, and on this thread: it may still write the farewells of TLS.
        _ = unsafe curl_multi_cleanup(multi)
    }

    /// A connection that the other side has closed must not end the process: OpenSSL writes without MSG_NOSIGNAL.
    private func ignoreBrokenPipes() {
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe sigaddset(&signals, SIGPIPE)
        _ = unsafe pthread_sigmask(SIG_BLOCK, &signals, nil)
    }

    /// - Returns: false if libcurl can't go on.
    private func work() -> Bool {
        if let throttle, !running.isEmpty {
            guard throttle.isReady() else { return true }
            beginTurns()
        }
        var count: Int32 = 0
        shared.hold(true)
        let code = unsafe curl_multi_perform(multi, &count)
        shared.hold(false)
        guard code == CURLM_OK else { return false }
        while let (transfer, code) = nextEnded() { ended(transfer, code) }
        sweep()
        // Connections of those who are paused are not looked at: their next turn must not wait for a stranger's bytes.
        if throttle != nil, running.values.contains(where: \.isPaused) { return true }
        guard mailbox.mayWait() else { return true }
        // While nothing runs only a wake-up can bring work, and poll(2) would be woken by it whenever it comes.
        let timeout = running.isEmpty ? 60_000 : Self.sweepMilliseconds
        guard unsafe curl_multi_poll(multi, nil, 0, timeout, nil) == CURLM_OK else { return false }
        if throttle == nil, running.count >= Self.many { _ = usleep(Self.gatheringMicroseconds) }
        return true
    }

    /// Lets all go on that have had their turn.
    private func beginTurns() {
        // Files have their turns, not connections: one that comes over several would get several times as much.
        var connections: [String: Int] = [:]
        for transfer in running.values { connections[transfer.job.request.subject, default: 0] += 1 }
        for transfer in running.values {
            let share = connections[transfer.job.request.subject] ?? 1
            transfer.turnBytes = max(0, transfer.turnBytes - (throttle?.turnBytes ?? 0) / share)
            guard transfer.isPaused, transfer.turnBytes == 0 else { continue }
            transfer.isPaused = false
            // It hands on what libcurl holds: a sink that refuses ends the transfer here, and nobody else tells.
            let code = unsafe curl_easy_pause(transfer.easy.raw, CURLPAUSE_CONT)
            if code != CURLE_OK { ended(transfer, code) }
        }
    }

    private func nextEnded() -> (RunningTransfer, CURLcode)? {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE, let easy = unsafe message.pointee.easy_handle else {
                continue
            }
            var context: UnsafeMutableRawPointer?
            guard unsafe modelsync_curl_get_pointer(easy, CURLINFO_PRIVATE, &context) == CURLE_OK,
                let context = unsafe context
            else { continue }
            return unsafe (RunningTransfer.at(context), modelsync_curl_message_result(message))
        }
        return nil
    }

    private func obey(_ command: Inbox<TransferJob>.Command) {
        switch command {
        case .start(let id, let job): start(id, job)
        case .cancel(let id):
            guard let transfer = running[id] else { return }
            detach(transfer)
            finish(transfer, transfer.exchange.cancelled())
        }
    }

    private func start(_ id: UInt64, _ job: TransferJob) {
        let transfer: RunningTransfer
        do throws(TransferFault) { transfer = try RunningTransfer(id: id, job: job, throttle: throttle, shared) } catch
        {
            mailbox.finish(id)
            job.continuation.resume(returning: Exchange(job.request, into: job.sink).refused(error))
            return
        }
        running[id] = transfer
        hop(transfer)
    }

    private func nextHop(_ transfer: RunningTransfer) {
        do throws(TransferFault) { transfer.easy = try EasyHandle() } catch {
            return finish(transfer, transfer.exchange.refused(error))
        }
        hop(transfer)
    }

    private func hop(_ transfer: RunningTransfer) {
        let exchange = transfer.exchange
        transfer.isPaused = false
        do {
            let authorization = try Authorization(for: exchange.url, from: options.credentials)
            exchange.beginHop(authorization.credential)
            let request = exchange.request
            let hop = Hop(
                url: exchange.url, bearer: authorization.bearer, offset: request.offset, end: request.end,
                validator: request.validator, isOfSmallFile: request.isSmall)
            try attach(transfer, hop)
        } catch {
            finish(transfer, exchange.refused(error))
        }
    }

    /// While it is in the multi handle, libcurl holds a reference of its own to the transfer.
    private func attach(_ transfer: RunningTransfer, _ hop: Hop) throws(TransferFault) {
        let context = unsafe Unmanaged.passRetained(transfer)
        do throws(TransferFault) {
            try unsafe transfer.easy.configure(
                hop, options, context.toOpaque(), connections: Unmanaged.passUnretained(shared).toOpaque())
            let code = unsafe curl_multi_add_handle(multi, transfer.easy.raw)
            guard code == CURLM_OK else {
                throw TransferFault(.protocolViolation, "libcurl took no handle (error \(code.rawValue))")
            }
        } catch {
            unsafe context.release()
            throw error
        }
    }

    private func detach(_ transfer: RunningTransfer) {
        // It fails only for handles that are not of this multi handle.
        _ = unsafe curl_multi_remove_handle(multi, transfer.easy.raw)
        unsafe Unmanaged.passUnretained(transfer).release()
    }

    private func ended(_ transfer: RunningTransfer, _ code: CURLcode) {
        let failure = code == CURLE_OK ? nil : transfer.easy.failure(code)
        let retryAfter = transfer.easy.retryAfter
        if transfer.hasOpened, transfer.exchange.isMultiplexed { shared.share(openedFor: transfer.id) }
        detach(transfer)
        conclude(transfer, failure, retryAfter)
    }

    private func conclude(_ transfer: RunningTransfer, _ failure: CurlFailure?, _ retryAfter: Duration?) {
        let fault = failure?.fault(.init(connect: options.connectTimeout, stall: options.stallTimeout))
        switch transfer.exchange.end(fault, retryAfter: retryAfter) {
        case .hop: nextHop(transfer)
        case .done(let outcome): finish(transfer, outcome)
        }
    }

    /// Ends the requests whose remaining bytes are of no interest and do not come.
    private func sweep() {
        let now = ContinuousClock.now
        if now < nextSweep { return }
        nextSweep = now + .milliseconds(Self.sweepMilliseconds)
        for transfer in running.values.filter({ $0.exchange.isOverdue(now) }) {
            let retryAfter = transfer.easy.retryAfter
            detach(transfer)
            conclude(transfer, nil, retryAfter)
        }
    }

    private func finish(_ transfer: RunningTransfer, _ outcome: TransferOutcome) {
        running[transfer.id] = nil
        answer(transfer, outcome)
    }

    /// Last of all: once the answer is out, the sink is its owner's again.
    private func answer(_ transfer: RunningTransfer, _ outcome: TransferOutcome) {
        mailbox.finish(transfer.id)
        transfer.job.continuation.resume(returning: outcome)
    }
}

@available(*, unavailable)
extension TransferLoop: Sendable {}
