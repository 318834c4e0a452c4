# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""JUnit XML, as continuous integration reads it: the one writer of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from efm3.texts import printable

COUNTED = {"failure": "failures", "error": "errors", "skipped": "skipped"}
"""What a case may hold, and the attribute of its suite that counts the cases that hold it."""


@dataclass(frozen=True)
class Case:
    """A case: what is wrong with it as (tag of COUNTED, message, type or ""), and lines of output.
    """

    name: str
    group: str
    problems: Sequence[tuple[str, str, str]] = ()
    lines: Sequence[str] = ()
    seconds: float | None = None


def document(name: str, suites: Iterable[tuple[str, Sequence[Case]]]) -> str:
    """The XML of named suites of cases; foreign text in them is escaped here."""
    root = ElementTree.Element("testsuites", name=printable(name))
    for title, cases in suites:
        counts = {word: sum(any(p[0] == tag for p in c.problems) for c in cases)
                  for tag, word in COUNTED.items()}
        suite = ElementTree.SubElement(root, "testsuite", {
            "name": printable(title), "tests": str(len(cases)),
            **{word: str(n) for word, n in counts.items()}})
        if any(c.seconds is not None for c in cases):
            suite.set("time", f"{sum(c.seconds or 0 for c in cases):.3f}")
        for case in cases:
            _case(suite, case)
    ElementTree.indent(root)
    return ElementTree.tostring(root, "unicode", xml_declaration=True)


def _case(suite: ElementTree.Element, case: Case) -> None:
    row = ElementTree.SubElement(suite, "testcase", name=printable(case.name),
                                 classname=printable(case.group))
    if case.seconds is not None:
        row.set("time", f"{case.seconds:.4f}")
    for tag, message, kind in case.problems:
        row.append(ElementTree.Element(tag, {"message": printable(message)}
                                       | ({"type": printable(kind)} if kind else {})))
    if case.lines:
        ElementTree.SubElement(row, "system-out").text = "\n".join(map(printable, case.lines))
