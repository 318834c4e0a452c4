# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A tested program's command line: its words, its placeholders, its start and its end."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from efm3.findings import shown

ARGUMENTS = {"read": ("file",), "write": ("arch", "tensors", "out"),
             "edit": ("file", "edit", "out"), "embed": ("model", "input", "output")}
"""Verb to the paths that it gets, in order; `embed` may also be given `layers`."""

VERBS = {"reader": "read", "writer": "write", "editor": "edit", "engine": "embed"}
"""Class of implementations to the verb that it answers."""

OPTIONAL = {"embed": ("layers",)}
"""Verb to the paths that a command may leave out."""

_BRACES = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]")


def words_of(command: str) -> list[str]:
    """A command line as words, as a shell splits them; on Windows, where it stands between folders,
    a backslash is itself. Raises ValueError where it holds none or cannot be split."""
    lexer = shlex.shlex(command, posix=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    if sys.platform == "win32":
        lexer.escape = ""
    try:
        words = list(lexer)
    except ValueError as e:
        raise ValueError(f"the command {shown(command)} cannot be split into words: {e}") from None
    if not words:
        raise ValueError("the command is empty")
    return words


def placeholders(words: Iterable[str]) -> list[str]:
    """The names in braces, and each brace that is neither in a pair nor doubled, in order."""
    found = (m for word in words for m in _BRACES.findall(word))
    return [m[1:-1] if len(m) > 1 else m for m in found if m not in ("{{", "}}")]


def check(words: Iterable[str], verbs: Sequence[str]) -> None:
    """Refuse placeholders that no verb knows and, for one verb, to name some of its paths and
    not all. No verb is the lines protocol, whose command has none. Raises ValueError.
    """
    used = placeholders(words)
    known = [n for verb in verbs for n in (*ARGUMENTS[verb], *OPTIONAL.get(verb, ()))]
    strange = [name for name in used if name not in known]
    if strange:
        word = strange[0] if strange[0] in ("{", "}") else "{" + strange[0] + "}"
        there = " ".join("{" + name + "}" for name in dict.fromkeys(known))
        raise ValueError(f"the command holds {word}, which stands for nothing: " + (
            f"there are {there}" if there else "the lines protocol gives the paths in its lines")
            + "; {{ and }} are the braces themselves")
    missing = [n for n in ARGUMENTS[verbs[0]] if n not in used] if len(verbs) == 1 else []
    if used and missing:
        raise ValueError("the command holds {" + used[0] + "} and not {" + missing[0]
                         + "}: name every path, or none to get all appended")


def filled(words: Iterable[str], paths: Mapping[str, str]) -> list[str]:
    """The words with paths in the placeholders' places and doubled braces as single ones."""
    def one(match: re.Match[str]) -> str:
        found = match[0]
        return found[0] if found in ("{{", "}}") else paths.get(found[1:-1], found)
    return [_BRACES.sub(one, word) for word in words]


def start(words: list[str], stderr: int | None = None,
          **variables: str) -> subprocess.Popen[bytes]:
    """Start a program with its streams as pipes, in a group of its own. Raises OSError."""
    return subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr,
                            env=os.environ | variables, start_new_session=True)


def kill(process: subprocess.Popen[bytes]) -> None:
    """End a program and those that it started: they would keep its pipes open."""
    with contextlib.suppress(OSError):
        if sys.platform == "win32":  # which has no groups, and a program for that
            subprocess.run(["taskkill", "/f", "/t", "/pid", str(process.pid)], check=False,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
        else:
            os.killpg(process.pid, signal.SIGKILL)
    process.kill()
    process.wait()


def cannot(words: list[str], error: OSError) -> str:
    """Why a command cannot be run, in words."""
    name = words[0]
    if isinstance(error, FileNotFoundError) and os.sep not in name:
        here = f"; the file here is ./{name}" if Path(name).is_file() else ""
        return f"{name} cannot be run: no folder of PATH has it{here}"
    if isinstance(error, FileNotFoundError) and Path(name).is_file():
        return f"{name} cannot be run: the interpreter in its first line is missing"
    if isinstance(error, PermissionError) and Path(name).is_file():
        return f"{name} cannot be run: it is not executable"
    if error.strerror and "format" in error.strerror:
        return f"{name} cannot be run: it is neither a program nor has a first line with #!"
    return f"{name} cannot be run: {error.strerror or error}"
