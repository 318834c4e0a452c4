# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Measure the figures of SECURITY.md: `python -m tools.evidence [--long] [PART ...]`.

A part is a module beside this one with `run(long) -> {name: figure}` (see `_book.figure`); its
figures go to docs/evidence.json as soon as it ends. Exit code 1 where a part raised.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import traceback
from pathlib import Path

from tools.evidence import _book

HERE = Path(__file__).resolve().parent

PARTS = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))


def main() -> int:
    """Run the parts; how many failed decides the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.evidence",
                                     description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--long", action="store_true", help="hours instead of minutes")
    args = parser.parse_args()
    unknown = [p for p in args.parts if p not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]}; there are {', '.join(PARTS)}")
    failed = 0
    for part in args.parts or PARTS:
        print(f"evidence: {part}", file=sys.stderr, flush=True)
        try:
            _book.record(part, importlib.import_module(f"tools.evidence.{part}").run(args.long))
        except Exception:
            failed += 1
            traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
