import ArgumentParser
import ModelSyncKit

extension Console.Color: ExpressibleByArgument {}

/// What `--verify` takes.
enum VerifyArgument: String, ExpressibleByArgument, CaseIterable {
    case quick, full

    var depth: VerifyDepth { self == .quick ? .quick : .full }
}

/// What every command takes.
struct GlobalOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The store's folder (default: $MODELSYNC_STORE, else ~/.cache/modelsync).", valueName: "dir"),
        completion: .directory)
    var store: String?

    @Flag(name: .shortAndLong, help: "Print results and errors only.")
    var quiet = false

    @Flag(name: .shortAndLong, help: "Print more.")
    var verbose = false

    @Option(help: ArgumentHelp("Colour messages: auto, always or never.", valueName: "when"))
    var color = Console.Color.auto

    func validate() throws {
        if store?.isEmpty == true { throw ValidationError("--store needs the name of a folder") }
    }

    var console: Console { Console(color: color, isQuiet: quiet) }
}

/// How to reach the network.
struct NetworkOptions: ParsableArguments {
    @Option(help: ArgumentHelp("Seconds that a connection may take to be made.", valueName: "s"))
    var connectTimeout: Double = 30

    @Option(
        help: ArgumentHelp("Seconds without a byte after which a transfer is given up and tried again.", valueName: "s")
    )
    var stallTimeout: Double = 30

    @Option(
        help: ArgumentHelp("PEM file of the authorities to trust, in place of the system's.", valueName: "file"),
        completion: .file())
    var caFile: String?

    @Option(
        help: ArgumentHelp("PEM file with a certificate to show to servers that ask for one.", valueName: "file"),
        completion: .file())
    var clientCert: String?

    @Option(
        help: ArgumentHelp("PEM file with its key (default: the same file).", valueName: "file"), completion: .file())
    var clientKey: String?

    @Option(help: ArgumentHelp("Proxy, in place of http_proxy and https_proxy.", valueName: "url"))
    var proxy: String?

    func validate() throws {
        for (name, value) in [("--connect-timeout", connectTimeout), ("--stall-timeout", stallTimeout)] {
            guard value > 0, value <= 86400 else {
                throw ValidationError("\(name) takes seconds, more than 0 and at most 86400")
            }
        }
        if clientKey != nil && clientCert == nil { throw ValidationError("--client-key needs --client-cert") }
    }

    func apply(to configuration: inout SyncConfiguration) {
        configuration.connectTimeout = .milliseconds(Int64(connectTimeout * 1000))
        configuration.stallTimeout = .milliseconds(Int64(stallTimeout * 1000))
        configuration.caFile = caFile.map(configuration.absolute)
        configuration.clientCertificate = clientCert.map(configuration.absolute)
        configuration.clientKey = clientKey.map(configuration.absolute)
        configuration.proxy = proxy
        let offline = configuration.environment("MODELSYNC_OFFLINE")?.lowercased()
        configuration.options.isOffline = ["1", "true", "yes", "on"].contains(offline)
    }
}

/// How a run fetches and what it tells.
struct RunArguments: ParsableArguments {
    @Option(help: ArgumentHelp("Files at once (default: $MODELSYNC_JOBS, else 64).", valueName: "n"))
    var jobs: Int?

    @Option(
        help: ArgumentHelp(
            """
            Connections at once, over all files (default: $MODELSYNC_CONNECTIONS, else as many as help, up to 32). Small files \
            that share one over HTTP/2 come twice as many at once.
            """,
            valueName: "n"))
    var connections: Int?

    @Option(help: ArgumentHelp("Attempts a source that bring nothing new, before the next source.", valueName: "n"))
    var retries = 5

    @Option(
        help: ArgumentHelp(
            "Most bytes a second over the network, with K, M or G for powers of 1024; 0 for no limit "
                + "(default: $MODELSYNC_LIMIT_RATE).", valueName: "rate"))
    var limitRate: String?

    @Flag(help: "Fetch nothing over the network (also: $MODELSYNC_OFFLINE=1).")
    var offline = false

    @Option(
        help: ArgumentHelp("Write the report to a file as well; - for standard output.", valueName: "file"),
        completion: .file())
    var report: String?

    @Option(
        help: ArgumentHelp(
            "Write the run's figures to a file for Prometheus' node_exporter, however the run ends; - for standard output.",
            valueName: "file"), completion: .file())
    var metrics: String?

    @Option(
        help: ArgumentHelp(
            "Progress on standard error: bar (on a terminal; elsewhere it is plain), plain, json or none; auto is bar.",
            valueName: "style"))
    var progress = ProgressStyle.auto

