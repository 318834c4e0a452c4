# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is said where words name no case."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NoReturn

import click

from efm3.cli._names import meant
from efm3.conformance.cases import KINDS, corpus
from efm3.findings import printable

GROUPS = ("smoke", "MUST", "SHOULD", "large", *KINDS)
"""Words that name many."""


def none(words: Sequence[str], kind: str = "") -> NoReturn:
    """Raises ClickException, with what the words may have meant; `kind` is who was tested."""
    known = [*GROUPS, *(c.id for c in corpus(True))]
    likely = next(filter(None, (meant(word, known) for word in words)), "")
    what = f"no case of {'an' if kind[:1] in 'aeio' else 'a'} {kind}" if kind else "no case"
    raise click.ClickException(f"{printable(' '.join(words))} names {what}{likely}")
