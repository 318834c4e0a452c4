# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faces in a photograph of any size, upright or not, by a detector that knows upright ones."""

from __future__ import annotations

import math

import numpy as np

from efm3.arrays import Doubles, Pixels
from efm3.photos.align import NEAR, inverse, moved, shrunk, warp
from efm3.photos.detectors import Detector, suppressed
from efm3.photos.face import Face

FULL = 256
"""Pixels of the longer side at which a face that fills a photograph is looked for."""
MEMORY = 180 << 20
"""Bytes of the photograph and of the network while it looks at it: a large one is made smaller
for it, to about 1024x768 pixels, and one of more than 20 megapixels to fewer."""
_NETWORK = 165
"""Bytes that CenterFace takes for each pixel that it looks at, at most; measured."""
WEAK = 0.8
"""Where no face has this score, the best ones are looked at alone; and where none has it then,
the photograph in three other directions."""
FEW = 4
"""Faces that are looked at alone because they are weak."""
TURNED = 20
"""Degrees of roll from which a face is looked at again, upright: its points are inexact else."""
AGAIN = 16
"""Faces of a photograph that are looked at again, and how often each."""
TIMES = 3
_SIDE, _BOX = 256, 112
"""Pixels of the picture in which a face is looked at again, and of its box in there."""


def find(pixels: Pixels, detector: Detector) -> list[Face]:
    """The faces in uint8 RGB [H, W, 3], the largest first. Raises Efm3Error F015, X002.

    More attempts cost time only where they are needed: at a quarter of the size, for a face that
    fills a large photograph; weak faces alone; with the photograph on its sides and on its head;
    and each turned face alone, upright.
    """
    height, width = pixels.shape[:2]
    most = max(FULL ** 2, (MEMORY - pixels.nbytes) / _NETWORK / NEAR[1] ** 2)
    over = math.sqrt(height * width / most)
    small, onto = shrunk(pixels, width / over, height / over, True) if over > 1 else \
        (pixels, np.eye(2, 3))
    faces = detector.detect(small)
    if not faces:
        tiny, further = shrunk(small, FULL, FULL, True)
        if tiny is not small:
            faces = [_moved(inverse(further), f) for f in detector.detect(tiny)]
    faces = [_moved(inverse(onto), f) for f in faces]
    if all(f.score < WEAK for f in faces):
        # A face that is upright indeed, or turned as it seems, is surer where it is seen alone.
        faces = suppressed([_again(pixels, detector, f) for f in faces[:FEW]] + faces[FEW:])
    if all(f.score < WEAK for f in faces):
        faces = suppressed(faces + [_moved(inverse(onto), f) for turns in (1, 2, 3)
                                    for f in _from_turned(small, detector, turns)])
    turned = [i for i, f in enumerate(faces) if abs(f.pose.roll) > TURNED][:AGAIN]
    for i in turned:
        faces[i] = _again(pixels, detector, faces[i])
    if turned:
        faces = suppressed(faces)
    return sorted(faces, key=lambda f: -f.area)


def _moved(matrix: Doubles, face: Face) -> Face:
    """The face after a transform; the box keeps its sides upright and around what it held."""
    left, top, right, bottom = face.box
    corners = moved(matrix, np.array([(left, top), (right, top), (left, bottom), (right, bottom)]))
    return Face(np.concatenate([corners.min(0), corners.max(0)]), moved(matrix, face.points),
                face.score)


def _from_turned(pixels: Pixels, detector: Detector, turns: int) -> list[Face]:
    """The faces of the picture turned by so many quarters, where they are in the picture itself."""
    height, width = pixels.shape[:2]
    back = {1: [(0, -1, width - 1), (1, 0, 0)],
                   2: [(-1, 0, width - 1), (0, -1, height - 1)],
                   3: [(0, 1, 0), (-1, 0, height - 1)]}[turns]
    turned = np.ascontiguousarray(np.rot90(pixels, turns))
    return [_moved(np.array(back, np.float64), f) for f in detector.detect(turned)]


def _again(pixels: Pixels, detector: Detector, face: Face) -> Face:
    """The same face, found in a picture of its surroundings in which it is upright."""
    for _ in range(TIMES):
        a = _BOX / max(face.width, face.height) * np.exp(-1j * np.radians(face.pose.roll))
        shift = (_SIDE - 1) / 2 * (1 + 1j) - a * complex(*face.centre)
        onto = np.array([[a.real, -a.imag, shift.real], [a.imag, a.real, shift.imag]])
        near = [f for f in detector.detect(warp(pixels, onto, _SIDE))
                if abs(complex(*f.centre) - (_SIDE - 1) / 2 * (1 + 1j)) < _BOX / 2]
        if not near:
            break
        best = max(near, key=lambda f: f.score)
        centre = moved(inverse(onto), np.array([best.centre]))[0]
        half = np.array([best.width, best.height]) / abs(a) / 2
        face = Face(np.concatenate([centre - half, centre + half]),
                    moved(inverse(onto), best.points), best.score)
        if abs(best.pose.roll) <= TURNED:
            break
    return face
