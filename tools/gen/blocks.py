# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Blocks of a page that are generated: `<!-- gen:NAME -->` to `<!-- /gen -->`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

_BLOCK = re.compile(r"(<!-- gen:([^>]+?) -->\n)(.*?)(<!-- /gen -->)", re.DOTALL)


def table(head: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> Iterator[str]:
    """A Markdown table."""
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    yield from (f"| {' | '.join(map(str, row))} |" for row in rows)


def fill(text: str, lines: Callable[[str], Iterator[str]]) -> str:
    """`text` with every block made anew by its name. Raises KeyError, or ValueError for a lone
    marker."""
    pairs = len(_BLOCK.findall(text))
    if not pairs == text.count("<!-- gen:") == text.count("<!-- /gen -->"):
        raise ValueError("a gen marker has no partner")
    return _BLOCK.sub(lambda m: m[1] + "\n".join(lines(m[2])) + "\n" + m[4], text)
