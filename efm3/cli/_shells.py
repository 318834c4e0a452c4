# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Completion in bash, zsh, fish and PowerShell: a script for each, and what the script asks for.

A script sets _EFM3_COMPLETE and, in _EFM3_LINE, the text of the command up to the cursor, as it was
typed. It gets a line for each candidate: plain, file or dir; a tab; the word; a tab; a description.
`file` and `dir` leave the names to the shell, which knows how to quote them: whatever a file is
called, its name is never in an answer. Words are ours, and quoted by the shell all the same.
"""

from __future__ import annotations

import os
from typing import Any

from click.shell_completion import CompletionItem, ShellComplete, add_completion_class

from efm3.texts import cut, printable

VARIABLE = "_EFM3_COMPLETE"
LINE, BREAKS = "_EFM3_LINE", "_EFM3_BREAKS"
LONGEST = 72
"""Characters of a description: more is not seen beside a word."""


def split(line: str, escape: str = "\\") -> tuple[list[str], str, int]:
    """The words of a line of a shell before the last, the last one, which may be unfinished or "",
    and where in the line's last word what stands in quotes begins, 0 where it is not in quotes.

    `escape` takes the next character as it is, outside of single quotes. In these a backslash
    does the same before a quote and itself, for fish, and in PowerShell a quote stands twice.
    Nothing is expanded.
    """
    words: list[str] = []
    word: list[str] = []
    quote, begun, opened, at = "", False, 0, 0
    while at < len(line):
        c, following = line[at], line[at + 1:at + 2]
        at += 1
        if quote == c:
            if c == "'" and following == "'" and escape == "`":
                word.append(c)
                at += 1
            else:
                quote, opened = "", 0
        elif c == escape and following and quote != "'":
            # In double quotes a POSIX shell keeps a backslash before what it does not take away.
            word.append(following if not quote or escape != "\\" or following in '"\\$`' else
                        c + following)
            at += 1
            begun = True
        elif quote:
            word.append(c)
        elif c in "'\"":
            quote, begun, opened = c, True, len(word)
        elif c.isspace():
            if begun:
                words.append("".join(word))
            word, begun = [], False
        else:
            word.append(c)
            begun = True
    return words, "".join(word), opened


class _Shell(ShellComplete):
    """What the four have in common."""

    script: str
    escape = "\\"
    source_template = ""  # click would put its own variables into it

    def source(self) -> str:
        """The script, which defines the completion of `efm3`."""
        return self.script

    def get_completion_args(self) -> tuple[list[str], str]:
        """The words before the last one, without the command's name; and the last one."""
        words, last, _ = split(os.environ.get(LINE, ""), self.escape)
        while words and "=" in words[0]:  # variables for the command
            words.pop(0)
        return words[1:], last

    def complete(self) -> str:
        """The candidates, a line each; nothing at all where anything fails."""
        try:
            args, last = self.get_completion_args()
            # Of `--option=word` click completes the word, and the shell replaces all.
            head = last[:last.index("=") + 1] if last[:1] == "-" and "=" in last else ""
            lines = [self._line(item, head) for item in self.get_completions(args, last)]
        except Exception:  # whatever it is, a prompt is no place for it
            return ""
        return "\n".join(lines)

    def _line(self, item: CompletionItem, head: str) -> str:
        if item.type != "plain":
            return f"{item.type}\t\t"
        word = self.replaces(head + str(item.value))
        if not word.isascii() or word != printable(word):
            return ""
        # ASCII, whatever the locale of the prompt is.
        about = cut(item.help or "", LONGEST).encode("ascii", "replace").decode()
        return f"plain\t{word}\t{about}"

    def replaces(self, word: str) -> str:
        """What the shell puts in for this word: all of it."""
        return word


class Bash(_Shell):
    """bash from 3.2, which calls files that are completed for some words by their name alone."""

    name = "bash"
    script = r"""# Completion of efm3 in bash.
_efm3_completion() {
    local kind word about also= file
    COMPREPLY=()
    while IFS=$'\t' read -r kind word about; do
        case $kind in
            plain) COMPREPLY+=("$word") ;;
            file) also=file ;;
            dir) also=dir ;;
        esac
    done < <(_EFM3_COMPLETE=bash_complete _EFM3_LINE="${COMP_LINE:0:COMP_POINT}" \
        _EFM3_BREAKS="$COMP_WORDBREAKS" "${1/#\~\//$HOME/}" 2>/dev/null </dev/null)
    if (( ! ${#COMPREPLY[@]} )); then
        # The shell's own completion of names: it quotes what has to be quoted.
        case $also in
            file) compopt -o default ;;
            dir) compopt -o dirnames ;;
        esac
    else
        if [[ $also ]]; then
            while IFS= read -r file; do
                [[ -e $file || -L $file ]] && COMPREPLY+=("$file")
            done < <(compgen -f -- "$2")
        fi
        case "${COMPREPLY[*]}" in
            *[!A-Za-z0-9_.,/\ +-]*) compopt -o filenames ;;
        esac
        [[ $also ]] && compopt -o filenames
    fi 2>/dev/null
    return 0
}
if (( BASH_VERSINFO[0] < 4 )); then
    complete -o default -F _efm3_completion efm3
else
    complete -F _efm3_completion efm3
fi"""

    def replaces(self, word: str) -> str:
        """bash puts in what follows the last character at which it breaks words: a colon, =."""
        _, last, opened = split(os.environ.get(LINE, ""))
        breaks = set(os.environ.get(BREAKS, "")) - set(" \t\n\"'")
        start = opened or max((at + 1 for at, c in enumerate(last) if c in breaks), default=0)
        return word[start:]


