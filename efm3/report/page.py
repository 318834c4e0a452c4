# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The page: an overview of the files, a section for each, and what the codes mean.

Every text that a template writes is made `printable` and escaped, whether the template says so or
not; the page may load and run nothing. However many files there are and whatever they hold, the
page is bounded: SECTIONS of some 200 kB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from efm3 import format as fmt
from efm3 import reporting
from efm3.codes import CODES
from efm3.extras import need
from efm3.findings import SEVERITIES, Finding, Report
from efm3.inspection import TensorRow, TopologyRow
from efm3.notebook import escaped
from efm3.report import card, facts, topology
from efm3.report.facts import Checked
from efm3.texts import printable
from efm3.version import __version__

SECTIONS, ROWS = 24, 2000
"""Files that have a section, the worst of them, and rows of the overview."""
FINDINGS, LAYERS, TENSORS, KEYS = 60, 160, 400, 60
"""Most findings, layers, tensors and keys of `meta` of a file that are listed."""
LONGEST = 600
"""Characters of a sentence that are shown."""
ALIKE = 3
"""Findings of one code that are seen without a click."""

WORTH = {"error": 3, "warning": 2, "info": 1}


class Told(NamedTuple):
    """A file in the overview; `number` counts from 1."""

    number: int
    source: str
    size: int
    word: str
    tone: str
    counts: Mapping[str, int]


class Page:
    """A page in the making: `add` files, then take its `parts`. Where it unfolds, long tables are
    seen without a click, which suits a file alone.

    Raises Efm3Error X002 where Jinja2 is not installed.
    """

    def __init__(self, level: str = "values", *, unfold: bool = True) -> None:
        self._level, self._unfold = level, unfold
        self._told, self._count, self._good = list[Told](), 0, 0
        self._sections: dict[int, tuple[int, str, list[str]]] = {}
        _environment()

    def add(self, file: Checked) -> None:
        """Add a file. Of it a few lines are kept, and while it is among the SECTIONS worst its
        section."""
        self._count += 1
        self._good += file.report.ok
        number, told = self._count, _told(self._count, file.report)
        if number <= ROWS:
            self._told.append(told)
        worth = 3 if file.report.unreadable else max(
            (WORTH[f.severity] for f in file.report.findings), default=0)
        if len(self._sections) >= SECTIONS:
            last = min(self._sections, key=lambda n: (self._sections[n][0], -n))
            if self._sections[last][0] >= worth:
                return
            del self._sections[last]
        codes = [f.code for f in _findings(file.report)[:FINDINGS]]
        self._sections[number] = worth, _section(told, file, self._unfold), codes

    def parts(self) -> Iterator[bytes]:
        """The page's bytes, in pieces. The same files give the same bytes."""
        kept = sorted(self._sections)
        codes = sorted({code for n in kept for code in self._sections[n][2]}, key=[*CODES].index)
        view = _environment().get_template("page.html").module
        yield str(view.top(self._told, self._count, self._good, self._level, set(kept),
                           __version__)).encode()
        for number in kept:
            yield self._sections[number][1].encode()
        yield str(view.bottom([_explained(code) for code in codes])).encode()


def _told(number: int, report: Report) -> Told:
    word = "unreadable" if report.unreadable else "valid" if report.ok else "INVALID"
    counts = {s: report.count(s) for s in reversed(SEVERITIES)}
    return Told(number, report.source, report.size, word, "good" if report.ok else "bad", counts)


def _findings(report: Report) -> list[Finding]:
    """The most severe first."""
    return sorted(report.findings, key=lambda f: -SEVERITIES.index(f.severity))


def _alike(found: Sequence[Finding]) -> list[list[Finding]]:
    """Findings by their codes, in the order in which these come first."""
    out: dict[str, list[Finding]] = {}
    for f in found:
        out.setdefault(f.code, []).append(f)
    return [*out.values()]


def _explained(code: str) -> dict[str, Any]:
    return {"code": CODES[code], "link": reporting.page_of(code)}


@cache
def _environment() -> Any:
    """Jinja2 as the templates of this room want it."""
    jinja2, markup = need("jinja2", "report"), need("markupsafe", "report").Markup

    def shown(value: Any) -> Any:
        return value if hasattr(value, "__html__") else printable(str(value))

    made = jinja2.Environment(
        loader=jinja2.PackageLoader("efm3.report"), autoescape=True, finalize=shown,
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    made.filters.update(
        foreign=lambda text, *longest: markup(escaped(text, *longest)),
        coded=lambda text: markup(_coded(text)),
        comma=lambda n: f"{n:,}", fact=card.fact, number=card.number, human=card.human,
        histogram=facts.histogram,
        many=lambda n, word: f"{n:,} {word}{'s' * (n != 1)}")
    made.globals.update(topology=topology, TENSORS=TENSORS, ALIKE=ALIKE)
    return made


def _coded(text: str) -> str:
    """A sentence for HTML; what stands between backticks, a command or a name, as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escaped(text, LONGEST))


def _section(told: Told, file: Checked, unfold: bool) -> str:
    """The HTML of a file."""
    found = _findings(file.report)
    view = {"told": told, "report": file.report, "findings": _alike(found[:FINDINGS]),
            "more_findings": len(found) - FINDINGS, "seen": file.seen, "unfold": unfold}
    if file.seen is not None and file.scan is not None:
        view |= _inside(file)
    return str(_environment().get_template("file.html").render(view))


def _inside(file: Checked) -> dict[str, Any]:
    seen, scan = file.seen, file.scan
    assert seen is not None and scan is not None
    ours = bool(seen["coherence"])
    meta, rows, layers = seen["card"]["meta"], seen["tensors"], seen["topology"]
    fields = facts.head(scan) if ours else []
    return {
        "label": list(card.label(seen)), "sizes": list(card.sizes(seen["sizes"])),
        "meta": [(key, card.said(meta[key])) for key in list(meta)[:KEYS]],
        "more_keys": len(meta) - KEYS, "facts": list(card.facts(seen["coherence"])),
        "drawing": topology.drawing(layers) if layers else None, "layers": _some(layers),
        "all_layers": layers, "tensors": _layered(rows[:TENSORS]), "all_tensors": rows,
        "fields": fields, "lines": list(facts.lines(fields)),
        "plain": [] if ours else list(facts.plain_lines(scan)),
        "mirror": list(facts.mirror_lines(scan)) if ours else [],
        "mirror_left": len(scan.mirror or b"") - facts.MIRROR, "prefix": fmt.PREFIX_SIZE}


def _some(rows: Sequence[TopologyRow]) -> list[TopologyRow]:
    """The first of more layers than are listed, and the last three."""
    return [*rows] if len(rows) <= LAYERS else [*rows[:LAYERS - 3], *rows[-3:]]


def _layered(rows: Sequence[TensorRow]) -> list[tuple[str, list[tuple[str, TensorRow]]]]:
    """Tensors below the layers that they are of, by the names that they have there."""
    out: list[tuple[str, list[tuple[str, TensorRow]]]] = []
    for row in rows:
        layer, _, rest = row["name"].rpartition(".")
        if rest in ("w", "b", "mean", "var"):
            layer, _, kind = layer.rpartition(".")
            rest = f"{kind}.{rest}"
        layer, rest = (layer, rest) if row["name"] else ("without a name",
                                                         f"tensors[{row['number']}]")
        if not out or out[-1][0] != layer:
            out.append((layer, []))
        out[-1][1].append((rest, row))
    return out
