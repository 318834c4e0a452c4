# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Faces in photographs: found, judged, and cut out as the network takes them (docs/photos.md).

In every coordinate of this package the centre of the first pixel is (0, 0): x to the right, y
down, as in numpy's indices and in the template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from efm3.findings import Finding, error
from efm3.photos.align import aligned
from efm3.photos.detectors import Detector, open_detector
from efm3.photos.face import Face
from efm3.photos.find import find
from efm3.pictures import BadPicture, Picture, read
from efm3.source import Source, name_of

__all__ = ["Aligner", "Detector", "Face", "Which", "aligned", "choose", "find", "open_detector",
           "photograph"]

Which = Literal["one", "largest", "central", "all"]
"""Which faces of a photograph are taken: the only one, or else the photograph is refused; the
largest; the one nearest the photograph's centre, as sets like LFW name it; all."""
DECODED = 112 << 20
"""Bytes of decoding from which a JPEG is decoded smaller: a face of 112 pixels is in the smaller
picture too, and the network has more left to look at it."""
MOST_NAMED = 9
"""More faces than this are counted, but their sizes are not listed in a refusal."""


def photograph(source: Source, detector: Detector, place: str | None = None) -> Picture:
    """The photograph as `pictures.read` gives it, a JPEG within DECODED, for a detector to look at,
    which rests while a large one is decoded. Raises what `read` raises."""
    return read(source, place, DECODED, lambda: detector.rest())


def choose(faces: Sequence[Face], which: Which, width: int, height: int, place: str) -> list[Face]:
    """The faces that `which` means, at least one: `faces` as they come for "all", else one face.
    Raises BadPicture, F013 for none, F014 where "one" meets several."""
    if not faces:
        raise BadPicture(_none(place))
    if which == "all":
        return list(faces)
    if which == "largest":
        return [max(faces, key=lambda f: f.area)]
    if which == "central":
        middle = complex(width - 1, height - 1) / 2
        return [min(faces, key=lambda f: abs(complex(*f.centre) - middle))]
    if len(faces) > 1:
        sizes = ", ".join(f"{f.width:.0f}x{f.height:.0f}" for f in faces[:MOST_NAMED])
        raise BadPicture(error(
            "F014", f"{len(faces)} faces, of {sizes}{' ...' * (len(faces) > MOST_NAMED)} pixels; "
            "say which with --face largest or --face central, or cut them out with `efm3 faces`",
            place, f"{len(faces)} faces", "1 face").finding)
    return list(faces)


def _none(place: str) -> Finding:
    return error("F013", "no face found; give a photograph that shows one, larger and upright, or "
                 "an aligned crop of 112x112 pixels", place, "no face", "1 face").finding


@dataclass(frozen=True)
class Aligner:
    """Encoded photographs to aligned crops of one face: what `--align` does."""

    detector: Detector
    which: Which = "one"

    def __call__(self, source: Source, place: str | None = None) -> Picture:
        """The crop, [112, 112, 3], and what to know of it; of several faces the first that `every`
        gives. Raises what `every` raises."""
        return self.every(source, place)[0][0]

    def every(self, source: Source, place: str | None = None) -> list[tuple[Picture, Face]]:
        """The crop of each face that `which` means, what to know of it, and the face: the largest
        first, at least one. `place` names the photograph in messages.

        Raises BadPicture (F009 to F011: no picture that is decoded; F013: no face; F014: several
        where `which` is "one"), Unreadable, and Efm3Error X002 without Pillow, F015 where the
        detector's network fails.
        """
        place = name_of(source) if place is None else place
        pixels, notes = photograph(source, self.detector, place)
        height, width = pixels.shape[:2]
        faces = find(pixels, self.detector)
        chosen = choose(faces, self.which, width, height, place)
        if len(faces) > len(chosen):
            notes += (f"the {self.which} of {len(faces)} faces",)
        return [(Picture(aligned(pixels, f.points), notes + f.notes(width, height)), f)
                for f in chosen]
