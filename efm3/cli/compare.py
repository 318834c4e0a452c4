# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 compare`: the similarities of faces, two or more."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from efm3.cli import Finite, again, json_option, needs_engine, precision_option, separate
from efm3.cli._kinds import FILE
from efm3.cli._photos import aligner, alignment, free, save
from efm3.findings import refuse
from efm3.texts import dumps

if TYPE_CHECKING:
    from efm3.arrays import Pixels
    from efm3.engine import Threshold
    from efm3.photos import Which

WHOLE = 1 << 16
"""Columns of what is no terminal: nothing is broken there."""


@click.command("compare")
@click.argument("file", type=FILE)
@click.argument("pictures", nargs=-1, required=True, type=FILE, metavar="A B ...")
@click.option("-o", "--output", metavar="X.png", type=FILE,
              help="write the pictures side by side, as the network saw them")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@alignment("one")
@click.option("--force", is_flag=True, help="overwrite X.png where it is there already")
@click.option("--threshold", "threshold_given", type=Finite(-1, 1), metavar="T",
              help="what the similarity is held against, in place of what the file states")
@precision_option
@json_option
def command(file: str, pictures: tuple[str, ...], output: str | None, resize: bool, align: bool,
            face: Which, detector: str, force: bool, threshold_given: float | None,
            precision: str, as_json: bool) -> None:
    """Embed pictures with FILE's network and print their cosine similarities.

    Two pictures give one number, more give a table of all pairs. Pictures are aligned faces of
    112x112 pixels, or photographs with --align. The number is held against --threshold, else the
    threshold that the file's meta states: that at which one pair of strangers in a thousand is
    taken for one person, or, of older files, the best one on pairs that its training did not see.
    Where it states none, above 0.3 is usually the same person, with trained weights: a rule of
    thumb, not a decision. Measure a threshold of your own on your own pictures (`efm3 eval`).

    \b
    efm3 compare weights.bin a.png b.png
    efm3 compare weights.bin a.jpg b.jpg --align

    Exit codes: 0 compared; 1 input that is refused or a library that is missing; 2 usage;
    3 unreadable.
    """
    import numpy as np

    from efm3.cli._images import load_image
    from efm3.engine import Threshold, similarity, threshold
    from efm3.fallback import embedder, engine_of

    if len(pictures) < 2:
        raise click.UsageError("compare needs two pictures or more")
    if output and not output.lower().endswith(".png"):
        raise click.UsageError(f"{output}: the name must end in .png")
    free([output] if output else [], force)
    separate([file, detector, *pictures], [output])
    weights = again(file)
    with needs_engine():
        engine = embedder(weights, precision=precision)
    finder = aligner(align, resize, face, detector)
    crops = np.stack([load_image(p, resize, finder).pixels for p in pictures])
    faces = engine.embed(crops)
    for picture, vector in zip(pictures, faces, strict=True):
        if not np.isfinite(vector).all():
            refuse("F008", "the network gave an embedding that is not finite", picture)
    values = [[similarity(a, b) for b in faces] for a in faces]
    limit = (Threshold(threshold_given, "given", "as given") if threshold_given is not None
             else threshold(weights))
    if output:
        save(output, _row(crops))
    if as_json:
        told = {"similarities": values, "pictures": pictures} if len(pictures) > 2 else \
            {"a": pictures[0], "b": pictures[1], "similarity": values[0][1]}
        click.echo(dumps({"file": file, "engine": engine_of(engine),
                          "precision": engine.precision, **told, **_facts(limit)}))
        return
    from efm3.cli import _render, _scores

    if len(pictures) > 2:
        width = _render.console().width if sys.stdout.isatty() else WHOLE
        _render.show(_scores.matrix(pictures, values, limit.value, limit.words, width))
        return
    if sys.stdout.isatty() and align:
        _render.show(_render.mosaic(_row(crops)))
    value = values[0][1]
    side = "above" if value > limit.value else "not above"
    click.echo(f"similarity {value:.4f}: {side} {limit.value:.4g}, {limit.words}")


def _facts(limit: Threshold) -> dict[str, object]:
    from efm3.engine import RULE_OF_THUMB

    return {"threshold": limit.value, "threshold_from": limit.origin,
            "rule_of_thumb": RULE_OF_THUMB}


def _row(crops: Pixels) -> Pixels:
    """Crops side by side, with a white line between."""
    import numpy as np

    parts: list[Pixels] = []
    for crop in crops:
        parts += [np.full((crop.shape[0], 8, 3), 255, np.uint8)] * bool(parts) + [crop]
    return np.concatenate(parts, 1)
