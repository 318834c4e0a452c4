# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 eval`: accuracy and error rates on a set of pairs of faces."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from efm3.cli import needs_engine, precision_option, source
from efm3.cli._photos import aligner, alignment
from efm3.extras import need
from efm3.findings import printable
from efm3.machine import cores

if TYPE_CHECKING:
    from efm3.evaluation.run import Embed, Measured, Progress
    from efm3.photos import Which

CHECKPOINTS = (".pt", ".pth")


class _Network(NamedTuple):
    """A function of pictures, and what computes it: an instruction set, or PyTorch on a device."""

    embed: Embed
    isa: str | None
    device: str


@click.command("eval")
@click.argument("networks", nargs=-1, required=True, metavar="NETWORK...")
@click.argument("pairs")
@click.option("--images", metavar="DIR", help="where a pairs file's pictures are (default: beside "
              "it)")
@click.option("--flip", is_flag=True, help="also embed the mirrored picture, and add both")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@alignment("central")
@click.option("--skip-broken", is_flag=True,
              help="skip pairs with a picture that cannot be decoded")
@click.option("--plots", metavar="DIR", help="write roc.png, det.png and histogram.png there")
@click.option("--isa", help="force an instruction set of the engine")
@precision_option
@click.option("--device", default="auto", show_default=True,
              help="for runs and checkpoints: cpu, cuda, cuda:N or auto")
@click.option("--threads", type=click.IntRange(1, 64), default=cores,
              help="threads for the network, and as many for decoding (default: all cores)")
@click.option("--json", "as_json", is_flag=True)
def command(networks: tuple[str, ...], pairs: str, images: str | None, flip: bool, resize: bool,
            align: bool, face: Which, detector: str, skip_broken: bool, plots: str | None,
            isa: str | None, precision: str, device: str, threads: int, as_json: bool) -> None:
    """Run networks on PAIRS and report how well they tell people apart.

    NETWORK is a weight file, which the C engine runs, or a run folder of `efm3 train` (its
    best.pt, else its last.pt) or a checkpoint (.pt), which PyTorch runs. Several are measured one
    after the other, and drawn into one plot.

    PAIRS is a verification set of InsightFace (lfw.bin, cfp_fp.bin, agedb_30.bin), a text file
    beside its pictures with lines of LFW's form, `name i j` and `name i other j`, or
    `path path 0|1`, or synth:SEED:IDENTITIES:PAIRS[:FIRST], which draws them (needs PyTorch).
    Pictures are aligned faces of 112x112 pixels, or photographs with --align. The protocol has
    10 folds; a fold's threshold is chosen on the nine others.

    Exit codes: 0 done, 1 input that is refused or a library that is missing, 2 usage,
    3 unreadable.
    """
    from efm3 import evaluation
    from efm3.drawn.sets import pair_set

    results: dict[str, Measured] = {}
    with needs_engine():
        chosen = [_network(n, isa, precision, device, threads) for n in networks]
        found = pair_set(source(pairs), images, resize,
                         aligner(align, resize, face, detector))
        for word, network in zip(networks, chosen, strict=True):
            results[word] = evaluation.measure(
                network.embed, found, flip=flip, skip_broken=skip_broken, threads=threads,
                progress=_bar(found.count) if sys.stderr.isatty() else None)
        if plots:
            from efm3.evaluation.plots import write

            for path in write(plots, _short(results)):
                click.echo(f"wrote {printable(path)}", err=True)
    if as_json:
        rows = [{"file": word, "isa": n.isa, "device": n.device, **results[word].scores.to_json()}
                for word, n in zip(networks, chosen, strict=True)]
        click.echo(json.dumps(rows[0] if len(rows) == 1 else {"networks": rows}, indent=2))
        return
    from efm3.cli._render import show
    from efm3.cli._scores import table

    for word in results:
        if len(networks) > 1:
            click.echo(printable(word))
        show(table(results[word].scores))


def _network(word: str, isa: str | None, precision: str, device: str, threads: int) -> _Network:
    """The network that NETWORK names. Raises Efm3Error, OSError, ClickException, EngineMissing."""
    if word == "-" or not (os.path.isdir(word) or word.lower().endswith(CHECKPOINTS)):
        from efm3.engine import Engine

        engine = Engine(source(word), isa=isa, precision=precision, threads=threads)
        return _Network(engine.embed, engine.isa, "cpu")
    need("torch", "train").set_num_threads(threads)
    from efm3.train import checkpoint, scoring

    try:
        embed, place = scoring.network(Path(word), device)
    except checkpoint.BadCheckpoint as e:
        raise click.ClickException(printable(str(e))) from None
    except ValueError as e:
        raise click.UsageError(printable(str(e))) from None
    return _Network(embed, None, place)


def _short(results: dict[str, Measured]) -> dict[str, Measured]:
    """By base name, where these differ, for a plot's legend."""
    names = [os.path.basename(os.path.normpath(word)) for word in results]
    return dict(zip(names, results.values(), strict=True)) if len({*names}) == len(names) \
        else results


def _bar(total: int) -> Progress:
    bar = click.progressbar(length=total, label="embedding", file=sys.stderr)
    bar.render_progress()

    def step(done: int, of: int) -> None:
        bar.update(done - bar.pos)
        if done == of:
            bar.render_finish()
    return step
