# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Draw docs/inspect.svg and docs/compare.svg, the pictures of terminals: no arguments."""

from __future__ import annotations

import argparse
import os

from efm3.cli._render import screenshot
from tools import ROOT, demo

WEIGHTS = "weights/facex_nano.bin"


def main() -> None:
    """Draw both."""
    argparse.ArgumentParser(prog="python -m tools.gen.pictures",
                            description=(__doc__ or "").strip()).parse_args()
    os.chdir(ROOT)  # the pictures show the paths as they are given
    screenshot(WEIGHTS, "docs/inspect.svg")
    pictures = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "examples").glob("*.png"))
    demo.compare(WEIGHTS, pictures, "docs/compare.svg")


if __name__ == "__main__":
    main()
