import Foundation
import Glibc

/// An nginx of the benchmark's own, with one worker, over a folder of documents.
struct Nginx {
    let address: String

    static func with(documents: String, _ workspace: Workspace, _ body: (Nginx) async throws -> Void) async throws {
        // Between the choice of a free port and its use another process may take it: then choose again.
        for _ in 0..<5 {
            let port = try freePort()
            let server = try start(documents, workspace, port: port)
            guard try await answers(server, port: port) else { continue }
            defer { server.stop() }
            return try await body(Nginx(address: "http://127.0.0.1:\(port)"))
        }
        let said = try? String(contentsOfFile: workspace.appending("nginx.out.err"), encoding: .utf8)
        throw BenchmarkFailure("nginx did not start:\n\(said ?? "")")
    }

    private static func start(_ documents: String, _ workspace: Workspace, port: UInt16) throws -> Child {
        let folder = workspace.path
        let configuration = """
            daemon off;
            master_process off;
            worker_processes 1;
            pid "\(folder)/nginx.pid";
            error_log "\(folder)/nginx.log";
            events { worker_connections 512; }
            http {
                access_log off;
                client_body_temp_path "\(folder)/client_body";
                proxy_temp_path "\(folder)/proxy";
                fastcgi_temp_path "\(folder)/fastcgi";
                uwsgi_temp_path "\(folder)/uwsgi";
                scgi_temp_path "\(folder)/scgi";
                default_type application/octet-stream;
                sendfile on;
                tcp_nopush on;
                server { listen 127.0.0.1:\(port); root "\(documents)"; }
            }

            """
        let file = workspace.appending("nginx.conf")
        try configuration.write(toFile: file, atomically: false, encoding: .utf8)
        return try Child(
            Tool.find("nginx"), ["-p", folder, "-e", "\(folder)/nginx.log", "-c", file],
            output: workspace.appending("nginx.out"))
    }

    /// - Returns: false if it ended.
    private static func answers(_ server: Child, port: UInt16) async throws -> Bool {
        for _ in 0..<1000 {
            guard server.isRunning() else { return false }
            if withSocket(port, connect) { return true }
            try await Task.sleep(for: .milliseconds(10))
        }
        server.stop()
        return false
    }

    private static func freePort() throws -> UInt16 {
        var port: UInt16 = 0
        let isBound = withSocket(0) { descriptor, address, length in
            guard bind(descriptor, address, length) == 0 else { return -1 }
            var bound = sockaddr_in()
            var length = length
            let code = withUnsafeMutablePointer(to: &bound) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
            }
            port = UInt16(bigEndian: bound.sin_port)
            return code
        }
        guard isBound else { throw BenchmarkFailure("there is no free port on the loopback") }
        return port
    }

    /// - Returns: whether `call` answered 0, with a socket that is closed then and a port of the loopback.
    private static func withSocket(
        _ port: UInt16, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
