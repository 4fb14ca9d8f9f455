public import SyncDomain
import Synchronization

/// A transport with no network: each URL has a script that says what becomes of its requests.
///
///     let transport = ScriptedTransport()
///     transport.serve(origin, bytes)
///     transport.script(mirror, [.failure(.httpStatus, status: 503), .file(bytes).cut(at: 10), .file(bytes)])
///     … the code under test …
///     #expect(transport.recording.offsets(mirror) == [0, 0, 10])
///
/// A URL with no script is not found. Safe from any thread.
public final class ScriptedTransport: Transferring {
    /// - Parameters:
    ///   - attempt: 1 for the first request of the URL.
    public typealias Script = @Sendable (_ request: TransferRequest, _ attempt: Int) -> Answer

    /// One request, as it came.
    public struct Request: Sendable, Equatable {
        public var url: SourceURL
        public var offset: Int64
        public var validator: Validator?
        public var expectedSize: Int64?

        public init(url: SourceURL, offset: Int64, validator: Validator? = nil, expectedSize: Int64? = nil) {
            self.url = url
            self.offset = offset
            self.validator = validator
            self.expectedSize = expectedSize
        }
    }

    /// What has happened so far.
    public struct Recording: Sendable {
        /// In the order in which they came; those of a task that was cancelled before are not among them.
        public var requests: [Request] = []
        /// Requests that run now, and the most that ran at once.
        public var running = 0
        public var mostAtOnce = 0
        /// Requests that hang now.
        public var hanging = 0

        /// How often a URL was asked for.
        public func count(_ url: SourceURL) -> Int { requests.count { $0.url == url } }

        /// From where on a URL was asked for, in order.
        public func offsets(_ url: SourceURL) -> [Int64] { requests.filter { $0.url == url }.map(\.offset) }
    }

    private struct State {
        var scripts: [SourceURL: Script] = [:]
        var recording = Recording()
        var isReleased = false
        var lastWaiter = 0
        /// Hanging requests, by number.
        var waiters: [Int: CheckedContinuation<Void, Never>] = [:]
        /// Numbers of requests whose task was cancelled, maybe before they hung.
        var cancelled: Set<Int> = []
        var watchers = Watchers<Recording>()

        mutating func takeWaiter(_ number: Int) -> CheckedContinuation<Void, Never>? {
            guard let waiter = waiters.removeValue(forKey: number) else { return nil }
            recording.hanging -= 1
            return waiter
        }
    }

    private let state = Mutex(State())
    private let sliceBytes: Int
    private let beforeSlice: @Sendable () -> Void

    /// - Parameters:
    ///   - sliceBytes: how many bytes come at once.
    ///   - beforeSlice: called before each: time may pass here.
    public init(sliceBytes: Int = 1 << 16, beforeSlice: @escaping @Sendable () -> Void = {}) {
        self.sliceBytes = sliceBytes
        self.beforeSlice = beforeSlice
    }

    /// Answers each request of the URL with the bytes from its offset on.
    public func serve(_ url: SourceURL, _ bytes: [UInt8], etag: String? = nil) {
        script(url) { _, _ in .file(bytes, etag: etag) }
    }

    /// Answers the first requests of the URL with these, one each, and all later ones with the last.
    public func script(_ url: SourceURL, _ answers: [Answer]) {
        script(url) { _, attempt in answers[min(attempt, answers.count) - 1] }
    }

    /// Answers requests of the URL as the closure says. Replaces what was said before.
    public func script(_ url: SourceURL, _ respond: @escaping Script) {
        state.withLock { $0.scripts[url] = respond }
    }

    public var recording: Recording { state.withLock { $0.recording } }

    /// Lets everything that hangs now or later go on.
    public func release() {
        let waiters = state.withLock { state in
            state.isReleased = true
            return state.waiters.keys.sorted().compactMap { state.takeWaiter($0) }
        }
        for waiter in waiters { waiter.resume() }
    }

    /// Lets the request go on that has hung longest.
    public func releaseOne() {
        let waiter = state.withLock { state in
            state.waiters.keys.min().flatMap { state.takeWaiter($0) }
        }
        waiter?.resume()
    }

