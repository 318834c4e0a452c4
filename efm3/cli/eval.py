# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 eval`: accuracy and error rates on a set of pairs of faces."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from efm3.cli import again, isa_option, json_option, needs_engine, source
from efm3.cli._kinds import FILE, FOLDER
from efm3.cli._photos import aligner, alignment
from efm3.extras import need
from efm3.findings import printable
from efm3.machine import cores
from efm3.precision import PRECISIONS
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.evaluation.paired import Difference
    from efm3.evaluation.run import Embed, Measured, Progress
    from efm3.photos import Which

CHECKPOINTS = (".pt", ".pth")


class _Network(NamedTuple):
    """A function of pictures, and what computes it: an instruction set in a precision and its
    arithmetic, or PyTorch on a device. `engine` is "c", "numpy" or "torch"."""

    word: str
    engine: str
    embed: Embed
    device: str
    isa: str | None = None
    precision: str | None = None
    arithmetic: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What computes, as the keys of docs/evaluation.md."""
        return {"file": self.word, "engine": self.engine, "isa": self.isa,
                "precision": self.precision, "arithmetic": self.arithmetic, "device": self.device}


class _Row(NamedTuple):
    """A network's scores, and what they differ by from the same file's in f32."""

    network: _Network
    measured: Measured
    to_f32: list[Difference]


@click.command("eval")
@click.argument("networks", nargs=-1, required=True, type=FILE, metavar="NETWORK...")
@click.argument("pairs", type=FILE)
@click.option("--images", metavar="DIR", type=FOLDER,
              help="where a pairs file's pictures are (default: beside it)")
@click.option("--flip", is_flag=True, help="also embed the mirrored picture, and add both")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@alignment("central")
@click.option("--skip-broken", is_flag=True,
              help="skip pairs with a picture that cannot be decoded")
@click.option("--plots", metavar="DIR", type=FOLDER,
              help="write roc.png, det.png and histogram.png there")
@isa_option
@click.option("--precision", "asked", type=click.Choice((*PRECISIONS, "all")), multiple=True,
              default=PRECISIONS[:1], show_default=True,
              help="of the engine; given several times, or all: each beside f32")
@click.option("--device", default="auto", show_default=True, metavar="DEVICE",
              help="for runs and checkpoints: cpu, cuda, cuda:N or auto")
@click.option("--threads", type=click.IntRange(1, 64), default=cores,
              help="threads for the network, and as many for decoding (default: all cores)")
@json_option
def command(networks: tuple[str, ...], pairs: str, images: str | None, flip: bool, resize: bool,
            align: bool, face: Which, detector: str, skip_broken: bool, plots: str | None,
            isa: str | None, asked: tuple[str, ...], device: str, threads: int,
            as_json: bool) -> None:
    """Run networks on PAIRS and report how well they tell people apart.

    NETWORK is a weight file, which the C engine runs (numpy where there
    is none), or a run folder of `efm3 train` (its
    best.pt, else its last.pt) or a checkpoint (.pt), which PyTorch runs. Several are measured one
    after the other, and drawn into one plot. Several precisions of a weight file are compared
    with f32, which is measured too: what accuracy and true accept rates differ by, each with its
    95 % confidence interval.

    PAIRS is a verification set of InsightFace (lfw.bin, cfp_fp.bin, agedb_30.bin), a text file
    beside its pictures with lines of LFW's form, `name i j` and `name i other j`, or
    `path path 0|1`, or synth:SEED:IDENTITIES:PAIRS[:FIRST], which draws them (needs PyTorch).
    Pictures are aligned faces of 112x112 pixels, or photographs with --align. The protocol has
    10 folds; a fold's threshold is chosen on the nine others.

    \b
    efm3 eval weights.bin lfw.bin --flip
    efm3 eval weights.bin lfw/pairs.txt --plots out

    Exit codes: 0 done, 1 input that is refused or a library that is missing, 2 usage, 3
    unreadable.
    """
    from efm3 import evaluation
    from efm3.drawn.sets import pair_set

    # Of several, f32 comes first: it is what the others are compared with.
    precisions = [p for p in PRECISIONS if p in asked or "all" in asked
                  or (p == PRECISIONS[0] and len({*asked}) > 1)]
    rows: list[_Row] = []
    with needs_engine():
        chosen = [_networks(n, isa, precisions, device, threads) for n in networks]
        found = pair_set(source(pairs), images, resize,
                         aligner(align, resize, face, detector))
        for group in chosen:
            first: Measured | None = None
            for network in group:
                measured = evaluation.measure(
                    network.embed, found, flip=flip, skip_broken=skip_broken, threads=threads,
                    progress=_bar(found.count) if sys.stderr.isatty() else None)
                differ = evaluation.differences(first, measured) if first else []
                rows.append(_Row(network, measured, differ))
                first = first or measured
        if plots:
            from efm3.evaluation.plots import write

            for path in write(plots, _named(rows)):
                click.echo(f"wrote {printable(path)}", err=True)
    if as_json:
        values = [row.network.to_json() | row.measured.scores.to_json()
                  | ({"to_f32": [d.to_json() for d in row.to_f32]} if row.to_f32 else {})
                  for row in rows]
        click.echo(dumps(values[0] if len(values) == 1 else {"networks": values}, indent=2))
        return
    _show(rows, len(networks) > 1)


def _show(rows: Sequence[_Row], titles: bool) -> None:
    """Each network's scores; below those of f32 what other precisions differ by."""
    from efm3.cli._render import show, text
    from efm3.cli._scores import compared, table

    for at, row in enumerate(rows):
        if row.to_f32:
            continue
        if titles:
            click.echo(printable(row.network.word))
        show(table(row.measured.scores))
        below = []
        for other in rows[at + 1:]:
            if not other.to_f32:
                break
            below.append((f"{other.network.precision} in {other.network.arithmetic}",
                          other.measured.scores, other.to_f32))
        if below:
            show([text(), *compared(row.measured.scores, below)])


