# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the engine's precisions cost on held-out drawn heads: the tables of docs/precision.md.

Cosines of each precision to the engine's float32, which is within 1e-5 of the float64 reference in
every component, and the true accept rate at FAR 1e-3 over all pairs of the pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from efm3 import Engine
from efm3.arrays import Doubles, Indices, Pixels
from efm3.drawn.spec import HELD_OUT
from efm3.evaluation.paired import tar_interval
from efm3.evaluation.scores import tar_at
from efm3.precision import LEAST
from efm3.verification import cosines
from tools import ROOT

WEIGHTS = ROOT / "weights"
SIZES = ("nano", "tiny", "standard", "xs")
SEED = 1
FAR = 1e-3
BATCH = 50


def pictures(identities: int, shots: int) -> tuple[Pixels, Indices]:
    """Heads that none of the files was trained on: uint8 [N, 112, 112, 3], and whose [N]."""
    from efm3.drawn.faces import Faces

    faces = Faces(SEED, HELD_OUT, identities, shots)
    parts = [faces.batch(range(at, min(at + BATCH, len(faces))))[0].permute(0, 2, 3, 1).numpy()
             for at in range(0, len(faces), BATCH)]
    return np.concatenate(parts), np.arange(len(faces)) // shots


def embedded(path: str, x: Pixels, precision: str, isa: str | None, threads: int,
             ) -> tuple[Doubles, str]:
    """Embeddings [N, D] of length 1, and the arithmetic of the last pointwise layer."""
    with Engine(path, isa=isa, precision=precision, threads=threads) as engine:
        out = []
        start = time.monotonic()
        for at in range(0, len(x), BATCH):
            out.append(engine.embed(x[at:at + BATCH]).astype(np.float64))
            if sys.stderr.isatty():
                print(f"\r{path} {precision} {at} of {len(x)}, {time.monotonic() - start:.0f} s",
                      end="", file=sys.stderr)
        return np.concatenate(out), engine.layers[-1].arithmetic


def rows(path: str, x: Pixels, people: Indices, isa: str | None,
         threads: int) -> list[dict[str, Any]]:
    """float32 by the best instruction set, and each precision below it by `isa`, on one file."""
    base, arithmetic = embedded(path, x, "f32", None, threads)
    one, two = np.triu_indices(len(x), 1)
    who = np.stack([people[one], people[two]], axis=1)
    same = who[:, 0] == who[:, 1]
    ours: Doubles = (base @ base.T)[one, two]
    tar = tar_at(ours, same, FAR).tar
    out: list[dict[str, Any]] = [{"precision": "f32", "arithmetic": arithmetic, "tar": tar}]
    for precision in LEAST:
        have, arithmetic = embedded(path, x, precision, isa, threads)
        alike = cosines(have, base)
        theirs: Doubles = (have @ have.T)[one, two]
        mine = tar_at(theirs, same, FAR).tar
        low, high = tar_interval(ours, theirs, same, who, FAR) or (None, None)
        out.append({"precision": precision, "arithmetic": arithmetic,
                    "mean_cosine": float(alike.mean()), "min_cosine": float(alike.min()),
                    "tar": mine, "tar_difference": mine - tar, "low": low, "high": high})
    return out


def line(size: str, row: dict[str, Any]) -> str:
    """A row as text."""
    words = f"{size:9} {row['precision']:5} {row['arithmetic']:4}"
    words += f" TAR {100 * row['tar']:.2f} %"
    if "min_cosine" in row:
        words += f", to f32 {100 * row['tar_difference']:+.2f} points"
        if row["low"] is not None:
            words += f" (95 % {100 * row['low']:+.2f} to {100 * row['high']:+.2f})"
        words += f", cosine mean {row['mean_cosine']:.6f} least {row['min_cosine']:.6f}"
    return words


def main(argv: Sequence[str] | None = None) -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--identities", type=int, default=100)
    parser.add_argument("--shots", type=int, default=10, help="pictures of each")
    parser.add_argument("--isa", help="of the precisions below f32, by default the best; scalar "
                        "has 8 bits on every processor, and takes 50 times as long")
    parser.add_argument("--size", choices=SIZES, action="append",
                        help="which file; may be repeated")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    x, people = pictures(options.identities, options.shots)
    found: dict[str, list[dict[str, Any]]] = {}
    for size in options.size or SIZES:
        path = str(WEIGHTS / f"facex_{size}.bin")
        found[size] = rows(path, x, people, options.isa, options.threads)
        if not options.json:
            print("\n".join(line(size, row) for row in found[size]), flush=True)
    if options.json:
        print(json.dumps({"pictures": len(x), "far": FAR, "files": found}, indent=2))


if __name__ == "__main__":
    main()
