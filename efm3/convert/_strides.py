# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Blocks to stages, and the strides that a checkpoint's shapes do not show.

What a checkpoint does show is the side of the last feature map: gdconv's kernel. It fixes how
much the strides shrink the map, not where.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations, product
from typing import NamedTuple

from efm3 import format as fmt
from efm3.arch import TOPOLOGY, Stage, conv_side
from efm3.findings import refuse

PUBLISHED = ("strides are not in a checkpoint: taken as those of the published stages (--arch "
             "says so)")
SHOWN = 6
"""How many possibilities a refusal lists."""


class Block(NamedTuple):
    """A block as found: channels in, expansion, channels out, stride, project's place."""

    c: int
    t: int
    out: int
    stride: int | None
    place: str


def stages_of(blocks: list[Block], stem: int) -> tuple[tuple[Stage, ...], int]:
    """The fewest stages that describe these blocks, and block_channels.

    Raises X009 where channels change as no arch can state.
    """
    stages: list[Stage] = []
    outs: list[int] = []
    for b in blocks:
        s = b.stride or 1
        if stages and s == 1 and b.t == stages[-1].t and b.out == outs[-1]:
            stages[-1] = Stage(b.t, stages[-1].n + 1, stages[-1].s)
            continue
        want = stem if not stages else outs[1] if len(outs) > 1 else b.out
        if b.out != want:
            which = "first stage keeps the stem's" if not stages else "later stages all put out"
            refuse("X009", f"{b.place} puts out {b.out} channels in stage {len(stages) + 1}: "
                           f"EFM3's {which} {want}", b.place, b.out, want)
        stages.append(Stage(b.t, 1, s))
        outs.append(b.out)
    return tuple(stages), outs[1] if len(outs) > 1 else stem


def infer(kernel: int, blocks: list[Block], last: int,
          place: str) -> tuple[int, list[Block], list[str]]:
    """Strides of the stem and of the blocks, as far as the shapes determine them.

    The published ones where the runs of equal blocks expand as the published stages do; else the
    only possibility of a class, the plainest first: strides 1 and 2 at the visible starts of
    stages, then anywhere, then strides up to 4 at the starts, then another stride of the stem.
    Returns them with what was assumed. Raises X010 with the possibilities.
    """
    starts = [i for i, b in enumerate(blocks)
              if i == 0 or (b.t, b.out) != (blocks[i - 1].t, blocks[i - 1].out)]
    if [blocks[a].t for a in starts] == [s.t for s in TOPOLOGY]:
        strides = _spread(len(blocks), starts, [s.s for s in TOPOLOGY])
        if _side(kernel, 2, strides) == last:
            return 2, _with(blocks, strides), [PUBLISHED]
    any_stride = (1, 2, 3, 4)
    for found, why in (
            (_at(kernel, blocks, starts, last, (2,), (1, 2)), "of 1 and 2 where blocks change"),
            (_anywhere(kernel, blocks, last), "of 1 and 2"),
            (_at(kernel, blocks, starts, last, (2,), any_stride), "after a stem of stride 2"),
            (_at(kernel, blocks, starts, last, (1, 3, 4), any_stride), "of all")):
        options = list(found)
        if len(options) == 1:
            stem, strides = options[0]
            return stem, _with(blocks, strides), [
                "strides are not in a checkpoint: taken as "
                + _words(stem, _with(blocks, strides), blocks[0].c)
                + f", the only ones {why} that lead to gdconv's {last}×{last}"]
        if options:
            listed = "; ".join(_words(s, _with(blocks, strides), blocks[0].c)
                               for s, strides in options[:SHOWN])
            more = f"; and {len(options) - SHOWN} more" if len(options) > SHOWN else ""
            refuse("X010", f"strides are not in a checkpoint, and {len(options)} choices lead to "
                           f"{place}'s {last}×{last}: {listed}{more}. Give --arch: a published "
                           "name, an EFM3 file, or a mirror's JSON", place, len(options), 1)
    refuse("X010", f"no strides lead from {fmt.INPUT_SIDE}×{fmt.INPUT_SIDE} to {place}'s "
                   f"{last}×{last}", place, last)


def _at(kernel: int, blocks: list[Block], starts: list[int], last: int, stems: tuple[int, ...],
        allowed: tuple[int, ...]) -> Iterator[tuple[int, list[int]]]:
    if len(starts) <= fmt.STAGE_SLOTS:
        for stem, *own in product(stems, *[allowed] * len(starts)):
            strides = _spread(len(blocks), starts, own)
            if _side(kernel, stem, strides) == last:
                yield stem, strides


def _anywhere(kernel: int, blocks: list[Block], last: int) -> Iterator[tuple[int, list[int]]]:
    # Halving rounds up, so the position of the halvings does not change the last side.
    side, halvings = conv_side(fmt.INPUT_SIDE, kernel, 2, kernel // 2), 0
    while side > last:
        side, halvings = conv_side(side, 3, 2, 1), halvings + 1
    if side == last and halvings <= min(fmt.STAGE_SLOTS, len(blocks)):
        places = combinations(range(len(blocks)), halvings)
        for _, where in zip(range(10_000), places, strict=False):
            yield 2, _spread(len(blocks), list(where), [2] * halvings)


def _spread(count: int, starts: list[int], own: list[int]) -> list[int]:
    out = [1] * count
    for i, s in zip(starts, own, strict=True):
        out[i] = s
    return out


def _side(kernel: int, stem: int, strides: list[int]) -> int:
    side = conv_side(fmt.INPUT_SIDE, kernel, stem, kernel // 2)
    for s in strides:
        if s > 1:
            side = conv_side(side, 3, s, 1)
    return side


def _with(blocks: list[Block], strides: list[int]) -> list[Block]:
    return [b._replace(stride=s) for b, s in zip(blocks, strides, strict=True)]


def _words(stem_stride: int, blocks: list[Block], stem: int) -> str:
    stages = " ".join(f"({s.t},{s.n},{s.s})" for s in stages_of(blocks, stem)[0])
    return stages if stem_stride == 2 else f"stem_stride {stem_stride} {stages}"
