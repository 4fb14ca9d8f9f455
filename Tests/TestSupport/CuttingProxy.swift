import Foundation
import Glibc
import Synchronization

/// A TCP proxy before a port of this machine that cuts connections in the middle of what the server sends: of TLS it
/// knows nothing, and so cuts records in two.
///
/// All its methods may be called on any thread.
public final class CuttingProxy: Sendable {
    /// Of the loopback address.
    public let port: UInt16
    private let relay: Relay

    /// Listens on a free port.
    ///
    /// - Parameters:
    ///   - target: the server's port on the loopback address.
    ///   - bytes: how many from the server pass on each connection that is cut; nil for a server that never answers.
    ///   - count: how many connections are cut, the first ones; all if nil.
    /// - Throws: ``ToolFailure`` if there is no socket to be had.
    public init(to target: UInt16, cuttingAfter bytes: Int?, connections count: Int? = nil) throws {
        let listener = try LoopbackSocket()
        guard listen(listener.descriptor, 64) == 0 else { throw ToolFailure("listen: errno \(errno)") }
        port = listener.port
        relay = Relay(listener: listener, target: target, bytes: bytes, count: count)
        let relay = relay
        Thread { relay.run() }.start()
    }

    deinit {
        relay.isStopped.store(true, ordering: .relaxed)
    }
}

/// What the proxy's thread holds.
private final class Relay: Sendable {
    /// Looked at every few milliseconds.
    let isStopped = Atomic(false)
    private let listener: LoopbackSocket
    private let target: UInt16
    private let bytes: Int?
    private let count: Int?

    private struct Pair {
        var client: Int32
        var server: Int32
        /// Bytes from the server that may still pass.
        var left: Int

        func close() {
            LoopbackSocket.end(client)
            LoopbackSocket.end(server)
        }
    }

    init(listener: LoopbackSocket, target: UInt16, bytes: Int?, count: Int?) {
        self.listener = listener
        self.target = target
        self.bytes = bytes
        self.count = count
    }

    func run() {
        var pairs: [Pair] = []
        var accepted = 0
        while !isStopped.load(ordering: .relaxed) {
            // One that never answers accepts nothing: the kernel makes the connection.
            let listening = [bytes == nil ? -1 : listener.descriptor]
            var entries = (listening + pairs.flatMap { [$0.client, $0.server] }).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            guard poll(&entries, nfds_t(entries.count), 10) > 0 else { continue }
            for index in pairs.indices.reversed() {
                let up = entries[1 + 2 * index].revents != 0
                let down = entries[2 + 2 * index].revents != 0
                if pass(&pairs[index], up: up, down: down) { continue }
                pairs.remove(at: index).close()
            }
            guard entries[0].revents != 0, let pair = accept(cuts: accepted < count ?? .max) else { continue }
            accepted += 1
            pairs.append(pair)
        }
        for pair in pairs { pair.close() }
        listener.close()
    }

    private func accept(cuts: Bool) -> Pair? {
        let client = LoopbackSocket.accept(listener.descriptor)
        guard client >= 0 else { return nil }
        guard let server = try? LoopbackClient.connect(port: target) else {
            LoopbackSocket.end(client)
            return nil
        }
        return Pair(client: client, server: server, left: cuts ? bytes ?? 0 : .max)
    }

    /// - Returns: whether the connection goes on.
    private func pass(_ pair: inout Pair, up: Bool, down: Bool) -> Bool {
        if up && copy(from: pair.client, to: pair.server, most: .max) == 0 { return false }
        if down {
            let count = copy(from: pair.server, to: pair.client, most: pair.left)
            pair.left -= count
            return count > 0 && pair.left > 0
        }
        return true
    }

    /// - Returns: how many bytes; 0 where one side has ended.
    private func copy(from source: Int32, to target: Int32, most: Int) -> Int {
        var buffer = [UInt8](repeating: 0, count: min(most, 16 << 10))
        let count = recv(source, &buffer, buffer.count, 0)
        guard count > 0 else { return 0 }
        var done = 0
        while done < count {
            let sent = buffer.withUnsafeBytes {
                send(target, $0.baseAddress?.advanced(by: done), count - done, Int32(MSG_NOSIGNAL))
            }
            guard sent > 0 else { return 0 }
            done += sent
        }
        return count
    }
}
