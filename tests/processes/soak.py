# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Load, use and let go engines and models N times; exit 1 where memory or open files grew.

    python -m tests.processes.soak N [--plant memory|file]
"""

from __future__ import annotations

import argparse
import gc
import io
import json
import os
import sys
from pathlib import Path

import numpy as np

import efm3

FILE = Path(__file__).resolve().parent.parent.parent / "spec" / "vectors" / "odd_b.bin"
SAMPLES = 20
SLACK = 512 << 10  # bytes that the heap may move about in after the first fifth
X = np.zeros((2, 112, 112, 3), np.uint8)
hoard: list[object] = []


def resident() -> int:
    """Bytes of this process in memory."""
    pages = Path("/proc/self/statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    """How many."""
    return len(os.listdir("/proc/self/fd"))


def use(i: int, data: bytes, plant: str | None) -> None:
    """One life: closed, dropped, in a cycle, from a path, bytes or a model; and refusals."""
    source = (FILE, data, io.BytesIO(data), efm3.load(data))[i % 4]
    e = efm3.Engine(source, threads=1 if i % 50 else 2)
    if i % 10 == 0:
        e.embed(X)
    if i % 3 == 0:
        e.close()
    elif i % 3 == 1:
        e.itself = e  # type: ignore[attr-defined]
    for bad in (data[:-1], FILE.parent):
        try:
            efm3.Engine(bad)
        except efm3.Efm3Error:
            continue
        raise AssertionError("loaded")
    if plant == "memory":
        hoard.append(bytearray(16384))
    elif plant == "file":
        hoard.append(os.open(FILE, os.O_RDONLY))


def main() -> int:
    """Run; see the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int)
    parser.add_argument("--plant", choices=("memory", "file"))
    args = parser.parse_args()
    data = FILE.read_bytes()
    warm = args.count // 5
    done, points = 0, []
    for k in range(SAMPLES + 1):
        until = warm + (args.count - warm) * k // SAMPLES
        while done < until:
            use(done, data, args.plant)
            done += 1
        gc.collect()
        points.append((done, resident(), open_files()))
    at = np.array(points, np.float64)
    slope = float(np.polyfit(at[:, 0], at[:, 1], 1)[0])
    # The heap moves up and down by a megabyte; a leak lifts the least that it ever holds above the
    # most that it held before.
    third = len(points) // 3
    first, last = (max(p[1] for p in points[:third]), min(p[1] for p in points[-third:]))
    grew = ["memory"] * (last - first > SLACK)
    grew += ["open files"] * (points[-1][2] != points[0][2])
    print(json.dumps({
        "loads": args.count, "resident KiB": {
            f"after {warm}": points[0][1] >> 10, "at the end": points[-1][1] >> 10,
            "at most": max(p[1] for p in points) >> 10},
        "slope, bytes a load": round(slope, 2), "open files": points[0][2],
        "open files at the end": points[-1][2], "grew": grew}))
    return 1 if grew else 0


if __name__ == "__main__":
    sys.exit(main())
