# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engines of a bulk run beside each other: Daft on this machine, and the default.

    python -m tools.bench daft

JPEGs of 112x112, all different, read again and again; both engines in one run, interleaved, each
time in a process of its own. `all` is that process from its start to its end, `rows` from the
picture at which the first quarter is done to the last; processor time is of the process and its
workers.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tools import ROOT
from tools.bench.bulk import NANO, make_pictures

ENGINES = ("default", "daft")
DIFFERENT = 2000
"""Pictures on the disk."""


def side(engine: str, names: str, count: int, jobs: int) -> dict[str, float]:
    """A run in this process."""
    from efm3.bulk.daft import Places
    from efm3.bulk.daft import embed as by_daft
    from efm3.bulk.run import embed

    times: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        (embed if engine == "default" else by_daft)(
            str(NANO), Places((), names), f"{folder}/x.parquet", jobs=jobs,
            told=lambda made: times.append(time.perf_counter()))
    first = count // 4
    return {"rows_per_s": (count - first) / (times[-1] - times[first - 1])}


def measured(engine: str, names: str, count: int, jobs: int) -> dict[str, float]:
    """Rates and the processor's time of a run in a process of its own."""
    before, start = _used(), time.perf_counter()
    found = subprocess.run(
        [sys.executable, "-m", "tools.bench.bulk_daft", "--side", engine, "--names", names,
         "--pictures", str(count), "--jobs", str(jobs)], stdout=subprocess.PIPE, cwd=ROOT,
        env={"OPENBLAS_NUM_THREADS": "1", **os.environ}, check=True)
    return {**json.loads(found.stdout), "all_per_s": count / (time.perf_counter() - start),
            "processor_ms": 1000 * (_used() - before) / count}


def _used() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def compared(rounds: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """The best of each engine, and Daft's part of the default's rate."""
    best = {engine: {key: (min if key == "processor_ms" else max)(r[key] for r in rows)
                     for key in rows[0]} for engine, rows in rounds.items()}
    a, b = best["default"], best["daft"]
    return {**{e: {k: round(v, 3) for k, v in row.items()} for e, row in best.items()},
            "ratio": {key: round(a[key] / b[key] if key == "processor_ms" else b[key] / a[key], 3)
                      for key in a}}


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pictures", type=int, nargs="*", default=[2000, 20000])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", choices=ENGINES, help=argparse.SUPPRESS)
    parser.add_argument("--names", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(side(options.side, options.names, options.pictures[0], options.jobs)))
        return
    out: dict[int, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        paths = make_pictures(Path(folder), DIFFERENT)
        for count in options.pictures:
            names = Path(folder) / "list"
            names.write_text("".join(f"{paths[i % len(paths)]}\n" for i in range(count)))
            rounds: dict[str, list[dict[str, float]]] = {engine: [] for engine in ENGINES}
            for _ in range(options.rounds):
                for engine in ENGINES:
                    rounds[engine].append(measured(engine, str(names), count, options.jobs))
            out[count] = compared(rounds)
    if options.json:
        print(json.dumps(out, indent=2))
        return
    for count, rows in out.items():
        for name, row in rows.items():
            print(f"{count:6} {name:8} " + "  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
