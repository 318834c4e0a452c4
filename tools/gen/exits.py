# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exit codes that each verb's help states, and the table of them in docs/exit-codes.md."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import click

from tools import ROOT
from tools.gen.blocks import fill, table

EXIT = re.compile(r"Exit codes[^:]*: ")
"""What begins the sentence, which is the last of its paragraph."""
_CODE = re.compile(r"(?:^|[,;] )(?=\d+(?: and \d+)* )")
PAGE = "docs/exit-codes.md"


def stated(text: str) -> Iterator[tuple[str, str]]:
    """Of what follows EXIT: code, or `130 and 143`, and what it means. Raises ValueError for a text
    that is no list of codes."""
    for part in filter(None, _CODE.split(" ".join(text.split()).rstrip("."))):
        found = re.fullmatch(r"(\d+(?: and \d+)*) (.*)", part)
        if found is None:
            raise ValueError(f"not a list of exit codes: {text!r}")
        yield found[1], found[2]


def codes_of(command: click.Command) -> dict[int, str]:
    """Exit code to its meaning, as the command's help says."""
    for part in re.split(r"\n{2,}", f"{command.help or ''}\n\n{command.epilog or ''}"):
        begins = EXIT.search(part)
        if begins:
            return {int(code): words for codes, words in stated(part[begins.end():])
                    for code in codes.split(" and ")}
    return {}


def _rows(name: str) -> Iterator[str]:
    """The lines of the block `verbs`. Raises KeyError for another name."""
    from tools.gen.man import verbs

    found = {"verbs": [(v, codes_of(v.command)) for v in verbs()
                       if not isinstance(v.command, click.Group)]}[name]

    def cells(codes: dict[int, str]) -> list[str]:
        more: dict[str, list[str]] = {}
        for n, words in codes.items():
            if n > 3:
                more.setdefault(words, []).append(str(n))
        others = "; ".join(f"{', '.join(n)} {words}" for words, n in more.items())
        return [codes.get(n, "–").replace("|", "\\|") for n in range(4)] + [others]
    yield from table(("`efm3`", "0", "1", "2", "3", "other"), [
        (f"`{' '.join(v.words)}`", *cells(codes)) for v, codes in found])


def _page() -> str:
    return fill((ROOT / PAGE).read_text(encoding="utf-8"), _rows)


PAGES: dict[str, Callable[[], str]] = {PAGE: _page}
