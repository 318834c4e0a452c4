# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 embed`: embeddings of one picture, or of a hundred million."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from efm3.cli import isa_option, needs_engine, precision_option, separate, source
from efm3.cli._kinds import FILE
from efm3.cli._photos import alignment
from efm3.findings import printable
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.bulk.inputs import Inputs
    from efm3.bulk.rows import Made, Plan
    from efm3.bulk.run import Run
    from efm3.cli._progress import Progress
    from efm3.photos import Which
    from efm3.source import Source


STOPS = (signal.SIGINT, signal.SIGTERM)
AGAIN = 1.0
"""Seconds after a signal in which another changes nothing: what is done is being written."""


class _Terminated(BaseException):
    """SIGTERM came."""


@click.command("embed")
@click.argument("file", type=FILE)
@click.argument("paths", nargs=-1, type=FILE, metavar="[PATH]...")
@click.option("-o", "--output", metavar="OUT", type=FILE,
              help="X.parquet, X.npz, X.npy, X.csv, X.jsonl, "
              "X.json, or a folder X/ of Parquet parts; - is JSON Lines on standard output "
              "(default: a JSON document there)")
@click.option("--files-from", metavar="LIST", type=FILE,
              help="a file of paths, one a line; - is standard input")
@click.option("--null", is_flag=True, help="with --files-from: each path is ended by a NUL")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@alignment("one", "all")
@click.option("--strict", is_flag=True, help="end at the first picture that has no embedding")
@click.option("--resume", is_flag=True, help="go on with OUT where an earlier run ended")
@click.option("--force", is_flag=True, help="write OUT anew where it is there already")
@click.option("--jobs", type=click.IntRange(1, 64), help="processes that decode and embed "
              "(default: one a core, none for few pictures)")
@click.option("--engine", type=click.Choice(["default", "daft"]), default="default",
              show_default=True, help="daft reads URLs of object storage too, and runs on clusters")
@click.option("--ray", metavar="ADDRESS", help="with --engine daft: the Ray cluster to run on; "
              "auto is the one of this machine")
@click.option("-q", "--quiet", is_flag=True, help="say no progress and no counts")
@click.option("--json", "as_json", is_flag=True, help="with -o: say what was written as one JSON "
              "object; without it the embeddings are one anyway")
@isa_option
@precision_option
@click.option("--threads", type=click.IntRange(1, 64), default=1, show_default=True,
              help="threads of each process's engine")
@click.pass_context
def command(ctx: click.Context, file: str, paths: tuple[str, ...], output: str | None,
            files_from: str | None, null: bool, resize: bool, align: bool, face: Which,
            detector: str, strict: bool, resume: bool, force: bool, jobs: int | None, engine: str,
            ray: str | None, quiet: bool, as_json: bool, isa: str | None, precision: str,
            threads: int) -> None:
    """Embed pictures with FILE's network: photographs with --align; without it aligned faces of
    112x112 pixels, or .npy of uint8.

    A PATH is a picture, a folder, a pattern such as 'a/**/*.jpg', or an archive (.tar, .tar.gz,
    .tgz, .zip). Pictures are shown as viewers show them: turned by their EXIF orientation, in
    sRGB, transparent parts white. --align finds the face and cuts it out aligned; without it
    another size is refused, or scaled with --resize, which finds no face.

    A picture without an embedding is a row too, with its code and reason. Rows are in the order
    of the pictures. A run that is stopped or killed goes on with --resume.

    \b
    efm3 embed weights.bin face.png
    efm3 embed weights.bin photos/ --align -o people.parquet

    Exit codes: 0 done; 1 nothing could be embedded, an archive or a folder that cannot be read to
    its end (the rest is in OUT), input that is refused or a library that is missing; 2 usage; 3
    unreadable; 130 and 143 stopped by Ctrl-C and SIGTERM.
    """
    if ray is not None and engine != "daft":
        raise click.UsageError("--ray is for --engine daft")
    if as_json and output == "-":
        raise click.UsageError("--json and -o - both write to standard output: give one of them")
    with _interrupted(ctx) as said:
        table = _check(paths, output, files_from, null, align, resize, resume, force)
        separate([file, files_from, *paths], [output])
        from efm3.bulk.rows import Plan
        from efm3.bulk.run import into
        from efm3.cli._progress import Progress

        manifest = None  # of a table
        inputs, opened = _engine(engine, ray, paths, files_from, null)
        plan = Plan(align, face, detector, resize, isa, threads, precision)
        with needs_engine(), opened(source(file), plan, jobs) as run, \
                Progress(inputs, quiet or not output) as progress:
            if table:
                said.append("; what is done is kept, --resume goes on")
                manifest = into(run, inputs, str(output), strict=strict, resume=resume,
                                force=force, told=progress)
                good = manifest["faces"]
            else:
                _stream(run, inputs, output, file, align, _checked(progress, strict))
                good = progress.faces
        if output and not quiet:
            _counts(progress, inputs, good)
        if output and as_json:
            click.echo(dumps({
                "file": file, "output": output, "pictures": progress.pictures,
                "faces": progress.faces, "errors": dict(sorted(progress.codes.items())),
                "left_out": dict(sorted(inputs.skipped.items())), "unread": inputs.unread,
                "manifest": manifest}))
        if inputs.unread:
            click.echo(f"efm3: not all was read: {inputs.unread:,} of the archives and folders "
                       "could not be read to the end; what was read is written", err=True)
    if not good:
        ctx.exit(3 if progress.codes and {*progress.codes} == {"IO001"} else 1)
    if inputs.unread:
        ctx.exit(1)


