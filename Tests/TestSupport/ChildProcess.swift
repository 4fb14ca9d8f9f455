import Foundation
import Glibc
import Synchronization

/// How a process ended.
public enum ExitStatus: Sendable, Hashable {
    case exited(Int32)
    case signalled(Int32)

    init(waitStatus status: Int32) {
        let signal = status & 0x7F
        self = signal == 0 ? .exited((status >> 8) & 0xFF) : .signalled(signal)
    }
}

/// What to start, and with what around it.
public struct Launch: Sendable {
    public var executable: String
    public var arguments: [String]
    /// The whole environment.
    public var environment: [String: String]
    public var workingFolder: String?
    /// The files for standard input, output and error.
    public var input = "/dev/null"
    public var output = "/dev/null"
    public var errors = "/dev/null"

    public init(_ executable: String, _ arguments: [String], environment: [String: String] = [:]) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
    }

    /// Starts the process with the usual signal handling and no descriptor but the three.
    func spawn() throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, input, O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
        for descriptor in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap(Int32.init)
        where descriptor > 2 {
            // One that was closed since is no error.
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGQUIT] { sigaddset(&signals, number) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var pid: pid_t = 0
        // env -C changes the folder and becomes the program: the process id stays.
        let change = workingFolder.map { ["/usr/bin/env", "-C", $0] } ?? []
        let command = change + [executable] + arguments
        let argv = command.map { strdup($0) } + [nil]
        let envp = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        let code = posix_spawn(&pid, command[0], &actions, &attributes, argv, envp)
        guard code == 0 else { throw ToolFailure("\(executable): \(String(cString: strerror(code)))") }
        return pid
    }
}

/// A tool or server of a test that could not do its work.
public struct ToolFailure: Error, CustomStringConvertible {
    public let description: String

    public init(_ description: String) {
        self.description = description
    }
}

/// A process that was started and will be waited for.
public final class ChildProcess: Sendable {
    private enum State {
        case running([CheckedContinuation<ExitStatus, Never>])
        case ended(ExitStatus)
    }

    public let pid: Int32
    private let state = Mutex<State>(.running([]))

    public init(_ launch: Launch) throws {
        pid = try launch.spawn()
        let thread = Thread { [self] in reap() }
        thread.stackSize = 128 * 1024
        thread.start()
    }

    /// Nil while it runs.
    public var status: ExitStatus? {
        state.withLock { state in
            if case .ended(let status) = state { status } else { nil }
        }
    }

    /// Sends a signal, unless the process has ended: its id may belong to another by then.
    public func signal(_ number: Int32) {
        state.withLock { state in
            if case .running = state { kill(pid, number) }
        }
    }

    /// Waits for the end. A cancelled task kills the process.
    @discardableResult
    public func wait() async -> ExitStatus {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ended: ExitStatus? = state.withLock { state in
                    switch state {
                    case .ended(let status): return status
                    case .running(let waiting):
                        state = .running(waiting + [continuation])
                        return nil
                    }
                }
                if let ended { continuation.resume(returning: ended) }
            }
        } onCancel: {
            signal(SIGKILL)
        }
    }

    private func reap() {
        var info = siginfo_t()
        // The process stays a zombie, and its id taken, until the lock is held: see signal(_:).
        while waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR {}
        let (status, waiting): (ExitStatus, [CheckedContinuation<ExitStatus, Never>]) = state.withLock { state in
            var code: Int32 = 0
            while waitpid(pid, &code, 0) < 0 && errno == EINTR {}
            let status = ExitStatus(waitStatus: code)
            guard case .running(let waiting) = state else { return (status, []) }
            state = .ended(status)
            return (status, waiting)
        }
        for continuation in waiting { continuation.resume(returning: status) }
    }
}

/// The commands that tests use as tools and as independent oracles.
public enum Tool {
    /// The absolute path of a command, also where only root has its folder on the PATH; nil if it is not installed.
    public static func find(_ name: String) -> String? {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let folders = path.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        return folders.map { $0 + "/" + name }.first { access($0, X_OK) == 0 }
    }

    /// Runs a short command to its end and returns its standard output.
    ///
    /// - Throws: ``ToolFailure`` with its standard error if it fails.
    @discardableResult
    public static func run(_ name: String, _ arguments: [String], input: [UInt8] = []) throws -> String {
        guard let executable = name.contains("/") ? name : find(name) else {
            throw ToolFailure("\(name) is not installed")
        }
        return try TemporaryFolder.withNow { folder in
            var launch = Launch(executable, arguments, environment: ProcessInfo.processInfo.environment)
            launch.input = try folder.write(input, to: "in")
            launch.output = folder.appending("out")
            launch.errors = folder.appending("err")
            let pid = try launch.spawn()
            var code: Int32 = 0
            while waitpid(pid, &code, 0) < 0 && errno == EINTR {}
            let output = readText(launch.output)
            guard ExitStatus(waitStatus: code) == .exited(0) else {
                throw ToolFailure("\(name) \(arguments.joined(separator: " ")): \(readText(launch.errors))\(output)")
            }
            return output
        }
    }
}

/// The text of a file, or nothing where it can't be read.
public func readText(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
}

/// Waits until the condition holds, looking again and again: for what happens in other processes and tells nobody.
///
/// - Throws: ``ToolFailure`` when it does not hold within the time, which is generous and no measure of speed.
public func eventually(
    _ what: String, within limit: Duration = .seconds(60), _ condition: () throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while try !condition() {
        guard ContinuousClock.now < deadline else { throw ToolFailure("did not come about in \(limit): \(what)") }
        try await Task.sleep(for: .milliseconds(2))
    }
}
