import Glibc

/// A free port of the loopback, held by a TCP socket until it is closed: nobody else gets it, and who connects to it is refused
/// unless the socket listens.
public struct LoopbackSocket: Sendable {
    public let port: UInt16
    let descriptor: Int32

    /// - Throws: ``ToolFailure`` if there is no socket to be had.
    public init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ToolFailure("no socket: errno \(errno)") }
        var address = LoopbackClient.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let descriptor = descriptor
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                bind(descriptor, address, length) == 0 ? getsockname(descriptor, address, &length) : -1
            }
        }
        guard code == 0 else {
            Glibc.close(descriptor)
            throw ToolFailure("no free port on the loopback: errno \(errno)")
        }
        port = UInt16(bigEndian: address.sin_port)
    }

    public func close() { Glibc.close(descriptor) }

    /// accept4(2) with SOCK_CLOEXEC: a program that a test starts meanwhile must not keep the connection open. By its name, since
    /// glibc declares it for _GNU_SOURCE alone.
    static func accept(_ listener: Int32) -> Int32 {
        typealias Call =
            @convention(c) (
                Int32, UnsafeMutablePointer<sockaddr>?, UnsafeMutablePointer<socklen_t>?, Int32
            ) -> Int32
        guard let symbol = dlsym(nil, "accept4") else { preconditionFailure("this libc has no accept4") }
        return unsafeBitCast(symbol, to: Call.self)(listener, nil, nil, Int32(SOCK_CLOEXEC.rawValue))
    }

    /// Ends a connection. Not by close(2) alone: a program that is just being started has the socket, too, until its exec(2).
    static func end(_ connection: Int32) {
        var linger = linger(l_onoff: 0, l_linger: 0)
        var size = socklen_t(MemoryLayout.size(ofValue: linger))
        getsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, &size)
        // One that is to be reset is, by close(2): after an orderly end it could not be any more.
        if linger.l_onoff == 0 { shutdown(connection, Int32(SHUT_RDWR)) }
        Glibc.close(connection)
    }
}

/// The least of an HTTP client, for asking a test's server something that is not the program's doing.
enum LoopbackClient {
    static func accepts(port: UInt16) -> Bool {
        guard let descriptor = try? connect(port: port) else { return false }
        close(descriptor)
        return true
    }

    /// The body of the answer to a GET over HTTP/1.0.
    static func get(_ path: String, port: UInt16) throws -> String {
        let descriptor = try connect(port: port)
        defer { close(descriptor) }
        let request = Array("GET \(path) HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n".utf8)
        guard send(descriptor, request, request.count, Int32(MSG_NOSIGNAL)) == request.count else {
            throw ToolFailure("GET \(path): could not be sent: errno \(errno)")
        }
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else { break }
            answer += buffer[..<count]
        }
        let text = String(decoding: answer, as: UTF8.self)
        guard let end = text.firstRange(of: "\r\n\r\n") else { throw ToolFailure("GET \(path): no answer") }
        return String(text[end.upperBound...])
    }

    static func address(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }

    static func connect(port: UInt16) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw ToolFailure("no socket: errno \(errno)") }
        var address = address(port: port)
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else {
            close(descriptor)
            throw ToolFailure("127.0.0.1:\(port): errno \(errno)")
        }
        return descriptor
    }
}
