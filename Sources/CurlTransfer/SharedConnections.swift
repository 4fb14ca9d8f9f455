internal import CCurl
internal import Glibc

/// The open connections over which several requests go at once (HTTP/2, RFC 9113). Used by the loop's thread alone.
///
/// libcurl tells the descriptor of a connection only once nobody uses it any more (CURLINFO_ACTIVESOCKET), so it is noted which
/// transfer opened which.
@safe final class SharedConnections {
    private var openers: [curl_socket_t: UInt64] = [:]
    private var sockets: Set<curl_socket_t> = []

    /// What a connection was given as its context. It outlives them all: the loop closes the last.
    @unsafe static func at(_ context: UnsafeMutableRawPointer) -> SharedConnections {
        unsafe Unmanaged<SharedConnections>.fromOpaque(context).takeUnretainedValue()
    }

    /// A transfer opens one.
    func didOpen(_ socket: curl_socket_t, for transfer: UInt64) { openers[socket] = transfer }

    /// Before the number of a closed one can be another's.
    func willClose(_ socket: curl_socket_t) {
        openers[socket] = nil
        sockets.remove(socket)
    }

    /// What the transfer opened, and has not closed, others may use.
    func share(openedFor transfer: UInt64) {
        for (socket, opener) in openers where opener == transfer { sockets.insert(socket) }
    }

    /// Holds back what is written to them, or lets it go; for 200 ms at most: TCP_CORK of tcp(7).
    ///
    /// libcurl writes each request by itself. Each write would wake the server, which on one machine takes the core from
    /// whoever still has requests to write.
    func hold(_ isHeld: Bool) {
        var value: Int32 = isHeld ? 1 : 0
        for socket in sockets {
            // Where it fails the requests leave one by one.
            _ = unsafe setsockopt(socket, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }
}

@available(*, unavailable)
extension SharedConnections: Sendable {}
