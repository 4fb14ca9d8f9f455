import Foundation
import Glibc
import Synchronization

/// Commands that are looked for where shells look, and where only root's do.
enum Tool {
    static func find(_ name: String) throws -> String {
        let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
        let folders = path.split(separator: ":").map(String.init) + ["/usr/local/sbin", "/usr/sbin", "/sbin"]
        guard let file = folders.map({ $0 + "/" + name }).first(where: { access($0, X_OK) == 0 }) else {
            throw BenchmarkFailure("\(name) is not installed")
        }
        return file
    }
}

/// A process that was started, in a group of its own with all that it starts.
struct Child {
    let executable: String
    let pid: pid_t
    private let errors: String?

    /// Works in `folder`, reads the file `input`, and prints to the file `output`; nil is nothing. What it says on
    /// standard error goes into a file next to `output`.
    init(
        _ executable: String, _ arguments: [String], in folder: String = "/", input: String? = nil,
        output: String? = nil
    ) throws {
        self.executable = executable
        errors = output.map { $0 + ".err" }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        let flags = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, 0, input ?? "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, output ?? "/dev/null", flags, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors ?? "/dev/null", flags, 0o600)

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP))

        let argv = ([executable] + arguments).map { strdup($0) } + [nil]
        let envp = Self.environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for pointer in argv + envp { free(pointer) } }
        pid = try Leftovers.state.withLock { state in
            let here = open(".", O_RDONLY | O_CLOEXEC)
            guard here >= 0, chdir(folder) == 0 else { throw BenchmarkFailure("\(folder) can't be entered") }
            defer {
                _ = fchdir(here)
                close(here)
            }
            var pid: pid_t = 0
            let code = posix_spawn(&pid, executable, &actions, &attributes, argv, envp)
            guard code == 0 else { throw BenchmarkFailure("\(executable): \(String(cString: strerror(code)))") }
            state.groups.insert(pid)
            return pid
        }
    }

    /// That of this program, without what would send its requests elsewhere or change what modelsync does.
    private static let environment: [String: String] = {
        var variables = ProcessInfo.processInfo.environment.filter { name, _ in
            !name.hasPrefix("MODELSYNC_") && !name.lowercased().hasSuffix("_proxy")
        }
        variables["HOME"] = "/nonexistent"
        variables["LC_ALL"] = "C"
        return variables
    }()

    /// Whether it still runs; once it does not, it must not be waited for.
    func isRunning() -> Bool {
        var status: Int32 = 0
        guard waitpid(pid, &status, WNOHANG) != 0 else { return true }
        forget()
        return false
    }

    func stop() {
        kill(pid, SIGTERM)
        try? wait()
    }

    /// - Throws: ``BenchmarkFailure`` with what it said, unless it ended well.
    func wait() throws {
        var status: Int32 = 0
        while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
        forget()
        guard status == 0 else {
            let said = errors.flatMap { try? String(contentsOfFile: $0, encoding: .utf8) } ?? ""
            throw BenchmarkFailure("\(executable) failed:\n\(said)")
        }
    }

    private func forget() { Leftovers.state.withLock { _ = $0.groups.remove(pid) } }

    /// Runs a command to its end.
    ///
    /// - Returns: what it took by the wall's clock, with its start.
    static func run(
        _ executable: String, _ arguments: [String], in folder: String = "/", input: String? = nil, output: String
    ) async throws -> Double {
        try await timed {
            try Child(executable, arguments, in: folder, input: input, output: output).wait()
        }.seconds
    }

    /// The first line that a short command prints.
    static func output(of executable: String, _ arguments: [String]) throws -> String {
        let file = FileManager.default.temporaryDirectory.path + "/hash-benchmark-\(UUID().uuidString)"
        defer { for name in [file, file + ".err"] { try? FileManager.default.removeItem(atPath: name) } }
        try Child(executable, arguments, output: file).wait()
        return try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n").first.map(String.init) ?? ""
    }
}
