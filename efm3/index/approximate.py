# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A graph beside a table that finds near rows without looking at all: usearch, an extra."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from efm3.arrays import Doubles, Floats, Indices
from efm3.extras import need
from efm3.findings import error, printable, refuse
from efm3.index import _seal
from efm3.index.library import Library
from efm3.index.top import NONE, Hits, top
from efm3.index.vectors import Held, cosines, rows_of, taken, unit
from efm3.source import open_regular, replace, write_atomic

FORMAT = "efm3.nearest/1"
TRIES, OF = 100, 10
"""Rows that are searched exactly too when the graph is built, and how many hits of each."""
_MAX_STATED = 1 << 16
_PIECE = 1 << 20
_PAIRS = 4096
"""Pairs whose cosines are computed together."""


class Approximate:
    """The graph of a library of one table: called as `top` is, but hits may be missing; the
    cosines of a table that cannot be read from the middle are of half precision.

    It is X.usearch beside the table, with X.usearch.json, which states the model, the table's
    size and time, and the graph's digest; a graph of an older state of the table is built again.
    usearch trusts its files, and a made up one gives it any address: what is stated is sealed by
    the user's own key, and a graph that this user did not build here is never opened.
    `recall` is the part of the true nearest `of` that it gave for `tried` rows. Raises Efm3Error
    B026, B027 where it cannot be built, X002, what reading the table raises; OSError.
    """

    def __init__(self, library: Library, threads: int = 1) -> None:
        usearch = need("usearch.index", "search")
        self._threads, self._vectors = threads, library.vectors()
        table = library.tables[0]
        self._path = path = table.path.rstrip("/" + os.sep) + ".usearch"
        wanted = {"format": FORMAT, "model": library.model, "dim": library.dim,
                  "rows": library.count, "table": _state(table.path)}
        stated = _stated(path)
        if stated is None or any(stated.get(k) != v for k, v in wanted.items()):
            stated = self._build(usearch, library, path, wanted)
        same = _same(path)
        if not (same and stated["graph"] == same) and stated["sha256"] != _digest(path):
            refuse("B026", "it is not as it was written", path, "another digest",
                   stated["sha256"])
        try:
            self._graph = usearch.Index.restore(path, view=True)
        except Exception as e:  # its own exceptions have no common kind
            refuse("B026", f"usearch cannot read it: {e}", path)
        self.recall, self.tried, self.of = stated["recall"], stated["tried"], OF

    def __call__(self, queries: Floats, k: int, threshold: float | None = None) -> Hits:
        """See `top`."""
        scaled, good = unit(queries)
        found = self._graph.search(scaled, k, threads=self._threads)
        keys = np.reshape(found.keys, (len(queries), -1)).astype(np.int64)
        there = np.arange(keys.shape[1]) < np.reshape(
            getattr(found, "counts", len(found)), (-1, 1))
        if good is not None:
            there = there & good[:, None]
        if ((keys[there] < 0) | (keys[there] >= self._vectors.count)).any():
            refuse("B026", f"it names rows that are none of the {self._vectors.count}", self._path)
        # Places without a hit hold any bits.
        distances = np.where(there, np.reshape(found.distances, keys.shape), np.float32(0))
        similarity = 1 - distances.astype(np.float64)
        if isinstance(self._vectors, Held):
            similarity[there] = self._exact(
                queries, self._vectors, np.nonzero(there)[0], keys[there])
        there = there & (similarity > (-np.inf if threshold is None else threshold))
        keys[~there], similarity[~there] = NONE, -np.inf
        order = np.lexsort((keys, -similarity))
        keys = np.take_along_axis(keys, order, 1)
        similarity = np.take_along_axis(similarity, order, 1)
        similarity[keys == NONE] = np.nan
        return Hits(keys, np.clip(similarity, -1, 1))

    @staticmethod
    def _exact(queries: Floats, vectors: Held, query: Indices, rows: Indices) -> Doubles:
        """The cosines of queries and rows, pair by pair, out of the table."""
        out = np.empty(len(rows))
        for at in range(0, len(rows), _PAIRS):
            some, which = np.unique(rows[at:at + _PAIRS], return_inverse=True)
            out[at:at + _PAIRS] = cosines(queries[query[at:at + _PAIRS]],
                                          taken(vectors, some)[which])
        return out

    def _build(self, usearch: Any, library: Library, path: str, wanted: dict[str, Any]) \
            -> dict[str, Any]:
        temporary = f"{path}.{os.urandom(8).hex()}.tmp"
        try:
            # What must fail fails before the hours that building takes.
            with _building(path):
                _seal.sealed({})
                open(temporary, "xb").close()
            stated = self._filled(usearch, library, path, wanted)
            with _building(path):
                self._graph.save(temporary)
                with open(temporary, "rb+") as f:  # Windows syncs what may be written
                    os.fsync(f.fileno())
                stated["sha256"] = _digest(temporary)
                replace(temporary, path)
                stated = _seal.sealed({**stated, "graph": _same(path)})
                write_atomic(f"{path}.json", [json.dumps(stated, indent=1).encode() + b"\n"])
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        return stated

    def _filled(self, usearch: Any, library: Library, path: str, wanted: dict[str, Any]) \
            -> dict[str, Any]:
        """Put the rows into a new graph; what it was made of, and how good it is."""
        graph = usearch.Index(ndim=library.dim, metric="cos", dtype="f16")
        vectors = self._vectors
        step = max(1, library.count // TRIES)
        tries: list[Floats] = []
        for start, load in vectors.parts(rows_of(library.dim)):
            scaled, good = unit(block := load())
            keys = start + (np.arange(len(block)) if good is None else np.flatnonzero(good))
            with _building(path):
                graph.add(keys, scaled if good is None else scaled[good], threads=self._threads)
            some = keys[keys % step == 0][:TRIES - len(tries)]
            tries += list(block[some - start])
        self._graph = graph
        sample = np.stack(tries) if tries else np.empty((0, library.dim), np.float32)
        exact = top(sample, vectors, OF, threads=self._threads).rows
        rough = self(sample, OF).rows if len(sample) else exact
        hit = sum(np.isin(a[a != NONE], b).sum() for a, b in zip(exact, rough, strict=True))
        return {**wanted, "tried": len(sample),
                "recall": float(hit / max(1, (exact != NONE).sum()))}


@contextmanager
def _building(path: str) -> Iterator[None]:
    """Turns what the system and usearch refuse into Efm3Error B027."""
    try:
        yield
    except (OSError, RuntimeError, MemoryError) as e:
        where = f"{e.filename}: " if isinstance(e, OSError) and e.filename else ""
        said = (e.strerror if isinstance(e, OSError) else None) or str(e) or "out of memory"
        raise error("B027", f"it cannot be built: {printable(where + said)}", path) from e


def _stated(path: str) -> dict[str, Any] | None:
    """What stands beside a graph; None where neither is there. Raises Efm3Error B026."""
    if not os.path.lexists(path):
        return None
    try:
        with open_regular(f"{path}.json") as f:
            value = json.loads(f.read(_MAX_STATED))
        ours = isinstance(value, dict) and _seal.is_ours(value)
    except (OSError, ValueError, RecursionError) as e:
        raise error("B026", f"what stands beside it, {printable(path)}.json, cannot be read",
                    path) from e
    if not ours or value.get("format") != FORMAT:
        refuse("B026", f"{printable(path)}.json is not as you had it written here: somebody else "
                       f"built the graph, or it was changed; delete {printable(path)} to build "
                       "it anew", path)
    return dict(value)


def _state(path: str) -> list[Any]:
    """Sizes and times of a file, or of the files in a folder: they say whether it changed."""
    names = sorted(os.listdir(path)) if os.path.isdir(path) else [""]
    found = [os.stat(os.path.join(path, name) if name else path) for name in names]
    text = json.dumps([[n, s.st_size, s.st_mtime_ns]
                       for n, s in zip(names, found, strict=True)])
    return [sum(s.st_size for s in found), hashlib.sha256(text.encode()).hexdigest()]


def _same(path: str) -> list[int]:
    """Numbers of a file that are other ones as soon as it is written, whoever does it; empty where
    the system keeps none such: then its digest is taken each time."""
    if sys.platform == "win32":  # where a time of change is one of creation
        return []
    s = os.stat(path)
    return [s.st_dev, s.st_ino, s.st_size, s.st_mtime_ns, s.st_ctime_ns]


def _digest(path: str) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as f:
        while piece := f.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
