# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 compare`: the similarities of faces, two or more."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, NamedTuple

import click

from efm3.cli import needs_engine, precision_option, source
from efm3.cli._photos import aligner, alignment, png
from efm3.findings import Efm3Error

if TYPE_CHECKING:
    from efm3.arrays import Pixels
    from efm3.photos import Which
    from efm3.source import Source


class _Threshold(NamedTuple):
    """Above `value` two faces are taken for one person; `origin` is "meta" or "rule_of_thumb"."""

    value: float
    origin: str
    words: str


@click.command("compare")
@click.argument("file")
@click.argument("pictures", nargs=-1, required=True, metavar="A B ...")
@click.option("-o", "--output", metavar="X.png", type=click.Path(),
              help="write the pictures side by side, as the network saw them")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@alignment("one")
@precision_option
@click.option("--json", "as_json", is_flag=True)
def command(file: str, pictures: tuple[str, ...], output: str | None, resize: bool, align: bool,
            face: Which, detector: str, precision: str, as_json: bool) -> None:
    """Embed pictures with FILE's network and print their cosine similarities.

    Two pictures give one number, more give a table of all pairs. Pictures are aligned faces of
    112x112 pixels, or photographs with --align. The number is held against the threshold that
    the file's meta states, the best one on pairs that its training did not see. Where it states
    none, above 0.3 is usually the same person, with trained weights: a rule of thumb, not a
    decision. Measure a threshold of your own on your own pictures (`efm3 eval`).
    """
    import numpy as np

    from efm3.cli._images import load_image
    from efm3.engine import Engine, similarity
    from efm3.source import read, write_atomic

    if len(pictures) < 2:
        raise click.UsageError("compare needs two pictures or more")
    if output and not output.lower().endswith(".png"):
        raise click.UsageError(f"{output}: the name must end in .png")
    weights = bytes(read(source(file))) if file == "-" else file
    with needs_engine():
        engine = Engine(weights, precision=precision)
    finder = aligner(align, resize, face, detector)
    crops = np.stack([load_image(p, resize, finder).pixels for p in pictures])
    faces = engine.embed(crops)
    values = [[similarity(a, b) for b in faces] for a in faces]
    threshold = _threshold(weights)
    if output:
        write_atomic(output, [png(_row(crops))])
    if as_json:
        told = {"similarities": values, "pictures": pictures} if len(pictures) > 2 else \
            {"a": pictures[0], "b": pictures[1], "similarity": values[0][1]}
        click.echo(json.dumps({"file": file, **told, **_facts(threshold)}))
        return
    from efm3.cli import _render, _scores

    if len(pictures) > 2:
        _render.show(_scores.matrix(pictures, values, threshold.value, threshold.words))
        return
    if sys.stdout.isatty() and align:
        _render.show(_render.mosaic(_row(crops)))
    value = values[0][1]
    side = "above" if value > threshold.value else "not above"
    click.echo(f"similarity {value:.4f}: {side} {threshold.value:.4g}, {threshold.words}")


def _facts(threshold: _Threshold) -> dict[str, object]:
    from efm3.engine import RULE_OF_THUMB

    return {"threshold": threshold.value, "threshold_from": threshold.origin,
            "rule_of_thumb": RULE_OF_THUMB}


def _threshold(weights: Source) -> _Threshold:
    """What the file's meta states, scores.held_out.threshold as `efm3 train` writes it, else 0.3.

    The file is a stranger's: what is no number between -1 and 1 states nothing.
    """
    from efm3.engine import RULE_OF_THUMB
    from efm3.model import load

    try:
        stated = load(weights).mirror.get("meta")
    except Efm3Error:
        # The engine skips the mirror, so it takes files that are damaged there.
        stated = None
    for key in ("scores", "held_out", "threshold"):
        stated = stated.get(key) if isinstance(stated, dict) else None
    if isinstance(stated, (int, float)) and not isinstance(stated, bool) and -1 <= stated <= 1:
        return _Threshold(float(stated), "meta", "the threshold for one person that the file's "
                          "meta states")
    return _Threshold(RULE_OF_THUMB, "rule_of_thumb", "the rule of thumb for one person; the "
                      "file's meta states none")


def _row(crops: Pixels) -> Pixels:
    """Crops side by side, with a white line between."""
    import numpy as np

    parts: list[Pixels] = []
    for crop in crops:
        parts += [np.full((crop.shape[0], 8, 3), 255, np.uint8)] * bool(parts) + [crop]
    return np.concatenate(parts, 1)
