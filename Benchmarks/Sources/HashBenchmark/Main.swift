import ArgumentParser
import Foundation
import Glibc

/// The entrance. Not async: the signals are blocked before there is any other thread, so that this one alone takes them.
@main
enum Main {
    static func main() {
        var signals = sigset_t()
        sigemptyset(&signals)
        for signal in [SIGINT, SIGTERM, SIGHUP] { sigaddset(&signals, signal) }
        pthread_sigmask(SIG_BLOCK, &signals, nil)
        Task.detached {
            var code: Int32 = 0
            do {
                var command = try HashBenchmark.parseAsRoot()
                if var command = command as? any AsyncParsableCommand {
                    try await command.run()
                } else {
                    try command.run()
                }
            } catch {
                code = report(error)
            }
            Leftovers.clear(andExit: code)
        }
        var signal: Int32 = 0
        sigwait(&signals, &signal)
        Leftovers.clear(andExit: 128 + signal)
    }

    private static func report(_ error: any Error) -> Int32 {
        let code = HashBenchmark.exitCode(for: error)
        let text = HashBenchmark.fullMessage(for: error)
        if code.isSuccess { print(text) } else { tell(text) }
        return code.rawValue
    }
}

/// A line on standard error.
func tell(_ text: String) { FileHandle.standardError.write(Data((text + "\n").utf8)) }

/// What keeps the benchmark from a result that means something.
struct BenchmarkFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
