# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 compare`: the similarities of faces, two or more."""

from __future__ import annotations

import json

import click

from efm3.cli import needs_engine, source


@click.command("compare")
@click.argument("file")
@click.argument("pictures", nargs=-1, required=True, metavar="A B ...")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@click.option("--json", "as_json", is_flag=True)
def command(file: str, pictures: tuple[str, ...], resize: bool, as_json: bool) -> None:
    """Embed pictures with FILE's network and print their cosine similarities.

    Two pictures give one number, more give a table of all pairs. Above 0.3 is usually the
    same person, with trained weights: a rule of thumb, not a decision. Measure a threshold of
    your own on your own pictures (`efm3 eval`).
    """
    import numpy as np

    from efm3.cli._images import load_image
    from efm3.engine import RULE_OF_THUMB, Engine, similarity

    if len(pictures) < 2:
        raise click.UsageError("compare needs two pictures or more")
    with needs_engine():
        engine = Engine(source(file))
    faces = engine.embed(np.stack([load_image(p, resize).pixels for p in pictures]))
    values = [[similarity(a, b) for b in faces] for a in faces]
    if len(pictures) > 2:
        if as_json:
            click.echo(json.dumps({"file": file, "pictures": pictures, "similarities": values,
                                   "rule_of_thumb": RULE_OF_THUMB}))
            return
        from efm3.cli._render import show
        from efm3.cli._scores import matrix

        show(matrix(pictures, values, RULE_OF_THUMB))
        return
    (_, value), _ = values
    if as_json:
        click.echo(json.dumps({"file": file, "a": pictures[0], "b": pictures[1],
                               "similarity": value, "rule_of_thumb": RULE_OF_THUMB}))
        return
    side = "above" if value > RULE_OF_THUMB else "not above"
    click.echo(f"similarity {value:.4f}: {side} {RULE_OF_THUMB}, the rule of thumb for one person "
               "with trained weights")
