# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 draw`: pictures of drawn identities, as files for training and evaluation."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

from efm3.cli import Finite, json_option
from efm3.drawn.spec import MOST_IDENTITIES, PLAIN, SETTINGS
from efm3.extras import need
from efm3.findings import printable
from efm3.texts import dumps

Progress = Callable[[int], None]


@contextlib.contextmanager
def _bar(total: int, quiet: bool) -> Iterator[Progress]:
    """A bar on a terminal, one line per 10 % in a pipe, both on stderr."""
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


def _faces(options: dict[str, Any]) -> Any:
    """The data set of the common options, as `efm3.drawn.Faces`. Raises UsageError."""
    import torch

    from efm3.drawn.faces import Faces

    device = options["device"]
    try:
        torch.zeros(1, device=device).cpu()
    except (RuntimeError, AssertionError, NotImplementedError) as e:
        reason = str(e).partition("\n")[0]
        raise click.UsageError(f"--device {printable(device)}: {printable(reason)}") from None
    try:
        return Faces(options["seed"], options["first"], options["identities"], options["shots"],
                     spread=options["spread"], setting=options["setting"], device=device)
    except MemoryError:
        raise click.UsageError(f"--identities {options['identities']}: more than fits into "
                               "memory") from None
    except ValueError as e:
        raise click.UsageError(str(e)) from None


def _common(identities: int, shots: int) -> Callable[[Any], Any]:
    """The options of every verb; `options` holds them by name."""
    def add(f: Any) -> Any:
        for option in (
            json_option,
            click.option("--device", default="cpu", show_default=True,
                         metavar="DEVICE", help="a torch device"),
            click.option("--spread", type=Finite(0.0, 2.0), default=1.0,
                         show_default=True, help="distance between identities: less is harder"),
            click.option("--setting", type=click.Choice(SETTINGS), default=PLAIN,
                         show_default=True, help="how shots are taken"),
            click.option("--shots", type=click.IntRange(1, 2**31 - 1), default=shots,
                         show_default=True, help="pictures of each identity"),
            click.option("--identities", type=click.IntRange(1, MOST_IDENTITIES),
                         default=identities, show_default=True, help="how many identities"),
            click.option("--first", type=click.IntRange(0, 2**62 - 1), default=0,
                         show_default=True, help="number of the first identity"),
            click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=1,
                         show_default=True, help="seed of everything that is drawn"),
        ):
            f = option(f)
        return f
    return add


EXIT = ("Exit codes: 0 done; 1 the folder holds other files, or a library is missing; 2 usage; "
        "3 a file cannot be written.")


@click.group("draw", context_settings={"help_option_names": ["-h", "--help"]}, epilog=EXIT)
def command() -> None:
    """Draw head-like pictures from numbers, for training and tests.

    No photograph and no model of people is used; the same seed gives the same pictures on
    every machine. Needs PyTorch, and Pillow for files: the extra `train` has both.

    \b
    efm3 draw sheet heads.png
    efm3 draw cache heads --identities 1000
    """


def _write(kind: str, out: Path, options: dict[str, Any], total: Callable[[Any], int],
           work: Callable[[Any, Progress], Any]) -> None:
    """Draw, and print what was written: `total` counts the pictures, `work` writes them."""
    from efm3.drawn.faces import Occupied

    faces = _faces(options)
    start = time.perf_counter()
    try:
        count = total(faces)
        with _bar(count, options["as_json"]) as progress:
            work(faces, progress)
    except ValueError as e:
        raise click.UsageError(str(e)) from None
    except Occupied as e:
        raise click.ClickException(f"{printable(str(out))}: {e}") from None
    except MemoryError:
        raise click.ClickException("the pictures do not fit into memory") from None
    drawn = faces.describe()
    facts = {"kind": kind, "out": str(out), "pictures": count, "identities": faces.classes,
             "seconds": round(time.perf_counter() - start, 3), "drawn": drawn}
    _report(options["as_json"], facts,
            f"{printable(str(out))}: {count} pictures of {faces.classes} identities")


def _report(as_json: bool, facts: dict[str, Any], words: str) -> None:
    click.echo(dumps(facts) if as_json else words)


@command.command(epilog=EXIT)
@click.argument("out", type=click.Path(path_type=Path))
@_common(identities=8, shots=10)
def sheet(out: Path, **options: Any) -> None:
    """A contact sheet as one PNG: one identity per row, one shot per column.

    \b
    efm3 draw sheet heads.png --identities 8
    """
    need("torch", "train")
    need("PIL", "train")
    from efm3.drawn import write

    _write("sheet", out, options, len, lambda faces, progress: write.sheet(out, faces))


@command.command(epilog=EXIT)
@click.argument("out", type=click.Path(path_type=Path))
@_common(identities=100, shots=20)
def images(out: Path, **options: Any) -> None:
    """A folder of PNG files for each identity; synth.json is written last.

    \b
    efm3 draw images heads --identities 100 --shots 20
    """
    need("torch", "train")
    need("PIL", "train")
    from efm3.drawn import write

    _write("images", out, options, len,
           lambda faces, progress: write.images(out, faces, progress))


@command.command(epilog=EXIT)
@click.argument("out", type=click.Path(path_type=Path))
@_common(identities=1000, shots=50)
def cache(out: Path, **options: Any) -> None:
    """images.npy and labels.npy, which training maps into memory; synth.json is written last.

    \b
    efm3 draw cache heads --identities 1000
    """
    need("torch", "train")
    from efm3.drawn import faces as module

    _write("cache", out, options, len,
           lambda faces, progress: module.cache(out, faces, progress=progress))


@command.command(epilog=EXIT)
@click.argument("out", type=click.Path(path_type=Path))
@click.option("--pairs", "count", type=click.IntRange(20), default=6000, show_default=True,
              help="how many, in ten folds; half of them of one identity")
@_common(identities=500, shots=10)
def pairs(out: Path, count: int, **options: Any) -> None:
    """A verification set: PNG files and pairs.txt in the form of LFW.

    \b
    efm3 draw pairs heads --pairs 6000
    """
    need("torch", "train")
    need("PIL", "train")
    from efm3.drawn import write

    _write("pairs", out, options, lambda faces: write.wanted(faces, count),
           lambda faces, progress: write.pairs(out, faces, count, progress))


@command.command(epilog=EXIT)
@click.option("--pictures", type=click.IntRange(1, 10**6), default=256, show_default=True,
              help="how many to draw")
@click.option("--threads", type=click.IntRange(1, 1024), default=1, show_default=True,
              help="threads of PyTorch")
@_common(identities=64, shots=16)
def speed(pictures: int, threads: int, **options: Any) -> None:
    """How many pictures per second this machine draws.

    \b
    efm3 draw speed --pictures 1000 --threads 2
    """
    torch = need("torch", "train")

    faces = _faces(options)
    torch.set_num_threads(threads)  # of this process, which ends with this verb
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
            f"{facts['per_second']} pictures per second on {printable(options['device'])}, "
            f"{threads} threads; {facts['per_cpu_second']} per second of processor time")
