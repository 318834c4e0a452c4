# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The generated blocks of the pages under docs/: tables of codes and of formats."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from efm3.codes import CODES
from efm3.convert import FORMATS
from tools import ROOT
from tools.gen import json_forms
from tools.gen.blocks import fill, table


def codes(group: str) -> Iterator[str]:
    """A group of the catalogue: code, what it means, how to fix it."""
    yield from table(("code", "meaning", "what to do"), [
        (c.code, c.sentence, c.fix) for c in CODES.values() if c.group == group])


def formats() -> Iterator[str]:
    """The rows of the converters."""
    yield from table(("source", "suffix", "read as", "written as", "extra for writing"), [
        (f.title, " ".join(f"`{s}`" for s in f.suffixes), f.reads, f.writes,
         f"`{f.extra}`" if f.extra else "") for f in FORMATS.values()])


def block(name: str) -> Iterator[str]:
    """The lines of `codes GROUP`, of `formats` or of `json`. Raises KeyError for another name."""
    word, _, group = name.partition(" ")
    return codes(group) if word == "codes" else {
        "formats": formats, "json": json_forms.lines}[word]()


def _page(path: Path) -> Callable[[], str]:
    return lambda: fill(path.read_text(encoding="utf-8"), block)


PAGES: dict[str, Callable[[], str]] = {
    f"docs/{name}.md": _page(ROOT / "docs" / f"{name}.md")
    for name in ("converters", "evaluation", "json", "training-data")}
