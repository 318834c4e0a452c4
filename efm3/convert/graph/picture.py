# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a source does with its picture before the first convolution, and how that is undone.

EFM3's input is x = (p - 127.5) / 128, red first. Whatever the operations before the first
convolution are, if they are affine and work on each pixel alone, channel j of their result is
v_j = a_j·u_k + b_j of one channel k of the source's own input u. That is found by running them.

v is zero at u = -b/a, and the convolution pads with v = 0, EFM3's with x = 0, which is the grey
127.5. So where b is not 0, the source's zero must be that grey: in pixels (u = p), in p / 255, or
in what the caller says; any other padding would have another colour. Then v is s·x, and s goes
into the first weights. Where b is 0 the file does not say what u is: it is taken as x, unless
the caller says otherwise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from efm3 import format as fmt
from efm3.arithmetic import GREY, HALF_RANGE
from efm3.arrays import Array
from efm3.convert.graph import run
from efm3.convert.graph.nodes import INPUT, Graph, Node, live
from efm3.findings import refuse

WHITE = 255.0
AFFINE = (INPUT, "Const", "Add", "Sub", "Mul", "Div", "Neg", "BatchNorm", "Transpose", "Reshape",
          "Slice", "Gather", "Concat", "Cast", "Expand")
MOST_NODES, MOST_VALUES = 200, 1 << 20
CLOSE = 1e-6
"""Least relative distance of a zero from the grey that counts: float32 constants are within it."""


@dataclass(frozen=True)
class Picture:
    """v_j = scale[j]·x of EFM3's channel order[j]; u = factor·x + offset is the source's input."""

    order: tuple[int, ...]
    scale: Array
    factor: float
    offset: float
    assumed: tuple[str, ...] = ()

    def weight(self, w: Array) -> Array:
        """The first convolution's weight [O, 3, k, k] for EFM3's input."""
        # 128 * 0.0078125 is 1; a factor within float32 rounding of 1 counts as 1.
        scale = np.where(np.abs(self.scale - 1) < 2.0**-23, 1.0, self.scale)
        out = w if (scale == 1).all() else w * scale[None, :, None, None]
        return out if self.order == (0, 1, 2) else out[:, np.argsort(self.order)]


def of(graph: Graph, first: Node, bgr: bool | None,
       input_range: tuple[float, float] | None) -> Picture:
    """The picture of a graph whose first convolution is `first`. Raises X016, X009."""
    at = first.inputs[0]
    picture(graph)
    a, b, order = _affine(graph, at)
    factor, offset, stated = _feed(a, b, at, input_range)
    scale = a * factor
    if not np.isfinite(scale).all() or not scale.all():
        refuse("X016", f"{at.place}: the input is scaled by {scale.tolist()}", at.place)
    assumed = []
    if not stated:
        assumed.append("the input is taken as (p - 127.5) / 128, which the file does not say "
                       "(--input-range 127.5/128)")
    if bgr is None:
        assumed.append("the input is taken as red first, which the file does not say (--rgb, "
                       "--bgr)")
    if bgr:
        order = tuple(2 - k for k in order)
    return Picture(order, scale, factor, offset, tuple(assumed))


def picture(graph: Graph) -> None:
    """Refuses an input that is no picture of 112×112 in three channels. Raises X016."""
    shape, place = graph.input.shape, graph.input.place
    if shape is None or len(shape) != 4:
        refuse("X016", f"the input {place} has shape {[*(shape or ())]}, not [N, 3, 112, 112]",
               place, [*(shape or ())], [0, fmt.INPUT_CHANNELS, fmt.INPUT_SIDE, fmt.INPUT_SIDE])
    _, channels, height, width = shape
    if channels != fmt.INPUT_CHANNELS:
        refuse("X016", f"the input {place} is {[*shape]}: the network takes {channels} channels, "
                       "EFM3's 3 (RGB)", place, channels, fmt.INPUT_CHANNELS)
    if (height, width) != (fmt.INPUT_SIDE, fmt.INPUT_SIDE):
        refuse("X016", f"the input {place} is {[*shape]}: the network is for {height}×{width} "
                       f"pictures, EFM3's for {fmt.INPUT_SIDE}×{fmt.INPUT_SIDE}", place,
               [height, width], [fmt.INPUT_SIDE] * 2)


