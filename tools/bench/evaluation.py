# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How long `efm3 eval` takes for 6,000 pairs, as a whole process, and the processor's time in it.

    python -m tools.bench eval

The set has InsightFace's form: 12,000 JPEGs of 112x112, all different. The other side of the
ratio is the plain way: Pillow and the engine in one thread, one picture after the other.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pickle
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

import efm3
from efm3 import untrained
from tools import ROOT

EFM3 = str(Path(sys.executable).with_name("efm3"))
NANO = ROOT / "weights" / "facex_nano.bin"


def make_set(path: Path, pairs: int) -> list[bytes]:
    """A verification set of smooth pictures with some noise, as heavy to decode as photographs."""
    base = untrained.images(7, 64).astype(np.int16)
    rng = np.random.default_rng(1)
    encoded = []
    for i in range(2 * pairs):
        soft = Image.fromarray(base[i % 64].astype(np.uint8)).resize((28, 28)).resize((112, 112))
        noise = rng.integers(-12, 13, (112, 112, 3))
        pixels = np.clip(np.asarray(soft).astype(np.int16) + noise, 0, 255)
        buffer = io.BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(buffer, "JPEG", quality=95)
        encoded.append(buffer.getvalue())
    path.write_bytes(pickle.dumps((encoded, [i % 2 == 0 for i in range(pairs)])))
    return encoded


Cost = tuple[float, float]
"""Wall seconds and the processor's seconds."""


def command(*words: object) -> Cost:
    """A whole command that must succeed."""
    before, start = os.times(), time.perf_counter()
    subprocess.run([EFM3, *map(str, words)], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return (time.perf_counter() - start, after.children_user - before.children_user
            + after.children_system - before.children_system)


def plain(encoded: list[bytes]) -> Cost:
    """One picture after the other."""
    with efm3.Engine(NANO) as engine:
        start, used = time.perf_counter(), time.process_time()
        for data in encoded:
            engine.embed(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
        return time.perf_counter() - start, time.process_time() - used


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=6000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    costs: dict[str, list[Cost]] = {"efm3 eval": [], "efm3 eval --flip": [], "plain loop": []}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.bin"
        encoded = make_set(path, options.pairs)
        words = ("eval", NANO, path, "--threads", options.threads)
        for _ in range(options.rounds):
            costs["efm3 eval"].append(command(*words))
            costs["efm3 eval --flip"].append(command(*words, "--flip"))
            costs["plain loop"].append(plain(encoded))
        size = path.stat().st_size
    base = statistics.median(wall for wall, _ in costs["plain loop"])
    out = {}
    for name, rows in costs.items():
        wall, used = zip(*rows, strict=True)
        middle = statistics.median(wall)
        out[name] = {"least_s": round(min(wall), 2), "median_s": round(middle, 2),
                     "ratio": round(middle / base, 3), "processor_s": round(min(used), 2)}
    if options.json:
        print(json.dumps(out, indent=2))
        return
    print(f"{options.pairs:,} pairs, {size / 1e6:.0f} MB, {options.threads} threads")
    for name, row in out.items():
        print(f"{name:20} " + "  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
