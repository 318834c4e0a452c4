# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Renew the figures of SECURITY.md that are stale: `python -m tools.evidence [--long] [PART ...]`.

A part is a module beside this one with `run(long)`. It gives (name, measure) for each of its
figures; those that are missing, stale, or short where the long form is asked for are measured, and
go to docs/evidence.json as soon as they are there. A part that counts runs gives the steps of a
round, which is its only figure; a round that was stopped goes on where it was. `--quick` leaves out
what takes more than about a minute in the short form.
Exit code 1 where a measurement raised.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import subprocess
import sys
import traceback
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tools import ROOT
from tools.evidence import _book, _sources

HERE = Path(__file__).resolve().parent

PARTS = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))

FIRST = ("differential", "fuzz", "faults", "fuzz_python", "exhaustive")
"""The longest parts, which start first where several run at once."""


def _say(words: str) -> None:
    print(f"evidence: {words}", file=sys.stderr, flush=True)


def _figures(part: str, long: bool) -> Iterable[tuple[str, _book.Measure]]:
    module = importlib.import_module(f"tools.evidence.{part}")
    if part not in _sources.COUNTING:
        found: Iterable[tuple[str, _book.Measure]] = module.run(long)
        return found
    counter = next((word for word, own in _sources.COUNTERS.items() if own == part), part)

    def one_round() -> _book.Figure:
        made = _book.round_of(part, counter, module.run(long), long)
        return _book.figure(f"python -m tools.evidence{' --long' if long else ''} {part}",
                            {"executions": made})
    return [("a round", one_round)]


def renew(part: str, long: bool, everything: bool, quick: bool) -> int:
    """Measure what is wanted of a part; returns how many measurements raised."""
    failed, names = 0, set()
    try:
        for name, measure in _figures(part, long):
            names.add(name)
            if quick and _sources.QUICK.isdisjoint({part, f"{part}.{name}"}):
                continue
            if not everything and not _book.wanted(part, name, long):
                continue
            _say(f"{part}: {name}")
            try:
                _book.record(part, name, measure(), long)
            except _book.NotHere as e:
                _say(f"{part}: {name} is left out: {e}")
            except Exception:
                failed += 1
                traceback.print_exc()
    except Exception:
        traceback.print_exc()
        return failed + 1
    _book.keep(part, names)
    return failed


def _each(parts: list[str], words: list[str], jobs: int) -> int:
    """Each part in a process of its own, `jobs` at once; how many failed."""
    parts.sort(key=lambda p: FIRST.index(p) if p in FIRST else len(FIRST))

    def one(part: str) -> int:
        return subprocess.run([sys.executable, "-m", "tools.evidence", *words, part], check=False,
                              cwd=ROOT).returncode
    with ThreadPoolExecutor(jobs) as pool:
        return sum(map(bool, pool.map(one, parts)))


def main() -> int:
    """Run the parts; how many failed decides the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tools.evidence",
                                     description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--long", action="store_true", help="hours instead of minutes")
    parser.add_argument("--all", action="store_true", help="what is fresh too")
    parser.add_argument("--quick", action="store_true", help="only what takes seconds")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="parts at once")
    parser.add_argument("--into", type=Path, metavar="FILE",
                        help="write to a copy of docs/evidence.json")
    args = parser.parse_args()
    unknown = [p for p in args.parts if p not in PARTS]
    if unknown:
        parser.error(f"no part {unknown[0]}; there are {', '.join(PARTS)}")
    parts = args.parts or PARTS
    if args.jobs > 1 and args.into:
        parser.error("--into and --jobs exclude one another")
    if args.jobs > 1 and len(parts) > 1:
        words = [f"--{w}" for w in ("long", "all", "quick") if getattr(args, w)]
        return 1 if _each(list(parts), words, args.jobs) else 0
    if args.into:
        shutil.copyfile(_book.PATH, args.into)
        _book.PATH = args.into.absolute()
    return 1 if sum(renew(p, args.long, args.all, args.quick) for p in parts) else 0


if __name__ == "__main__":
    sys.exit(main())
