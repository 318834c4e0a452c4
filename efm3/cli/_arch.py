# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An ARCH argument: a published size, an EFM3 file, or a mirror's JSON text in a file."""

from __future__ import annotations

import os

import click

from efm3 import mirror
from efm3.arch import ARCHS, Arch
from efm3.cli import source
from efm3.cli._names import meant
from efm3.findings import printable
from efm3.reading import scan_of
from efm3.source import Unreadable


def arch_of(word: str) -> Arch:
    """The arch that `word` names. Raises ClickException, Efm3Error, Unreadable."""
    if word in ARCHS:
        return ARCHS[word]
    try:
        found = scan_of(source(word))
    except Unreadable as e:
        if word == "-" or os.path.lexists(word):
            raise
        sizes = f"no size has this name ({', '.join(ARCHS)}) and no file"
        raise Unreadable(f"{word}: {sizes}{meant(word, ARCHS)}") from e
    if found.arch is not None:
        return found.arch
    data = bytes(found.data)
    if not data.lstrip().startswith(b"{"):
        raise click.ClickException(
            f"{printable(word)}: its header holds no arch; see `efm3 validate`")
    try:
        return mirror.arch_of(mirror.parse(data.rstrip()))
    except mirror.MirrorProblem as e:
        raise click.ClickException(f"{printable(word)}: {e.message}") from None
