import Glibc
import Synchronization

/// The sockets and threads behind ``FaultServer``, which owns it: threads keep the core alive, and so not the server.
final class FaultServerCore: Sendable {
    let port: Int
    private let listener: Int32
    private let state = Mutex(State())

    private struct State {
        var scripts: [String: FaultServer.Script] = [:]
        var attempts: [String: Int] = [:]
        var recording = FaultServer.Recording()
        var open: Set<Int32> = []
        var threads: [pthread_t] = []
        var isReleased = false
        var isStopped = false
        var watchers = Watchers<FaultServer.Recording>()
    }

    init() throws {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        self.listener = listener
        guard listener >= 0 else { throw FaultServerFailure(call: "socket", code: errno) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) { address in
            address.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(listener, address, length) == 0 && listen(listener, 512) == 0
                    && getsockname(listener, address, &length) == 0
            }
        }
        guard bound else {
            let code = errno
            close(listener)
            throw FaultServerFailure(call: "bind", code: code)
        }
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    func start() {
        spawn { [self] in
            while true {
                let socket = LoopbackSocket.accept(listener)
                if socket < 0 && (errno == EINTR || errno == ECONNABORTED) { continue }
                if socket < 0 { return }
                guard opened(socket) else { return }
                spawn { [self] in
                    FaultConnection(socket, self).serve()
                    closed(socket)
                }
            }
        }
    }

    func stop() {
        let wasStopped = state.withLock { state in
            defer { state.isStopped = true }
            // A socket in the set is open: it leaves the set, under this lock, before it is closed.
            for socket in state.open { shutdown(socket, Int32(SHUT_RDWR)) }
            return state.isStopped
        }
        if wasStopped { return }
        shutdown(listener, Int32(SHUT_RDWR))
        while let thread = state.withLock({ $0.threads.popLast() }) { pthread_join(thread, nil) }
        close(listener)
        // Nobody may wait for what can't come any more.
        for watcher in state.withLock({ $0.watchers.takeAll() }) { watcher.resume() }
    }

    var recording: FaultServer.Recording { state.withLock { $0.recording } }

    func setScript(_ path: String, _ script: @escaping FaultServer.Script) {
        state.withLock { state in
            state.scripts[path] = script
            state.attempts[path] = nil
        }
    }

    func release() { state.withLock { $0.isReleased = true } }

    func wait(until condition: @escaping @Sendable (FaultServer.Recording) -> Bool) async {
        let number = state.withLock { $0.watchers.newNumber() }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let waits = state.withLock { state in
                    !condition(state.recording) && !state.isStopped
                        && state.watchers.add(number, continuation, condition)
                }
                if !waits { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.watchers.cancel(number) }?.resume()
        }
    }

    func record(_ change: (inout FaultServer.Recording) -> Void) {
        let ready = state.withLock { state in
            change(&state.recording)
            return state.watchers.take(state.recording)
        }
        for watcher in ready { watcher.resume() }
    }

    /// The answer to a request, which is recorded.
    func respond(to request: FaultRequest) -> FaultResponse {
        record { $0.requests.append(request) }
        let found = state.withLock { state -> (FaultServer.Script, Int)? in
            guard let script = state.scripts[request.path] else { return nil }
            state.attempts[request.path, default: 0] += 1
            return (script, state.attempts[request.path, default: 0])
        }
        guard let (script, attempt) = found else { return .status(404) }
        return script(request, attempt)
    }

    /// Waits until the test lets go.
    ///
    /// - Returns: false if the client or the server ended first.
    func stall(_ socket: Int32) -> Bool {
        record { $0.stalls += 1 }
        while true {
            let (isReleased, isStopped) = state.withLock { ($0.isReleased, $0.isStopped) }
            if isStopped { return false }
            if isReleased { return true }
            var entry = pollfd(fd: socket, events: Int16(modelsyncPollRemoteHangUp), revents: 0)
            guard poll(&entry, 1, 10) > 0 else { continue }
            record { $0.abandoned += 1 }
            return false
        }
    }

    private func opened(_ socket: Int32) -> Bool {
        let isOpen = state.withLock { state in
            if state.isStopped { return false }
            state.open.insert(socket)
            return true
        }
        guard isOpen else {
            close(socket)
            return false
        }
        record { recording in
            recording.connections += 1
            recording.openConnections += 1
            recording.maxOpenConnections = max(recording.maxOpenConnections, recording.openConnections)
        }
        return true
    }

    private func closed(_ socket: Int32) {
        state.withLock { _ = $0.open.remove(socket) }
        LoopbackSocket.end(socket)
        record { $0.openConnections -= 1 }
    }

    private func spawn(_ body: @escaping @Sendable () -> Void) {
        let start = Unmanaged.passRetained(ThreadStart(body))
        var thread = pthread_t()
        let code = pthread_create(
            &thread, nil,
            { context in
                guard let context else { return nil }
                Unmanaged<ThreadStart>.fromOpaque(context).takeRetainedValue().body()
                return nil
            }, start.toOpaque())
        precondition(code == 0, "the test server has no thread: error \(code)")
        state.withLock { $0.threads.append(thread) }
    }
}

private final class ThreadStart {
    let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }
}

/// POLLRDHUP, which Glibc shows under _GNU_SOURCE alone: the other side has closed its half.
private let modelsyncPollRemoteHangUp: Int32 = 0x2000
