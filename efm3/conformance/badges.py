# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A statement as an SVG badge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from unicodedata import east_asian_width

from efm3.conformance.statement import claims
from efm3.texts import cut, safe

GREEN, AMBER, RED = "#2e7d32", "#b26a00", "#c62828"
MAX_WORDS = 120
"""Most characters of each text: a foreign name may have hundreds."""


def badge(statement: Mapping[str, Any]) -> str:
    """The badge: green where every claim holds fully, else amber or red."""
    made = claims(statement)
    colour = GREEN if all(c.whole for c in made) else AMBER if all(c.ok for c in made) else RED
    left, right = "EFM3", ", ".join(c.words for c in made)
    about = statement["implementation"]
    title = xml(f"{about['name']} {about['version']}".strip())
    shown = xml(right)
    a, b = 10 + width(left), 10 + width(cut(right, MAX_WORDS))
    # `textLength` makes the text fit its box in whatever font is there.
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{a + b}" height="20" role="img" '
        f'aria-label="{left}: {shown}"><title>{title}: {shown}, '
        f'set {statement["set"][:12]}</title>'
        f'<rect width="{a}" height="20" fill="#444"/>'
        f'<rect x="{a}" width="{b}" height="20" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" '
        'text-anchor="middle">'
        f'<text x="{a / 2:g}" y="14" textLength="{a - 10}">{left}</text>'
        f'<text x="{a + b / 2:g}" y="14" textLength="{b - 10}">{shown}</text></g></svg>\n')


def xml(text: str) -> str:
    """A foreign text for an attribute or an element of XML or HTML, cut."""
    return safe(cut(text, MAX_WORDS), "xml")


def width(text: str) -> int:
    """About how many pixels a text takes in Verdana at 11 px: 6.6 for a letter, 11 if wide."""
    return round(sum(11 if east_asian_width(c) in "WF" else 6.6 for c in text))
