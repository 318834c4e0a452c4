# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The exit codes that each verb's help states."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click

EXIT = re.compile(r"Exit codes[^:]*: ")
"""What begins the sentence, which is the last of its paragraph."""
_CODE = re.compile(r"(?:^|[,;] )(?=\d+(?: and \d+)* )")


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