    func validate() throws {
        guard (1...1000).contains(jobs ?? 1) else { throw ValidationError("--jobs takes a number from 1 to 1000") }
        guard (1...1000).contains(connections ?? 1) else {
            throw ValidationError("--connections takes a number from 1 to 1000")
        }
        guard (0...1000).contains(retries) else { throw ValidationError("--retries takes a number from 0 to 1000") }
        if let limitRate { _ = try ByteRate(limitRate, of: "--limit-rate") }
        if report == "-", metrics == "-" {
            throw ValidationError("--report and --metrics can't both go to standard output")
        }
    }

    func apply(to configuration: inout SyncConfiguration) throws {
        configuration.options.attempts = retries
        configuration.limitRate = try rate(configuration)?.bytesPerSecond
        if offline { configuration.options.isOffline = true }
        defer { configuration.options.jobs = min(configuration.options.jobs, Descriptors.jobLimit) }
        if let number = try Self.number(jobs, "MODELSYNC_JOBS", configuration) { configuration.options.jobs = number }
        if let number = try Self.number(connections, "MODELSYNC_CONNECTIONS", configuration) {
            configuration.options.connections = number
        }
    }

    /// What the flag says, or else the variable.
    private static func number(_ flag: Int?, _ variable: String, _ configuration: SyncConfiguration) throws -> Int? {
        if let flag { return flag }
        guard let text = configuration.environment(variable), !text.isEmpty else { return nil }
        guard let number = Int(text), (1...1000).contains(number) else {
            throw ValidationError("\(variable) is '\(text)'; it takes a number from 1 to 1000")
        }
        return number
    }

    /// The flag's, else the variable's.
    private func rate(_ configuration: SyncConfiguration) throws -> ByteRate? {
        if let limitRate { return try ByteRate(limitRate, of: "--limit-rate") }
        guard let text = configuration.environment("MODELSYNC_LIMIT_RATE"), !text.isEmpty else { return nil }
        return try ByteRate(text, of: "MODELSYNC_LIMIT_RATE")
    }
}

/// Bytes a second, as `--limit-rate` takes them.
struct ByteRate {
    /// Nil for no limit.
    let bytesPerSecond: Int64?

    /// Reads what `source`, a flag or a variable, was given.
    ///
    /// - Throws: `ValidationError` that names the source.
    init(_ text: String, of source: String) throws {
        let units: [Character: Int64] = ["K": 1 << 10, "M": 1 << 20, "G": 1 << 30]
        let unit = text.last.flatMap { units[Character($0.uppercased())] }
        let digits = unit == nil ? text[...] : text.dropLast()
        guard !digits.isEmpty, digits.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let number = Int64(digits),
            case let (bytes, isOverflow) = number.multipliedReportingOverflow(by: unit ?? 1), !isOverflow
        else {
            throw ValidationError(
                "\(source) is '\(text)'; it takes whole bytes a second, with K, M or G for powers of 1024, like 500K or 20M"
            )
        }
        bytesPerSecond = bytes == 0 ? nil : bytes
    }
}

/// Which manifests, and which of their models.
struct ManifestArguments: ParsableArguments {
    @Argument(
        help: ArgumentHelp(
            "Manifest files; - for standard input, or http(s) URLs; for apply also one file that plan --out wrote.",
            valueName: "manifest"), completion: Completion.manifests)
    var manifests: [String]

    @Option(
        parsing: .singleValue,
        help: ArgumentHelp(
            "Only the models that match: a glob on names, like 'whisper/*', or tag:NAME. May be repeated.",
            valueName: "pattern"), completion: Completion.selectors)
    var only: [String] = []

    /// - Throws: a failure that names a pattern which no model matches: a typo would otherwise look like success.
    func load(_ configuration: SyncConfiguration) async throws -> Manifest {
        try selected(try await ManifestLoader(configuration: configuration).load(manifests))
    }

    /// As ``load(_:)``, or a saved plan.
    func loadWanted(_ configuration: SyncConfiguration) async throws -> ManifestLoader.Wanted {
        let wanted = try await ManifestLoader(configuration: configuration).loadWanted(manifests)
        guard case .manifest(let manifest) = wanted else { return wanted }
        return .manifest(try selected(manifest))
    }

    private func selected(_ manifest: Manifest) throws -> Manifest {
        guard !only.isEmpty else { return manifest }
        let selectors = only.map(ModelSelector.init)
        for (text, selector) in zip(only, selectors) where !manifest.models.contains(where: selector.matches) {
            let meant = ModelSelector.suggestion(for: text, among: manifest.models)
            let hint = meant.map { "; did you mean '\($0)'?" } ?? ""
            throw CommandFailure(message: "--only '\(text)' matches no model of the manifest\(hint)", status: .usage)
        }
        return manifest.filter { model in selectors.contains { $0.matches(model) } }
    }
}

/// How results are printed.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable {
    case text, json
}
