import Foundation
import SyncDomain
import TestSupport
import Testing

@testable import SystemSupport

@Suite(.timeLimit(.minutes(1)))
struct FolderTests {
    /// A folder `in` with a link `link` to a folder `out`, and one `file` to a file in it.
    private func withLinks(_ body: (TemporaryFolder, Folder) throws -> Void) throws {
        try TemporaryFolder.withNow { temporary in
            try temporary.write("precious", to: "out/target")
            try temporary.write("mine", to: "in/own")
            let files = FileManager.default
            try files.createSymbolicLink(atPath: temporary.appending("in/link"), withDestinationPath: "../out")
            try files.createSymbolicLink(atPath: temporary.appending("in/file"), withDestinationPath: "../out/target")
            try files.createSymbolicLink(atPath: temporary.appending("in/dangling"), withDestinationPath: "../out/new")
            let before = tree(temporary.appending("out"))
            try body(temporary, try Folder.open(temporary.appending("in")))
            #expect(tree(temporary.appending("out")) == before)
            #expect(readText(temporary.appending("out/target")) == "precious")
        }
    }

    @Test(arguments: ["file", "dangling"], [Folder.Access.read, .readWrite, .readWriteCreate, .createNew])
    func noFileIsOpenedThroughALink(_ name: String, _ access: Folder.Access) throws {
        try withLinks { _, folder in
            let error = failure { _ = try folder.file(name, access) }
            #expect(access == .createNew ? error?.exists == true : error?.isSymbolicLink == true)
            let kind = try folder.status(name).kind
            #expect(kind == .symbolicLink)
        }
    }

    @Test(arguments: ["link", "link/deeper", "file", "dangling"], [false, true])
    func noFolderIsOpenedThroughALink(_ path: String, create: Bool) throws {
        try withLinks { _, folder in
            let error = failure { _ = try folder.folder(path, create: create) }
            #expect(error?.isSymbolicLink == true)
            let below = failure { _ = try folder.folder("own", create: create) }
            #expect(below?.code == ENOTDIR)
        }
    }

    @Test func linksAreReplacedAndRemovedThemselves() throws {
        try withLinks { temporary, folder in
            try folder.replace("file", with: [1])
            #expect(try folder.status("file").kind == .regular)
            try folder.link("dangling", to: folder, "second")
            #expect(try folder.status("second").kind == .symbolicLink)
            try folder.rename("own", to: folder, "dangling")
            #expect(try folder.status("dangling").kind == .regular)
            try folder.removeTree("link")
            #expect(try folder.statusIfPresent("link") == nil)
        }
    }

    @Test func removeTreeFollowsNoLink() throws {
        try withLinks { temporary, _ in
            try temporary.write("x", to: "in/deep/er/file")
            try FileManager.default.createSymbolicLink(
                atPath: temporary.appending("in/deep/er/link"), withDestinationPath: temporary.appending("out"))
            try Folder.open(temporary.path).removeTree("in")
            try Folder.open(temporary.path).removeTree("in")
            #expect(!FileManager.default.fileExists(atPath: temporary.appending("in")))
        }
    }

    @Test func exchangeSwapsFoldersAndFiles() throws {
        try TemporaryFolder.withNow { temporary in
            try temporary.write("1", to: "a/x/one")
            try temporary.write("2", to: "b/y/two")
            let (a, b) = (try Folder.open(temporary.appending("a")), try Folder.open(temporary.appending("b")))
            try a.exchange("x", with: b, "y")
            #expect(readText(temporary.appending("a/x/two")) == "2")
            #expect(readText(temporary.appending("b/y/one")) == "1")
            #expect(failure { try a.exchange("x", with: b, "nothing") }?.isNotFound == true)
        }
    }

    @Test func renameNewReplacesNothing() throws {
        try TemporaryFolder.withNow { temporary in
            try temporary.write("1", to: "a")
            try temporary.write("2", to: "b")
            try FileManager.default.createDirectory(
                atPath: temporary.appending("empty"), withIntermediateDirectories: false)
            let folder = try Folder.open(temporary.path)
            #expect(failure { try folder.renameNew("a", to: folder, "b") }?.exists == true)
            #expect(failure { try folder.renameNew("a", to: folder, "empty") }?.exists == true)
            #expect(failure { try folder.link("a", to: folder, "b") }?.exists == true)
            try folder.renameNew("a", to: folder, "c")
            #expect(readText(temporary.appending("b")) == "2")
            #expect(readText(temporary.appending("c")) == "1")
        }
    }

