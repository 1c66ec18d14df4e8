"""The scripts that teach a shell to complete: ``nodriza --print-completion-script bash``.

Each hands the words up to the cursor to the program itself, as they are (completion.py).
"""

from __future__ import annotations

from .refusal import near, refusal, short

BASH = r"""# eval "$(nodriza --print-completion-script bash)" in ~/.bashrc
_nodriza_complete() {
    local line=${COMP_LINE:0:COMP_POINT} word cut='' found
    local -a words
    # bash ends a word at each colon and equals sign; in provision:server-2 they are part of it.
    read -ra words <<<"$line"
    [[ $line == *[[:space:]] ]] && words+=('')
    word=${words[${#words[@]}-1]}
    case $word in *[:=]*) cut=${word%"${word##*[:=]}"} ;; esac
    COMPREPLY=()
    while IFS=$'\t' read -r found _; do
        COMPREPLY+=("${found#"$cut"}")
    done < <("${words[0]}" --complete -- "${words[@]:1}" 2>/dev/null)
}
complete -o default -F _nodriza_complete fab nodriza
"""
ZSH = r"""#compdef fab nodriza
# eval "$(nodriza --print-completion-script zsh)" in ~/.zshrc
_nodriza_complete() {
    local line
    local -a given names shown
    given=("${(@)words[2,CURRENT-1]}" "$PREFIX")
    for line in "${(@f)$(${~words[1]} --complete -- "${(@)given}" 2>/dev/null)}"; do
        [[ -n $line ]] || continue
        names+=("${line%%$'\t'*}")
        shown+=("${line/$'\t'/  -- }")
    done
    if (( $#names )); then compadd -Q -l -d shown -a names; else _files; fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _nodriza_complete fab nodriza
"""
FISH = r"""# nodriza --print-completion-script fish | source, in ~/.config/fish/config.fish
function __nodriza_complete
    set -l before (commandline --tokenize --cut-at-cursor --current-process)
    set -l word (commandline --current-token --cut-at-cursor)
    set -l found ($before[1] --complete -- $before[2..] "$word" 2>/dev/null)
    if test (count $found) -gt 0
        string join \n -- $found
    else
        __fish_complete_path "$word"
    end
end
complete --command fab --no-files --arguments '(__nodriza_complete)'
complete --command nodriza --no-files --arguments '(__nodriza_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def script(shell: str) -> str:
    """The one for a shell. Raises ``Exit`` for one that is not known."""
    if shell not in SCRIPTS:
        raise refusal(
            f"--print-completion-script {short(shell)}: no such shell is known",
            f"{near(shell, SCRIPTS)}choose from {', '.join(SCRIPTS)}",
        )
    return SCRIPTS[shell]
