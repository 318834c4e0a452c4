# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What finding and cutting out faces costs beside the detector alone.

    python -m tools.bench faces

Ours is `photos.find` and `photos.aligned` for each face, without decoding. The other side is the
detector, with the very pictures that ours asks it to look at; `looks` is how many pixels these
have, in the first one's. Photographs are grey with drawn heads, from examples/, and never of
people. Both sides take turns on one thread; the processor's time of each side's fastest turn is
compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from efm3 import photos
from efm3.arrays import Pixels
from efm3.photos import Detector, Face
from tools import ROOT

SIZES = ((640, 480), (1152, 864), (1400, 1050), (3072, 2304), (4000, 3000), (5036, 3776))
"""0.3 to 19 megapixels; the third is of those that whole pixels do not fit."""
COUNTS = (1, 6)


def photograph(width: int, height: int, heads: int) -> Pixels:
    """Drawn heads side by side on noisy grey, in rows of three."""
    rng = np.random.default_rng(width)
    noise = rng.integers(120, 160, (height // 8, width // 8, 3), np.uint8)
    out = np.array(Image.fromarray(noise).resize((width, height), Image.Resampling.BILINEAR))
    side = min(width, height) // (3 if heads == 1 else 4)
    files = sorted((ROOT / "examples").glob("*.png"))
    for k in range(heads):
        with Image.open(files[k % len(files)]) as picture:
            head = np.asarray(picture.convert("RGB").resize((side, side)))
        left = (2 * (k % 3) + 1) * width // (6 if heads > 1 else 2) - side // 2
        top = (2 * (k // 3) + 1) * height // (4 if heads > 1 else 2) - side // 2
        out[top:top + side, left:left + side] = head
    return out


class Heard:
    """A detector that keeps what it was asked to look at."""

    def __init__(self, detector: Detector) -> None:
        self.name, self.asked = detector.name, list[Pixels]()
        self._detector = detector

    def detect(self, rgb: Pixels) -> list[Face]:
        """See Detector."""
        self.asked.append(rgb)
        return self._detector.detect(rgb)

    def rest(self) -> None:
        """See Detector."""


def pair(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> tuple[float, float]:
    """The least milliseconds of the processor for each, taking turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds):
        for which, side in ((0, ours), (1, theirs))[::1 if turn % 2 else -1]:
            start = time.process_time()
            side()
            times[which].append(time.process_time() - start)
    return 1e3 * min(times[0]), 1e3 * min(times[1])


def main() -> None:
    """Print a table, or JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detector", default="centerface")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    detector = photos.open_detector(options.detector)
    rows = []
    for width, height in SIZES:
        for heads in COUNTS:
            pixels = photograph(width, height, heads)
            heard = Heard(detector)
            found = photos.find(pixels, heard)
            looks = heard.asked

            def ours(pixels: Pixels = pixels) -> None:
                for face in photos.find(pixels, detector):
                    photos.aligned(pixels, face.points)

            def theirs(looks: list[Pixels] = looks) -> None:
                for look in looks:
                    detector.detect(look)

            took, alone = pair(ours, theirs, options.rounds)
            rows.append({"width": width, "height": height,
                         "looked_at": list(looks[0].shape[1::-1]), "faces": len(found),
                         "looks": round(sum(x.size for x in looks) / looks[0].size, 2),
                         "ours_ms": round(took, 1), "detector_ms": round(alone, 1),
                         "ratio": round(took / alone, 3)})
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    for row in rows:
        print("  ".join(f"{k} {v}" for k, v in row.items()))


if __name__ == "__main__":
    main()
