import Foundation
import Glibc

/// A private nginx on loopback ports of its own, over one folder of documents.
///
/// Below each address there are `/…` (the documents), `/slow/…` (the same, at ``NginxServer/slowBytesPerSecond`` while
/// ``NginxServer/setSlow(_:)`` says so), `/private/…` (the same, for ``NginxServer/token`` alone) and `/elsewhere/…`
/// (a redirect to the same path on another port).
public struct NginxServer: Sendable {
    public static var isInstalled: Bool { Tool.find("nginx") != nil && Tool.find("openssl") != nil }
    public static let slowBytesPerSecond = 4 << 20
    public static let token = "test-token-3f9c2a71"

    /// Its documents: a folder.
    public let documents: String
    public let ca: TestCA
    private let folder: String
    private let ports: NginxConfiguration.Ports
    private let process: ChildProcess

    /// HTTP/1.1, with no slash at the end, as all of these.
    public var http: String { "http://127.0.0.1:\(ports.http)" }
    /// HTTP/1.1 over TLS.
    public var https: String { "https://localhost:\(ports.https)" }
    /// The port of ``https``, for who stands before it.
    public var httpsPort: UInt16 { ports.https }
    /// HTTP/2 over TLS.
    public var http2: String { "https://localhost:\(ports.http2)" }
    /// TLS with a certificate by the same authority for another host.
    public var wrongHost: String { "https://localhost:\(ports.wrongHost)" }
    /// TLS with a certificate by the same authority that was valid until yesterday.
    public var expired: String { "https://localhost:\(ports.expired)" }
    /// TLS with a certificate by nobody else.
    public var selfSigned: String { "https://localhost:\(ports.selfSigned)" }
    /// HTTP/1.1 over TLS, for clients with a certificate by the same authority.
    public var mutual: String { "https://localhost:\(ports.mutual)" }
    /// HTTP/1.1 on another port: another host, as far as credentials go.
    public var elsewhere: String { "http://127.0.0.1:\(ports.elsewhere)" }

    /// Starts a server over the folder, runs `body` with it and stops it, whether or not `body` throws.
    public static func with<Result>(
        documents: String, _ body: (NginxServer) async throws -> Result
    ) async throws -> Result {
        try await TemporaryFolder.with { folder in
            let server = try await start(documents: documents, in: folder)
            do {
                let result = try await body(server)
                await server.stop()
                return result
            } catch {
                await server.stop()
                throw error
            }
        }
    }

    /// Makes `/slow/…` slow, or as fast as the rest, for requests from now on.
    public func setSlow(_ isSlow: Bool) throws {
        let flag = folder + "/slow"
        guard isSlow else { return try FileManager.default.removeItem(atPath: flag) }
        try Data().write(to: URL(fileURLWithPath: flag))
    }

    /// The requests that were answered, in the order of their ends.
    public func requests() throws -> [LoggedRequest] {
        // One process serves all: when this is answered, all that was answered before is in the log.
        _ = try LoopbackClient.get("/barrier", port: ports.http)
        return readText(folder + "/access.log").split(separator: "\n").compactMap(LoggedRequest.init).filter {
            $0.path != "/barrier"
        }
    }

    private func stop() async {
        process.signal(SIGTERM)
        await process.wait()
    }

    private static func start(documents: String, in folder: TemporaryFolder) async throws -> NginxServer {
        guard let executable = Tool.find("nginx") else { throw ToolFailure("nginx is not installed") }
        let ca = try TestCA(in: folder.path)
        let right = try ca.issue("localhost", for: "DNS:localhost,IP:127.0.0.1")
        let wrong = try ca.issue("wrong-host", for: "DNS:other.invalid")
        let expired = try ca.issue("expired", for: "DNS:localhost", days: -1)
        let selfSigned = try ca.selfSigned("self-signed", for: "DNS:localhost")
        // Between the choice of a free port and its use another process may take it: then choose again.
        for _ in 0..<5 {
            let configuration = NginxConfiguration(
                folder: folder.path, documents: documents, ports: try .free(), authority: ca.file, right: right,
                wrong: wrong,
                expired: expired, selfSigned: selfSigned)
            let file = try folder.write(configuration.text, to: "nginx.conf")
            var launch = Launch(executable, ["-p", folder.path, "-e", folder.appending("error.log"), "-c", file])
            launch.errors = folder.appending("nginx.err")
            let process = try ChildProcess(launch)
            try await eventually("nginx accepts connections, or ended") {
                process.status != nil || LoopbackClient.accepts(port: configuration.ports.http)
            }
            // Another process may be what accepted: this one ends when it can't bind.
            if process.status == nil, (try? LoopbackClient.get("/barrier", port: configuration.ports.http)) == "ready" {
                return NginxServer(
                    documents: documents, ca: ca, folder: folder.path, ports: configuration.ports, process: process)
            }
            process.signal(SIGKILL)
            await process.wait()
        }
        throw ToolFailure("nginx did not start: \(readText(folder.appending("nginx.err")))")
    }
}

/// A line of the access log.
public struct LoggedRequest: Sendable {
    public let port: String
    public let httpVersion: String
    public let method: String
    public let path: String
    public let status: Int
    /// Bytes of the body that were sent.
    public let bytes: Int
    /// Empty where the request had none, as the next two.
    public let range: String
    public let ifRange: String
    public let authorization: String

    init?(_ line: Substring) {
        let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        guard fields.count == 9, let status = Int(fields[4]), let bytes = Int(fields[5]) else { return nil }
        (port, httpVersion, method, path) = (fields[0], fields[1], fields[2], fields[3])
        (self.status, self.bytes) = (status, bytes)
        func value(_ field: String) -> String { field == "-" ? "" : field }
        (range, ifRange, authorization) = (value(fields[6]), value(fields[7]), value(fields[8]))
    }
}
