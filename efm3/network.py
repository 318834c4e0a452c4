# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The one walk over the network: layers, tensor layout, parameters, MACs, file size."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from efm3 import format as fmt
from efm3.arch import Arch, conv_side

BN_TENSORS = ("bn.w", "bn.b", "bn.mean", "bn.var")


class Layer(NamedTuple):
    """A convolution with its BatchNorm and, where `act`, its PReLU.

    `residual` names the layer whose input is added to this one's output, or is "".
    Sides are of square maps in pixels.
    """

    name: str
    kind: str
    in_channels: int
    out_channels: int
    kernel: int
    stride: int
    padding: int
    groups: int
    act: bool
    residual: str
    in_side: int
    out_side: int

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """Shape [out, in/groups, k, k] of the convolution's weights."""
        per_group = self.in_channels // self.groups if self.groups else 1  # depthwise
        return self.out_channels, per_group, self.kernel, self.kernel

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the convolution for one image."""
        return math.prod(self.weight_shape) * self.out_side ** 2

    @property
    def parameters(self) -> int:
        """Weights, BN scale and bias, PReLU slopes (statistics are not counted)."""
        return math.prod(self.weight_shape) + (2 + self.act) * self.out_channels

    @property
    def tensors(self) -> list[tuple[str, tuple[int, ...]]]:
        """The layer's (name, shape) in stored order."""
        rows: list[tuple[str, tuple[int, ...]]] = [(f"{self.name}.conv.w", self.weight_shape)]
        tail, vector = BN_TENSORS + (("act.w",) if self.act else ()), (self.out_channels,)
        return rows + [(f"{self.name}.{t}", vector) for t in tail]


def _walk(arch: Arch) -> Iterator[Layer]:
    side = fmt.INPUT_SIDE

    def layer(name: str, kind: str, cin: int, cout: int, *, kernel: int = 1, stride: int = 1,
              padding: int = 0, act: bool = True, residual: str = "") -> Layer:
        nonlocal side
        before, side = side, conv_side(side, kernel, stride, padding)
        groups = cin if kind in ("depthwise", "gdconv") else 1
        return Layer(name, kind, cin, cout, kernel, stride, padding, groups, act, residual,
                     before, side)

    c = arch.stem_channels
    yield layer("stem", "conv", fmt.INPUT_CHANNELS, c, kernel=arch.stem_kernel,
                stride=arch.stem_stride, padding=arch.stem_kernel // 2)
    yield layer("dw_stem", "depthwise", c, c, kernel=3, padding=1)
    for i, stage in enumerate(arch.stages, start=1):
        out = arch.stem_channels if i == 1 else arch.block_channels
        for j in range(stage.n):
            block = f"stage{i}.block{j}"
            stride = stage.s if j == 0 else 1
            wide = c * stage.t
            yield layer(f"{block}.expand", "pointwise", c, wide)
            yield layer(f"{block}.dw", "depthwise", wide, wide, kernel=3, stride=stride, padding=1)
            adds = stride == 1 and c == out
            yield layer(f"{block}.project", "pointwise", wide, out, act=False,
                        residual=f"{block}.expand" if adds else "")
            c = out
    final = arch.final_channels
    yield layer("final_conv", "pointwise", c, final)
    yield layer("gdconv", "gdconv", final, final, kernel=arch.gdc_kernel, act=False)
    yield layer("embed_proj", "pointwise", final, arch.embedding_dim, act=False)


# The cache is small: the layout of 256 blocks takes a megabyte, and any file may need one.
@lru_cache(maxsize=8)
def layers(arch: Arch) -> tuple[Layer, ...]:
    """Every layer in stored order, which is the order of execution."""
    return tuple(_walk(arch))


@lru_cache(maxsize=8)
def tensor_layout(arch: Arch) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """The tensors of the table: (name, shape) in stored order."""
    return tuple(t for layer in _walk(arch) for t in layer.tensors)


def parameters(arch: Arch) -> int:
    """Trained parameters: weights, BN scale and bias, PReLU slopes."""
    return sum(layer.parameters for layer in layers(arch))


def stored_values(arch: Arch) -> int:
    """Floats in the file: the parameters and the BN statistics."""
    return sum(math.prod(shape) for _, shape in tensor_layout(arch))


def macs(arch: Arch) -> int:
    """Multiply-accumulates of all convolutions for one image."""
    return sum(layer.macs for layer in layers(arch))


def file_size(arch: Arch, json_len: int) -> int:
    """Exact bytes of a file of this arch with a mirror of `json_len` bytes."""
    table = fmt.COUNT_SIZE * len(tensor_layout(arch)) + 4 * stored_values(arch)
    return fmt.PREFIX_SIZE + json_len + fmt.COUNT_SIZE + table
