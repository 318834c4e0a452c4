# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Scaffolds: a working reader, exporter or engine in one file, to be replaced piece by piece."""

from __future__ import annotations

import errno
import os
import shlex
from pathlib import Path
from typing import NamedTuple

from efm3.source import write_atomic

HOME = Path(__file__).parent / "scaffolds"
"""The folder of the sources, KIND.SUFFIX."""

CORE_ENDS = "The command"
"""Start of the comment that ends an exporter's core; what follows is only for the kit."""


class Kind(NamedTuple):
    """What a scaffold is: the option of `run` that tests it, the paths that its command takes
    where they must be spelled out, and the one thing to replace first."""

    option: str
    paths: str
    replace: str


class Language(NamedTuple):
    """A language: its suffix, what it needs, the commands that build it ("" for none) and start
    it, and the kinds that speak the lines protocol."""

    title: str
    suffix: str
    needs: str
    build: str
    start: str
    lines: tuple[str, ...]


KINDS = {
    "reader": Kind("--reader", "", "its reading by your own, and print the document of it"),
    "exporter": Kind("--writer", "", "the source of its tensors by your own"),
    "engine": Kind("--engine", " {model} {input} {output} {layers}",
                   "its loading and computing by your own"),
}
ALIASES = {"writer": "exporter"}
"""Other words for a kind."""

LANGUAGES = {
    "python": Language("Python", "py", "Python 3.10 or newer", "", "python3 {kind}.py",
                       ("reader", "engine")),
    "c": Language("C", "c", "a C11 compiler", "cc -O2 -std=c11 -o {kind} {kind}.c -lm",
                  "./{kind}", ()),
    "rust": Language("Rust", "rs", "rustc", "rustc -O {kind}.rs", "./{kind}", ()),
    "js": Language("JavaScript", "js", "Node 18 or newer", "", "node {kind}.js", ("reader",)),
}

_README = """\
# An EFM3 {kind} in {title}

`{source}` is complete and correct: it passes the conformance kit as it is.
It needs {needs}.
{build}
Run the kit, a few cases first:

```sh
{smoke}
```

Then replace {replace}, and run the kit after each step.
When the smoke cases pass, leave out `--select smoke` to run all of them{strict}.{faster}

Exit code 0 is done and exactly 1 is refused; anything else counts as broken.
`efm3 conformance list` shows the cases, `efm3 explain CODE` says what a rule means, and
`efm3 conformance statement` records what was passed.
"""


def kind_of(word: str) -> str:
    """The kind that a word names. Raises KeyError."""
    kind = ALIASES.get(word, word)
    if kind not in KINDS:
        raise KeyError(f"{word} is not one of {', '.join([*KINDS, *ALIASES])}")
    return kind


def source(kind: str, lang: str) -> Path:
    """The file that is the scaffold. Raises KeyError for an unknown kind or language."""
    return HOME / f"{kind_of(kind)}.{LANGUAGES[lang].suffix}"


def core(path: Path) -> str:
    """An exporter without the command around it, for the guide."""
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    end = next(i for i, line in enumerate(lines) if line.lstrip("/# ").startswith(CORE_ENDS)
               and line[0] in "/#")
    return "".join(lines[:end]).rstrip("\n") + "\n"


def command(kind: str, lang: str, *, lines: bool = False) -> str:
    """The command that starts a scaffold from its own folder, as `run` takes it."""
    word = kind_of(kind)
    start = LANGUAGES[lang].start.format(kind=word)
    return start + (" --lines" if lines else KINDS[word].paths)


def run_command(kind: str, lang: str, *, lines: bool = False) -> str:
    """The whole `efm3 conformance run` for a few cases."""
    words = ["efm3", "conformance", "run", KINDS[kind_of(kind)].option,
             command(kind, lang, lines=lines), *(["--protocol", "lines"] if lines else []),
             "--select", "smoke"]
    return shlex.join(words)


def scaffold(kind: str, lang: str) -> dict[str, str]:
    """File name to text: the source, README.md, and a Makefile where something is built.

    Raises KeyError for an unknown kind or language.
    """
    word, language = kind_of(kind), LANGUAGES[lang]
    path = source(word, lang)
    build = language.build.format(kind=word)
    numpy = ", and numpy" if lang == "python" and word != "reader" else ""
    strict, faster = "", ""
    if word in language.lines:
        faster = ("\n\nOne process for all cases is faster:\n\n```sh\n"
                  f"{run_command(word, lang, lines=True)}\n```")
        strict = ",\nand add `--level coherence` to test the mirror" * (word == "reader")
    files = {
        path.name: path.read_text(encoding="utf-8"),
        "README.md": _README.format(
            kind=word, title=language.title, source=path.name, needs=language.needs + numpy,
            build=f"`make` builds it: `{build}`.\n" if build else "", faster=faster,
            smoke=run_command(word, lang), replace=KINDS[word].replace, strict=strict)}
    if build:
        files["Makefile"] = f"{word}: {path.name}\n\t{build}\n"
    return files


def write(kind: str, lang: str, folder: str | os.PathLike[str], *,
          force: bool = False) -> list[Path]:
    """Write a scaffold into a folder, which is made if it is not there; the files written.

    Raises KeyError, FileExistsError (before anything is written) unless `force`, OSError.
    """
    files = {Path(folder, name): text for name, text in scaffold(kind, lang).items()}
    for path in files:
        if path.exists() and not force:
            raise FileExistsError(errno.EEXIST, "exists already; --force overwrites", str(path))
    Path(folder).mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        write_atomic(path, [text.encode("utf-8")])
    return list(files)
