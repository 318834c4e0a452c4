#!/usr/bin/env python3
# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Embed drawn pictures with a weight file and compare them, in C or else in numpy."""

from __future__ import annotations

import sys
import time

import numpy as np

import efm3
from efm3 import reference, synthesis


def main(path: str) -> None:
    """Two pictures, the first one again with noise, and their similarities."""
    model = efm3.load(path)
    a, b = synthesis.images(seed=2, count=2)
    noise = np.random.default_rng(0).integers(-8, 9, a.shape)
    again = np.clip(a + noise, 0, 255).astype(np.uint8)
    pictures = np.stack([a, again, b])
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
    print(f"embedded 3 pictures with {path} in {how}: {e.shape[1]} values each, "
          f"{took * 1e3:.2f} ms a picture")
    print(f"  a picture and its noisy copy: similarity {float(e[0] @ e[1]):.3f}")
    print(f"  two different pictures:       similarity {float(e[0] @ e[2]):.3f}")
    if not model.mirror.get("meta", {}).get("trained", True):
        print("  (untrained weights: the pipeline works, the scores mean nothing)")


if __name__ == "__main__":
    main(sys.argv[1])