def _engine(engine: str, ray: str | None, paths: tuple[str, ...], files_from: str | None,
            null: bool) -> tuple[Inputs, Callable[[Source, Plan, int | None], Run]]:
    """The inputs that an engine takes, and what opens it."""
    if engine == "default":
        from efm3.bulk.inputs import Inputs
        from efm3.bulk.run import Run

        return Inputs(paths, files_from, null), Run
    from efm3.bulk.daft import DaftRun, Places

    return Places(paths, files_from, null), partial(DaftRun, ray=ray)


def _check(paths: tuple[str, ...], output: str | None, files_from: str | None, null: bool,
           align: bool, resize: bool, resume: bool, force: bool) -> bool:
    """Whether OUT is a table, which can be resumed. Raises UsageError."""
    if align and resize:
        raise click.UsageError("--align finds the face, --resize takes the picture as it is: "
                               "give one of them")
    if not paths and files_from is None:
        raise click.UsageError("give a PATH, or --files-from LIST")
    if null and files_from is None:
        raise click.UsageError("--null is for --files-from")
    if resume and force:
        raise click.UsageError("--resume goes on with OUT, --force writes it anew: give one of "
                               "them")
    if output in (None, "-") or output.endswith(".json"):
        if resume:
            raise click.UsageError("--resume needs a table: -o X.parquet, .npz, .npy, .csv, "
                                   ".jsonl or a folder X/")
        return False
    from efm3.bulk.tables import FORMS

    folder = output.endswith(("/", os.sep)) or os.path.isdir(output)
    if not folder and os.path.splitext(output)[1].lower() not in FORMS:
        raise click.UsageError(f"{printable(output)}: the name must end in "
                               f"{', '.join(FORMS)}, .json, or / for a folder")
    return True


@contextmanager
def _interrupted(ctx: click.Context) -> Iterator[list[str]]:
    """Ctrl-C and SIGTERM end the run in one line, to which what is yielded may be added.

    However often they come: from the first on they are held off, until the process is gone.
    """
    said = ["efm3: stopped"]
    first: list[tuple[int, float]] = []

    def stop(number: int, _: object) -> None:
        now = time.monotonic()
        if first and now - first[-1][1] < AGAIN:
            return
        first.append((number, now))
        raise KeyboardInterrupt if number == signal.SIGINT else _Terminated

    before = []
    with suppress(ValueError):  # not the main thread
        before = [(n, signal.signal(n, stop)) for n in STOPS]
    try:
        yield said
    except (KeyboardInterrupt, _Terminated) as e:
        for number, _ in before:
            signal.signal(number, signal.SIG_IGN)
        before = []
        click.echo("".join(said), err=True)
        ctx.exit(130 if isinstance(e, KeyboardInterrupt) else 143)
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _checked(progress: Progress, strict: bool) -> Callable[[Made], None]:
    from efm3.bulk.run import check

    def told(made: Made) -> None:
        if strict:
            check(made)
        progress(made)
    return told


def _stream(run: Run, inputs: Inputs, output: str | None, file: str, align: bool,
            told: Callable[[Made], None]) -> None:
    """A JSON document, or JSON Lines, as the pictures come."""
    from efm3.bulk.run import json_lines, nothing
    from efm3.source import write_atomic

    def made() -> Iterator[Made]:
        found = False
        for one in run.rows(inputs.pictures()):
            found = True
            yield one
            told(one)
        if not found:
            nothing(inputs)

    if output == "-":
        for one in made():
            _write(json_lines(one.rows, run.dim))
    elif output:
        write_atomic(output, _document(made(), file, run, align))
    else:
        for piece in _document(made(), file, run, align):
            _write(piece)


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _document(made: Iterable[Made], file: str, run: Run, align: bool) -> Iterator[bytes]:
    head = dumps({"file": file, "engine": run.engine, "isa": run.isa, "precision": run.precision,
                  "embeddings": []})[:-2]
    separator = head
    for one in made:
        for row in one.rows:
            value: dict[str, Any] = {
                "path": row.path, "embedding": None if row.embedding is None else
                [float(v) for v in row.embedding], "notes": one.notes}
            if align and row.error is None:
                value |= {"face": row.face, "box": _rounded(row.box),
                          "points": _rounded(row.points), "score": row.score}
            if row.error is not None:
                value |= {"error": row.error, "reason": row.reason}
            yield (separator + dumps(value)).encode()
            separator = ", "
    yield b"]}\n"


def _rounded(values: tuple[float, ...] | None) -> list[float] | None:
    """Pixels, as `faces --json` has them."""
    return None if values is None else [round(v, 2) for v in values]


def _counts(progress: Progress, inputs: Inputs, good: int) -> None:
    """The last line: what came of the pictures, and what was left out."""
    text = progress.counts() if progress.pictures else \
        f"nothing new: the table has {good:,} embedding{'s' * (good != 1)}"
    left_out = ", ".join(f"{what} {n:,}" for what, n in sorted(inputs.skipped.items()))
    click.echo(f"efm3: {text}" + f"; left out: {left_out}" * bool(left_out), err=True)
