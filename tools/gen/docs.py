# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The generated blocks of the pages under docs/: tables of codes, of formats and of verbs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import click

from efm3.codes import CODES
from efm3.convert import FORMATS
from tools import ROOT
from tools.gen import json_forms
from tools.gen.blocks import fill, table
from tools.gen.commands import verbs
from tools.gen.exits import codes_of


def codes(group: str) -> Iterator[str]:
    """A group of the catalogue: code, what it means, how to fix it."""
    yield from table(("code", "meaning", "what to do"), [
        (c.code, c.sentence, c.fix) for c in CODES.values() if c.group == group])


def formats() -> Iterator[str]:
    """The rows of the converters."""
    yield from table(("source", "suffix", "read as", "written as", "extra for writing"), [
        (f.title, " ".join(f"`{s}`" for s in f.suffixes), f.reads, f.writes,
         f"`{f.extra}`" if f.extra else "") for f in FORMATS.values()])


def exits() -> Iterator[str]:
    """Each verb's exit codes."""
    def cells(codes: dict[int, str]) -> list[str]:
        more: dict[str, list[str]] = {}
        for n, words in codes.items():
            if n > 3:
                more.setdefault(words, []).append(str(n))
        others = "; ".join(f"{', '.join(n)} {words}" for words, n in more.items())
        return [codes.get(n, "–").replace("|", "\\|") for n in range(4)] + [others]
    yield from table(("`efm3`", "0", "1", "2", "3", "other"), [
        (f"`{' '.join(v.words)}`", *cells(codes_of(v.command))) for v in verbs()
        if not isinstance(v.command, click.Group)])


def block(name: str) -> Iterator[str]:
    """The lines of `codes GROUP`, `formats`, `json` or `exits`. KeyError for another name."""
    word, _, group = name.partition(" ")
    return codes(group) if word == "codes" else {
        "formats": formats, "json": json_forms.lines, "exits": exits}[word]()


def _page(path: Path) -> Callable[[], str]:
    return lambda: fill(path.read_text(encoding="utf-8"), block)


PAGES: dict[str, Callable[[], str]] = {
    f"docs/{name}.md": _page(ROOT / "docs" / f"{name}.md")
    for name in ("converters", "exit-codes", "evaluation", "json", "training-data")}