class Zsh(_Shell):
    """zsh from 5.0."""

    name = "zsh"
    script = r"""#compdef efm3
# Completion of efm3 in zsh.
_efm3_completion() {
    local kind word about also line program=${(Q)words[1]}
    local -a plain told before
    before=("${(@Q)words[1,CURRENT-1]}")
    line="${(j: :)${(@qq)before}} ${(qq)${(Q)PREFIX}}"
    while IFS=$'\t' read -r kind word about; do
        case $kind in
            plain)
                plain+=("$word")
                word=${word//\\/\\\\}
                told+=("${word//:/\\:}${about:+:$about}") ;;
            file) also=file ;;
            dir) also=dir ;;
        esac
    done < <(_EFM3_COMPLETE=zsh_complete _EFM3_LINE="$line" \
        "${program/#\~\//$HOME/}" 2>/dev/null </dev/null)
    # -U: capitals and small letters are one in a code, so zsh must not compare again.
    (( $#plain )) && _describe -V efm3 told -U
    case $also in
        file) compset -P '--*='; _files ;;
        dir) compset -P '--*='; _files -/ ;;
    esac
    return 0
}
if [[ ${zsh_eval_context[-1]} == loadautofunc ]]; then
    _efm3_completion "$@"
else
    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
    compdef _efm3_completion efm3
fi"""


class Fish(_Shell):
    """fish from 3.1."""

    name = "fish"
    script = r"""# Completion of efm3 in fish.
function _efm3_asked
    set -l line (commandline -cp | string collect)
    if test "$line" != "$_efm3_line"
        set -g _efm3_line $line
        set -l program (string replace -r '^~/' "$HOME/" -- (commandline -opc)[1])
        set -g _efm3_items (_EFM3_COMPLETE=fish_complete _EFM3_LINE=$line \
            $program 2>/dev/null </dev/null)
    end
end
function _efm3_wants -a kind
    _efm3_asked
    string match -q -- "$kind"\t'*' $_efm3_items
end
function _efm3_words
    _efm3_asked
    for item in $_efm3_items
        set -l part (string split -m 2 \t -- $item)
        test "$part[1]" = plain; and printf '%s\t%s\n' $part[2] $part[3]
    end
end
complete -c efm3 -f -k -a '(_efm3_words)'
complete -c efm3 -n '_efm3_wants file' -F
complete -c efm3 -n '_efm3_wants dir' -a '(__fish_complete_directories (commandline -ct) "")'"""


class PowerShell(_Shell):
    """PowerShell from 5.1. Where nothing is told it completes names of files by itself."""

    name = "powershell"
    escape = "`"
    script = r"""# Completion of efm3 in PowerShell.
Register-ArgumentCompleter -Native -CommandName efm3 -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $text = $commandAst.Extent.Text
    $length = $cursorPosition - $commandAst.Extent.StartOffset
    $line = if ($length -gt $text.Length) { $text.PadRight($length) } else {
        $text.Substring(0, $length) }
    $env:_EFM3_COMPLETE = 'powershell_complete'
    $env:_EFM3_LINE = $line
    try {
        $items = @(& $commandAst.GetCommandName() 2>$null)
    } finally {
        Remove-Item Env:_EFM3_COMPLETE, Env:_EFM3_LINE
    }
    foreach ($item in $items) {
        $kind, $word, $about = $item -split "`t", 3
        if ($kind -eq 'plain') {
            $quoted = if ($word -match '[^A-Za-z0-9_./:=+-]') {
                "'" + $word.Replace("'", "''") + "'" } else { $word }
            if (-not $about) { $about = $word }
            [System.Management.Automation.CompletionResult]::new(
                $quoted, $word, 'ParameterValue', $about)
        } elseif ($kind -eq 'file' -or $kind -eq 'dir') {
            [System.Management.Automation.CompletionCompleters]::CompleteFilename($wordToComplete)
        }
    }
}"""


SHELLS: dict[str, type[_Shell]] = {s.name: s for s in (Bash, Zsh, Fish, PowerShell)}
"""The shells by name."""


def register() -> None:
    """Let click answer to these, in place of its own scripts, which do not quote."""
    shell: Any
    for shell in SHELLS.values():
        add_completion_class(shell)
