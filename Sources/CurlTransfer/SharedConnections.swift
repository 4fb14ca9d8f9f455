internal import CCurl
internal import Glibc

/// The open connections over which several requests go at once (HTTP/2, RFC 9113). Used by the loop's thread alone.
struct SharedConnections {
    private var sockets: Set<curl_socket_t> = []

    mutating func add(_ socket: curl_socket_t) { sockets.insert(socket) }

    /// To be told before the number of a closed one can be another's.
    mutating func remove(_ socket: curl_socket_t) { sockets.remove(socket) }

    /// Holds back what is written to them, or lets it go; for 200 ms at most: TCP_CORK of tcp(7).
    ///
    /// libcurl writes each request by itself. Each write would wake the server, which on one machine takes the core from
    /// whoever still has requests to write.
    func hold(_ isHeld: Bool) {
        var value: Int32 = isHeld ? 1 : 0
        for socket in sockets {
            // Where it fails the requests leave one by one.
            _ = unsafe setsockopt(
                socket, Int32(IPPROTO_TCP), TCP_CORK, &value, socklen_t(MemoryLayout<Int32>.size))
        }
    }
}
