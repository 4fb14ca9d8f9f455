internal import Glibc

extension Folder {
    /// Replaces the file of that name whole: readers see the old bytes or the new, also after a power cut. A false
    /// `isDurable` leaves out the fsyncs, for what a crash may lose (but never tear).
    public func replace(
        _ name: String, with bytes: [UInt8], mode: UInt32 = 0o644, isDurable: Bool = true
    ) throws(SystemFailure) {
        let temporary = ".\(name.prefix(200)).\(getpid()).\(UInt32.random(in: 0...UInt32.max)).tmp"
        let file = try self.file(temporary, .createNew, mode: mode)
        do {
            unsafe try file.write(bytes.span.bytes, at: 0)
            if isDurable { try file.synchronize() }
            try rename(temporary, to: self, name)
            if isDurable { try synchronize() }
        } catch {
            // The failure to tell is the first one; a leftover has a name that nobody reads.
            try? removeFile(temporary)
            throw error
        }
    }
}

/// The permission bits that this process's new files lack, read without changing it (umask(2) can only be read by
/// setting it, which would race other threads).
public func processUmask() -> UInt32 {
    guard let file = try? OpenFile.read("/proc/self/status"), let bytes = try? file.readAll() else { return 0o022 }
    for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("Umask:") {
        return UInt32(line.dropFirst(6).drop { $0 == " " || $0 == "\t" }, radix: 8) ?? 0o022
    }
    return 0o022
}

/// The processors that this process may run on; at least 1.
public func processorCount() -> Int {
    max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
}

/// Whether a process of that id runs on this machine, whoever's it is.
public func processExists(_ id: Int32) -> Bool { kill(id, 0) == 0 || errno == EPERM }

/// The id of this process.
public var processID: Int32 { getpid() }
