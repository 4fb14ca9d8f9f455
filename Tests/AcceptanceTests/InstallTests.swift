import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// `make install` and `make deb`, with the program that was built beside the tests.
    @Suite struct Installing {
        private static func files(below folder: String) -> Set<String> {
            let names = FileManager.default.enumerator(atPath: folder)?.compactMap { $0 as? String } ?? []
            var isFolder = ObjCBool(false)
            return Set(
                names.filter {
                    FileManager.default.fileExists(atPath: "\(folder)/\($0)", isDirectory: &isFolder)
                        && !isFolder.boolValue
                })
        }

        private func make(_ target: String, into folder: String) throws {
            try Tool.run("make", ["-s", "-C", Repository.root, target, "PROGRAM=\(Program.path)", "DESTDIR=\(folder)"])
        }

        @Test(.needs("make", "python3")) func whatIsInstalledIsWholeAndGoesAgain() throws {
            try TemporaryFolder.withNow { folder in
                try make("install", into: folder.path)
                let share = folder.appending("usr/local/share")
                let installed = Self.files(below: folder.path + "/usr/local")
                for name in [
                    "bin/modelsync", "share/man/man1/modelsync.1", "share/man/man5/modelsync.yaml.5",
                    "share/bash-completion/completions/modelsync", "share/zsh/site-functions/_modelsync",
                    "share/fish/vendor_completions.d/modelsync.fish", "share/modelsync/manifests/default.yaml",
                    "lib/systemd/system/modelsync.timer", "lib/sysusers.d/modelsync.conf",
                ] {
                    #expect(installed.contains(name), "\(name)")
                }
                let service = readText(folder.appending("usr/local/lib/systemd/system/modelsync.service"))
                #expect(service.contains("ExecStart=/usr/local/bin/modelsync apply"))
                for command in try Helping.Dump.read() {
                    #expect(installed.contains("share/man/man1/modelsync-\(command.commandName).1"))
                }
                let program = folder.appending("usr/local/bin/modelsync")
                try Tool.run(
                    program, ["apply", share + "/modelsync/manifests/demo.yaml", "--store", folder.appending("s")])
                try make("uninstall", into: folder.path)
                #expect(Self.files(below: folder.path + "/usr/local").isEmpty)
            }
        }

        @Test(.needs("mandoc", "python3")) func theManualPagesAreWellFormed() throws {
            try TemporaryFolder.withNow { folder in
                try Tool.run(Repository.root + "/scripts/man-pages", [Program.path, folder.path])
                let pages = Repository.files(in: folder.path, suffix: ".1")
                let commands = try Helping.Dump.read()
                #expect(pages.count == commands.count + 1)
                try Tool.run(
                    "mandoc",
                    ["-T", "lint", "-W", "warning"] + pages + [Repository.root + "/docs/man/modelsync.yaml.5"])
                for page in pages {
                    let text = readText(page)
                    for section in ["SYNOPSIS", "OPTIONS", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
                        #expect(text.contains(".SH \(section)\n"), "\(page): \(section)")
                    }
                    #expect(text.contains("\\fB143\\fR") || text.contains("\\fB130, 143\\fR"), "\(page)")
                }
            }
        }

        @Test(.needs("dpkg-deb", "dpkg-shlibdeps", "strip", "git", "python3"))
        func thePackageHasItsDependenciesAndIsTheSameEachTime() throws {
            try TemporaryFolder.withNow { folder in
                let environment = [
                    "SOURCE_DATE_EPOCH=1800000000", "DEBFULLNAME=A Tester", "DEBEMAIL=tester@example.org",
                    "COMPRESSION=none",
                ]
                let packages = try ["one", "two"].map { name in
                    try Tool.run(
                        "env", environment + [Repository.root + "/scripts/deb", Program.path, folder.appending(name)]
                    ).split(separator: "\n").map(String.init).last ?? ""
                }
                let digests = try packages.map { try Payload.sha256(ofFile: $0) }
                #expect(digests[0] == digests[1])
                let depends = try Tool.run("dpkg-deb", ["--field", packages[0], "Depends"])
                for name in ["libc6", "libcurl", "libssl", "libyaml-0-2", "libmimalloc", "ca-certificates"] {
                    #expect(depends.contains(name), "\(depends)")
                }
                let contents = try Tool.run("dpkg-deb", ["--contents", packages[0]])
                for name in [
                    "/usr/bin/modelsync", "/lib/systemd/system/modelsync.timer", "/etc/default/modelsync",
                    "/usr/share/man/man1/modelsync-apply.1.gz", "/usr/share/zsh/vendor-completions/_modelsync",
                    "/usr/share/doc/modelsync/copyright", "/usr/share/doc/modelsync/changelog.gz",
                ] {
                    #expect(contents.contains(" .\(name)\n"), "\(name)")
                }
            }
        }
    }
}
