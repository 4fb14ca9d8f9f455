import SystemSupport
import Testing

/// Lines as proc_pid_mountinfo(5) gives them.
@Suite struct MountTableTests {
    private func locksAreLocal(_ type: String, _ options: String) -> Bool {
        let table = """
            22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
            40 22 0:45 / /mnt/models rw,relatime shared:12 master:3 - \(type) server:/models \(options)
            41 22 0:46 / /other rw - tmpfs tmpfs rw
            """
        #expect(!MountTable.locksAreLocal(device: 254 << 8, in: table))
        #expect(!MountTable.locksAreLocal(device: 47, in: table))
        return MountTable.locksAreLocal(device: 45, in: table)
    }

    @Test func networkFileSystemsWhoseLocksOneHostKeepsAreTold() {
        #expect(locksAreLocal("nfs4", "rw,vers=4.2,local_lock=flock,addr=10.0.0.1"))
        #expect(locksAreLocal("nfs", "rw,vers=3,nolock"))
        #expect(locksAreLocal("fuse.sshfs", "rw"))
        #expect(locksAreLocal("9p", "rw"))
        #expect(locksAreLocal("cifs", "rw,nobrl"))
    }

    @Test func othersAreNot() {
        #expect(!locksAreLocal("nfs4", "rw,vers=4.2,local_lock=none"))
        #expect(!locksAreLocal("cifs", "rw"))
        #expect(!locksAreLocal("xfs", "rw"))
        #expect(!locksAreLocal("fuseblk", "rw"))
    }
}
