import COpenSSL
import Foundation
import SystemSupport

@testable import BlobStore

/// Without which no figure means anything.
struct Machine: Encodable {
    let cpu: String
    let flags: [String]
    let cores: Int
    /// Of the library, and of the command.
    let openssl: String
    let opensslCommand: String?
    let modelsync: String?
    /// Programs that ran or waited to run in the last minute, on average: those of others take from both sides.
    let load: Double
    let kernels: [String]
    /// Messages that a hash thread has at once.
    let lanes: Int

    init(_ program: Program?) throws {
        let lines = try contents("/proc/cpuinfo").split(separator: "\n")
        func value(_ key: String) -> Substring? {
            lines.first { $0.hasPrefix(key) }?.split(separator: ":").last
        }
        cpu = value("model name")?.trimmingCharacters(in: .whitespaces) ?? "unknown"
        let all = Set((value("flags") ?? value("Features"))?.split(separator: " ").map(String.init) ?? [])
        flags = ["ssse3", "sse4_1", "sha_ni", "avx2", "avx512f", "avx512bw", "avx512vl", "sha2", "sha512", "sve"]
            .filter(all.contains)
        cores = processorCount()
        openssl = String(cString: OpenSSL_version(OPENSSL_VERSION))
        opensslCommand = try? Child.output(of: Tool.find("openssl"), ["version"])
        modelsync = try program?.version()
        load = Double(try contents("/proc/loadavg").split(separator: " ")[0]) ?? 0
        kernels = HashKernel.all.map(\.name)
        lanes = HashSchedule.measured.width
    }

    var text: String {
        """
        CPU        \(cpu), \(cores) cores, load \(load)
        flags      \(flags.joined(separator: " "))
        OpenSSL    \(openssl); command: \(opensslCommand ?? "not installed")
        kernels    \(kernels.joined(separator: ", ")); \(lanes) lanes a thread
        modelsync  \(modelsync ?? "not asked for")
        """
    }
}

/// The text of a file of the system.
private func contents(_ path: String) throws -> String {
    String(decoding: try OpenFile.read(path).readAll(), as: UTF8.self)
}