    /// Waits until the recording is so; returns at once if it is already, and when the test's time limit cancels it.
    public func wait(until condition: @escaping @Sendable (Recording) -> Bool) async {
        let number = state.withLock { $0.watchers.newNumber() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    !condition(state.recording) && state.watchers.add(number, continuation, condition)
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.watchers.cancel(number) }?.resume()
        }
    }

    public func transfer(_ request: TransferRequest, into sink: any TransferSink) async -> TransferOutcome {
        guard !Task.isCancelled else { return TransferOutcome(error: .cancelled(request.subject)) }
        let answer = begin(request)
        defer { record { $0.running -= 1 } }
        var outcome = TransferOutcome(
            httpStatus: answer.status, retryAfter: answer.retryAfter, mustRestart: answer.mustRestart,
            contentType: answer.contentType)
        do throws(SyncError) {
            if answer.isAnswered { try await send(answer, request, sink, &outcome) }
            outcome.error = answer.error
        } catch {
            outcome.error = error
        }
        return outcome
    }

    private func begin(_ request: TransferRequest) -> Answer {
        let (script, attempt) = state.withLock { state in
            state.recording.requests.append(
                Request(
                    url: request.url, offset: request.offset, validator: request.validator,
                    expectedSize: request.expectedSize))
            return (state.scripts[request.url], state.recording.count(request.url))
        }
        record { recording in
            recording.running += 1
            recording.mostAtOnce = max(recording.mostAtOnce, recording.running)
        }
        return script?(request, attempt) ?? .failure(.httpNotFound, status: 404)
    }

    private func send(
        _ answer: Answer, _ request: TransferRequest, _ sink: any TransferSink, _ outcome: inout TransferOutcome
    ) async throws(SyncError) {
        let start = answer.ignoresRange ? 0 : min(Int(request.offset), answer.bytes.count)
        try sink.begin(at: Int64(start), validator: answer.etag.flatMap(Validator.init(entityTag:)))
        let end = answer.ignoresRange ? answer.bytes.count : min(request.end.map(Int.init) ?? .max, answer.bytes.count)
        let body = answer.bytes[start..<max(start, end)].prefix(answer.cutAt ?? .max)
        if start == 0 { outcome.firstBytes = Array(body.prefix(512)) }
        var rest = body
        var hangAt = answer.hangAt
        while true {
            if let at = hangAt, Int(outcome.bytes) >= at {
                hangAt = nil
                await hang()
            }
            if Task.isCancelled { throw .cancelled(request.subject) }
            let slice = Array(rest.prefix(sliceBytes(after: Int(outcome.bytes), answer)))
            guard !slice.isEmpty else { return }
            beforeSlice()
            try sink.write(slice.span.bytes)
            outcome.bytes += Int64(slice.count)
            rest = rest.dropFirst(slice.count)
        }
    }

    /// A slice ends where the answer hangs.
    private func sliceBytes(after count: Int, _ answer: Answer) -> Int {
        guard let hangAt = answer.hangAt, hangAt > count else { return sliceBytes }
        return min(sliceBytes, hangAt - count)
    }

    private func hang() async {
        let number = state.withLock { state in
            state.lastWaiter += 1
            return state.lastWaiter
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, watchers) = state.withLock { state -> (Bool, [Watchers<Recording>.Watcher]) in
                    // The cancel may have come before.
                    if state.isReleased || state.cancelled.contains(number) { return (true, []) }
                    // It hangs once it can be released, and not before: else a release would be lost.
                    state.waiters[number] = continuation
                    state.recording.hanging += 1
                    return (false, state.watchers.take(state.recording))
                }
                for watcher in watchers { watcher.resume() }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.cancelled.insert(number)
                return state.takeWaiter(number)
            }
            waiter?.resume()
        }
    }

    private func record(_ change: (inout Recording) -> Void) {
        let watchers = state.withLock { state in
            change(&state.recording)
            return state.watchers.take(state.recording)
        }
        for watcher in watchers { watcher.resume() }
    }
}

extension ScriptedTransport {
    /// What becomes of one request: start with a maker, add what goes wrong.
    public struct Answer: Sendable {
        /// Of the whole file.
        public var bytes: [UInt8] = []
        public var etag: String?
        public var status: Int? = 200
        public var contentType: String?
        /// The file comes from its start whatever was asked for.
        public var ignoresRange = false
        /// No byte comes after so many of this answer.
        public var cutAt: Int?
        /// After so many bytes of this answer nothing comes until the test releases it or its task is cancelled.
        public var hangAt: Int?
        public var error: SyncError?
        public var retryAfter: Duration?
        public var mustRestart = false
        /// Whether the sink hears of it at all.
        var isAnswered = true

        /// The bytes from the request's offset on, to its end.
        public static func file(_ bytes: [UInt8], etag: String? = nil) -> Answer {
            var answer = Answer()
            answer.bytes = bytes
            answer.etag = etag
            return answer
        }

        /// The whole file, whatever range was asked for.
        public static func whole(_ bytes: [UInt8]) -> Answer { file(bytes).with { $0.ignoresRange = true } }

        /// No byte at all.
        public static func failure(
            _ code: ErrorCode, status: Int? = nil, isRetryable: Bool = false, retryAfter: Duration? = nil,
            mustRestart: Bool = false
        ) -> Answer {
            var answer = Answer()
            answer.isAnswered = false
            answer.status = status
            answer.error = SyncError(code, "the script says \(code.rawValue)", isRetryable: isRetryable)
            answer.retryAfter = retryAfter
            answer.mustRestart = mustRestart
            return answer
        }

        /// The connection is lost after so many bytes of this answer.
        public func cut(at count: Int) -> Answer {
            ended(at: count).with {
                $0.error = SyncError(.networkInterrupted, "the script cuts at \(count)", isRetryable: true)
            }
        }

        /// The answer ends after so many bytes, as if that were all.
        public func ended(at count: Int) -> Answer { with { $0.cutAt = count } }

        /// Nothing comes after so many bytes of this answer, until it is released.
        public func hanging(at count: Int = 0) -> Answer { with { $0.hangAt = count } }

        /// With that Content-Type.
        public func typed(_ contentType: String) -> Answer { with { $0.contentType = contentType } }

        private func with(_ change: (inout Answer) -> Void) -> Answer {
            var answer = self
            change(&answer)
            return answer
        }
    }
}
