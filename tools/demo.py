# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Embed pictures with a weight file and show their similarities, in C or else in numpy.

    python -m tools.demo weights/facex_nano.bin examples/*.png
    python -m tools.demo --svg docs/compare.svg weights/facex_nano.bin examples/*.png
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import efm3
from efm3 import reference
from efm3.cli import _images, _render, _scores
from efm3.engine import threshold


def compare(path: str, names: list[str], svg: str | None) -> None:
    """The time per picture, and the similarities of all pairs; the latter also as SVG."""
    model = efm3.load(path)
    pictures = np.stack([_images.load_image(name, False).pixels for name in names])
    try:
        engine = efm3.Engine(model)
    except RuntimeError as error:
        print(error)
        how = "numpy"
        start = time.perf_counter()
        e = reference.forward(model, reference.prepare(pictures), np.float32)
    else:
        how = f"the C engine ({engine.isa})"
        engine.embed(pictures)
        start = time.perf_counter()
        e = engine.embed(pictures)
    took = (time.perf_counter() - start) / len(e)
    print(f"{len(e)} drawn faces embedded with {path} in {how}: {e.shape[1]} values each, "
          f"{took * 1e3:.2f} ms per picture\n")
    limit = threshold(path)
    table = list(_scores.matrix(names, (e @ e.T).tolist(), limit.value, limit.words))
    _render.show(table)
    if svg:
        _render.picture(table, svg, f"efm3 compare {path} {names[0]} ...", 80)
    if not model.mirror.get("meta", {}).get("trained", True):
        print("(untrained weights: the pipeline works, the similarities mean nothing)")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tools.demo",
                                     description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("file")
    parser.add_argument("pictures", nargs="+")
    parser.add_argument("--svg", help="write the table as a picture of a terminal")
    args = parser.parse_args()
    compare(args.file, args.pictures, args.svg)


if __name__ == "__main__":
    main()
