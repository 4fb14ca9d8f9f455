import Glibc

/// One connection of a ``FaultServer``, on a thread of its own.
struct FaultConnection {
    private let socket: Int32
    private let core: FaultServerCore
    private var input: [UInt8] = []

    init(_ socket: Int32, _ core: FaultServerCore) {
        self.socket = socket
        self.core = core
    }

    /// Answers requests until one side closes.
    func serve() {
        var connection = self
        while let request = connection.read() {
            guard connection.answer(request, core.respond(to: request)) else { return }
        }
    }

    private mutating func read() -> FaultRequest? {
        let end = Array("\r\n\r\n".utf8)
        while true {
            if let range = input.firstRange(of: end) {
                defer { input.removeFirst(range.upperBound) }
                return Self.parse(input[..<range.lowerBound])
            }
            var chunk = [UInt8](repeating: 0, count: 16 << 10)
            let count = recv(socket, &chunk, chunk.count, 0)
            if count < 0 && errno == EINTR { continue }
            if count <= 0 { return nil }
            input += chunk[..<count]
            // The start of a TLS handshake: web servers tell such clients in plain text that they are wrong here.
            if input.first == 0x16 {
                _ = send(Array("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8))
                return nil
            }
        }
    }

    private static func parse(_ head: ArraySlice<UInt8>) -> FaultRequest? {
        let lines = String(decoding: head, as: UTF8.self).split(separator: "\r\n")
        guard let words = lines.first?.split(separator: " "), words.count == 3 else { return nil }
        let target = String(words[1])
        var request = FaultRequest(
            method: String(words[0]), path: String(target.prefix { $0 != "?" }), target: target, headers: [:])
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            request.headers[line[..<colon].lowercased()] = String(value)
        }
        return request
    }

    /// - Returns: whether the connection can be used again.
    private func answer(_ request: FaultRequest, _ response: FaultResponse) -> Bool {
        if response.isMute { return false }
        if response.isSilent && !core.stall(socket) { return false }
        let hasBody = request.method != "HEAD" && response.status != 204 && response.status != 304
        let head = response.prelude + self.head(response)
        guard hasBody else { return send(head) }
        if response.isShort {
            // At once: a client that does not want the body waits no longer than a moment for it, and gives the connection up.
            guard send(head + response.body) else { return false }
            core.record { $0.bodyBytesSent += Int64(response.body.count) }
            return !response.isLast
        }
        return send(head) && sendBody(response) && !response.isLast
    }

    private func head(_ response: FaultResponse) -> [UInt8] {
        var head = "HTTP/1.1 \(response.status) Scripted\r\n"
        for (name, value) in response.headers { head += "\(name): \(value)\r\n" }
        switch response.framing {
        case .length(let length): head += "Content-Length: \(length ?? response.body.count)\r\n"
        case .chunked: head += "Transfer-Encoding: chunked\r\n"
        case .close: head += "Connection: close\r\n"
        }
        return Array((head + "\r\n").utf8)
    }

    private func sendBody(_ response: FaultResponse) -> Bool {
        var position = 0
        while true {
            if let fault = response.fault, fault.at == position {
                guard apply(fault.kind, response.framing) else { return false }
            }
            let start = response.isEndless ? position % max(1, response.body.count) : position
            guard start < response.body.count else { break }
            var end = min(response.body.count, start + (response.drip?.bytes ?? 64 << 10))
            if let fault = response.fault, fault.at > position { end = min(end, start + fault.at - position) }
            guard sendPiece(response.body[start..<end], response.framing) else { return false }
            position += end - start
            if let drip = response.drip { usleep(drip.pauseMicroseconds) }
        }
        switch response.framing {
        case .length(let length): return length == nil || length == response.body.count
        case .chunked: return send(Array("0\r\n\r\n".utf8))
        case .close: return false
        }
    }

    private func sendPiece(_ bytes: ArraySlice<UInt8>, _ framing: FaultResponse.Framing) -> Bool {
        if framing == .chunked && !send(Array("\(String(bytes.count, radix: 16))\r\n".utf8)) { return false }
        guard send(bytes) else { return false }
        core.record { $0.bodyBytesSent += Int64(bytes.count) }
        return framing == .chunked ? send(Array("\r\n".utf8)) : true
    }

    /// - Returns: whether the body goes on.
    private func apply(_ fault: FaultResponse.Fault, _ framing: FaultResponse.Framing) -> Bool {
        switch fault {
        case .truncate: return false
        case .stall: return core.stall(socket)
        case .reset:
            // A linger of 0 makes close(2) send a reset in place of an orderly end.
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(socket, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
            return false
        }
    }

    private func send(_ bytes: some Sequence<UInt8>) -> Bool {
        let bytes = ContiguousArray(bytes)
        return bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[done...])
                let count = Glibc.send(socket, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { return false }
                done += count
            }
            return true
        }
    }
}
