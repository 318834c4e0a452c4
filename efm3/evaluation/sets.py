# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Sets of pairs: InsightFace's verification `.bin`, pairs files beside pictures, arrays."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efm3 import sniff
from efm3.arrays import Bools, Indices, Pixels
from efm3.evaluation import _text, pickles
from efm3.findings import Efm3Error, refuse
from efm3.pictures import SIDE, BadPicture, decode
from efm3.source import Source, name_of, read

if TYPE_CHECKING:
    import numpy.typing as npt

    from efm3.photos import Aligner

Crop = Callable[[bytes], Pixels]
"""An encoded picture to uint8 [112, 112, 3]."""
FOLDS = 10


@dataclass(frozen=True)
class PairSet:
    """`load(i)` gives picture i of `count`, uint8 [112, 112, 3] RGB, or raises BadPicture.

    Pair k is pictures `first[k]` and `second[k]`; `same[k]` where they show one person; `fold[k]`,
    0 to folds - 1, is its part in the protocol. `title(i)` names a picture in messages.
    """

    name: str
    count: int
    load: Callable[[int], Pixels]
    title: Callable[[int], str]
    first: Indices
    second: Indices
    same: Bools
    fold: Indices

    @property
    def folds(self) -> int:
        """How many parts the pairs come in."""
        return int(self.fold.max()) + 1


def open_pairs(source: Source, images: str | None = None, resize: bool = False,
               align: Aligner | None = None) -> PairSet:
    """The set in a file: a pickle, or a pairs file whose pictures are below `images`.

    Where `images` is not given, the pictures are beside the file, or in a folder of LFW's name
    there. A folder means the `pairs.txt` in it or beside it.
    Pictures of another size than 112x112 are scaled with `resize`, else refused when loaded;
    with `align` all are photographs, whose faces are found and aligned.
    Raises Efm3Error, IO001 or F001 to F005 and F007; Unreadable.
    """
    roots: list[str] = []
    if isinstance(source, (str, os.PathLike)) and os.path.isdir(source):
        roots = [os.fspath(source)]
        source = _text.within(roots[0])
    place, data = name_of(source), bytes(read(source))
    roots += _text.roots(os.path.dirname(place) or ".")

    def crop(encoded: bytes) -> Pixels:
        return align(encoded, "").pixels if align else decode(encoded, resize)

    text = None if place.endswith(".bin") else _text.of(data, place)
    if text is not None:
        return _folder(text, place, roots if images is None else [images], crop)
    return _pickled(data, place, crop)


def from_arrays(name: str, images: npt.ArrayLike, first: npt.ArrayLike, second: npt.ArrayLike,
                same: npt.ArrayLike, fold: npt.ArrayLike | None = None) -> PairSet:
    """A set of pictures in memory: uint8 [N, 112, 112, 3] and, for each pair, two indices, the
    answer, and the fold. Raises Efm3Error F001 or F007."""
    pictures = np.asarray(images)
    if pictures.dtype != np.uint8 or pictures.shape[1:] != (SIDE, SIDE, 3):
        refuse("F001", f"pictures are {pictures.dtype} {list(pictures.shape)}", name,
               expected="uint8 [N, 112, 112, 3]")
    return _set(name, len(pictures), lambda i: pictures[i], lambda i: f"{name}, picture {i}",
                first, second, same, fold)


def _set(name: str, count: int, load: Callable[[int], Pixels], title: Callable[[int], str],
         first: npt.ArrayLike, second: npt.ArrayLike, same: npt.ArrayLike,
         fold: npt.ArrayLike | None = None) -> PairSet:
    one, two = (np.asarray(v, np.int64) for v in (first, second))
    answers = np.asarray(same, bool)
    if not one.shape == two.shape == answers.shape or one.ndim != 1:
        refuse("F001", f"pairs of shapes {one.shape}, {two.shape} and {answers.shape}", name,
               expected="one length")
    if len(one) < FOLDS or answers.all() or not answers.any():
        refuse("F007", f"{len(one)} pairs, {int(answers.sum())} of the same person; the protocol "
               f"needs {FOLDS} pairs, some of them of the same and some of different people", name)
    if min(one.min(), two.min()) < 0 or max(one.max(), two.max()) >= count:
        refuse("F001", f"a pair names a picture that is none of the {count}", name)
    parts = contiguous(len(one)) if fold is None else np.asarray(fold, np.int64)
    known = np.unique(parts)
    if parts.shape != one.shape or len(known) < 2 or (known != np.arange(len(known))).any():
        refuse("F001", "folds are not numbered 0, 1, ... without a gap, at least two", name)
    return PairSet(name, count, load, title, one, two, answers, parts)


