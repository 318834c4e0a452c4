# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A bulk run on Daft, which reads object storage and runs on the machines of a Ray cluster.

This process names the pictures and writes the table, so that order, parts, lock and resume are
those of a run on one machine; Daft downloads, and its workers decode and embed.
"""

from __future__ import annotations

import os
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

from efm3.bulk import _frames
from efm3.bulk._actor import Actor, read_answer
from efm3.bulk._daft import answers, method, reason, started, surroundings
from efm3.bulk._places import Places, Url
from efm3.bulk.inputs import Item
from efm3.bulk.rows import Made, Plan, failed
from efm3.bulk.run import Run, Told, into
from efm3.findings import Efm3Error, Finding, error, refuse
from efm3.source import Source
from efm3.version import __version__

if TYPE_CHECKING:
    from efm3.photos import Which

__all__ = ["DaftRun", "Places", "embed"]

MAX_MODEL = 1 << 28
"""Bytes of a weight file that are sent to every worker."""
CROPS, PHOTOS = 64, 8
"""Pictures that a worker gets at once."""
PARTITION = 1024
"""Pictures of a task of a cluster."""
SLICE, LARGEST_SLICE = 1 << 15, 1 << 18
"""Pictures of a query: at first, and at most, where workers are fast."""
SLICE_SECONDS = 120
WAITING = 1 << 26
"""Numbers of embeddings that wait in memory for those of slower pictures before them."""
SLICE_BYTES = 1 << 26
"""Bytes of pictures out of archives in a query."""
SHRINK = 8
"""What a query that failed left is asked again in so many pieces, down to one picture."""
STARTS = 3
"""Queries of one picture that fail, before any succeeded, until the run gives up."""


def embed(model: Source, inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Places,
          output: str | os.PathLike[str], *, align: bool = False, face: Which = "one",
          detector: str = "centerface", resize: bool = False, strict: bool = False,
          resume: bool = False, force: bool = False, jobs: int | None = None,
          isa: str | None = None, precision: str = "f32", threads: int = 1,
          told: Told | None = None, ray: str | None = None) -> dict[str, Any]:
    """As `efm3.bulk.embed`, by Daft; paths may be URLs of object storage and of the web too.

    `ray` is the address of a Ray cluster, "auto" for the one that this machine belongs to; without
    it Daft runs here, or as the program or DAFT_RUNNER says. `jobs` workers, else one for each
    core. Raises Efm3Error B015 to B017 and X002 too.
    """
    if align and resize:
        raise ValueError("align finds the face, resize takes the picture as it is: one of them")
    if not isinstance(inputs, Places):
        inputs = Places([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)
    plan = Plan(align, face, detector, resize, isa, threads, precision)
    with DaftRun(model, plan, jobs, ray) as run:
        return into(run, inputs, os.fspath(output), strict=strict, resume=resume, force=force,
                    told=told)


class DaftRun(Run):
    """A Run whose workers are Daft's. Raises Efm3Error B016, B017 and X002 too."""

    def __init__(self, model: Source, plan: Plan = Plan(), jobs: int | None = None,  # noqa: B008 - it is frozen
                 ray: str | None = None, actor: type[Actor] = Actor) -> None:
        super().__init__(model, plan, jobs)
        if len(self._model) > MAX_MODEL:
            refuse("B017", f"{len(self._model):,} bytes, more than are sent to each worker", "",
                   f"{len(self._model):,}", f"{MAX_MODEL:,} at most")
        self.cluster, usable = started(ray)
        self._workers = jobs or max(1, usable // plan.threads)
        # A photograph takes as long as many crops, and its file as many bytes.
        self._batch = PHOTOS if plan.align or plan.resize else CROPS
        self._actor = actor
        self._worked, self._failed, self._slice = False, 0, SLICE

    def rows(self, pictures: Iterable[Item]) -> Iterator[Made]:
        """Each picture's rows, in order."""
        items = iter(pictures)
        while held := self._held(items):
            start = monotonic()
            yield from self._made(held)
            # Workers are started for every query: it is to be long, but what it holds is bounded.
            rate = len(held) / max(monotonic() - start, 0.01)
            most = min(LARGEST_SLICE, WAITING // self.dim)
            self._slice = max(SLICE, min(most, int(rate * SLICE_SECONDS)))

    def _held(self, items: Iterator[Item]) -> list[Item]:
        """The pictures of the next query."""
        out: list[Item] = []
        size = 0
        for item in items:
            out.append(item)
            size += len(item.source) if isinstance(item.source, bytes) else 0
            if len(out) >= self._slice or size > SLICE_BYTES:
                break
        return out

    def _made(self, items: list[Item]) -> Iterator[Made]:
        """The rows of these; what was not answered when a query failed is asked again."""
        made: dict[int, Made] = {i: failed(item.name, item.source) for i, item in enumerate(items)
                                 if isinstance(item.source, Finding)}
        waiting = deque([[i for i in range(len(items)) if i not in made]])
        at = 0
        while at < len(items):
            asked = waiting.popleft() if at not in made else []
            why = "it gave no answer"
            try:
                for found in self._answers(items, asked):
                    made.update(found)
                    self._worked = True
                    while at in made:
                        yield made.pop(at)
                        at += 1
            except Efm3Error:
                raise
            except Exception as e:
                # Daft, Ray and what they are made of raise nearly every kind of exception.
                why = reason(e)
            missing = [p for p in asked if p >= at and p not in made]
            if len(asked) == 1 and missing:
                made[asked[0]] = self._died(items[asked[0]].name, why)
            else:
                waiting.extendleft(reversed(self._pieces(missing)))
            while at in made:
                yield made.pop(at)
                at += 1

    def _pieces(self, missing: list[int]) -> list[list[int]]:
        """What a query that failed left, to find out which picture it is that fails it."""
        # Most likely one of the first: answers come about in order.
        near = self._workers * 2 * self._batch if self._worked else 1
        if len(missing) > near:
            return [missing[:near], missing[near:]]
        step = -(-len(missing) // SHRINK) or 1
        return [missing[i:i + step] for i in range(0, len(missing), step)]

    def _died(self, name: str, why: str) -> Made:
        self._failed += 1
        if self._failed >= STARTS and not self._worked:
            refuse("B016", f"Daft's workers fail before they can work: {why}")
        return failed(name, error("B013", f"the process that worked on it died: {why}",
                                  name).finding)

    def _answers(self, items: Sequence[Item], asked: Sequence[int]) -> Iterator[dict[int, Made]]:
        """One query: rows as they come, by the positions of their pictures."""
        if not asked:
            return
        left = {*asked}
        alive = "" if self.cluster else _marker()
        try:
            with surroundings(self.cluster):
                for value in answers(self._query(items, asked, alive), partial(_unmark, alive)):
                    positions, words, body = read_answer(value)
                    if not left.issuperset(positions):
                        raise _frames.Garbled("an answer that was not asked for")
                    left.difference_update(positions)
                    names = [items[p].name for p in positions]
                    yield dict(zip(positions, _frames.answered(words, body, names, self.dim),
                                   strict=True))
        finally:
            _unmark(alive)

    def _query(self, items: Sequence[Item], asked: Sequence[int], alive: str) -> Any:
        import daft
        import pyarrow as pa
        from daft import col
        from daft.functions import coalesce, download

        sources = [items[i].source for i in asked]
        frame = daft.from_arrow(pa.table({
            "at": pa.array(asked, pa.int64()),
            "name": pa.array([items[i].name for i in asked], pa.large_string()),
            # Bytes: the name of a file need not be UTF-8. Workers may be in another folder.
            "path": pa.array([None if isinstance(s, (Url, bytes)) else
                              os.fsencode(os.path.abspath(s)) for s in sources],  # type: ignore
                             pa.large_binary()),
            "data": pa.array([s if isinstance(s, bytes) else None for s in sources],
                             pa.large_binary()),
            "url": pa.array([str(s) if isinstance(s, Url) else None for s in sources],
                            pa.large_string())}))
        if self.cluster:
            frame = frame.into_partitions(max(min(self._workers, len(asked)),
                                              len(asked) // PARTITION))
        if any(isinstance(s, Url) for s in sources):
            frame = frame.into_batches(self._batch).with_column(
                "data", coalesce(col("data"), download(col("url"), on_error="null")))
        asks = method(self._actor, (__version__, self._model, asdict(self._plan), alive),
                      self._workers, self._plan.threads, self._batch, self.cluster)
        return frame.select(asks(col("at"), col("name"), col("path"), col("data")))


def _marker() -> str:
    """A file that is there until it is deleted, as long as answers are wanted."""
    handle, path = tempfile.mkstemp(prefix="efm3-", suffix=".alive")
    os.close(handle)
    return path


def _unmark(path: str) -> None:
    with suppress(FileNotFoundError):
        os.unlink(path)