def _networks(word: str, isa: str | None, precisions: Sequence[str], device: str, threads: int,
              ) -> list[_Network]:
    """The network that NETWORK names, a weight file's in each of the precisions.

    Raises Efm3Error, OSError, ClickException, EngineMissing.
    """
    if word == "-" or not (os.path.isdir(word) or word.lower().endswith(CHECKPOINTS)):
        from efm3.fallback import embedder, engine_of

        opened: list[_Network] = []
        given = again(word)
        for precision in precisions:
            e = embedder(given, isa=isa, precision=precision, threads=threads)
            opened.append(_Network(word, engine_of(e), e.embed, "cpu", e.isa, precision,
                                   e.arithmetic))
        return opened
    need("torch", "train").set_num_threads(threads)
    from efm3.train import checkpoint, scoring

    try:
        embed, place = scoring.network(Path(word), device)
    except checkpoint.BadCheckpoint as e:
        raise click.ClickException(printable(str(e))) from None
    except ValueError as e:
        raise click.UsageError(printable(str(e))) from None
    return [_Network(word, "torch", embed, place)]


def _named(rows: Sequence[_Row]) -> dict[str, Measured]:
    """By base name, where these differ, for a plot's legend; precisions behind the name."""
    words = {row.network.word: os.path.basename(os.path.normpath(row.network.word))
             for row in rows}
    if len({*words.values()}) < len(words):
        words = {word: word for word in words}
    several = any(row.to_f32 for row in rows)
    return {words[row.network.word] + (f" {row.network.precision}"
                                       if several and row.network.precision else ""): row.measured
            for row in rows}


def _bar(total: int) -> Progress:
    bar = click.progressbar(length=total, label="embedding", file=sys.stderr)
    bar.render_progress()

    def step(done: int, of: int) -> None:
        bar.update(done - bar.pos)
        if done == of:
            bar.render_finish()
    return step
