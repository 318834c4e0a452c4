# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The catalogue of every code that a user can see, as data.

A code is one row of one file of this package; the file's name is the code's group. Rules on files
(`efm3.rules`), requirements on programs (the conformance kit), refusals of the converters, of
training and evaluation data, of the kit, unreadable files, and the statuses of the C
engine: `efm3 explain`, the generated pages, SARIF, and every error take their texts from here.
Codes never change their meaning.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from typing import NamedTuple

LEVELS = ("structure", "coherence", "values")
"""How deep a file is checked; each level holds the ones before it."""

RULE_GROUPS = ("container", "header", "mirror", "table", "values", "portability")
"""Groups of the rules on files, in the order in which they are run and shown."""

GROUPS = (*RULE_GROUPS, "programs", "source", "convert", "evaluation", "bulk", "training", "kit",
          "engine")
"""Every group: a module of this package."""

STRENGTH = {"error": "MUST", "warning": "SHOULD", "info": "advice"}
"""Severity of a rule or requirement to the word of the spec that states it."""


class Code(NamedTuple):
    """A code: what it says, why that matters, and how to fix it.

    `severity` is error, warning or info. `level` is one of LEVELS for a rule on files, the class
    of implementation (Reader, Writer, Editor, Engine) for a requirement on programs, else "".
    `name` is an identifier for programs.
    """

    code: str
    group: str
    severity: str
    level: str
    name: str
    what: str
    why: str
    fix: str

    @property
    def example(self) -> str:
        """A description of a corpus file that shows a rule, "" for a code that is not a rule."""
        from efm3.codes._examples import EXAMPLES

        return EXAMPLES.get(self.code, "")

    @property
    def clause(self) -> str:
        """Where the spec states it: a file and an anchor, "" for what the spec does not state."""
        stated = self.group in RULE_GROUPS or self.group == "programs"
        return f"spec/EFM3.md#{self.code.lower()}" if stated else ""

    @property
    def sentence(self) -> str:
        """What it says, as a whole sentence: a requirement's `what` is a predicate."""
        article = "An" if self.level[:1] == "E" else "A"
        return f"{article} {self.level} {self.what}." if self.group == "programs" else self.what

    def to_json(self) -> dict[str, str]:
        """The code as a JSON object; every key is always there."""
        return {**self._asdict(), "example": self.example, "clause": self.clause}


def _rows() -> Iterator[Code]:
    for group in GROUPS:
        for code, severity, level, name, what, why, fix in import_module(
                f"efm3.codes.{group}").ROWS:
            yield Code(code, group, severity, level, name, what, why, fix)


CODES: dict[str, Code] = {row.code: row for row in _rows()}
"""Every code, by group, in the order of its file."""


def near(word: str, most: int = 4) -> list[str]:
    """The codes that a user may have meant by `word`, the likeliest first.

    A code's letters in any case, with a digit too few (`x5` for X005), a status without its E_.
    """
    from difflib import get_close_matches

    wanted = word.strip().upper().replace("MFN_", "")
    if not wanted.startswith("E_"):  # letters that are taken for digits
        wanted = wanted[:1] + wanted[1:].replace("-", "").translate(str.maketrans("OIL", "011"))
    head = wanted.rstrip("0123456789")
    number = wanted[len(head):]
    padded = f"{head}{int(number):03}" if number and len(number) < 9 else wanted
    sure = [c for c in (padded, f"E_{word.strip().upper()}") if c in CODES]
    close = get_close_matches(wanted, CODES, n=most, cutoff=0.6)
    return list(dict.fromkeys([*sure, *close]))[:most]
