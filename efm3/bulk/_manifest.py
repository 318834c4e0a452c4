# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a table says of itself: its job, its counts, whether it is whole. As JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from efm3.bulk.row import FORMAT, Job
from efm3.findings import printable, refuse, shown
from efm3.precision import PRECISIONS
from efm3.source import open_regular
from efm3.texts import dumps
from efm3.version import __version__

MAX_TEXT = 1 << 20
"""Most bytes of a manifest."""
MAX_DIM, MAX_ROWS = 1 << 16, 1 << 40
_HEX = frozenset("0123456789abcdef")
BEFORE = {"precision": PRECISIONS[0]}
"""What an option was before tables stated it."""


@dataclass(frozen=True)
class Counts:
    """Pictures; rows with an embedding; rows without one, and how many of each code."""

    pictures: int = 0
    faces: int = 0
    errors: int = 0
    codes: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """All rows."""
        return self.faces + self.errors

    def __add__(self, other: Counts) -> Counts:
        codes = dict(self.codes)
        for code, n in other.codes.items():
            codes[code] = codes.get(code, 0) + n
        return Counts(self.pictures + other.pictures, self.faces + other.faces,
                      self.errors + other.errors, dict(sorted(codes.items())))

    def to_json(self) -> dict[str, Any]:
        """As the manifest's keys."""
        return {"rows": self.rows, "pictures": self.pictures, "faces": self.faces,
                "errors": self.errors, "codes": self.codes}


@dataclass(frozen=True)
class Manifest:
    """`version` is the program's; `extra` is what the run adds, under names of its own."""

    job: Job
    counts: Counts = Counts()
    complete: bool = False
    version: str = __version__
    extra: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        job = self.job
        return {**self.extra, "format": FORMAT, "model": job.model, "dim": job.dim,
                "options": job.options, "version": self.version, **self.counts.to_json(),
                "complete": self.complete}

    def text(self) -> str:
        """As text of JSON, of ASCII alone."""
        return dumps(self.to_json(), indent=1) + "\n"


def parse(text: str | bytes, place: str) -> Manifest:
    """The manifest that a text holds. Raises Efm3Error B008."""
    try:
        value = json.loads(text) if len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        found = value.get("format") if isinstance(value, dict) else "no JSON object"
        refuse("B008", f"its manifest is of another format: {shown(found)}, not {FORMAT}", place,
               shown(found), FORMAT)
    value.pop("format")
    codes = _taken(value, "codes", dict, place)
    pictures, faces, errors = (_number(value, name, place)
                               for name in ("pictures", "faces", "errors"))
    counts = Counts(pictures, faces, errors, {k: _number(codes, k, place) for k in list(codes)})
    model, version = _taken(value, "model", str, place), _taken(value, "version", str, place)
    if len(model) != 64 or not _HEX.issuperset(model):
        refuse("B008", f"its manifest's model is no SHA-256: {shown(model)}", place)
    dim = _number(value, "dim", place)
    if not 0 < dim <= MAX_DIM:
        refuse("B008", f"its manifest states {dim} dimensions", place, str(dim), f"1 to {MAX_DIM}")
    job = Job(model, dim, _taken(value, "options", dict, place))
    complete = _taken(value, "complete", bool, place)
    value.pop("rows", None)
    return Manifest(job, counts, complete, version, value)


def _taken(value: dict[str, Any], name: str, kind: type, place: str) -> Any:
    found = value.pop(name, None)
    if type(found) is not kind:
        refuse("B008", f"its manifest's {printable(name)[:60]} is {shown(found)}", place,
               shown(found), kind.__name__)
    return found


def _number(value: dict[str, Any], name: str, place: str) -> int:
    found = value.pop(name, None)
    if type(found) is not int or not 0 <= found < MAX_ROWS:
        refuse("B008", f"its manifest's {printable(name)[:60]} is {shown(found)}", place,
               shown(found), "a count")
    return found


def load(path: str) -> Manifest:
    """The manifest in a file. Raises Unreadable and Efm3Error B008."""
    with open_regular(path) as f:
        return parse(f.read(MAX_TEXT + 1), path)


def same_job(there: Job, now: Job, place: str) -> None:
    """Refuse rows of another model or of other choices, told with what differs. Raises B004."""
    known = json.loads(dumps(now.options))
    pairs: Iterable[tuple[str, Any, Any]] = [
        ("model", there.model, now.model), ("dim", there.dim, now.dim),
        *((name, *(options.get(name, BEFORE.get(name)) for options in (there.options, known)))
          for name in sorted({*there.options, *known}))]
    differ = [(name, a, b) for name, a, b in pairs if a != b or type(a) is not type(b)]
    if differ:
        told = "; ".join(f"{printable(str(name))[:60]}: {_short(a)} there, {_short(b)} now"
                         for name, a, b in differ[:8])
        refuse("B004", f"its rows are not of this job: {told}", place, told, "the same job")


def _short(value: Any) -> str:
    """A digest by its first digits."""
    text = shown(value)
    return text[:13] + "...'" if isinstance(value, str) and len(value) == 64 else text
