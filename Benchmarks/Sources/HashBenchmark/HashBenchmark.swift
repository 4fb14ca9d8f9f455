import ArgumentParser
import Foundation

enum Part: String, CaseIterable, ExpressibleByArgument, Codable {
    case kernels, service, verify, download
}

struct HashBenchmark: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "hash-benchmark",
        abstract: "Holds the hashing of modelsync against OpenSSL's, both measured in the same run.",
        discussion: """
            A ratio is our time divided by the other's: 0.50 is twice as fast, 1.00 the same. MB are 10^6 bytes.
            """)

    @Argument(help: ArgumentHelp("kernels, service, verify, download; none: all four.", valueName: "part"))
    var parts: [Part] = []

    @Option(help: ArgumentHelp("The bytes of each set of files, in MiB.", valueName: "n"))
    var megabytes = 1024

    @Option(help: ArgumentHelp("Runs of each side, the median of which counts (default: by part).", valueName: "n"))
    var `repeat`: Int?

    @Option(help: ArgumentHelp("The program to measure.", valueName: "file"))
    var modelsync = Package.folder + "/../.build/release/modelsync"

    @Option(help: ArgumentHelp("Where to make the temporary folder.", valueName: "dir"))
    var folder = FileManager.default.temporaryDirectory.path

    @Option(help: ArgumentHelp("Write the figures as JSON as well.", valueName: "file"))
    var json: String?

    @Flag(help: "Fail if a ratio is worse than thresholds.json, next to the package, allows.")
    var check = false

    func validate() throws {
        guard (16...1_000_000).contains(megabytes) else {
            throw ValidationError("--megabytes takes a number from 16 to 1000000")
        }
        guard (1...1000).contains(`repeat` ?? 1) else {
            throw ValidationError("--repeat takes a number from 1 to 1000")
        }
    }

    func run() async throws {
        guard !Package.isDebug else { throw BenchmarkFailure("built for debugging: build it with -c release") }
        let chosen = Part.allCases.filter { parts.isEmpty || parts.contains($0) }
        // Before an hour of measuring, not after it.
        let thresholds = check ? try Thresholds.load() : nil
        let program = try chosen.contains { $0.needsProgram } ? Program(modelsync) : nil
        let machine = try Machine(program)
        let report = Report(machine)
        for part in chosen {
            try await Workspace.with(in: URL(fileURLWithPath: folder).path) { workspace in
                let size = Int64(megabytes) << 20
                report.begin(part)
                switch part {
                case .kernels:
                    try await KernelBenchmark(report: report, repeats: `repeat` ?? 9).run(workspace)
                case .service:
                    try await ServiceBenchmark(report: report, repeats: `repeat` ?? 5, size: size).run(workspace)
                case .verify:
                    guard let program else { return }
                    try await VerifyBenchmark(program: program, report: report, repeats: `repeat` ?? 5, size: size)
                        .run(workspace)
                case .download:
                    guard let program else { return }
                    try await DownloadBenchmark(program: program, report: report, repeats: `repeat` ?? 3, size: size)
                        .run(workspace)
                }
            }
        }
        if let json { try report.write(json) }
        try thresholds?.hold(report.rows, of: chosen)
    }
}

extension Part {
    /// Whether it measures the built modelsync, and so its rows are of whole programs.
    var needsProgram: Bool { self == .verify || self == .download }
}

/// The package that this program is built from.
enum Package {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path

    static var isDebug: Bool {
        #if DEBUG
            true
        #else
            false
        #endif
    }
}
