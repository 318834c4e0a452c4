# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run on one machine: pictures through workers to a table."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from efm3 import engine, fallback
from efm3.bulk._pool import MOST, Pool
from efm3.bulk.inputs import Inputs, Item, is_url
from efm3.bulk.row import Job, Row
from efm3.bulk.rows import Made, Maker, Plan
from efm3.findings import Efm3Error, Finding, error, refuse
from efm3.machine import cores
from efm3.reading import scan_of
from efm3.scan import Scan
from efm3.source import Source, Unreadable, name_of, open_regular

if TYPE_CHECKING:
    from efm3.photos import Which

FEW = 32
"""Pictures that this process does itself, unless a number of workers is asked for: to start one
takes longer."""
MISSING = 1000
"""Names in a row of which nothing is there, until the table is begun all the same."""
PART_SECONDS = 10
"""What a killed run loses at most."""
HELD = 1 << 24
"""Bytes of pictures out of archives that are held to find out whether they are few."""
Told = Callable[[Made], object]


class Run:
    """A model and a plan, ready for pictures; a context manager.

    `job` says what decides the rows. Raises what `fallback.opened` raises, Efm3Error F015 and
    X002 for the detector, Unreadable.
    """

    def __init__(self, model: Source, plan: Plan = Plan(), jobs: int | None = None) -> None:  # noqa: B008 - it is frozen
        name = name_of(model)
        try:
            scanned = scan_of(model)
        except Unreadable as e:
            raise error("IO001", str(e), name) from e
        try:
            opened = fallback.embedder(scanned, isa=plan.isa, threads=plan.threads,
                                       precision=plan.precision)
        except Efm3Error as e:
            raise Efm3Error(replace(e.finding, path=name)) from None
        self._model = bytes(scanned.data)
        self.dim, self.isa = opened.embedding_dim, opened.isa
        self.precision, self.engine = plan.precision, fallback.engine_of(opened)
        self.job = Job(_digest(scanned), self.dim, _options(plan, opened.turned))
        self._plan, self._jobs = plan, jobs
        self._pool: Pool | None = None

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the workers."""
        if self._pool:
            self._pool.close()
            self._pool = None

    def threshold(self) -> engine.Threshold:
        """Above what the model takes two faces for one person, as its file states it."""
        return engine.threshold(self._model)

    def rows(self, pictures: Iterable[Item]) -> Iterator[Made]:
        """Each picture's rows, in order, as soon as they are there."""
        items = iter(pictures)
        first: list[Item] = []
        if self._jobs is None:
            held = 0
            for item in items:
                first.append(item)
                held += len(item.source) if isinstance(item.source, bytes) else 0
                if len(first) > FEW or held > HELD:
                    break
            else:
                maker = Maker(self._model, self._plan)
                for at in range(0, len(first), MOST):
                    yield from maker.made(first[at:at + MOST])
                return
        if not self._pool:
            self._pool = Pool(self._model, self._plan, self.dim, self._jobs or cores())
            self._pool.start()
        yield from self._pool.rows(itertools.chain(first, items))


def _digest(found: Scan) -> str:
    """The SHA-256 of the tensor table, which the engine took."""
    return hashlib.sha256(found.data[found.table_offset:]).hexdigest()


def _options(plan: Plan, turned: bool) -> dict[str, Any]:
    detector: dict[str, str] | None = None
    if plan.align:
        detector = {"name": plan.detector}
        if plan.detector.lower().endswith(".onnx"):
            detector = {"name": os.path.basename(plan.detector),
                        "sha256": _file_digest(plan.detector)}
    return {"align": plan.align, "face": plan.face if plan.align else None, "detector": detector,
            "resize": plan.resize, "turned": turned, "precision": plan.precision}


