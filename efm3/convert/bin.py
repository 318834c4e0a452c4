# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""EFM3 files themselves, as a converter."""

from __future__ import annotations

from efm3.arch import Arch
from efm3.convert._base import Source, Wanted
from efm3.findings import refuse
from efm3.model import Model, load


def read(path: str, wanted: Wanted) -> Source:
    """The file at level coherence. Raises Efm3Error, X011 for another arch."""
    model = load(path)
    same_shape(model, wanted.arch, path)
    return Source(model=model)


def same_shape(model: Model, arch: Arch | None, path: str) -> None:
    """Raise X011 where `arch` is given and the header would differ."""
    if arch is not None and arch.header() != model.arch.header():
        refuse("X011", f"the file states another arch than {arch.name or 'the given one'}", path,
               model.arch.header(), arch.header())


def parts(model: Model, path: str, fold: bool) -> list[bytes]:
    """The file's bytes, in pieces; BatchNorm is never folded."""
    return model.parts()
