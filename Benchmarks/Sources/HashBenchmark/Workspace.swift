import Foundation
import Glibc
import SyncDomain
import Synchronization

/// What is to be ended and removed, however the benchmark ends.
enum Leftovers {
    struct State {
        var groups: Set<pid_t> = []
        var folders: Set<String> = []
    }

    static let state = Mutex(State())

    /// Ends the program, and never gives the lock back: nothing is to be started any more.
    static func clear(andExit code: Int32) -> Never {
        state.withLock { state in
            for group in state.groups { kill(-group, SIGKILL) }
            for folder in state.folders {
                // Again where another thread has just put a file into it.
                for _ in 0..<20 where access(folder, F_OK) == 0 {
                    try? FileManager.default.removeItem(atPath: folder)
                }
            }
            exit(code)
        }
    }
}

/// A temporary folder, removed with all it holds.
struct Workspace {
    let path: String

    static func with(in parent: String, _ body: (Workspace) async throws -> Void) async throws {
        var template = Array((parent + "/hash-benchmark-XXXXXX").utf8CString)
        guard mkdtemp(&template) != nil else {
            throw BenchmarkFailure("\(parent): no folder can be made there: \(String(cString: strerror(errno)))")
        }
        let path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
        Leftovers.state.withLock { _ = $0.folders.insert(path) }
        defer {
            try? FileManager.default.removeItem(atPath: path)
            Leftovers.state.withLock { _ = $0.folders.remove(path) }
        }
        try await body(Workspace(path: path))
    }

    func appending(_ name: String) -> String { path + "/" + name }

    func remove(_ name: String) {
        try? FileManager.default.removeItem(atPath: appending(name))
    }

    func makeFolder(_ name: String) throws -> String {
        try FileManager.default.createDirectory(atPath: appending(name), withIntermediateDirectories: true)
        return appending(name)
    }
}

/// A file of random bytes.
struct PayloadFile: Sendable {
    let path: String
    let size: Int64

    var name: String { String(path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]) }
}

/// Files of random bytes, in the page cache and on the disk, and their digests by OpenSSL.
struct Payload {
    let folder: String
    let files: [PayloadFile]
    let digests: [SHA256Digest]

    var size: Int64 { files.reduce(0) { $0 + $1.size } }

    /// Makes a folder of them.
    init(_ workspace: Workspace, folder name: String, count: Int, fileBytes: Int64) throws {
        folder = try workspace.makeFolder(name)
        var random = RandomWords(state: UInt64(count))
        let hasher = try OpenSSLDigest()
        var files: [PayloadFile] = []
        var digests: [SHA256Digest] = []
        for index in 0..<count {
            let digits = String(index)
            let path = "\(folder)/file-\(String(repeating: "0", count: 5 - min(5, digits.count)))\(digits)"
            try Self.write(path, fileBytes, &random, hasher)
            files.append(PayloadFile(path: path, size: fileBytes))
            digests.append(try hasher.finish())
        }
        (self.files, self.digests) = (files, digests)
        // Else the disk is still at work while others are measured.
        sync()
    }

    private static func write(
        _ path: String, _ size: Int64, _ random: inout RandomWords, _ hasher: OpenSSLDigest
    ) throws {
        guard let file = fopen(path, "wx") else { throw BenchmarkFailure("\(path) can't be made") }
        var words = [UInt64](repeating: 0, count: Int(min(size, 1 << 20) + 7) / 8)
        var left = Int(size)
        var written = 0
        while left > 0 {
            for index in words.indices { words[index] = random.next() }
            words.withUnsafeBytes { bytes in
                let piece = UnsafeRawBufferPointer(rebasing: bytes.prefix(left))
                hasher.update(piece)
                written += fwrite(piece.baseAddress, 1, piece.count, file)
                left -= piece.count
            }
        }
        guard fclose(file) == 0, written == size else { throw BenchmarkFailure("\(path): the disk may be full") }
    }
}

/// Words that no disk or file system can make smaller, the same in each run (SplitMix64).
private struct RandomWords {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var word = state
        word = (word ^ word >> 30) &* 0xbf58_476d_1ce4_e5b9
        word = (word ^ word >> 27) &* 0x94d0_49bb_1331_11eb
        return word ^ word >> 31
    }
}