def _affine(graph: Graph, at: Node) -> tuple[Array, Array, tuple[int, ...]]:
    """a, b and k of v_j = a_j·u_k + b_j, found by running what leads to v."""
    nodes = live(at)
    odd = next((n for n in nodes if n.op not in AFFINE), None)
    if odd is not None or len(nodes) > MOST_NODES:
        place = (odd or at).place
        refuse("X016", f"{place} changes the input in a way that is not undone", place)
    big = next((n for n in nodes if math.prod(s or 0 for s in n.shape or ()) > MOST_VALUES), None)
    if big is not None or at.shape != graph.input.shape:
        place = (big or at).place
        refuse("X016", f"{place} makes {[*((big or at).shape or ())]} of the picture", place)
    if at is graph.input:
        return np.ones(3), np.zeros(3), (0, 1, 2)
    shape = tuple(s or 1 for s in graph.input.shape or ())
    u = np.random.default_rng(0).uniform(1, 2, shape)
    with np.errstate(all="ignore"):
        zero = run.values(nodes, at, {id(graph.input): np.zeros(shape)})
        slope = run.values(nodes, at, {id(graph.input): u}) - zero
    if not np.isfinite(zero).all() or not np.isfinite(slope).all():
        refuse("X016", f"{at.place}: what is done with the input is not finite for every picture",
               at.place)
    a, order = np.zeros(3), []
    for j in range(3):
        # The channel of which it is a multiple; all pixels must agree.
        ratio = slope[:, j, None] / u
        k = int(np.argmin(ratio.reshape(len(u), 3, -1).std(axis=2)[0]))
        a[j] = ratio[0, k, 0, 0]
        if not np.allclose(ratio[:, k], a[j], rtol=1e-9, atol=1e-12) or not np.allclose(
                zero[:, j], zero[0, j, 0, 0], rtol=1e-9, atol=1e-12):
            refuse("X016", f"{at.place}: what is done with the input is not one factor and one "
                           "offset for each channel", at.place)
        order.append(k)
    if sorted(order) != [0, 1, 2]:
        refuse("X016", f"{at.place} takes the input's channels {order}", at.place)
    return a, zero[0, :, 0, 0], tuple(order)


def _feed(a: Array, b: Array, at: Node, stated: tuple[float, float] | None
          ) -> tuple[float, float, bool]:
    """Factor and offset from EFM3's input to the source's, and whether anything states them."""
    with np.errstate(all="ignore"):
        zero = -b / a
    if stated is not None:
        low, high = stated
        factor = (high - low) / WHITE
        offset = low + GREY * factor
        if np.allclose(zero, offset, rtol=CLOSE, atol=CLOSE * abs(high - low)):
            return factor * HALF_RANGE, offset, True
        refuse("X016", f"{at.place}: with pixels from {low:g} to {high:g} the network's zero is "
                       f"at {zero.tolist()}, the grey 127.5 at {offset:g}; padding would have "
                       "another colour", at.place, zero.tolist(), offset)
    if not b.any():
        return 1.0, 0.0, False
    for grey, unit in ((GREY, 1.0), (GREY / WHITE, WHITE)):
        if np.allclose(zero, grey, rtol=CLOSE, atol=0):
            return HALF_RANGE / unit, grey, True
    refuse("X016", f"{at.place}: the input's zero is at {zero.tolist()}, EFM3's at the grey "
                   "127.5; padding would have another colour", at.place, zero.tolist(), GREY)
