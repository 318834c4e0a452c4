# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Put the page together in build/page: `python -m tools.page [--out FOLDER]`."""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

from tools import ROOT
from tools.page import build


def main() -> int:
    """0 where the page is whole, 1 where something that it needs is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.page", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "page")
    out = parser.parse_args().out
    try:
        sizes = build.build(out)
    except build.Missing as e:
        print(f"page: {e}")
        return 1
    own = [out / name for name in sizes if "/" not in name and name.endswith(build.OWN)]
    packed = sum(len(gzip.compress(p.read_bytes())) for p in own)
    print(f"page: {len(sizes)} files, {sum(sizes.values()):,} bytes, in {out}; first load "
          f"{packed:,} bytes packed, before the engine and Python")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
