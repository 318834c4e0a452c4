# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Which pages the site has, in which order, and what a person reads in its navigation."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from efm3.codes import CODES, GROUPS
from efm3.forms.codes_page import TITLES
from tools import ROOT
from tools.gen.commands import Verb, inner, verbs
from tools.site import api
from tools.site import verbs as verb_pages
from tools.site.links import CODE_PAGES, code_page, place

Entry: TypeAlias = "str | tuple[str, str | list[Entry]]"
"""A page, which its own heading names; a page with another name; a name and what is below it."""

HAND: list[tuple[str, list[str]]] = [
    ("Guides", ["guides/does-not-load", "guides/other-format", "guides/photographs",
                "guides/faster", "guides/exporter", "guides/firmware"]),
    ("Manual", ["tour", "python", "c", "photos", "bulk", "search", "pictures", "precision",
                "converters", "evaluation", "training", "training-data", "drawn", "page", "report",
                "web", "editors", "shells", "ci", "json", "exit-codes", "firmware", "performance",
                "systems", "wheels"]),
]
"""Chapters of pages of docs/ by their names. What is in no chapter comes at the last one's end."""

FORMAT = ("spec/EFM3.md", "spec/exporters.md", "spec/conformance.md", "spec/coverage.md",
          "spec/vectors/README.md")
PROJECT = ("docs/architecture.md", "CONTRIBUTING.md", "SECURITY.md", "weights/README.md",
           "examples/README.md", "engine/wasm/README.md", "docs/releasing.md", "CHANGELOG.md")


def decisions() -> list[str]:
    """The pages of decisions, in their order."""
    return [p.relative_to(ROOT).as_posix() for p in sorted((ROOT / "spec/decisions").glob("*.md"))]


def sources() -> list[str]:
    """Every page that is written by hand or has generated blocks, as a path of the project.
    Raises FileNotFoundError for one that is not there, ValueError for one that has no place."""
    docs = [name for _, names in chapters() for name in names]
    listed = ["docs/index.md", *docs, *FORMAT, *decisions(), *PROJECT]
    lost = [name for name in listed if not (ROOT / name).is_file()]
    if lost:
        raise FileNotFoundError(", ".join(lost))
    left = sorted({p.relative_to(ROOT).as_posix() for p in (ROOT / "spec").rglob("*.md")
                   if "cases" not in p.parts} - {*listed, *CODE_PAGES})
    if left:
        raise ValueError(f"no place in tools/site/plan.py: {', '.join(left)}")
    return listed


def chapters() -> list[tuple[str, list[str]]]:
    """The chapters of docs/: a title, and the paths of its pages."""
    named = [(title, [f"docs/{name}.md" for name in names]) for title, names in HAND]
    listed = {"docs/index.md", *CODE_PAGES, *PROJECT}.union(*(names for _, names in named))
    there = {p.relative_to(ROOT).as_posix() for p in (ROOT / "docs").rglob("*.md")}
    named[-1][1].extend(sorted(there - listed))
    return named


def navigation() -> list[Entry]:
    """What the site's navigation shows, every page once."""
    there = {*sources()}

    def pages(names: list[str] | tuple[str, ...]) -> list[Entry]:
        return [(heading(ROOT / n), place(n)) for n in names if n in there]

    hand: list[Entry] = [(title, pages(names)) for title, names in chapters()]
    codes: list[Entry] = ["codes/index.md"]
    codes += [(TITLES[group], [(c, code_page(c)) for c, row in CODES.items()
                               if row.group == group]) for group in GROUPS]
    python: list[Entry] = ["api/index.md", *((room, api.path(room)) for room in api.rooms())]
    return [("Start", "index.md"), *hand, ("Commands", _commands()), ("Codes", codes),
            ("Python API", python),
            ("Format", [*pages(FORMAT), ("Decisions", pages(decisions()))]),
            ("Project", pages(PROJECT))]


def _commands() -> list[Entry]:
    def entry(verb: Verb) -> Entry:
        name, below = " ".join(verb.words), inner(verb)
        page = verb_pages.path(verb)
        return (name, [page, *map(entry, below)]) if below else (name, page)

    top = verbs()[0]
    return [verb_pages.path(top), *map(entry, inner(top))]


def heading(path: Path) -> str:
    """A page's first heading. Raises ValueError where there is none."""
    found = re.search(r"^# (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ValueError(f"{path}: no heading")
    return found[1].replace("`", "")


def toml(entries: list[Entry]) -> str:
    """Entries as an array of TOML."""
    def one(entry: Entry) -> str:
        if isinstance(entry, str):
            return json.dumps(entry)
        name, below = entry
        return f"{{ {json.dumps(name)} = {one(below) if isinstance(below, str) else toml(below)} }}"
    return f"[{', '.join(map(one, entries))}]"


def listed(entries: list[Entry]) -> list[str]:
    """Every page of the entries, in their order."""
    out: list[str] = []
    for entry in entries:
        below = entry if isinstance(entry, str) else entry[1]
        out += [below] if isinstance(below, str) else listed(below)
    return out


def all_of(made: Mapping[str, str]) -> None:
    """Raises ValueError where the pages that were made are not those of the navigation."""
    shown = listed(navigation())
    if sorted(shown) != sorted(made):
        raise ValueError(f"not in the navigation, or no page: {sorted({*shown} ^ {*made})}")
