# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The engine for the web beside onnxruntime-web: one thread, one run, interleaved, ratios.

    make bench-web               installs the peer into build/peers-web, and runs both
    python -m tools.bench web [--in node,chromium] [--rounds N] [--json]

The networks are the shipped weights, for the peer as `efm3 convert` writes them. Below 1 means that
ours is faster. In Node the processor's time is measured too: what else runs on a machine does not
lengthen it. --json gives an object: place to a list of objects with name, isa, cosine, and for each
clock (`wall`, `cpu`) ours_min, theirs_min, ours_median, theirs_median in milliseconds.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from efm3 import convert
from tools import ROOT

PEER = ROOT / "build" / "peers-web" / "node_modules" / "onnxruntime-web"
ENGINE = ROOT / "build" / "wasm" / "index.js"
SIZES = ("nano", "tiny", "standard", "xs")
RELAXED = "--experimental-wasm-relaxed-simd"
"""Node 20 has relaxed SIMD behind it; later versions have it without, and do not know the flag."""


def node() -> list[str]:
    """Node, with relaxed SIMD where it can have it."""
    done = subprocess.run(["node", RELAXED, "-e", ""], capture_output=True, check=False)
    return ["node", "--no-warnings", *([] if done.returncode else [RELAXED])]


def line(row: dict[str, Any], clock: str) -> str:
    """A row of what is printed."""
    t = row[clock]
    return (f"  {row['name']:9} {row['isa']:12} {clock:5} "
            f"{t['ours_min']:8.2f} {t['theirs_min']:8.2f} {t['ours_min'] / t['theirs_min']:6.3f}"
            f" {t['ours_median']:9.2f} {t['theirs_median']:8.2f}"
            f" {t['ours_median'] / t['theirs_median']:6.3f}  {row['cosine']:.7f}")


def main(words: list[str] | None = None) -> int:
    """The command; exit 1 where the package or the peer is missing."""
    parser = argparse.ArgumentParser(prog="python -m tools.bench web", description=__doc__)
    parser.add_argument("--in", dest="places", default="node,chromium")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--sizes", default=",".join(SIZES))
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args(words)
    for path, how in ((PEER, "make bench-web"), (ENGINE, "make wasm")):
        if not path.exists():
            print(f"bench web: {path.relative_to(ROOT)} is not there: {how}")
            return 1
    sizes, out = args.sizes.split(","), {}
    with tempfile.TemporaryDirectory() as folder:
        for size in sizes:
            weights = ROOT / "weights" / f"facex_{size}.bin"
            (Path(folder) / f"{size}.bin").write_bytes(weights.read_bytes())
            convert.convert(weights, Path(folder) / f"{size}.onnx")
        for place in args.places.split(","):
            done = subprocess.run([*node(), str(ROOT / "tools/bench/web.mjs"), place,
                                   str(args.rounds), folder, *sizes],
                                  stdout=subprocess.PIPE, text=True, check=True)
            out[place] = json.loads(done.stdout.splitlines()[-1])
    if args.json:
        print(json.dumps(out, indent=2))
        return 0
    print("  network   row          clock    ours     peer  ratio    (medians)            cosine")
    for place, rows in out.items():
        print(place)
        for row in rows:
            print("\n".join(line(row, clock) for clock in ("wall", "cpu") if clock in row))
    return 0