    @Test func entriesAndCensusTellWhatIsThere() throws {
        try TemporaryFolder.withNow { temporary in
            for index in 0..<500 { try temporary.write("", to: "f\(index)") }
            try temporary.write("", to: ".hidden")
            try temporary.write("", to: "folder/inner")
            try FileManager.default.createSymbolicLink(
                atPath: temporary.appending("link"), withDestinationPath: "folder")
            try Tool.run("mkfifo", [temporary.appending("fifo")])
            let long = String(repeating: "n", count: 255)
            try temporary.write("", to: long)
            let folder = try Folder.open(temporary.path)
            for _ in 0..<2 {
                let entries = Dictionary(try folder.entries().map { ($0.name, $0.kind) }) { $1 }
                #expect(entries.count == 505)
                #expect(
                    entries["folder"] == .directory && entries["link"] == .symbolicLink && entries["fifo"] == .other)
                #expect(entries["f7"] == .regular && entries[long] == .regular && entries[".hidden"] == .regular)
                let census = try folder.census()
                #expect(census.files == 504 && census.folders == ["folder"])
            }
            #expect(failure { _ = try folder.file("folder", .readWrite) }?.isDirectory == true)
            #expect(try folder.statusIfPresent(cString: Array("f7".utf8) + [0])?.kind == .regular)
            #expect(try folder.statusIfPresent(cString: Array("no".utf8) + [0]) == nil)
            #expect(try folder.statusIfPresent(cString: Array("f7/no".utf8) + [0]) == nil)
            #expect(try folder.statusIfPresent("folder/inner")?.kind == .regular)
        }
    }

    @Test func createMakesWhatIsMissing() throws {
        try TemporaryFolder.withNow { temporary in
            try Folder.create(temporary.appending("a/b//c/"))
            try Folder.create(temporary.appending("a/b/c"))
            #expect(try Folder.open(temporary.path).folder("a/b/c").entries().isEmpty)
            let made = try Folder.open(temporary.path).folder("d/e", create: true)
            #expect(made.path == temporary.appending("d/e"))
            try temporary.write("", to: "file")
            #expect(failure { try Folder.create(temporary.appending("file/x")) }?.code == ENOTDIR)
        }
    }

    @Test func aFileBelowIsOpenedWithNoLinkOnTheWay() throws {
        try TemporaryFolder.withNow { temporary in
            let root = try Folder.open(temporary.path)
            let folder = try root.folder("a/b", create: true)
            try folder.replace("file", with: [1, 2, 3])
            try root.replace("top", with: [4])
            #expect(try root.file(below: "a/b/file").readAll() == [1, 2, 3])
            #expect(try root.file(below: "top").readAll() == [4])
            #expect(try root.file(below: "a/b/file").path == temporary.appending("a/b/file"))
            try FileManager.default.createSymbolicLink(
                atPath: temporary.appending("a/link"), withDestinationPath: temporary.appending("a/b"))
            try FileManager.default.createSymbolicLink(
                atPath: temporary.appending("a/b/link"), withDestinationPath: "file")
            for path in ["a/link/file", "a/b/link"] {
                #expect(
                    throws: SystemFailure(
                        "open", temporary.appending(path.hasPrefix("a/l") ? "a/link" : path), code: ELOOP)
                ) { try root.file(below: path) }
            }
            #expect(throws: SystemFailure("open", temporary.appending("a/b/none"), code: ENOENT)) {
                try root.file(below: "a/b/none")
            }
        }
    }

    @Test func openingAFIFODoesNotWait() throws {
        try TemporaryFolder.withNow { temporary in
            try Tool.run("mkfifo", [temporary.appending("fifo")])
            let folder = try Folder.open(temporary.path)
            #expect(try folder.file("fifo", .read).status().kind == .other)
            #expect(try folder.file("fifo", .readWrite).status().kind == .other)
        }
    }

    @Test func descriptorsAreClosed() throws {
        try withLinks { temporary, folder in
            let before = try descriptors(below: temporary.path)
            for _ in 0..<50 {
                _ = try folder.entries()
                _ = try folder.folder("new/deeper", create: true)
                _ = try folder.file("own", .read).readAll()
                _ = failure { _ = try folder.folder("link/x") }
                try folder.replace("own", with: [1, 2])
                try folder.removeTree("new")
            }
            #expect(try descriptors(below: temporary.path) == before)
        }
    }

    private func descriptors(below path: String) throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
            .count {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)"))?.hasPrefix(path)
                    == true
            }
    }
}

/// The failure of a call.
func failure(_ body: () throws -> Void) -> SystemFailure? {
    do {
        try body()
        return nil
    } catch {
        return error as? SystemFailure
    }
}
