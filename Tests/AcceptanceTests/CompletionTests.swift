import Foundation
import TestSupport
import Testing

extension AcceptanceTests {
    /// What a shell offers after a TAB: the generated scripts in the shells themselves.
    @Suite struct Completing {
        /// A store with `kind/one` (two files) and `kind/two`, and `m.yaml` that has them with tags.
        private static func world(_ body: (World) async throws -> Void) async throws {
            try await World.with { world in
                let (a, b) = (try world.document("a.bin", 10, seed: 1), try world.document("b.bin", 20, seed: 2))
                let manifest = try world.manifest(
                    .init("kind/one", tags: ["vad", "voice"], files: [a.file("documents"), b.file("documents")]),
                    .init("kind/two", tags: ["$(touch stolen)"], files: [b.file("documents")]), named: "m.yaml")
                let result = try await world.run("apply", manifest)
                #expect(result.exitCode == 0, "\(result)")
                try await body(world)
            }
        }

        /// Line to complete, and what must be offered for it.
        private static let cases: [(line: [String], offered: [String])] = [
            (["app"], ["apply"]),
            (["help", "ver"], ["verify"]),
            (["show", ""], ["kind/one", "kind/two"]),
            (["path", "kind/one", ""], ["a.bin", "b.bin"]),
            (["remove", "kind/two", "kind/o"], ["kind/one"]),
            (["validate", "m."], ["m.yaml"]),
            (["apply", "m.yaml", "--only", "kind/t"], ["kind/two"]),
            (["apply", "m.yaml", "--only", "tag:v"], ["tag:vad", "tag:voice"]),
            (["apply", "m.yaml", "--only", "tag:"], ["tag:vad", "tag:voice"]),
            (["list", "--format", ""], ["text", "json"]),
        ]

        /// Runs a script of the shell in the world's folder, with the program on its PATH and its completions in a file.
        private func offered(_ world: World, _ shell: String, _ script: String, _ line: [String]) throws -> Set<String>
        {
            let completions = try Tool.run(Program.path, ["--generate-completion-script", shell])
            let file = try world.folder.write(completions, to: "completions")
            let main = try world.folder.write(script, to: "main")
            let bin = URL(fileURLWithPath: Program.path).deletingLastPathComponent().path
            // A shell that waits for what does not come is not to hold up all tests.
            let output = try Tool.run(
                "timeout",
                [
                    "60", "env", "-C", world.folder.path, "PATH=\(bin):/usr/bin:/bin", "MODELSYNC_STORE=\(world.store)",
                    "TERM=dumb",
                ]
                    + [shell, shell == "fish" ? "--no-config" : shell == "zsh" ? "-f" : "--norc", main, file] + line)
            return Set(output.split(whereSeparator: \.isNewline).map(String.init))
        }

        @Test func bashOffersNamesFilesAndTags() async throws {
            // Splits at colons and equals signs as readline does, and puts back what it leaves on the line.
            let script = #"""
                source "$1"; shift
                COMP_LINE="modelsync $*"; COMP_POINT=${#COMP_LINE}; COMP_WORDS=(modelsync "${@:1:$#-1}")
                last="${!#}"; kept=
                if [[ "$last" = --*=* ]]; then COMP_WORDS+=("${last%%=*}" =); kept="${last%%=*}="; last="${last#*=}"; fi
                if [[ "$last" = *:* ]]; then COMP_WORDS+=("${last%%:*}" :); kept="${last%%:*}:"; last="${last#*:}"; fi
                [[ -z "$last" && -n "$kept" ]] || COMP_WORDS+=("$last")
                COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
                _modelsync_joined modelsync "$last" "${COMP_WORDS[COMP_CWORD - 1]}"
                for reply in "${COMPREPLY[@]}"; do echo "$kept$reply"; done
                """#
            try await Self.world { world in
                for (line, expected) in Self.cases + [(["list", "--color=a"], ["--color=auto", "--color=always"])] {
                    let found = try offered(world, "bash", script, line)
                    #expect(found == Set(expected), "\(line)")
                }
                #expect(!FileManager.default.fileExists(atPath: world.folder.appending("stolen")))
            }
        }

        @Test(.needs("fish")) func fishOffersNamesFilesAndTags() async throws {
            let script = """
                source $argv[1]
                complete -C "modelsync $argv[2..]" | string replace -r '\\t.*' ""
                true
                """
            try await Self.world { world in
                for (line, expected) in Self.cases {
                    let found = try offered(world, "fish", script, line)
                    #expect(found == Set(expected), "\(line)")
                }
            }
        }

        @Test(.needs("zsh")) func zshOffersNamesFilesAndTags() async throws {
            // A shell on a terminal of its own tells what it would add to the line.
            let script = #"""
                zmodload zsh/zpty
                completions=$1; shift
                zpty shell zsh -f -i
                read_to() { zpty -r shell reply "*$1*" }
                zpty -w shell "PS1=; stty cols 1000 -echo; autoload -U compinit; compinit -u -D; source $completions; print REA''DY"
                read_to READY
                zpty -w shell 'compadd() { local -a hits=(); builtin compadd -O hits "$@"; builtin compadd "$@"; local hit; for hit in $hits; do print -r -- "HIT<$hit>"; done; }; finished() { print E""ND; }; comppostfuncs=(finished); zstyle ":completion:*" menu no; bindkey "^I" list-choices; print REA""DY2'
                read_to READY2
                zpty -w -n shell "modelsync ${(j: :)@}"$'\t'
                read_to END
                print -r -- "$reply" | tr -d '\r' | sed -n 's/.*HIT<\(.*\)>.*/\1/p'
                zpty -d shell
                """#
            try await Self.world { world in
                for (line, expected) in Self.cases {
                    let found = try offered(world, "zsh", script, line)
                    #expect(found == Set(expected), "\(line)")
                }
            }
        }

        @Test func whereThereIsNoStoreNothingIsOfferedSaidOrMade() async throws {
            try await World.with { world in
                let broken = try world.folder.write("models: [", to: "broken.yaml")
                for line in [
                    ["show", "--", "positional@0"], ["apply", "--", "--only"], ["path", "--", "positional@1"],
                ] {
                    let words = ["modelsync", line[0], broken, "--only", "x", "--store", world.store]
                    let result = try await world.program.run(["---completion"] + line + ["2", "0"] + words)
                    #expect(result.exitCode == 0 && result.output == "\n", "\(result)")
                    #expect(!world.storeExists)
                }
            }
        }
    }
}
