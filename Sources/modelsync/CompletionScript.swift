/// What the argument parser's generated scripts lack. In bash a word ends at `:`, so that `tag:NAME` would be three; fish
/// can't tell where the cursor is while `complete -C` asks; a failure would be printed into the line that somebody types;
/// and `help` has no completions.
enum CompletionScript {
    /// The text, mended if it is a completion script.
    static func mended(_ text: String, commands: [String]) -> String {
        let names = commands.joined(separator: " ")
        if text.hasPrefix("#!/bin/bash\n") { return bash(text, names) }
        if text.hasPrefix("#compdef ") { return zsh(text, names) }
        return text.hasPrefix("function __modelsync_") ? fish(text, names) : text
    }

    private static func bash(_ text: String, _ names: String) -> String {
        let call = #""${COMP_WORDS[0]}" "${@}" "${words[@]}""#
        return "# bash completion for modelsync\n"
            + text.dropFirst("#!/bin/bash\n".count).replacing(call, with: call + " 2>/dev/null")
            .replacing("complete -o filenames -F _modelsync modelsync", with: joining(names))
    }

    /// Puts together what bash took apart at `:`, takes `--option=value` for two words, asks, and takes off again what stands before the last `:`.
    private static func joining(_ names: String) -> String {
        #"""
        _modelsync_joined() {
            local -a joined=()
            local -i index cursor=0
            local word cur="${2}"
            for ((index = 0; index < ${#COMP_WORDS[@]}; index++)); do
                word="${COMP_WORDS[index]}"
                if [[ "${word}" = = && index -gt 0 && "${joined[-1]}" = --* ]]; then
                    [[ index -eq COMP_CWORD ]] || continue
                    word=
                fi
                if [[ ${#joined[@]} -gt 1 && -n "${word}" && "${joined[-1]}${word}" = *:* ]] \
                    && [[ "${word}" = : || "${joined[-1]}" = *: ]] && [[ "${COMP_LINE}" = *"${joined[-1]}${word}"* ]]
                then
                    [[ index -eq COMP_CWORD ]] && cur="${joined[-1]}${word}"
                    joined[-1]+="${word}"
                else
                    joined+=("${word}")
                fi
                [[ index -eq COMP_CWORD ]] && cursor=$((${#joined[@]} - 1))
            done
            if [[ "${cursor}" -eq 2 && "${joined[1]}" = help ]]; then
                COMPREPLY=($(compgen -W '\#(names)' -- "${cur}"))
                return
            fi
            local -a COMP_WORDS=("${joined[@]}")
            local -i COMP_CWORD=cursor
            _modelsync "${1}" "${cur}" "${joined[cursor - 1]}"
            if [[ "${cur}" = *:* && "${COMP_WORDBREAKS}" = *:* ]]; then
                COMPREPLY=("${COMPREPLY[@]#"${cur%:*}:"}")
            fi
        }

        complete -o filenames -F _modelsync_joined modelsync
        """#
    }

    private static func zsh(_ text: String, _ names: String) -> String {
        let call = #""${command_line[@]}""#
        return text.replacing(call + ")\"}\")", with: call + " 2>/dev/null)\"}\")")
            .replacing("'*:subcommands:'", with: "'*:subcommands:(\(names))'")
    }

    private static func fish(_ text: String, _ names: String) -> String {
        text.replacing("(__modelsync_tokens -tC)", with: "0")
            .replacing("command $tokens[1] $argv $tokens\n", with: "command $tokens[1] $argv $tokens 2>/dev/null\n")
                + """

                complete -c 'modelsync' -n '__modelsync_should_offer_completions_for_positional "modelsync help" -eq 1' \
                -fka '\(names)'
                """
    }
}
