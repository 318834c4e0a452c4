# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Names cut to a width so that they stay apart, and what a mistyped one may have meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from efm3.texts import printable

LONGEST = 200
"""Characters of a word for which others are sought that are like it."""
MARK = "…"
_SHARES = (0.5, 0.25, 0.75, 0.0, 1.0)
"""How much of the room the beginning gets, the end the rest: what is tried, in this order."""


def meant(word: str, names: Iterable[str], most: int = 3) -> str:
    """"; did you mean A or B?" of the names that are like `word`, "" where none is."""
    close = get_close_matches(word[:LONGEST], list(names), most)
    return f"; did you mean {' or '.join(map(printable, close))}?" if close else ""


def _cells(text: str) -> int:
    from rich.cells import cell_len

    return cell_len(text)


def _start(text: str, room: int) -> str:
    """As much of the beginning as fits into so many columns."""
    while _cells(text) > room:
        text = text[:-1]
    return text


def _end(text: str, room: int) -> str:
    return _start(text[::-1], room)[::-1]


def middle(name: str, room: int, share: float = 0.5) -> str:
    """A name of at most `room` columns of a terminal: a longer one loses its middle."""
    if len(name) <= room and _cells(name) <= room:
        return name
    first = round((room - 1) * share)
    # No more characters than columns are of use, but for those that take none.
    return _start(name[:4 * room], first) + MARK + _end(name[-4 * room:], room - 1 - first)


def apart(names: Sequence[str], room: int) -> list[str]:
    """The names in this order, each of at most `room` columns (8 or more): a longer one loses
    its middle. Different names are shown differently: where no such cut does that, by where they
    begin to differ, else with numbers, equal names with one."""
    several = dict.fromkeys(names)
    for share in _SHARES:
        shown = {name: middle(name, room, share) for name in several}
        if len(set(shown.values())) == len(several):
            return [shown[name] for name in names]
    long = [name for name in several if _cells(name) > room]
    # Without two that differ nothing is left out of the one's beginning.
    begun = next((at for at, same in enumerate(zip(*long, strict=False)) if len({*same}) > 1), 0)
    shown = {name: name if name not in long else
             MARK + _start(name[begun:begun + room], room - 2) + MARK for name in several}
    if len(set(shown.values())) == len(several):
        return [shown[name] for name in names]
    number = {name: f"{n}{MARK}" for n, name in enumerate(several, 1)}
    return [number[name] + _end(name[-4 * room:], max(0, room - len(number[name])))
            for name in names]
