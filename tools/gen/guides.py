# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The blocks of docs/guides/ and docs/c.md: commands on files of the kit with what they print, and
what README shows too."""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from click.testing import CliRunner

from efm3.cli import cli
from efm3.conformance.cases import corpus
from tools import ROOT
from tools.gen.blocks import fill

SHOWN = {"broken.bin": "bad-t012-half", "pointer.bin": "bad-c010-git-lfs",
         "page.bin": "bad-c011-html", "ncnn.bin": "bad-c027-ncnn-half",
         "swapped.bin": "bad-v001-big-endian"}
"""A reader's file in the guides to the case of the kit that stands for it."""


def stand_ins(folder: Path) -> None:
    """Write the files of SHOWN into a folder."""
    for case in corpus():
        for name in (name for name, known in SHOWN.items() if known == case.id):
            (folder / name).write_bytes(case.data())


def said(line: str) -> Iterator[str]:
    """A command on files of SHOWN, and what it prints, as a fenced block."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        stand_ins(Path(folder))
        os.chdir(folder)
        try:
            done = CliRunner(env={"NO_COLOR": "1", "COLUMNS": "100", "FORCE_COLOR": ""}).invoke(
                cli, line.split()[1:])
        finally:
            os.chdir(before)
    note = f"   # exit code {done.exit_code}" if done.exit_code else ""
    yield from ("```text", f"$ {line}{note}", *done.output.rstrip("\n").split("\n"), "```")


def readme(which: str) -> Iterator[str]:
    """README's fenced block of a language, of several that which begins with a word: `text cc`.
    Raises IndexError where there is none."""
    language, _, start = which.partition(" ")
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    found = [body for name, body in re.findall(r"^```(\w+)\n(.*?)^```", text, re.M | re.S)
             if name == language and body.startswith(start)]
    yield from (f"```{language}", *found[0].rstrip("\n").split("\n"), "```")


def block(name: str) -> Iterator[str]:
    """The lines of `said COMMAND` or `readme LANGUAGE`. KeyError for another name."""
    word, _, line = name.partition(" ")
    return {"said": said, "readme": readme}[word](line)


def _page(path: Path) -> Callable[[], str]:
    return lambda: fill(path.read_text(encoding="utf-8"), block)


PAGES: dict[str, Callable[[], str]] = {
    p.relative_to(ROOT).as_posix(): _page(p) for p in [ROOT / "docs/c.md", *sorted(
        (ROOT / "docs/guides").glob("*.md"))]}
