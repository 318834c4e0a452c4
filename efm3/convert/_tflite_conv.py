# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite's layers with weights or windows."""

from __future__ import annotations

import math
from collections.abc import Callable

from efm3.arrays import Array
from efm3.convert._tflite_layer import Layer
from efm3.convert.graph.nodes import Node
from efm3.findings import refuse

SAME, VALID = 0, 1


def _margin(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """SAME's zeros before and after: the output has ceil(side / stride), the odd zero is behind."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


def _pads(layer: Layer, kernel: tuple[int, int], strides: tuple[int, int],
          dilations: tuple[int, int]) -> tuple[int, int, int, int]:
    """(top, left, bottom, right) of a window on the first input."""
    if min(*strides, *dilations) < 1:
        refuse("X009", f"{layer.place} has strides {[*strides]} and dilations {[*dilations]}",
               layer.place)
    kind = layer.option(0, "b")
    if kind == VALID:
        return (0, 0, 0, 0)
    if kind != SAME:
        refuse("X009", f"{layer.place} has padding {kind}", layer.place, kind)
    (top, bottom), (left, right) = (
        _margin(side, (k - 1) * d + 1, s)
        for side, k, s, d in zip(layer.sizes(rank=4)[1:3], kernel, strides, dilations, strict=True))
    return (top, left, bottom, right)


def _bias(layer: Layer) -> list[Node]:
    return [layer.x(2)] if layer.has(2) else []


def _convolved(layer: Layer, w: Array, group: int, dilation_at: int, activation_at: int) -> Node:
    """w is [O, I/group, kh, kw]."""
    strides = (layer.option(2), layer.option(1))
    dilations = (layer.option(dilation_at + 1, default=1), layer.option(dilation_at, default=1))
    pads = _pads(layer, w.shape[2:], strides, dilations)
    return layer.in_nchw(lambda x: layer.activated(
        layer.add("Conv", x, layer.const(w), *_bias(layer), strides=strides, pads=pads,
                  dilations=dilations, group=group), activation_at))


def conv_2d(layer: Layer) -> Node:
    """Weights [O, kh, kw, I/group]; the groups are not stated."""
    w = layer.weights(1, 4).transpose(0, 3, 1, 2)
    channels = layer.sizes(rank=4)[3]
    if channels % w.shape[1]:
        refuse("X006", f"{layer.place} has weights for {w.shape[1]} channels of {channels}",
               layer.place)
    return _convolved(layer, w, channels // w.shape[1], 4, 3)


def depthwise_conv_2d(layer: Layer) -> Node:
    """Weights [1, kh, kw, C * multiplier], the multiplier's outputs of a channel side by side."""
    w = layer.weights(1, 4)
    if w.shape[0] != 1:
        refuse("X006", f"{layer.place} has weights of shape {[*w.shape]}", layer.place)
    return _convolved(layer, w.transpose(3, 0, 1, 2), layer.sizes(rank=4)[3], 5, 4)


def fully_connected(layer: Layer) -> Node:
    """Weights [O, I]; the input is [N, I] in NHWC order, or keeps its dimensions."""
    w = layer.weights(1, 2)
    if layer.option(1, "b"):
        refuse("X008", f"{layer.place} has its weights shuffled for one processor", layer.place)
    x = layer.x()
    sizes = layer.sizes()
    if not layer.flag(2):
        total = math.prod(sizes)
        if total % w.shape[1]:
            refuse("X006", f"{layer.place} takes {[*sizes]} for {w.shape[1]} inputs", layer.place)
        x = layer.reshape(x, (total // w.shape[1], w.shape[1]))
    return layer.activated(layer.add("Dense", x, layer.const(w), *_bias(layer)), 0)


def _pooled(reduce: str) -> Callable[[Layer], Node]:
    """A pool over the whole map is a reduction, one over single pixels nothing or a Slice."""
    def build(layer: Layer) -> Node:
        sides = layer.sizes(rank=4)[1:3]
        kernel, strides = (layer.option(4), layer.option(3)), (layer.option(2), layer.option(1))
        pads = _pads(layer, kernel, strides, (1, 1))
        if kernel == sides and not any(pads):
            y = layer.add(reduce, layer.x(), axes=(1, 2), keepdims=True)
        elif kernel == (1, 1):
            y = layer.x()
            for axis, step in zip((1, 2), strides, strict=True):
                if step > 1:
                    y = layer.add("Slice", y, axis=axis, start=0, stop=sides[axis - 1], step=step)
        else:
            return layer.foreign()
        return layer.activated(y, 5)
    return build


WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
ROWS = {
    "CONV_2D": conv_2d, "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected, "AVERAGE_POOL_2D": _pooled("ReduceMean"),
    "MAX_POOL_2D": _pooled("ReduceMax"),
}
