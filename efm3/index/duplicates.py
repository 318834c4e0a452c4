# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures that show (nearly) the same: all faces of one are those of the other."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from efm3.arrays import Array, Bools, Doubles, Indices
from efm3.bulk.row import path_of
from efm3.index._together import sets
from efm3.index.library import Library
from efm3.index.vectors import Held, exact, settled, taken

SAME = 0.95
"""Cosine above which two crops show the same shot (docs/search.md has the measurement)."""
MOST_FACES = 64
"""A picture with more faces is left alone."""
_PIECE = 1024


class Copy(NamedTuple):
    """A picture that is (nearly) the one that is kept, and how near: the cosine of the two faces
    that differ most."""

    path: str
    similarity: float


class Group(NamedTuple):
    """The picture to keep, and its copies, in the table's order."""

    keep: str
    copies: tuple[Copy, ...]


class Duplicates(NamedTuple):
    """Groups in the order of the pictures that are kept; how many pictures were compared, and how
    many were not: without an embedding, or with a path that stood before."""

    groups: tuple[Group, ...]
    compared: int
    left_out: int


class _Pictures(NamedTuple):
    """`first` row and number of `faces` of each picture, and the size of its largest face."""

    first: Indices
    faces: Indices
    size: Doubles
    left_out: int


def duplicates(library: Library, threshold: float = SAME, threads: int = 1) -> Duplicates:
    """The groups of the library's pictures.

    Each copy is itself above the threshold with the picture that is kept, not only with another
    copy. Kept is the picture with the larger face, where the table knows boxes and they differ by
    a fifth; else the one with the larger file, where they are there; else the first. Raises
    Efm3Error B024, OSError.
    """
    vectors = settled(library.vectors())
    first = sets(vectors, threshold, threads)
    pictures = _pictures(library, first >= 0)
    # Of two faces of one size the detector's boxes differ a little.
    size = np.round(np.log2(np.maximum(pictures.size, 1)) * 2)
    found: list[tuple[int, list[tuple[int, float]]]] = []
    alike = list(_alike(pictures, first))
    names = library.names(pictures.first[np.concatenate(alike)] if alike else first[:0])
    for group in alike:
        rows = pictures.first[group]
        files = np.array([_file_size(names[row].path) for row in rows.tolist()])
        order = group[np.lexsort((rows, -files, -size[group]))]
        found += _leaders(vectors, pictures, order, threshold)
    groups = tuple(Group(names[keep].path, tuple(Copy(names[row].path, cosine)
                                                 for row, cosine in sorted(copies)))
                   for keep, copies in sorted(found))
    return Duplicates(groups, len(pictures.first), pictures.left_out)


def _file_size(path: str) -> int:
    try:
        return os.stat(path_of(path)).st_size
    except (OSError, ValueError):
        return 0


def _pictures(library: Library, good: Bools) -> _Pictures:
    """The pictures of which each row has an embedding, and no path twice."""
    marks = np.empty(library.count, np.uint64)
    size = np.zeros(library.count)
    for at, found in library.columns("path", "box"):
        box = found["box"].astype(np.float64)
        area = (box[:, 2] - box[:, 0]) * (box[:, 3] - box[:, 1])
        size[at:at + len(area)] = np.where(np.isfinite(area), area, 0)
        marks[at:at + len(area)] = [_mark(p) for p in found["path"]]
    starts = np.flatnonzero(np.concatenate([[True], marks[1:] != marks[:-1]]))
    count = np.diff(starts, append=library.count)
    whole = np.logical_and.reduceat(good, starts) & (count <= MOST_FACES)
    # The same path again is the same file: it is no copy.
    once = np.zeros(len(starts), bool)
    once[np.unique(marks[starts], return_index=True)[1]] = True
    use = whole & once
    return _Pictures(starts[use], count[use], np.maximum.reduceat(size, starts)[use],
                     int((~use).sum()))


def _mark(path: str) -> int:
    """A number for a path. Two paths of one number would be compared with nothing."""
    data = path.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _alike(pictures: _Pictures, first: Indices) -> Iterator[Indices]:
    """The pictures whose faces are in the same sets, two or more: others are no copies."""
    single = np.flatnonzero(pictures.faces == 1)
    key = first[pictures.first[single]]
    order = np.argsort(key, kind="stable")
    for group in np.split(single[order], np.flatnonzero(np.diff(key[order])) + 1):
        if len(group) > 1:
            yield group
    several: dict[bytes, list[int]] = {}
    for i in np.flatnonzero(pictures.faces > 1).tolist():
        start, n = pictures.first[i], pictures.faces[i]
        several.setdefault(np.sort(first[start:start + n]).tobytes(), []).append(i)
    yield from (np.array(group) for group in several.values() if len(group) > 1)


def _leaders(vectors: Held, pictures: _Pictures, order: Indices, threshold: float) \
        -> Iterator[tuple[int, list[tuple[int, float]]]]:
    """Each picture is kept, or a copy of the nearest of those that are kept: first rows."""
    faces = int(pictures.faces[order[0]])
    kept: Doubles = np.empty((0, faces, vectors.dim))
    copies: list[list[tuple[int, float]]] = []
    own: list[int] = []
    for start in range(0, len(order), _PIECE):
        piece = order[start:start + _PIECE]
        for row, picture in zip(pictures.first[piece].tolist(),
                                _read(vectors, pictures.first[piece], faces), strict=True):
            near = _nearness(kept[:len(own)], picture)
            best = int(near.argmax()) if len(near) else 0
            if len(near) and near[best] > threshold:
                copies[best].append((row, float(near[best])))
                continue
            if len(own) == len(kept):
                kept = np.concatenate([kept, np.empty((len(own) + 8, faces, vectors.dim))])
            kept[len(own)] = picture
            own.append(row)
            copies.append([])
    return ((row, c) for row, c in zip(own, copies, strict=True) if c)


def _read(vectors: Held, first: Indices, faces: int) -> Doubles:
    """The embeddings of pictures, [P, faces, D], of length 1."""
    rows = (first[:, None] + np.arange(faces)).ravel()
    order = np.argsort(rows)
    out = np.empty((len(rows), vectors.dim))
    out[order] = exact(taken(vectors, rows[order]))
    return out.reshape(len(first), faces, vectors.dim)


def _nearness(kept: Doubles, picture: Array) -> Doubles:
    """For each picture that is kept the least cosine of a face and the nearest of the other's."""
    cosines = kept @ picture.T
    near: Doubles = np.minimum(cosines.max(2).min(1), cosines.max(1).min(1)) if len(kept) else \
        np.empty(0)
    return np.minimum(near, 1)
