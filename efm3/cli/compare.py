# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 compare`: the similarity of two faces."""

from __future__ import annotations

import json

import click

from efm3.cli import needs_engine, source


@click.command("compare", short_help="the similarity of two faces")
@click.argument("file")
@click.argument("a")
@click.argument("b")
@click.option("--resize", is_flag=True, help="scale pictures of another size to 112x112")
@click.option("--json", "as_json", is_flag=True)
def command(file: str, a: str, b: str, resize: bool, as_json: bool) -> None:
    """Embed pictures A and B with FILE's network and print their cosine similarity.

    Above 0.3 is usually the same person, with trained weights: a rule of thumb, not a
    decision. Measure a threshold of your own on your own pictures.
    """
    import numpy as np

    from efm3.cli._images import load_image
    from efm3.engine import RULE_OF_THUMB, Engine, similarity

    with needs_engine():
        engine = Engine(source(file))
    first, second = engine.embed(np.stack([load_image(p, resize) for p in (a, b)]))
    value = similarity(first, second)
    if as_json:
        click.echo(json.dumps({"file": file, "a": a, "b": b, "similarity": value,
                               "rule_of_thumb": RULE_OF_THUMB}))
        return
    side = "above" if value > RULE_OF_THUMB else "not above"
    click.echo(f"similarity {value:.4f}: {side} {RULE_OF_THUMB}, the rule of thumb for one person "
               "with trained weights")
