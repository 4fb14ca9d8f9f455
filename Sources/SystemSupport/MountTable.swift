/// What `/proc/self/mountinfo` (proc_pid_mountinfo(5)) says of file systems.
public enum MountTable {
    /// Whether locks on that device are seen by this host alone, though others may have the files as well. A test of a lock
    /// does not tell: it is made on one host.
    public static func locksAreLocal(device: UInt64, in table: String) -> Bool {
        let (major, minor) = (device >> 8 & 0xFFF | device >> 32 & ~0xFFF, device & 0xFF | device >> 12 & ~0xFF)
        for line in table.split(separator: "\n") {
            let fields = line.split(separator: " ")
            guard fields.count > 3, fields[2] == "\(major):\(minor & 0xFFFF_FFFF)",
                let dash = fields.firstIndex(of: "-"), fields.count > dash + 3
            else { continue }
            return areLocal(type: fields[dash + 1], options: fields[dash + 3].split(separator: ","))
        }
        return false
    }

    private static func areLocal(type: Substring, options: [Substring]) -> Bool {
        switch type {
        case "nfs", "nfs4": options.contains { ["nolock", "local_lock=flock", "local_lock=all"].contains($0) }
        case "cifs", "smb3": options.contains("nobrl")
        case "9p": true
        default: type.hasPrefix("fuse.")
        }
    }

    /// As the other, by this process's own table; false where there is none.
    public static func locksAreLocal(device: UInt64) -> Bool {
        guard let file = try? OpenFile.read("/proc/self/mountinfo"), let bytes = try? file.readAll() else {
            return false
        }
        return locksAreLocal(device: device, in: String(decoding: bytes, as: UTF8.self))
    }
}
