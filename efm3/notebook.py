# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""HTML that a notebook shows for a value: its pieces, and a Report's.

A fragment has no script, no link and no sheet of styles, and holds of a value a bounded part.
Colours are the notebook's own, but for badges, which bring their background: both are legible on
light and on dark.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from efm3.texts import cut, safe

LONGEST = 200
"""Most characters of one foreign text."""
MOST_FINDINGS = 40
"""Most findings of a report that are shown, the most severe first."""

COLOURS = {"error": "#b3261e", "warning": "#7a5900", "info": "#1f5fa8", "good": "#1e6b34"}
"""Backgrounds under white letters, each at a contrast of 5 to 1 or more."""

_FRAME = "max-width:62em;margin:.4em 0;line-height:1.45"
_BADGE = "color:#fff;padding:0 .5em;border-radius:.6em;font-weight:600;white-space:nowrap"
# What a notebook's own style of tables would change: they stand in the middle, all columns alike.
_TABLE = "border-collapse:collapse;margin:.4em 0;table-layout:auto;border:0"
_LEFT = "text-align:left;vertical-align:top;overflow-wrap:anywhere"
_RIGHT = "text-align:right"


def escaped(text: str, longest: int = LONGEST) -> str:
    """A foreign text for HTML, at most so many characters of it; its direction stays inside."""
    return f"<bdi>{safe(cut(text, longest), 'xml')}</bdi>"


def badge(word: str, kind: str) -> str:
    """A word of ours on a colour, one of COLOURS."""
    return f'<span style="background:{COLOURS[kind]};{_BADGE}">{word}</span>'


def frame(title: str, parts: Iterable[str]) -> str:
    """A whole fragment; the title is a foreign text, the parts are HTML."""
    return (f'<div style="{_FRAME}"><div><strong>{escaped(title)}</strong></div>'
            f'{"".join(parts)}</div>')


def faint(html: str) -> str:
    """A line that says less than the others."""
    return f'<div style="opacity:.75">{html}</div>'


def table(rows: Iterable[Sequence[str]], head: Sequence[str] = (), numbers: int = 99) -> str:
    """Rows of HTML cells, under headings of ours; columns from `numbers` on stand to the right."""
    def line(row: Sequence[str], tag: str) -> str:
        return "<tr>" + "".join(
            f'<{tag} style="{_RIGHT if i >= numbers else _LEFT}">{c}</{tag}>'
            for i, c in enumerate(row)) + "</tr>"

    top = f'<thead>{line(head, "th")}</thead>' if head else ""
    body = "".join(line(row, "td") for row in rows)
    return f'<table style="{_TABLE}">{top}<tbody>{body}</tbody></table>'


def details(summary: str, html: str) -> str:
    """HTML that is shown when the summary, a text of ours, is pressed."""
    return f'<details><summary style="cursor:pointer">{summary}</summary>{html}</details>'


def report(made: Mapping[str, Any]) -> str:
    """A report, as `Report.to_json` gives it."""
    return frame(made["source"], _report(made))


def _report(made: Mapping[str, Any]) -> Iterator[str]:
    counts: dict[str, int] = made["counts"]
    badges = [badge(f"{n:,} {s}{'s' if n > 1 and s != 'info' else ''}", s)
              for s, n in counts.items() if n]
    word = "unreadable" if made["unreadable"] else "valid" if made["ok"] else "invalid"
    yield (f'<div>{badge(word, "good" if made["ok"] else "error")} at level {made["level"]}, '
           f'{made["size"]:,} bytes {" ".join(badges)}</div>')
    if made["unreadable"]:
        yield f'<div>{escaped(made["unreadable"])}</div>'
    order = list(counts)
    found = sorted(made["findings"], key=lambda f: order.index(f["severity"]))
    if found:
        yield table([[badge(f["code"], f["severity"]), _place(f), "".join(_said(f))]
                     for f in found[:MOST_FINDINGS]])
    if len(found) > MOST_FINDINGS:
        yield faint(f"{len(found) - MOST_FINDINGS:,} more: see <code>findings</code>")


def _place(f: Mapping[str, Any]) -> str:
    length = f'+{f["length"]:,}' if f["length"] else ""
    at = "" if f["offset"] is None else faint(f'byte {f["offset"]:,}{length}')
    return f'{escaped(f["path"] or "file")}{at}'


def _said(f: Mapping[str, Any]) -> Iterator[str]:
    yield escaped(f["message"], 2 * LONGEST)
    if f["found"] and f["expected"]:
        yield faint(f'found {escaped(f["found"])}, expected {escaped(f["expected"])}')
    if f["severity"] != "info":
        yield faint(f'fix: {escaped(f["hint"], 2 * LONGEST)}')
