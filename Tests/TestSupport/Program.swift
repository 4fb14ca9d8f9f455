import Foundation
import Glibc

/// What a run of the program left.
public struct ProgramResult: Sendable, CustomStringConvertible {
    public let arguments: [String]
    public let status: ExitStatus
    public let standardOutput: String
    public let standardError: String

    /// Nil where a signal ended it.
    public var exitCode: Int32? {
        if case .exited(let code) = status { code } else { nil }
    }

    /// All that it said.
    public var output: String { standardOutput + standardError }

    public var description: String {
        """
        modelsync \(arguments.joined(separator: " "))
        -> \(status)
        --- standard output
        \(standardOutput)--- standard error
        \(standardError)---
        """
    }
}

/// The built `modelsync`, run as users run it, with nothing of the machine's own settings around it.
public struct Program: Sendable {
    /// The program that was built beside the tests; another one where MODELSYNC_TEST_PROGRAM names it.
    public static let path: String = {
        if let named = ProcessInfo.processInfo.environment["MODELSYNC_TEST_PROGRAM"], !named.isEmpty {
            return URL(fileURLWithPath: named).path
        }
        let tests = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: tests).deletingLastPathComponent().appendingPathComponent("modelsync").path
    }()

    /// Its working folder; standard streams are kept in files below it.
    public let folder: TemporaryFolder
    /// Added to the few variables that it always gets.
    public var environment: [String: String]
    /// The folder that it starts in; nil for `folder`.
    public var workingFolder: String?

    public init(in folder: TemporaryFolder, environment: [String: String] = [:]) {
        self.folder = folder
        self.environment = environment
    }

    /// Runs it to its end.
    public func run(_ arguments: [String], input: [UInt8]? = nil) async throws -> ProgramResult {
        try await start(arguments, input: input).wait()
    }

    /// Starts it.
    public func start(_ arguments: [String], input: [UInt8]? = nil) throws -> RunningProgram {
        let run = "streams/\(UUID().uuidString)"
        var launch = Launch(Self.path, arguments, environment: baseEnvironment.merging(environment) { $1 })
        launch.workingFolder = workingFolder ?? folder.path
        launch.output = try folder.write("", to: run + "/out")
        launch.errors = try folder.write("", to: run + "/err")
        if let input { launch.input = try folder.write(input, to: run + "/in") }
        return RunningProgram(launch: launch, process: try ChildProcess(launch))
    }

    private var baseEnvironment: [String: String] {
        let mine = ProcessInfo.processInfo.environment
        // What the loader, the sanitizers and coverage need is passed on; proxies, tokens and settings are not.
        let passed = ["PATH", "TMPDIR", "LD_LIBRARY_PATH", "TSAN_OPTIONS", "ASAN_OPTIONS", "LLVM_PROFILE_FILE"]
        var out = ["HOME": folder.path, "LC_ALL": "C.UTF-8", "TZ": "UTC"]
        for name in passed { out[name] = mine[name] }
        return out
    }
}

/// A run of the program that has not ended, or whose end was not yet looked at.
public struct RunningProgram: Sendable {
    let launch: Launch
    public let process: ChildProcess

    /// What it has written to standard error so far.
    public var standardErrorSoFar: String { readText(launch.errors) }

    /// What it has written to standard output so far.
    public var standardOutputSoFar: String { readText(launch.output) }

    public func signal(_ number: Int32) { process.signal(number) }

    /// Waits until the condition holds.
    ///
    /// - Throws: ``ToolFailure`` when the program ended first, with what it said.
    public func wait(until what: String, _ condition: () throws -> Bool) async throws {
        try await eventually(what) {
            if let status = process.status {
                throw ToolFailure("\(status) before: \(what)\n\(standardErrorSoFar)")
            }
            return try condition()
        }
    }

    /// Sends the signal as soon as the condition holds.
    ///
    /// - Throws: as ``wait(until:_:)``.
    public func signal(_ number: Int32, when what: String, _ condition: () throws -> Bool) async throws {
        try await wait(until: what, condition)
        process.signal(number)
    }

    public func wait() async -> ProgramResult {
        let status = await process.wait()
        return ProgramResult(
            arguments: launch.arguments, status: status, standardOutput: readText(launch.output),
            standardError: readText(launch.errors))
    }
}
