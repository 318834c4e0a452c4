# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network as a drawing: where each layer's bar, number and label stands.

Everything is a whole number of pixels, computed without fractions, so that another program can draw
the same. A layer is a bar; its width grows with the square root of its output channels. From top to
bottom the bars follow the order of execution, in a panel for each stage.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TypedDict

from efm3.inspection import TopologyRow

WIDTH = 400
"""Of the drawing: a phone shows it at nearly its own size."""
WIDEST, LEAST = 150, 6
"""Of a layer's bar."""
LANE, LEFT, LABEL = 12, 24, 184
"""x of the line past a block, of the widest bar, and of the labels."""
CENTRE, RIGHT = LEFT + WIDEST // 2, WIDTH - 6
"""x of the line through all bars, and of the numbers' end."""
NUMBER = 60
"""Width of the bar behind the largest number of MACs."""
ROW, STEP, GAP = 17, 19, 13
"""Height of a bar, from one to the next, and between two blocks."""
HEADING, AFTER = 24, 8
"""Height of a panel's heading, and the space below its last bar and between panels."""
ADDED, BRANCH = 4, 10
"""Below a block: where its input is added, and where that of the next one turns off."""
BLOCKS = 8
"""Blocks of a stage that are all drawn; of more the first two and the last."""


class Panel(TypedDict):
    """The background of a stage, or of what is before or after all; `text` stands at its top. The
    line through its bars, at CENTRE, goes from `start` to `end`: not through the text."""

    y: int
    height: int
    text: str
    start: int
    end: int


class Bar(TypedDict):
    """A layer: a bar at x, y of `width` times ROW; `label` at LABEL; `macs`, which ends at RIGHT,
    over a fainter bar of `macs_width` that ends there too. `title` is a sentence about it."""

    name: str
    kind: str
    x: int
    y: int
    width: int
    label: str
    macs: str
    macs_width: int
    title: str


class Arc(TypedDict):
    """The way of a block's input past it, from (CENTRE, start) by LANE to (CENTRE, end), where it
    is added to what the block gives."""

    name: str
    start: int
    end: int


class Fold(TypedDict):
    """Blocks that are not drawn: a line of text at LEFT."""

    y: int
    text: str


class Drawing(TypedDict):
    """Everything that is drawn, in pixels from the upper left corner; `about` says it in words."""

    width: int
    height: int
    about: str
    panels: list[Panel]
    bars: list[Bar]
    arcs: list[Arc]
    folds: list[Fold]


def drawing(rows: Sequence[TopologyRow]) -> Drawing:
    """The drawing of a network, of at least one layer, as `efm3 inspect --json` lists them.

    However many blocks a stage has, BLOCKS of it are drawn at most.
    """
    out = Drawing(width=WIDTH, height=0, about=about(rows), panels=[], bars=[], arcs=[],
                  folds=[])
    most = max(r["shape"][0] for r in rows), max(1, *(r["macs"] for r in rows))
    y = 0
    for stage, group in groupby(rows, key=lambda r: r["stage"]):
        top, layers = y, list(group)
        blocks = [list(b) for _, b in groupby(layers, key=lambda r: r["block"])]
        y += HEADING
        left_out = len(blocks) - 3 if len(blocks) > BLOCKS else 0
        for number, block in enumerate(blocks):
            if left_out and 2 <= number < len(blocks) - 1:
                if number == 2:
                    out["folds"].append(Fold(y=y, text=_folded(left_out, block)))
                    y += ROW + GAP
                continue
            y = _block(out, block, y, most) + (GAP if number < len(blocks) - 1 else 0)
        # The last block's input is added below its bars.
        y += GAP if layers[-1]["residual"] else AFTER
        name = f"stage {stage}" if stage is not None else "head" if top else "stem"
        out["panels"].append(Panel(y=top, height=y - top, text=_heading(name, layers, blocks),
                                   start=top + HEADING - GAP + BRANCH, end=y))
        y += AFTER
    out["height"] = y - AFTER
    return out


def _block(out: Drawing, layers: Sequence[TopologyRow], y: int, most: tuple[int, int]) -> int:
    """Draw layers from y on; where they end."""
    top = y
    for r in layers:
        out["bars"].append(_bar(r, y, most))
        y += STEP
    y -= STEP - ROW
    if layers[-1]["residual"]:
        out["arcs"].append(Arc(name=layers[-1]["name"].rpartition(".")[0],
                               start=top - GAP + BRANCH, end=y + ADDED))
    return y


def _bar(r: TopologyRow, y: int, most: tuple[int, int]) -> Bar:
    channels, macs = most
    width = max(LEAST, math.isqrt(r["shape"][0] * WIDEST ** 2 // channels))
    return Bar(name=r["name"], kind=r["kind"], x=CENTRE - width // 2, y=y, width=width,
               label=label(r), macs=millions(r["macs"]),
               macs_width=max(1, r["macs"] * NUMBER // macs), title=title(r))


def label(r: TopologyRow) -> str:
    """A layer in a few words: `expand 1×1 24→48`, `dw 3×3 /2 48`."""
    out, per_group, kernel, _ = r["shape"]
    stride = f" /{r['stride']}" if r["stride"] > 1 else ""
    channels = f"{per_group}→{out}" if r["kind"] in ("conv", "pointwise") else f"{out}"
    return f"{r['layer']} {kernel}×{kernel}{stride} {channels}"


def title(r: TopologyRow) -> str:
    """A layer in a sentence."""
    side = f"{r['in_side']}×{r['in_side']} to {r['out_side']}×{r['out_side']} pixels"
    act = ", PReLU" if r["act"] else ""
    added = f", plus the input of {r['residual']}" if r["residual"] else ""
    return (f"{r['name']}: {r['kind']}, weights {'×'.join(map(str, r['shape']))}, {side}{act}"
            f"{added}, {r['parameters']:,} parameters, {r['macs']:,} MACs")


def millions(macs: int) -> str:
    """A number of MACs in millions, two digits behind the point, a half rounded up."""
    hundredths = (macs + 5000) // 10000
    return f"{hundredths // 100:,}.{hundredths % 100:02}M"


def about(rows: Sequence[TopologyRow]) -> str:
    """The network in words, for those who do not see the drawing."""
    blocks = {(r["stage"], r["block"]) for r in rows if r["stage"] is not None}
    stages = {stage for stage, _ in blocks}
    added = sum(bool(r["residual"]) for r in rows)
    return (f"{len(rows):,} layers from top to bottom: the stem, {_many(len(stages), 'stage')} of "
            f"{_many(len(blocks), 'block')} in all, of which {added:,} add their input to their "
            f"output, and the head. {rows[0]['in_side']}×{rows[0]['in_side']} pixels become "
            f"{rows[-1]['shape'][0]:,} values by {millions(sum(r['macs'] for r in rows))} MACs. "
            "A bar is as wide as the square root of its layer's channels.")


def _heading(name: str, layers: Sequence[TopologyRow],
             blocks: Sequence[Sequence[TopologyRow]]) -> str:
    sides = f"{layers[0]['in_side']}→{layers[-1]['out_side']} px"
    if layers[0]["block"] is None:
        return f"{name} · {sides}"
    return (f"{name} · {_many(len(blocks), 'block')} · {layers[-1]['shape'][0]:,} channels · "
            f"{sides}")


def _folded(count: int, block: Sequence[TopologyRow]) -> str:
    each = millions(sum(r["macs"] for r in block))
    return f"… {_many(count, 'block')} more like the one above, {each} MACs each"


def _many(count: int, word: str) -> str:
    return f"{count:,} {word}{'s' * (count != 1)}"
