# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The command efm3-synth.

Exit codes: 0 done; 1 the files could not be written, or the folder holds others; 2 wrong usage,
or PyTorch (for files also Pillow) is not installed.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

Progress = Callable[[int], None]


def _need(*modules: str) -> None:
    names = {"torch": "PyTorch (pip install torch)", "PIL": "Pillow (pip install pillow)"}
    missing = [names[m] for m in modules if importlib.util.find_spec(m) is None]
    if missing:
        raise click.UsageError("efm3-synth needs " + " and ".join(missing))


@contextlib.contextmanager
def _bar(total: int, quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal, a line for each tenth in a pipe, both on stderr."""
    if quiet:
        yield lambda done: None
    elif sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), "pictures,", TimeRemainingColumn(), "left")
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task("", total=total)
            yield lambda done: bar.update(task, completed=done)
    else:
        tenth = 0

        def tell(done: int) -> None:
            nonlocal tenth
            if done * 10 // total > tenth:
                tenth = done * 10 // total
                click.echo(f"{done} of {total} pictures", err=True)
        yield tell


def _report(as_json: bool, facts: dict[str, Any], words: str) -> None:
    click.echo(json.dumps(facts) if as_json else words)


def _faces(options: dict[str, Any]) -> Any:
    import torch

    from efm3.drawn.faces import Faces

    try:
        torch.zeros(1, device=options["device"]).cpu()
    except (RuntimeError, AssertionError) as e:
        reason = str(e).partition("\n")[0]
        raise click.UsageError(f"--device {options['device']}: {reason}") from None
    try:
        return Faces(options["seed"], options["first"], options["identities"], options["shots"],
                     spread=options["spread"], device=options["device"])
    except ValueError as e:
        raise click.UsageError(str(e)) from None


def _common(identities: int, shots: int) -> Callable[[Any], Any]:
    def add(f: Any) -> Any:
        for option in (
            click.option("--json", "as_json", is_flag=True, help="The result as one JSON object."),
            click.option("--device", default="cpu", show_default=True, help="A torch device."),
            click.option("--spread", type=click.FloatRange(0.0, 2.0), default=1.0,
                         show_default=True, help="How far apart people lie: less is harder."),
            click.option("--shots", type=click.IntRange(1), default=shots, show_default=True,
                         help="Pictures of each identity."),
            click.option("--identities", type=click.IntRange(1), default=identities,
                         show_default=True, help="How many identities."),
            click.option("--first", type=click.IntRange(0), default=0, show_default=True,
                         help="The number of the first identity."),
            click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1,
                         show_default=True),
        ):
            f = option(f)
        return f
    return add


@click.group(epilog="Exit codes: 0 done; 1 files could not be written, or the folder holds others; "
                    "2 wrong usage, or PyTorch or Pillow is not installed.")
def main() -> None:
    """Draw head-like pictures from numbers, for training and tests."""


def _write(kind: str, out: Path, options: dict[str, Any], total: Callable[[Any], int],
           work: Callable[[Any, Progress], Any]) -> None:
    faces = _faces(options)
    start = time.perf_counter()
    try:
        count = total(faces)
        with _bar(count, options["as_json"]) as progress:
            work(faces, progress)
    except ValueError as e:
        raise click.UsageError(str(e)) from None
    except OSError as e:
        raise click.ClickException(f"{out}: {e.strerror or e}") from None
    facts = {"kind": kind, "out": str(out), "pictures": count, "identities": faces.classes,
             "seconds": round(time.perf_counter() - start, 3)}
    _report(options["as_json"], facts, f"{out}: {count} pictures of {faces.classes} identities")


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@_common(identities=8, shots=10)
def sheet(out: Path, **options: Any) -> None:
    """A contact sheet as one PNG: a row an identity, a column a shot."""
    _need("torch", "PIL")
    from efm3.drawn import write

    _write("sheet", out, options, len, lambda faces, progress: write.sheet(out, faces))


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@_common(identities=100, shots=20)
def images(out: Path, **options: Any) -> None:
    """An ImageFolder tree of PNG files; synth.json comes last."""
    _need("torch", "PIL")
    from efm3.drawn import write

    _write("images", out, options, len,
           lambda faces, progress: write.images(out, faces, progress))


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@_common(identities=1000, shots=50)
def cache(out: Path, **options: Any) -> None:
    """images.npy and labels.npy, which training maps into memory; synth.json comes last."""
    _need("torch")
    from efm3.drawn import faces as module

    _write("cache", out, options, len,
           lambda faces, progress: module.cache(out, faces, progress=progress))


@main.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--pairs", "count", type=click.IntRange(20), default=6000, show_default=True,
              help="How many, in ten folds; half of them of one identity.")
@_common(identities=500, shots=10)
def pairs(out: Path, count: int, **options: Any) -> None:
    """A verification set: PNG files and pairs.txt in the form of LFW."""
    _need("torch", "PIL")
    from efm3.drawn import write

    _write("pairs", out, options, lambda faces: write.wanted(faces, count),
           lambda faces, progress: write.pairs(out, faces, count, progress))


@main.command()
@click.option("--pictures", type=click.IntRange(1), default=256, show_default=True)
@click.option("--threads", type=click.IntRange(1), default=1, show_default=True)
@_common(identities=64, shots=16)
def speed(pictures: int, threads: int, **options: Any) -> None:
    """How many pictures a second this machine draws."""
    _need("torch")
    import torch

    faces = _faces(options)
    torch.set_num_threads(threads)  # of this process, whose end is near
    wait = torch.cuda.synchronize if options["device"].startswith("cuda") else lambda: None
    at = [k % len(faces) for k in range(pictures)]
    faces.batch(at[:32])
    wait()
    wall, own = time.perf_counter(), time.process_time()
    faces.batch(at)
    wait()
    wall, own = time.perf_counter() - wall, time.process_time() - own
    facts = {"device": options["device"], "threads": threads, "pictures": pictures,
             "per_second": round(pictures / wall, 1), "per_cpu_second": round(pictures / own, 1)}
    _report(options["as_json"], facts,
            f"{facts['per_second']} pictures a second on {options['device']}, {threads} threads; "
            f"{facts['per_cpu_second']} a second of processor time")
