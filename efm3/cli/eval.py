# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 eval`: accuracy and error rates on a set of pairs of faces."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import click

from efm3.cli import needs_engine, source

if TYPE_CHECKING:
    from efm3.evaluation.run import Progress


def cores() -> int:
    """Cores that this process may use, at most 64."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(64, usable or 1))


@click.command("eval", short_help="accuracy and error rates on a set of pairs of faces")
@click.argument("file")
@click.argument("pairs")
@click.option("--images", metavar="DIR", help="where a pairs file's pictures are (default: beside "
              "it)")
@click.option("--flip", is_flag=True, help="embed the mirrored picture too, and add both")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@click.option("--skip-broken", is_flag=True,
              help="leave out pairs with a picture that cannot be decoded")
@click.option("--plots", metavar="DIR", help="write roc.png, det.png and histogram.png there")
@click.option("--isa", help="force an instruction set")
@click.option("--threads", type=click.IntRange(1, 64), default=cores,
              help="for the network, and as many to decode (default: all cores)")
@click.option("--json", "as_json", is_flag=True)
def command(file: str, pairs: str, images: str | None, flip: bool, resize: bool,
            skip_broken: bool, plots: str | None, isa: str | None, threads: int,
            as_json: bool) -> None:
    """Run FILE's network on PAIRS and say how well it tells people apart.

    PAIRS is a verification set of InsightFace (lfw.bin, cfp_fp.bin, agedb_30.bin), or a text
    file beside its pictures with lines of LFW's form, `name i j` and `name i other j`, or
    `path path 0|1`. Pictures are aligned faces of 112x112 pixels. The protocol has 10 folds;
    a fold's threshold is chosen on the nine others.
    Exit codes: 0 done, 1 input that is refused, 2 usage, 3 unreadable.
    """
    from efm3 import evaluation
    from efm3.engine import Engine

    with needs_engine():
        engine = Engine(source(file), isa=isa, threads=threads)
        chosen = evaluation.open_pairs(source(pairs), images, resize)
        measured = evaluation.measure(
            engine.embed, chosen, flip=flip, skip_broken=skip_broken, threads=threads,
            progress=_bar(chosen.count) if sys.stderr.isatty() else None)
        if plots:
            from efm3.evaluation.plots import write

            for path in write(plots, {os.path.basename(file): measured}):
                click.echo(f"wrote {path}", err=True)
    if as_json:
        value = {"file": file, "isa": engine.isa, **measured.scores.to_json()}
        click.echo(json.dumps(value, indent=2))
        return
    from efm3.cli._render import show
    from efm3.cli._scores import table

    show(table(measured.scores))


def _bar(total: int) -> Progress:
    bar = click.progressbar(length=total, label="embedding", file=sys.stderr)
    bar.render_progress()

    def step(done: int, of: int) -> None:
        bar.update(done - bar.pos)
        if done == of:
            bar.render_finish()
    return step
