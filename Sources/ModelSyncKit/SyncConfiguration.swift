internal import CurlTransfer
internal import Glibc
internal import SyncEngine
internal import SystemSupport

/// What a program chooses once: how to reach the network, how much at once, and what its surroundings are.
public struct SyncConfiguration: Sendable {
    /// Files at once, attempts, verification, offline.
    public var options = RunOptions()
    /// How long a connection may take to be made.
    public var connectTimeout = Duration.seconds(30)
    /// How long a transfer may bring nothing.
    public var stallTimeout = Duration.seconds(30)
    /// A PEM file of the authorities to trust, in place of the system's.
    public var caFile: String?
    /// A PEM file with a certificate of this side: shown to the https servers that ask for one.
    public var clientCertificate: String?
    /// A PEM file with its key, without a pass phrase; nil for the same file.
    public var clientKey: String?
    /// A proxy's URL, in place of `https_proxy` and its kin.
    public var proxy: String?
    /// Most bytes a second over the network, over all transfers of a run together; nil for no limit.
    public var limitRate: Int64?
    /// Reads an environment variable: bearer tokens are read through it.
    public var environment: @Sendable (String) -> String?
    /// Absolute: what relative paths are relative to.
    public var workingFolder: String
    /// For the report.
    public var host: String

    /// The process's own surroundings, and the defaults of the command.
    public init() {
        environment = { Self.variable($0) }
        workingFolder = Self.currentFolder()
        host = Self.hostName()
    }

    /// The store that is used where none is named: `$MODELSYNC_STORE`, else `modelsync` in `$XDG_CACHE_HOME` or `~/.cache`.
    public var defaultStore: String {
        if let named = environment("MODELSYNC_STORE"), !named.isEmpty { return absolute(named) }
        if let cache = environment("XDG_CACHE_HOME"), cache.hasPrefix("/") { return cache + "/modelsync" }
        return (environment("HOME").flatMap { $0.isEmpty ? nil : $0 } ?? Self.homeFolder()) + "/.cache/modelsync"
    }

    /// A path made absolute, with no `/` at its end.
    public func absolute(_ path: String) -> String {
        var out = path.hasPrefix("/") ? path : workingFolder + "/" + path
        while out.utf8.count > 1, out.hasSuffix("/") { out.removeLast() }
        return out
    }

    func makeTransport(hosts: [HostKey: HostSettings]) throws(SyncError) -> CurlTransport {
        let options = CurlTransport.Options(
            connectTimeout: connectTimeout, stallTimeout: stallTimeout, caFile: caFile,
            clientCertificate: clientCertificate, clientKey: clientKey, proxy: proxy, limitRate: limitRate,
            userAgent: "modelsync/\(ModelSyncVersion.current)",
            credentials: Credentials(hosts: hosts, environment: environment))
        return try CurlTransport(options: options)
    }

    private static func variable(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    /// Of the user that the process runs as, where no variable tells: services often have none.
    private static func homeFolder() -> String {
        guard let entry = unsafe getpwuid(getuid()), let folder = unsafe entry.pointee.pw_dir else { return "/root" }
        return unsafe String(cString: folder)
    }

    private static func currentFolder() -> String {
        guard let path = unsafe getcwd(nil, 0) else { return "/" }
        defer { unsafe free(path) }
        return unsafe String(cString: path)
    }

    private static func hostName() -> String {
        var name = [CChar](repeating: 0, count: 256)
        guard unsafe gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

extension RunClock {
    /// The machine's clocks and chance.
    static let system: RunClock = {
        let clock = ContinuousClock()
        let origin = clock.now
        return RunClock(
            monotonic: { clock.now - origin },
            wall: {
                var now = timespec()
                unsafe clock_gettime(CLOCK_REALTIME, &now)
                return Timestamp(milliseconds: Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000)
            },
            sleep: { try await clock.sleep(for: $0) },
            chance: { Double.random(in: 0...1) })
    }()
}
