import Foundation
import SyncDomain
import TestSupport
import Testing

@testable import SystemSupport

@Suite(.timeLimit(.minutes(1)))
struct FileTests {
    @Test func aLockIsBetweenOpensAndEndsWithTheLastReference() throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            var first: OpenFile? = try folder.file("lock", .readWriteCreate)
            let second = try folder.file("lock", .readWriteCreate)
            #expect(try first?.tryLock(exclusive: true) == true)
            #expect(try first?.tryLock(exclusive: true) == true)
            #expect(try !second.tryLock(exclusive: true))
            #expect(try !second.tryLock(exclusive: false))
            first?.unlock()
            #expect(try second.tryLock(exclusive: false))
            #expect(try first?.tryLock(exclusive: false) == true)
            #expect(try first?.tryLock(exclusive: true) == false)
            first = nil
            #expect(try second.tryLock(exclusive: true))
        }
    }

    /// As a process has one that another thread is spawning, until its exec closes it.
    @Test func aCopyOfTheDescriptorKeepsNoLock() throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            var first: OpenFile? = try folder.file("lock", .readWriteCreate)
            let second = try folder.file("lock", .readWrite)
            for isWaited in [false, true] {
                if isWaited { try first?.lock(exclusive: true) } else { _ = try first?.tryLock(exclusive: true) }
                let copy = dup(try #require(first).descriptor)
                defer { close(copy) }
                #expect(try !second.tryLock(exclusive: true))
                first = nil
                #expect(try second.tryLock(exclusive: true))
                second.unlock()
                first = try folder.file("lock", .readWrite)
            }
        }
    }

    @Test func whoWaitsForALockGetsItWhenItIsGivenBack() throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            let first = try folder.file("lock", .readWriteCreate)
            try first.lock(exclusive: true)
            let result = Monitor<Bool?>(nil)
            let waiter = WorkerThread(name: "waiter") {
                let second = try? folder.file("lock", .readWrite)
                let isLocked = (try? second?.lock(exclusive: true)) != nil
                result.withLock { $0 = isLocked }
                result.notifyAll()
            }
            first.unlock()
            #expect(result.wait { $0 })
            waiter.join()
        }
    }

    @Test func aReaderSeesTheOldFileOrTheNew() throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            let contents = (0..<2).map { [UInt8](repeating: UInt8($0), count: 20_000 + $0) }
            try folder.replace("file", with: contents[0])
            let isDone = Monitor(false)
            let torn = Monitor(0)
            let reader = WorkerThread(name: "reader") {
                while !isDone.withLock({ $0 }) {
                    guard let bytes = try? folder.file("file", .read).readAll(), contents.contains(bytes) else {
                        return torn.withLock { $0 += 1 }
                    }
                }
            }
            for round in 0..<300 { try folder.replace("file", with: contents[round % 2], isDurable: round % 50 == 0) }
            isDone.withLock { $0 = true }
            reader.join()
            #expect(torn.withLock { $0 } == 0)
            #expect(try folder.entries().map(\.name) == ["file"])
        }
    }

    @Test(arguments: [UInt32(0o600), 0o644, 0o444])
    func aReplacedFileHasItsMode(_ mode: UInt32) throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            try folder.replace("file", with: [1], mode: 0o666)
            try folder.replace("file", with: [2], mode: mode)
            #expect(try folder.status("file").mode == mode & ~processUmask())
            #expect(try folder.file("file", .read).readAll() == [2])
        }
    }

    @Test func aReplaceThatFailsLeavesNothing() throws {
        try TemporaryFolder.withNow { temporary in
            try temporary.write("x", to: "folder/inner")
            let folder = try Folder.open(temporary.path)
            #expect(failure { try folder.replace("folder", with: [1]) } != nil)
            #expect(tree(temporary.path) == ["folder NSFileTypeDirectory", "folder/inner NSFileTypeRegular 1"])
        }
    }

    @Test func bytesAreWrittenAndReadWhereTheyBelong() throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            let file = try folder.file("file", .createNew, mode: 0o600)
            let bytes = ContiguousArray(Payload.bytes(3_000_000, seed: 1))
            try file.write(bytes.span.bytes, at: 5)
            #expect(try file.status().size == 3_000_005)
            #expect(try file.readAll() == [0, 0, 0, 0, 0] + bytes)
            #expect(failure { _ = try folder.file("file", .read).readAll(limit: 3_000_004) }?.code == EFBIG)
            #expect(try folder.file("file", .read).readAll(limit: 3_000_005).count == 3_000_005)
            // Whose size is told as 0.
            #expect(try OpenFile.read("/proc/self/status").readAll().count > 500)
            #expect(failure { _ = try OpenFile.read("/proc/self/status").readAll(limit: 500) }?.code == EFBIG)
            let copy = try folder.file("copy", .createNew)
            try copy.copy(file)
            #expect(try copy.readAll() == [0, 0, 0, 0, 0] + bytes)
            try file.resize(to: 5)
            #expect(try folder.file("file", .read).readAll() == [0, 0, 0, 0, 0])
            #expect(failure { _ = try folder.file("file", .createNew) }?.exists == true)
        }
    }

    @Test func reservedRoomIsNoLength() throws {
        try TemporaryFolder.withNow { temporary in
            let file = try Folder.open(temporary.path).file("file", .createNew)
            try file.reserve(4 << 20)
            #expect(try file.status().size == 0)
            try file.resize(to: 0)
            #expect(try file.status().allocated < 1 << 20)
        }
    }

    @Test func timesAreWholeSecondsAndTouchingBreaksThem() throws {
        try TemporaryFolder.withNow { temporary in
            let folder = try Folder.open(temporary.path)
            let file = try folder.file("file", .createNew, mode: 0o444)
            try file.setModified(seconds: 1_000_000_000)
            #expect(try folder.status("file").modified == (1_000_000_000, 0))
            let before = try file.status()
            try file.setMode(0o400)
            #expect(try file.status().isUnwritten(since: before))
            #expect(try file.status() != before)
            try file.setModifiedNow()
            #expect(try file.status().modified.seconds > 1_000_000_000)
            #expect(try !file.status().isUnwritten(since: before))
        }
    }

    @Test(arguments: [
        (ENOSPC, ErrorCode.storeNoSpace), (EDQUOT, .storeNoSpace), (EACCES, .storePermission),
        (EPERM, .storePermission),
        (EROFS, .storePermission), (ELOOP, .storePermission), (EIO, .storeIO), (ENOENT, .storeIO), (EMFILE, .storeIO),
    ])
    func failuresAreToldAsTheStores(_ code: Int32, _ expected: ErrorCode) {
        let error = SystemFailure("open", "/some/file", code: code).storeError
        #expect(error.code == expected)
        #expect(error.message.hasPrefix("/some/file: "))
        #expect(!error.isRetryable)
    }

    @Test func anUnknownErrorNumberHasWordsToo() {
        #expect(SystemFailure("open", "x", code: 99_999).reason.contains("99999"))
        #expect(SystemFailure("open", "x", code: ENOENT).description == "x: open: no such file or directory")
    }

    @Test func theUmaskIsRead() throws {
        let digits = readText("/proc/self/status").split(separator: "\n").first { $0.hasPrefix("Umask:") }
        #expect(processUmask() == UInt32(try #require(digits?.split(separator: "\t").last), radix: 8))
        #expect(processorCount() >= 1)
    }
}