def _file_digest(path: str) -> str:
    digest = hashlib.sha256()
    with open_regular(path) as f:
        while piece := f.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def embed(model: Source, inputs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | Inputs,
          output: str | os.PathLike[str], *, align: bool = False, face: Which = "one",
          detector: str = "centerface", resize: bool = False, strict: bool = False,
          resume: bool = False, force: bool = False, jobs: int | None = None,
          isa: str | None = None, precision: str = "f32", threads: int = 1,
          told: Told | None = None) -> dict[str, Any]:
    """Embed the pictures that `inputs` mean (paths, or Inputs) into the table `output`; the
    manifest.

    `jobs` workers, else one for each core, and none for few pictures. A picture that cannot be
    embedded is a row with its code and reason; `strict` raises that instead. `told` is called with
    each picture of this run. What is done stays when the run is interrupted: `resume`. In the
    manifest `unread` counts archives and folders that could not be read to their end.

    Raises Efm3Error (B001 to B014, IO001 where nothing that is named is there, the model's, the
    detector's, with `strict` a picture's) and OSError.
    """
    if align and resize:
        raise ValueError("align finds the face, resize takes the picture as it is: one of them")
    if not isinstance(inputs, Inputs):
        inputs = Inputs([inputs] if isinstance(inputs, (str, os.PathLike)) else inputs)
    plan = Plan(align, face, detector, resize, isa, threads, precision)
    with Run(model, plan, jobs) as run:
        return into(run, inputs, os.fspath(output), strict=strict, resume=resume, force=force,
                    told=told)


def into(run: Run, inputs: Inputs, output: str, *, strict: bool = False, resume: bool = False,
         force: bool = False, told: Told | None = None) -> dict[str, Any]:
    """`embed` with a Run that is open."""
    from efm3.bulk.output import open_output

    inputs.output = output
    seen: list[Callable[[str], bool]] = []
    items = inputs.pictures(lambda name: bool(seen) and seen[0](name))
    # Before the output is touched: a list that cannot be read, or nothing at all, leaves no trace.
    first, there = _ahead(items)
    if not resume:
        _something(run, inputs, first, there, strict, told)
    with open_output(output, run.job, resume=resume, force=force,
                     part_seconds=PART_SECONDS) as out:
        seen.append(out.done.take)
        wanted = [item for item in first if not out.done.take(item.name)]
        inputs.passed += len(first) - len(wanted)
        if wanted or not out.done.pictures:
            _something(run, inputs, wanted, there, strict, told)
        for made in run.rows(itertools.chain(wanted, items)):
            out.add(made.rows)
            if strict:
                check(made)
            if told:
                told(made)
        limit = run.threshold()
        manifest: dict[str, Any] = out.finish({
            "skipped": dict(sorted(inputs.skipped.items())), "unread": inputs.unread,
            "threshold": limit.value, "threshold_from": limit.origin, "engine": run.engine})
    return manifest


def _ahead(items: Iterator[Item]) -> tuple[list[Item], bool]:
    """The first pictures, up to one that is there; and whether there may be one."""
    first: list[Item] = []
    for item in items:
        first.append(item)
        if len(first) == MISSING or not _missing(item.source):
            return first, True
    return first, False


def _missing(source: str | bytes | Finding) -> bool:
    if isinstance(source, Finding):
        return source.code == "IO001"
    return isinstance(source, str) and not is_url(source) and not os.path.exists(source)


def _something(run: Run, inputs: Inputs, first: list[Item], there: bool, strict: bool,
               told: Told | None) -> None:
    """Refuse inputs of which nothing is there: a table of mistyped names would only be in the way.

    Raises Efm3Error B010, and IO001 after what is missing was told.
    """
    if there:
        return
    if not first:
        nothing(inputs)
    for made in run.rows(first):
        if strict:
            check(made)
        if told:
            told(made)
    raise error("IO001", "nothing that is named is there, so no table is written", inputs.place)


def check(made: Made) -> None:
    """Raise the error of a picture that has one."""
    for row in made.rows:
        if row.error is not None:
            # Of what cannot be read a user sees the message alone.
            named = f"{made.name}: " * (row.error == "IO001")
            raise error(row.error, f"{named}{row.reason or ''}", made.name)


def json_lines(rows: Sequence[Row], dim: int) -> bytes:
    """Rows as a .jsonl table has them."""
    from efm3.bulk._lines import json_line
    from efm3.bulk._table import block_of

    b = block_of(rows, dim)
    return "".join(map(json_line, b.path, b.face, b.embedding, b.box, b.points, b.score, b.error,
                       b.reason)).encode()


def nothing(inputs: Inputs) -> NoReturn:
    """Refuse inputs without a picture. Raises Efm3Error B010."""
    left_out = ", ".join(f"{what} {n}" for what, n in sorted(inputs.skipped.items()))
    refuse("B010", "no picture found" + f"; left out: {left_out}" * bool(left_out), inputs.place)
