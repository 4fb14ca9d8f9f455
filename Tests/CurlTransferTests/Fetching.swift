import CurlTransfer
import SyncDomain
import TestSupport

/// Bytes in which every position is told from its neighbours.
func pattern(_ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &* 7) }
}

/// Waits as long as a test's user would, and reads no file of the machine's user.
func quickOptions(credentials: Credentials = Credentials(), netrcFile: String = "/dev/null") -> CurlTransport.Options {
    CurlTransport.Options(
        connectTimeout: .seconds(10), stallTimeout: .seconds(20), netrcFile: netrcFile, credentials: credentials)
}

/// Makes a transport, and shuts it down when the body has ended, however it ends.
func withTransport<Value>(
    _ options: CurlTransport.Options = .init(), _ body: (CurlTransport) async throws -> Value
) async throws -> Value {
    let transport = try CurlTransport(options: options)
    defer { transport.shutDown() }
    return try await body(transport)
}

/// One transfer with a transport of its own.
func fetch(
    _ url: SourceURL, size: Int64? = nil, offset: Int64 = 0, validator: String? = nil,
    into sink: CollectingSink = CollectingSink(),
    options: CurlTransport.Options = quickOptions()
) async throws -> TransferOutcome {
    try await withTransport(options) { transport in
        await transport.transfer(
            TransferRequest(
                url: url, expectedSize: size, offset: offset, validator: validator.flatMap(Validator.init(entityTag:)),
                subject: "demo/tiny a.bin"), into: sink)
    }
}

/// Credentials for hosts of the loopback, by `host:port`.
func tokens(_ tokens: [String: String]) throws -> Credentials {
    var hosts: [HostKey: HostSettings] = [:]
    var environment: [String: String] = [:]
    for (index, (host, token)) in tokens.enumerated() {
        hosts[try HostKey(host)] = HostSettings(bearerVariable: "TOKEN_\(index)")
        environment["TOKEN_\(index)"] = token
    }
    return Credentials(hosts: hosts) { [environment] in environment[$0] }
}
