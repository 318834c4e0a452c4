# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a bug report should say of an installation, and what is broken in it: `examine()`.

Nothing of it is sent anywhere. Paths below the user's home folder begin with ~.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from efm3.doctor import _libraries, _surroundings

__all__ = ["Diagnosis", "Problem", "examine"]


@dataclass(frozen=True)
class Problem:
    """Something that is broken, and what mends it."""

    what: str
    fix: str


@dataclass(frozen=True)
class Diagnosis:
    """What was found; `facts` as docs/json.md describes them for `efm3 doctor --json`."""

    facts: dict[str, Any]
    problems: tuple[Problem, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """True where nothing is broken. What is not installed is not broken."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object."""
        return {"ok": self.ok, **self.facts, "problems": [vars(p) for p in self.problems],
                "notes": [*self.notes]}

    def text(self, width: int = 80) -> str:
        """Plain lines of at most `width` columns where their words allow it, to be pasted into a
        report. Safe for a terminal, whatever names and messages hold."""
        from efm3.doctor import _text

        return _text.page(self.to_json(), width)


def examine(quick: bool = False, colours: bool | None = None) -> Diagnosis:
    """Look at the installation, this process and its surroundings; seconds, for libraries are
    tried in a process of their own, and the engine is compared with the reference.

    `quick` only reads what is installed, and loads the engine. `colours` is what the caller does
    on its terminal.
    """
    from efm3.doctor import _engine

    problems: list[Problem] = []
    notes: list[str] = []

    def broken(what: str, fix: str) -> None:
        problems.append(Problem(_surroundings.short(what), fix))

    required, extras = _libraries.survey(quick, broken, notes.append)
    facts: dict[str, Any] = {
        "quick": quick,
        "package": _surroundings.package(broken, notes.append),
        "python": _surroundings.python(),
        "platform": _surroundings.platform(),
        "libraries": required,
        "engine": _engine.state(quick, broken, notes.append),
        "threads": _surroundings.threads(),
        "extras": extras,
        "folders": _surroundings.folders(broken, notes.append),
        "config": _surroundings.config(broken),
        "streams": _surroundings.streams(),
        "terminal": {**_surroundings.terminal(), "colours": colours},
    }
    return Diagnosis(facts, tuple(problems), tuple(map(_surroundings.short, notes)))
