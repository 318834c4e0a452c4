# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Scaffolds: a working reader, exporter, editor or engine, to be replaced piece by piece.

Each is one file of its language's standard library (numpy in Python's exporter and engine); the
editor has a reader beside it.
"""

from __future__ import annotations

import errno
import os
import shlex
import shutil
from pathlib import Path
from typing import NamedTuple

from efm3.source import write_atomic

HOME = Path(__file__).parent / "scaffolds"
"""The folder of the sources, KIND.SUFFIX."""

CORE_ENDS = "The command"
"""Start of the comment that ends an exporter's core; what follows is only for the kit."""


class Kind(NamedTuple):
    """What a scaffold is: the option of `run` that tests it, the paths that its command takes
    where they must be spelled out, the one thing to replace first, and the kind of the file that
    it needs beside it ("" for none)."""

    option: str
    paths: str
    replace: str
    beside: str = ""


class Language(NamedTuple):
    """A language: its suffix, what it needs, the programs that must be there, the commands that
    build it ("" for none) and start it, and the kinds that speak the lines protocol."""

    title: str
    suffix: str
    needs: str
    tools: tuple[str, ...]
    build: str
    start: str
    lines: tuple[str, ...]


KINDS = {
    "reader": Kind("--reader", "", "its reading by your own, and print the document of it"),
    "exporter": Kind("--writer", "", "the source of its tensors by your own"),
    "editor": Kind("--editor", "", "its reading and writing by your own", "reader"),
    "engine": Kind("--engine", " {model} {input} {output} {layers}",
                   "its loading and computing by your own"),
}
ALIASES = {"writer": "exporter"}
"""Other words for a kind."""

_ALL = ("reader", "exporter", "engine")
LANGUAGES = {
    "python": Language("Python", "py", "Python 3.10 or newer", ("python3",), "",
                       "python3 {kind}.py", ("reader", "engine")),
    "c": Language("C", "c", "a C11 compiler", ("cc",), "cc -O2 -std=c11 -o {kind} {kind}.c -lm",
                  "./{kind}", ()),
    "rust": Language("Rust", "rs", "rustc", ("rustc",), "rustc -O {kind}.rs", "./{kind}", ()),
    "js": Language("JavaScript", "js", "Node 18 or newer", ("node",), "", "node {kind}.js",
                   ("reader",)),
    "go": Language("Go", "go", "Go 1.18 or newer", ("go",), "go build -o {kind} {kind}.go",
                   "./{kind}", _ALL),
    "java": Language("Java", "java", "a JDK 17 or newer", ("javac", "jar", "java"),
                     "javac -d classes {kind}.java && jar cfe {kind}.jar {Kind} -C classes .",
                     "java -jar {kind}.jar", _ALL),
    "kotlin": Language("Kotlin", "kt", "Kotlin 1.3 or newer and Java 11 or newer",
                       ("kotlinc", "java"),
                       "kotlinc {kind}.kt -include-runtime -d {kind}.jar",
                       "java -jar {kind}.jar", _ALL),
    "csharp": Language("C#", "cs", "Mono 6 or newer with mcs", ("mcs", "mono"),
                       "mcs -optimize -r:System.Numerics.dll -out:{kind}.exe {kind}.cs",
                       "mono {kind}.exe", _ALL),
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
    """The file that is the scaffold. Raises KeyError for an unknown kind or language, and for a
    kind that there is not in the language."""
    word = kind_of(kind)
    path = HOME / f"{word}.{LANGUAGES[lang].suffix}"
    if not path.is_file():
        there = ", ".join(known for known in LANGUAGES
                          if (HOME / f"{word}.{LANGUAGES[known].suffix}").is_file())
        raise KeyError(f"there is no {word} in {LANGUAGES[lang].title}; there is one in {there}")
    return path


def pairs() -> list[tuple[str, str]]:
    """(kind, language) of every scaffold that there is."""
    return [(kind, lang) for lang, language in LANGUAGES.items() for kind in KINDS
            if (HOME / f"{kind}.{language.suffix}").is_file()]


def missing(lang: str) -> list[str]:
    """The programs that a language needs and that are not on this machine."""
    return [tool for tool in LANGUAGES[lang].tools if not shutil.which(tool)]


def build(kind: str, lang: str) -> str:
    """The command that builds a scaffold in its own folder, for a shell; "" where none is due."""
    word = kind_of(kind)
    return LANGUAGES[lang].build.format(kind=word, Kind=word.capitalize())


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

    Raises KeyError as `source` does.
    """
    word, language = kind_of(kind), LANGUAGES[lang]
    path, beside, make = source(word, lang), KINDS[word].beside, build(word, lang)
    numpy = ", and numpy" if lang == "python" and word in ("exporter", "engine") else ""
    strict, faster = "", ""
    if word in language.lines:
        faster = ("\n\nOne process for all cases is faster:\n\n```sh\n"
                  f"{run_command(word, lang, lines=True)}\n```")
        strict = ",\nand add `--level coherence` to test the mirror" * (word == "reader")
    files = {
        part.name: part.read_text(encoding="utf-8")
        for part in [path, *([source(beside, lang)] if beside else [])]} | {
        "README.md": _README.format(
            kind=word, title=language.title, source=path.name, needs=language.needs + numpy,
            build=f"`make` builds it: `{make}`.\n" if make else "", faster=faster,
            smoke=run_command(word, lang), replace=KINDS[word].replace, strict=strict)}
    if make:
        product = language.start.format(kind=word).split()[-1].removeprefix("./")
        files["Makefile"] = f"{product}: {path.name}\n\t{make}\n"
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