def contiguous(pairs: int, folds: int = FOLDS) -> Indices:
    """Fold of each pair where a set has none of its own: blocks in the set's order."""
    sizes = [pairs // folds + (i < pairs % folds) for i in range(folds)]
    return np.repeat(np.arange(folds), sizes)


def _pickled(data: bytes, place: str, crop: Crop) -> PairSet:
    value = _loaded(data, place)
    if not isinstance(value, (list, tuple)) or len(value) != 2:
        refuse("F001", "the pickle does not hold two things, pictures and answers", place,
               type(value).__name__, "(list of encoded pictures, list of answers)")
    pictures, answers = (pickles.value_of(v) for v in value)
    if isinstance(answers, memoryview):  # an array of uint8
        answers = list(answers)
    for what, part in (("pictures", pictures), ("answers", answers)):
        if not isinstance(part, (list, tuple)):
            refuse("F001", f"its {what} are not a list", place, type(part).__name__, "list")
    if len(pictures) != 2 * len(answers):
        refuse("F001", f"{len(pictures)} pictures for {len(answers)} answers", place,
               len(pictures), 2 * len(answers))
    # A picture may be part of many pairs: equal bytes are decoded and embedded once.
    unique: dict[memoryview, int] = {}
    at = np.empty(len(pictures), np.int64)
    for i, item in enumerate(pictures):
        picture = pickles.value_of(item)
        if not isinstance(picture, memoryview):
            refuse("F001", f"picture {i} is {type(picture).__name__}, not bytes", place)
        at[i] = unique.setdefault(picture, len(unique))
    for i, answer in enumerate(answers):
        if answer not in (0, 1) or not isinstance(answer, int):
            refuse("F001", f"answer {i} is {type(answer).__name__}, not true or false", place)
    encoded = list(unique)
    firsts = np.unique(at, return_index=True)[1]
    return _set(place, len(encoded), lambda i: crop(bytes(encoded[i])),
                lambda i: f"{place}, picture {firsts[i]}", at[::2], at[1::2], answers)


def _loaded(data: bytes, place: str) -> Any:
    """What the pickle holds. Raises Efm3Error F001 to F003: what is none is named."""
    try:
        return pickles.loads(data, place)
    except Efm3Error as e:
        kind = sniff.of_data(data) if e.code in ("F002", "F003") else None
        # An old pickle is letters and lines too: what it forbids is told before that it is a text.
        if kind is None or kind.name in ("pickle", "torch_legacy") or (
                kind.name == "text" and e.code == "F002"):
            raise
        note = "; a pairs file's name does not end in .bin" if kind.name == "text" else ""
        refuse("F001", f"this is {kind.title}{kind.detail}, not a set of pairs{note}", place,
               kind.title, "a pickle of pictures and answers, or a text of pairs")


def _folder(text: str, place: str, folders: list[str], crop: Crop) -> PairSet:
    rows, fold = _text.pairs(text, place)
    unique: dict[str, int] = {}
    lines: list[int] = []
    for number, names, _ in rows:
        for name in names:
            if name not in unique:
                unique[name] = len(unique)
                lines.append(number)
    folder = _text.root(unique, folders)
    found = [_text.find(name, folder, f"{place}, line {line}")
             for name, line in zip(unique, lines, strict=True)]

    def load(i: int) -> Pixels:
        try:
            return crop(bytes(read(found[i])))
        except OSError as e:
            raise BadPicture(str(e)) from None

    return _set(place, len(found), load, lambda i: found[i],
                [unique[names[0]] for _, names, _ in rows],
                [unique[names[1]] for _, names, _ in rows],
                [same for _, _, same in rows], fold)
