# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network of one input as a row of steps, each of which may be mistaken."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from efm3 import format as fmt
from efm3.arch import Arch
from efm3.arrays import Array
from efm3.model import Model
from efm3.network import Layer, layers


class BatchNorm(NamedTuple):
    """A layer's BatchNorm, each [C, 1, 1] in float64."""

    w: Array
    b: Array
    mean: Array
    var: Array


class Sources(NamedTuple):
    """What a mistaken residual may take: the inputs of the block, of its stage, of project, and
    project's own output."""

    block: Array
    stage: Array
    project: Array
    out: Array


def batchnorm(layer: Layer, y: Array, p: BatchNorm) -> Array:
    """BatchNorm as it is right."""
    return (y - p.mean) * (p.w / np.sqrt(p.var + fmt.BN_EPS)) + p.b


def prelu(layer: Layer, y: Array, slope: Array) -> Array:
    """PReLU as it is right, in the layers that have one."""
    return np.where(y > 0, y, slope * y) if layer.act else y


def added(layer: Layer, s: Sources) -> Array | float:
    """The residual as it is right."""
    return s.block if layer.residual else 0.0


def unit(v: Array) -> Array:
    """The embedding as it is right."""
    return np.asarray(v / max(float(np.sqrt(np.sum(v * v))), fmt.L2_EPS))


Memo = dict[tuple[Any, ...], Array]


@dataclass(frozen=True)
class Twist:
    """A reference with a function for each step that may be mistaken; the defaults are right.

    `plan` changes the layers themselves, `folded` what becomes of weights after folding, `store`
    a layer's output before a residual is added. `pad` is for rows and columns where
    `pad_columns` is None. `act` gets the last slopes also in layers without.
    """

    view: Callable[[Array], Array] = lambda x: x
    plan: Callable[[Arch, list[Layer]], list[Layer]] = lambda arch, rows: rows
    weights: Callable[[Layer, Array], Array] = lambda layer, w: w
    folded: Callable[[Layer, Array], Array] | None = None
    pad: Callable[[Layer], tuple[int, int]] = lambda layer: (layer.padding, layer.padding)
    pad_columns: Callable[[Layer], tuple[int, int]] | None = None
    border: str = "constant"
    bn: Callable[[Layer, Array, BatchNorm], Array] = batchnorm
    act: Callable[[Layer, Array, Array], Array] = prelu
    act_first: bool = False
    store: Callable[[Layer, Array], Array] = lambda layer, y: y
    residual: Callable[[Layer, Sources], Array | float] = added
    norm: Callable[[Array], Array] = unit


def _convolve(t: Twist, layer: Layer, w: Array, x: Array) -> Array:
    """The convolution [C, H, W] of a map, with the mistake's padding; the map may be of any side.

    Raises ValueError where the kernel does not fit.
    """
    k, s = layer.kernel, layer.stride
    rows = t.pad(layer)
    columns = rows if t.pad_columns is None else t.pad_columns(layer)
    if any(rows + columns):
        x = np.pad(x, ((0, 0), rows, columns), t.border)  # type: ignore[call-overload]
    side = (x.shape[1] - k) // s + 1
    if side < 1:
        raise ValueError("the kernel is larger than the map")
    reach = s * (side - 1) + 1
    out = np.zeros((layer.out_channels, side, side))
    for i in range(k):
        for j in range(k):
            taps = x[:, i:i + reach:s, j:j + reach:s]
            if layer.groups == 1:
                out += (w[:, :, i, j] @ taps.reshape(len(taps), -1)).reshape(out.shape)
            else:
                out += w[:, 0, i, j][:, None, None] * taps
    return out


def _layer(t: Twist, layer: Layer, tensors: Any, a: Array, slope: Array, memo: Memo) -> Array:
    """A layer's output without its residual."""
    key = (layer, t.view, t.weights, t.pad, t.pad_columns, t.border)
    w = t.weights(layer, np.asarray(tensors[f"{layer.name}.conv.w"], np.float64))
    p = BatchNorm(*(np.asarray(tensors[f"{layer.name}.bn.{k}"], np.float64)[:, None, None]
                    for k in BatchNorm._fields))
    if t.folded is not None:
        inv = p.w / np.sqrt(p.var + fmt.BN_EPS)
        y = _convolve(t, layer, t.folded(layer, w * inv[..., None]), a) + (p.b - p.mean * inv)
    else:
        y = memo[key] if key in memo else _convolve(t, layer, w, a)
        if layer.name == "stem":
            memo[key] = y
        if t.act_first:
            y = t.act(layer, y, slope)
        y = t.bn(layer, y, p)
    return t.store(layer, y if t.act_first else t.act(layer, y, slope))


def steps(t: Twist, model: Model, x: Array,
          memo: Memo | None = None) -> Iterator[tuple[str, Array]]:
    """Each layer's name and output, flat, of one input [3, 112, 112] with the mistake, in
    float64; last "" and the embedding [D]. Raises ValueError where the mistake has no meaning
    for the network. A layer that is left out gives its input. `memo` keeps the stem's sums for
    other mistakes with the same model and input.
    """
    memo = {} if memo is None else memo
    a = np.asarray(t.view(np.asarray(x, np.float64)), np.float64)
    block = stage = slope = a
    for layer in t.plan(model.arch, list(layers(model.arch))):
        own = layer.name.rpartition(".")[2]
        if own == "expand":
            block = a
            stage = a if ".block0." in layer.name else stage
        if layer.kernel:
            if layer.act:
                slope = np.asarray(model.tensors[f"{layer.name}.act.w"], np.float64)
            with np.errstate(all="ignore"):
                slopes = np.resize(slope, layer.out_channels)[:, None, None]
                y = _layer(t, layer, model.tensors, a, slopes, memo)
                if own == "project":
                    y = y + t.residual(layer, Sources(block, stage, a, y))
            a = y
        yield layer.name, a.reshape(-1)
    with np.errstate(all="ignore"):
        yield "", t.norm(a.reshape(-1))
