# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures to rows, in the process that calls: what every engine of a bulk run does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from efm3.arrays import Doubles, Floats, Pixels
from efm3.bulk._table import sound
from efm3.bulk.row import Row
from efm3.fallback import opened
from efm3.findings import Efm3Error, Finding, error
from efm3.pictures import BadPicture
from efm3.pictures.load import NPY, contents, crop
from efm3.source import Source, Unreadable

if TYPE_CHECKING:
    from efm3.photos import Aligner, Which

AT_ONCE = 64
"""Crops that the engine gets in one call."""
ENDING = ("F015", "X002")
"""Codes that say nothing of the picture: the detector or a library fails, for all pictures."""


@dataclass(frozen=True)
class Plan:
    """How pictures become rows; `face` and `detector` count with `align` alone."""

    align: bool = False
    face: Which = "one"
    detector: str = "centerface"
    resize: bool = False
    isa: str | None = None
    threads: int = 1
    precision: str = "f32"


class Made(NamedTuple):
    """A picture's rows, at least one, and what is to be known of it, a sentence each."""

    name: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


class Maker:
    """An engine, in C or numpy, and a detector for one plan. A picture's rows depend on nothing
    but the picture.

    Raises Efm3Error and EngineMissing where the model or the detector cannot be had.
    """

    def __init__(self, model: Source, plan: Plan) -> None:
        self.engine = opened(model, isa=plan.isa, threads=plan.threads,
                             precision=plan.precision)
        self._aligner: Aligner | None = None
        if plan.align:
            from efm3.photos import Aligner, open_detector

            self._aligner = Aligner(open_detector(plan.detector), plan.face)
        self._resize = plan.resize

    def rows_of(self, name: str, source: str | bytes | Finding) -> Made:
        """The rows of one picture: a path, the bytes of a file, or why there is none.

        Raises Efm3Error of a code in ENDING.
        """
        return self.made([(name, source)])[0]

    def made(self, pictures: Sequence[tuple[str, str | bytes | Finding]]) -> list[Made]:
        """As `rows_of`, for several pictures: the engine is faster on many crops than on one."""
        found: list[Made] = []
        crops: list[Pixels] = []
        with warnings.catch_warnings():
            # Pillow warns of odd metadata; what matters of it is refused or noted.
            warnings.simplefilter("ignore")
            for name, source in pictures:
                found.append(self._cut(name, source, crops))
        vectors = iter(self._embedded(crops))
        return [m if m.rows[0].error is not None else m._replace(rows=tuple(
            _filled(r, next(vectors)) for r in m.rows)) for m in found]

    def _embedded(self, crops: list[Pixels]) -> list[Floats]:
        out: list[Floats] = []
        for at in range(0, len(crops), AT_ONCE):
            out += [*self.engine.embed(np.stack(crops[at:at + AT_ONCE]))]
        return out

    def _cut(self, name: str, source: str | bytes | Finding, crops: list[Pixels]) -> Made:
        """The picture's rows without embeddings; their crops are added to `crops`."""
        if isinstance(source, Finding):
            return failed(name, source)
        try:
            data = contents(source) if isinstance(source, str) else source
            if self._aligner is None or data.startswith(NPY):
                pixels, notes = crop(data, self._resize, place=name)
                crops.append(pixels)
                return Made(name, (Row(name),), notes)
            faces = self._aligner.every(data, name)
        except Unreadable as e:
            return failed(name, error("IO001", str(e).removeprefix(f"{source!s}: "), name).finding)
        except MemoryError:
            return failed(name, error("IO001", "out of memory", name).finding)
        except Efm3Error as e:
            if e.code in ENDING and not isinstance(e, BadPicture):
                raise
            return failed(name, e.finding)
        crops += [picture.pixels for picture, _ in faces]
        return Made(name, tuple(
            Row(name, number, None, _numbers(face.box), _numbers(face.points), face.score)
            for number, (_, face) in enumerate(faces)),
            tuple(dict.fromkeys(note for picture, _ in faces for note in picture.notes)))


def failed(name: str, finding: Finding) -> Made:
    """The row of a picture that has no embedding."""
    return Made(name, (Row(name, error=finding.code, reason=finding.message),))


def _filled(row: Row, vector: Floats) -> Row:
    """The row with its embedding, or with an error where that is not finite."""
    row = row._replace(embedding=vector)
    return row if np.isfinite(vector).all() else sound([row], len(vector))[0][0]


def _numbers(values: Doubles) -> tuple[float, ...]:
    return tuple(values.reshape(-1).tolist())
