# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The generated blocks of docs/architecture.md: tools/layers.py as a table and as a picture."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tools import ROOT, layers
from tools.gen.blocks import fill, table

PAGE = "docs/architecture.md"


def imports() -> dict[str, list[str]]:
    """Room to the rooms that it imports, both from the ground up."""
    found = {(layers.room(a.source), layers.room(a.target))
             for a in layers.arrows(layers.files())}
    return {one: [two for two in layers.RANK if one != two and (one, two) in found]
            for one in layers.RANK}


def direct(known: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """The imports that do not follow from others: A of C is left out where A has B and B has C."""
    reach: dict[str, set[str]] = {}
    for one in layers.RANK:  # from the ground up: what a room imports is done before it
        reach[one] = set(known[one]).union(*(reach[two] for two in known[one]))
    return {one: [two for two in known[one]
                  if not any(two in reach[other] for other in known[one])]
            for one in layers.RANK}


def rooms() -> Iterator[str]:
    """A line for each room, from the ground up."""
    known = imports()
    yield from table(("floor", "room", "holds", "imports"), [
        (layers.RANK[room], f"`{_title(room)}`", words, ", ".join(known[room]))
        for room in layers.RANK for words in [layers.WORDS[room]]])


def picture() -> Iterator[str]:
    """The rooms of efm3/ as a flowchart, what imports above what is imported."""
    own = [[r for r in floor if not r.startswith(("tools", "tests"))] for floor in layers.FLOORS]
    yield "```mermaid"
    yield "flowchart TB"
    for number, floor in reversed(list(enumerate(own))):
        if floor:
            yield f'  subgraph f{number}["{number}"]'
            yield from (f'    {_node(room)}["{room}"]' for room in floor)
            yield "  end"
    for one, targets in direct(imports()).items():
        if targets and not one.startswith("tools"):
            yield f"  {_node(one)} --> {' & '.join(map(_node, targets))}"
    yield "```"


def _node(room: str) -> str:
    return f"r_{room.strip('_')}"


def _title(room: str) -> str:
    """The room's file or folder."""
    if room.startswith("tools"):
        return f"{room.replace('.', '/')}/"
    if room == "efm3":
        return "efm3/__init__.py"
    if room == "tests":
        return "tests/"
    return f"efm3/{room}/" if (ROOT / "efm3" / room).is_dir() else f"efm3/{room}.py"


BLOCKS: dict[str, Callable[[], Iterator[str]]] = {"rooms": rooms, "picture": picture}


def text() -> str:
    """The page with its blocks regenerated."""
    return fill((ROOT / PAGE).read_text(encoding="utf-8"), lambda name: BLOCKS[name]())


PAGES = {PAGE: text}
