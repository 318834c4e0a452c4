# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Exact search beside numpy's product of the same matrices, with as many threads; interleaved.

    python -m tools.bench search

A million embeddings of 512 numbers, 2 GB, a hundred queries, the ten nearest of each. The product
alone finds nothing: it fills [queries, rows], each thread a share of the rows, from memory. The
search reads the file, which is in the system's cache.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from efm3.arrays import Floats
from efm3.index.top import Hits, top
from efm3.index.vectors import Held, Stored

PIECE = 50_000


def unit(rng: np.random.Generator, count: int, dim: int) -> Floats:
    """Directions, any."""
    rows = rng.standard_normal((count, dim), np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows


def make(path: Path, count: int, dim: int) -> int:
    """A .npy file of embeddings; where its rows begin."""
    rng = np.random.default_rng(1)
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (count, dim))
    for start in range(0, count, PIECE):
        rows[start:start + PIECE] = unit(rng, min(PIECE, count - start), dim)
    rows.flush()
    return int(rows.offset)


def product(queries: Floats, rows: Floats, threads: int) -> None:
    """All cosines, a share of the rows for each thread."""
    out = np.empty((len(queries), len(rows)), np.float32)
    ends = np.linspace(0, len(rows), threads + 1).astype(int)

    def part(i: int) -> None:
        a, b = ends[i], ends[i + 1]
        np.matmul(queries, rows[a:b].T, out=out[:, a:b])
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(part, range(threads)))


def memory(search: Callable[[], object]) -> float:
    """Most memory that a search holds at once, MB."""
    tracemalloc.start()
    search()
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return most / 1e6


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    o = parser.parse_args()
    if os.environ.get("OPENBLAS_NUM_THREADS") != "1":
        # As in the command: the threads are ours, on both sides. numpy is imported already.
        os.environ["OPENBLAS_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, "-m", "tools.bench", "search", *sys.argv[1:]])
    queries = unit(np.random.default_rng(2), o.queries, o.dim)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        offset = make(path, o.rows, o.dim)
        stored = Stored.at(str(path), offset, o.rows, o.dim)
        grown = round(memory(lambda: top(queries, stored, 10, threads=o.threads)))
        rows = np.load(path)
        found: list[Hits] = []

        def search(source: Held, some: Floats) -> None:
            found[:] = [top(some, source, 10, threads=o.threads)]

        sides: dict[str, Callable[[], None]] = {
            "numpy's product": lambda: product(queries, rows, o.threads),
            "search, rows in a file": lambda: search(stored, queries),
            "search, rows in memory": lambda: search(Held(rows), queries),
            "one query, rows in a file": lambda: search(stored, queries[:1]),
            "one query, numpy's product": lambda: product(queries[:1], rows, o.threads),
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
        for _ in range(o.rounds):
            for name, side in sides.items():
                start, used = time.perf_counter(), time.process_time()
                side()
                times[name].append((time.perf_counter() - start, time.process_time() - used))
    # On a machine that others use too the processor's time says more than the clock's.
    least = {name: [min(column) for column in zip(*rows, strict=True)]
             for name, rows in times.items()}
    base = least["numpy's product"]
    out = {name: {"least_s": round(wall, 3), "ratio": round(wall / base[0], 3),
                  "processor_s": round(used, 3), "processor_ratio": round(used / base[1], 3)}
           for name, (wall, used) in least.items()}
    if o.json:
        print(json.dumps({**out, "memory_mb": grown}, indent=2))
        return
    print(f"{o.rows:,} x {o.dim}, {o.queries} queries, {o.threads} threads; the search took "
          f"{grown} MB")
    for name, row in out.items():
        print(f"{name:28} " + "  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
