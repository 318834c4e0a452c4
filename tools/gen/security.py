# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""SECURITY.md: the promises of tools/gen/promises.py and the figures of tools/gen/figures.py."""

from __future__ import annotations

from tools import ROOT
from tools.gen import figures, promises
from tools.gen.blocks import fill

BLOCKS = {"promises": promises.rows, "figures": figures.lines}


def text() -> str:
    """SECURITY.md with its blocks regenerated. Raises KeyError, promises.Unproved."""
    page = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    return fill(page, lambda name: BLOCKS[name]())


PAGES = {"SECURITY.md": text}
