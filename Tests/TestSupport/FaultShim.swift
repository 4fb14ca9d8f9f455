import Foundation
import Glibc

/// Tests/FaultShim/fault.c, built once a test run: it stands between the program and libc.
public enum FaultShim {
    /// The built library; nil where there is no C compiler.
    public static let path: String? = {
        let folder = NSTemporaryDirectory() + "modelsync-fault-\(ProcessInfo.processInfo.processIdentifier)"
        let source = Repository.root + "/Tests/FaultShim/fault.c"
        let library = folder + "/fault.so"
        try? FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        for compiler in ["clang", "cc"] {
            let built = try? Tool.run(compiler, ["-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"])
            if built != nil { return library }
        }
        return nil
    }()

    /// Whether the program can be run with it. A sanitizer's own functions would stand between the program and libc.
    public static let isUsable = path != nil && !isSanitized

    /// Whether the tests are built with a sanitizer; the program is then, too.
    public static var isSanitized: Bool { dlsym(nil, "__tsan_init") != nil || dlsym(nil, "__asan_init") != nil }

    /// What to hit; see the source.
    public struct Plan: Sendable {
        public var root: String
        public var log: String?
        public var at: Int?
        /// Of errno(3); nil to kill the program there.
        public var error: Int32?
        public var hitsAllAfter = false
        public var call: String?
        public var hasNoLocks = false

        public init(root: String) { self.root = root }

        public var environment: [String: String] {
            var out = ["LD_PRELOAD": FaultShim.path ?? "", "FAULT_ROOT": root]
            out["FAULT_LOG"] = log
            out["FAULT_AT"] = at.map(String.init)
            out["FAULT_ERRNO"] = error.map(String.init)
            out["FAULT_CALL"] = call
            if hitsAllAfter { out["FAULT_FROM"] = "1" }
            if hasNoLocks { out["FAULT_NO_FLOCK"] = "1" }
            return out
        }
    }
}
