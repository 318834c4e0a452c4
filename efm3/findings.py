# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the suite reports on a file: Finding, Report, and the one exception."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NoReturn

from efm3.codes import CODES
from efm3.texts import printable as printable

SEVERITIES = ("info", "warning", "error")
"""Severities, mildest first."""

REPORT_VERSION = 1


def shown(value: Any) -> str:
    """A foreign value as Python would write it, escaped and cut, safe to print on a terminal."""
    try:
        # Of a text no more than is shown: each character may become ten.
        text = ascii(value[:60] if isinstance(value, str) else value)
    except Exception:  # an integer of too many digits, or a stranger's own __repr__
        text = f"<{type(value).__name__}>"
    return text if len(text) <= 60 else text[:57] + "..."


def plain(text: str, **_: Any) -> str:
    """The style that adds nothing; click.style has the same form."""
    return text


@dataclass(frozen=True)
class Finding:
    """One thing found in a file: a rule's code, its place, what was found and expected.

    `offset` and `length` are bytes in the file (None where no byte can be named);
    `path` is a field or tensor path (`arch.stages[0].t`, `tensors[3].size`).
    """

    code: str
    severity: str
    message: str
    offset: int | None = None
    length: int | None = None
    path: str = ""
    found: str = ""
    expected: str = ""
    hint: str = ""
    clause: str = ""

    def to_json(self) -> dict[str, Any]:
        """The finding as a JSON object; every key is always there."""
        return {k: getattr(self, k) for k in self.__dataclass_fields__}

    def __str__(self) -> str:
        if self.offset is None and self.path and self.path in self.message:
            return f"{self.code} {self.message}"
        place = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.code} {self.path or 'file'}{place}: {self.message}"


class Efm3Error(ValueError):
    """The suite's one exception; `finding` says code, place, found and expected."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding

    @property
    def code(self) -> str:
        """The rule's code."""
        return self.finding.code

    @property
    def offset(self) -> int | None:
        """Byte offset in the file, or None."""
        return self.finding.offset

    @property
    def path(self) -> str:
        """Field or tensor path."""
        return self.finding.path


MAX_MESSAGE, MAX_PART = 600, 200
"""Most characters of a refusal's message, and of its path, found and expected: they hold foreign
text."""


def error(code: str, message: str = "", path: str = "", found: object = "",
          expected: object = "", *, offset: int | None = None) -> Efm3Error:
    """The exception of a code of the catalogue; `path` is a file, a key, a node or a line.

    Without a message it says what was found and what was expected. Raises KeyError for a code
    that is not listed.
    """
    known = CODES[code]
    message = message or f"{found}; expected {expected}"
    message = " ".join(message.split("\n")).strip()[:MAX_MESSAGE]  # a library's may have lines
    return Efm3Error(Finding(code, known.severity, message, offset, None,
                             path[:MAX_PART], str(found)[:MAX_PART], str(expected)[:MAX_PART],
                             known.fix, known.clause))


def refuse(code: str, message: str = "", path: str = "", found: object = "",
           expected: object = "", *, offset: int | None = None) -> NoReturn:
    """Raise `error` of the same arguments."""
    raise error(code, message, path, found, expected, offset=offset)


@dataclass(frozen=True)
class Report:
    """The findings of one file, in the order of the rules."""

    source: str
    size: int
    level: str
    findings: list[Finding] = field(default_factory=list)
    unreadable: str = ""

    def at_least(self, severity: str) -> list[Finding]:
        """Findings of this severity or a higher one."""
        floor = SEVERITIES.index(severity)
        return [f for f in self.findings if SEVERITIES.index(f.severity) >= floor]

    @property
    def ok(self) -> bool:
        """True where the file could be read and holds no error."""
        return not self.unreadable and not self.at_least("error")

    def count(self, severity: str) -> int:
        """How many findings have exactly this severity."""
        return sum(f.severity == severity for f in self.findings)

    def to_json(self) -> dict[str, Any]:
        """The report as a JSON object (spec/report.schema.json)."""
        return {
            "report_version": REPORT_VERSION,
            "source": self.source,
            "size": self.size,
            "level": self.level,
            "ok": self.ok,
            "unreadable": self.unreadable,
            "counts": {s: self.count(s) for s in reversed(SEVERITIES)},
            "findings": [f.to_json() for f in self.findings],
        }

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from efm3 import notebook

        return notebook.report(self.to_json())
