# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A face in a photograph, and what its five points and its crop say of its quality."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from efm3.arrays import Doubles, Pixels
from efm3.photos.align import TEMPLATE

SMALL = 20
"""Pixels between the eyes below which a crop is mostly guessed: 35 in the crop itself."""
ASIDE = 40
"""Degrees of yaw or pitch from which a face shows too little of itself."""
_DEPTH = (0.0, 0.0, 13.0, 1.0, 1.0)
"""How far the points stand out of the plane of the eyes, in the template's pixels, of which 35 lie
between the eyes: the tip of the nose 23 mm, the corners of the mouth 2 mm."""
_FIT = np.linalg.pinv(np.column_stack([TEMPLATE - np.mean(TEMPLATE, 0), _DEPTH, np.ones(5)]))[:3]
"""Points to the camera that sees them so, by least squares; it makes up for every shift."""


class Pose(NamedTuple):
    """Degrees, coarse: an average head is assumed, and no perspective.

    `roll`: turned in the picture, clockwise. `yaw`: it looks to the right side of the picture.
    `pitch`: it looks up.
    """

    roll: float
    yaw: float
    pitch: float


class Face(NamedTuple):
    """`box`: left, top, right, bottom. `points`, [5, 2]: the eyes, the tip of the nose, the corners
    of the mouth, those on the left of an upright picture first. `score`: 0 to 1."""

    box: Doubles
    points: Doubles
    score: float

    @property
    def width(self) -> float:
        """Of the box, in pixels."""
        return float(self.box[2] - self.box[0])

    @property
    def height(self) -> float:
        """Of the box, in pixels."""
        return float(self.box[3] - self.box[1])

    @property
    def area(self) -> float:
        """Of the box, in pixels."""
        return self.width * self.height

    @property
    def centre(self) -> tuple[float, float]:
        """Of the box."""
        return float(self.box[0] + self.box[2]) / 2, float(self.box[1] + self.box[3]) / 2

    @property
    def eyes(self) -> float:
        """Pixels between the eyes."""
        return float(np.hypot(*(self.points[1] - self.points[0])))

    @property
    def pose(self) -> Pose:
        """Roll, yaw and pitch."""
        return pose(self.points)

    def inside(self, width: int, height: int) -> float:
        """The part of the box that is in a picture of this size, 0 to 1."""
        low = np.maximum(self.box[:2], -0.5)
        high = np.minimum(self.box[2:], np.array([width, height]) - 0.5)
        return float(np.prod(np.maximum(high - low, 0)) / self.area) if self.area > 0 else 0.0

    def notes(self, width: int, height: int) -> tuple[str, ...]:
        """Why its crop is not as good as one may think, a sentence each."""
        out = []
        if self.eyes < SMALL:
            out.append(f"a small face: {self.eyes:.0f} pixels between the eyes, fewer than {SMALL}")
        if self.inside(width, height) < 0.95:
            out.append("the face is cut by the border of the photograph")
        seen = self.pose
        if max(abs(seen.yaw), abs(seen.pitch)) > ASIDE:
            out.append(f"the face looks aside: yaw {seen.yaw:.0f}, pitch {seen.pitch:.0f} degrees")
        return tuple(out)

    def to_json(self, pixels: Pixels, crop: Pixels) -> dict[str, Any]:
        """Place, score and quality in the photograph `pixels`; every key is always there."""
        height, width = pixels.shape[:2]
        return {"box": [round(float(v), 2) for v in self.box],
                "points": [[round(float(v), 2) for v in p] for p in self.points],
                "score": round(self.score, 4), "eyes": round(self.eyes, 2),
                "sharpness": round(sharpness(crop), 2),
                **{k: round(v, 1) for k, v in self.pose._asdict().items()},
                "share": round(self.area * self.inside(width, height) / (width * height), 5),
                "inside": round(self.inside(width, height), 4),
                "notes": list(self.notes(width, height))}


def pose(points: Doubles) -> Pose:
    """The turn of an average head whose points, seen from afar, lie nearest to these.

    The five points have a plane and a nose that stands out of it: where the nose lies beside its
    place in the plane, the head is turned.
    """
    camera = (_FIT @ points).T
    u, _, v = np.linalg.svd(camera, full_matrices=False)
    across, down = u @ v
    roll = np.arctan2(down[0], across[0])
    toward = np.cross(across, down)[2]
    # Where the nose points to, in the picture turned back by the roll.
    nose = complex(across[2], down[2]) * np.exp(-1j * roll)
    return Pose(*(float(np.degrees(angle)) for angle in (
        roll, np.arctan2(nose.real, toward), -np.arcsin(np.clip(nose.imag, -1, 1)))))


def sharpness(crop: Pixels) -> float:
    """Variance of the Laplacian of a crop's grey values, 0 to 255: the less, the more blurred."""
    grey = crop @ np.array([0.299, 0.587, 0.114])
    inner = grey[1:-1, 1:-1]
    return float(np.var(grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
                        - 4 * inner))
