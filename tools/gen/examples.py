# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Draw examples/*.png: four identities, three pictures each, that no file in weights/ has seen.

    python -m tools.gen.examples            draws them again (needs PyTorch and Pillow)
    python -m tools.gen.examples --check    1 where a picture is not what the generator draws
"""

from __future__ import annotations

import argparse
import sys

import numpy as np
from numpy.typing import NDArray

from efm3 import drawn as synth
from tools import ROOT

FOLDER = ROOT / "examples"
SEED, FIRST, SHOTS = 1, 2_000_000, 12
CHOSEN = {"a": (8, (3, 5, 10)), "b": (4, (7, 8, 9)), "c": (6, (1, 2, 11)), "d": (9, (1, 6, 8))}
"""A letter's identity, counted from FIRST, and its shots: looked at, and chosen for variety."""


def drawn() -> dict[str, NDArray[np.uint8]]:
    """File names and pictures, uint8 [112, 112, 3] RGB."""
    count = 1 + max(identity for identity, _ in CHOSEN.values())
    faces = synth.Faces(SEED, FIRST, count, SHOTS)
    return {f"{letter}_{i}.png": faces[identity * SHOTS + shot][0].permute(1, 2, 0).numpy()
            for letter, (identity, shots) in CHOSEN.items() for i, shot in enumerate(shots, 1)}


def main() -> int:
    """Draw or check; 1 where a file differs or is missing."""
    from PIL import Image

    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    pictures, wrong = drawn(), []
    if not check:
        for name, picture in pictures.items():
            Image.fromarray(picture).save(FOLDER / name, optimize=True)
    kept = {p.name: np.asarray(Image.open(p)) for p in FOLDER.glob("*.png")}
    for name in sorted(kept.keys() | pictures.keys()):
        if name not in kept or name not in pictures or not np.array_equal(
                kept[name], pictures[name]):
            wrong.append(name)
            print(f"examples/{name}: not what the generator draws")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
