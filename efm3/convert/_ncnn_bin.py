# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn's weights, `.bin`: the layers' arrays one after the other, without names or lengths.

Most are float32 as they are. The weights of a convolution or an inner product begin with a word
that says how they are stored.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import BinaryIO, NamedTuple

import numpy as np

from efm3.arrays import Array
from efm3.convert._ncnn_param import Layer
from efm3.findings import refuse
from efm3.source import Unreadable

FLOAT32, SCALED, FLOAT16, BFLOAT16, INT8 = 0, 0x0002C056, 0x01306B47, 0x01348B83, 0x000D4B38
"""Words before weights: 0 and SCALED for float32. Any other begins a table of 256 numbers."""
TABLE = 256
MOST_WIDENED = 6 << 20
"""Most weights of 8 bits, three times the largest published size's: in memory each takes more."""


class Stored(NamedTuple):
    """A layer's arrays by name. `rounded` where they are weights of 8 bits with a scale."""

    arrays: dict[str, Array]
    rounded: bool = False


NOTHING = Stored({})


class Bin:
    """Takes arrays from the file, from its first byte to its last; no more than the graph asks
    for is read."""

    def __init__(self, file: BinaryIO, path: str) -> None:
        self._file, self._path, self._at = file, path, 0
        self.size = os.fstat(file.fileno()).st_size
        self._unknown = ""
        self._widened = 0

    def load(self, layer: Layer) -> Stored:
        """The layer's arrays. Raises X003, X006, X008."""
        take = WEIGHTS.get(layer.kind)
        if take is not None:
            return take(layer, self)
        if layer.kind not in WEIGHTLESS and not self._unknown:
            self._unknown = layer.place
        return NOTHING

    def end(self) -> None:
        """Raises X003 where bytes are left over, X008 where a layer's size was not known."""
        left = self.size - self._at
        if left:
            self._known()
            refuse("X003", f"{self._path} has {left:,} bytes more than the layers of its graph "
                           "take: the two files do not belong together", self._path, self.size,
                   self._at)

    def _known(self) -> None:
        if self._unknown:
            refuse("X008", f"{self._unknown}: EFM3 has no such layer, and how many weights it has "
                           "is not known, so those after it cannot be read", self._unknown)

    def raw(self, count: int, layer: Layer) -> Array:
        """`count` float32 values."""
        return np.frombuffer(self._take(4 * count, layer), "<f4")

    def weight(self, count: int, layer: Layer) -> tuple[Array, bool]:
        """`count` values behind their word, as float32; or True and int8 values."""
        word = int.from_bytes(self._take(4, layer), "little")
        if word in (FLOAT32, SCALED):
            return self.raw(count, layer), False
        padded = (count + 3) // 4 * 4
        if word in (FLOAT16, BFLOAT16):
            halves = self._take((2 * count + 3) // 4 * 4, layer)
            if word == FLOAT16:
                return np.frombuffer(halves, "<f2", count).astype(np.float32), False
            wide = np.frombuffer(halves, "<u2", count).astype(np.uint32)
            wide <<= 16
            return wide.view(np.float32), False
        self._widened += count
        if self._widened > MOST_WIDENED:
            refuse("X008", f"{layer.place}: weights of 8 bits are read up to "
                           f"{MOST_WIDENED:,}", layer.place, self._widened)
        if word == INT8:
            return np.frombuffer(self._take(padded, layer), np.int8, count), True
        table = self.raw(TABLE, layer)
        return table[np.frombuffer(self._take(padded, layer), np.uint8, count)], False

    def _take(self, size: int, layer: Layer) -> bytes:
        self._known()
        left = self.size - self._at
        if size > left:
            refuse("X003", f"{layer.place} takes {size:,} bytes of weights at byte {self._at:,} of "
                           f"{self._path}, which has {left:,} more: it is cut short, or is not "
                           "this graph's", layer.place, left, size)
        try:
            data = self._file.read(size)
        except MemoryError:
            raise Unreadable(f"{self._path}: larger than memory") from None
        if len(data) != size:
            raise Unreadable(f"{self._path}: changed while it was read")
        self._at += size
        return data


def _filters(layer: Layer, file: Bin) -> Stored:
    """A convolution's weight [out, in / groups, kh, kw] and its bias."""
    p = layer.params
    if p.whole(19):
        return NOTHING
    out, kw = p.whole(0), p.whole(1)
    kh = p.whole(11, kw)
    count, each = p.whole(6), out * kh * kw
    if min(out, kh, kw) < 1 or count < 1 or count % each:
        refuse("X006", f"{layer.place} states {count} weights for {out} kernels of {kh}×{kw}",
               layer.place, count, f"a multiple of {each}")
    groups = p.whole(7, 1) if layer.kind == "ConvolutionDepthWise" else 1
    return _linear(layer, file, (out, count // each, kh, kw), p.whole(5), groups)


def _dense(layer: Layer, file: Bin) -> Stored:
    """An inner product's weight [out, in] and its bias."""
    p = layer.params
    out, count = p.whole(0), p.whole(2)
    if out < 1 or count < 1 or count % out:
        refuse("X006", f"{layer.place} states {count} weights for {out} outputs", layer.place,
               count, f"a multiple of {out}")
    return _linear(layer, file, (out, count // out), p.whole(1), 1)


def _linear(layer: Layer, file: Bin, shape: tuple[int, ...], biased: int, groups: int) -> Stored:
    out, count = shape[0], math.prod(shape)
    weight, small = file.weight(count, layer)
    arrays = {"bias": file.raw(out, layer)} if biased else {}
    term = layer.params.whole(8)
    if term:
        # Scales of each output, or group, or one of all; then one of the input, one of the output.
        depthwise = layer.kind == "ConvolutionDepthWise"
        rows = out if not depthwise else groups if term % 100 == 1 else 1
        if term not in (1, 2, 101, 102) or rows < 1 or out % rows:
            refuse("X008", f"{layer.place} has weights of 8 bits in a form ({term}) that is not "
                           "known here", layer.place, term, "1, 2, 101 or 102")
        scale = file.raw(rows, layer)
        file.raw(2 if term > 100 else 1, layer)
        if small:
            weight = weight.astype(np.float32).reshape(rows, -1)
            weight /= scale[:, None]
            # ncnn takes a scale of 0 for weights of 0.
            weight[scale == 0] = 0
    elif small:
        refuse("X006", f"{layer.place} has weights of 8 bits and no scales", layer.place)
    return Stored({"weight": weight.reshape(shape), **arrays}, bool(term))


def _vectors(*names: str, count: int = 0) -> Callable[[Layer, Bin], Stored]:
    """Arrays of as many values as parameter `count` says."""
    def take(layer: Layer, file: Bin) -> Stored:
        size = layer.params.whole(count)
        if size < 1:
            refuse("X006", f"{layer.place} states {size} values", layer.place, size)
        return Stored({name: file.raw(size, layer) for name in names})
    return take


def _scale(layer: Layer, file: Bin) -> Stored:
    # -233: the scale is a second input, and the bias, which needs its size, cannot be.
    if layer.params.whole(0) == -233:
        return NOTHING
    names = ("scale", "bias") if layer.params.whole(1) else ("scale",)
    return _vectors(*names)(layer, file)


def _memory(layer: Layer, file: Bin) -> Stored:
    p = layer.params
    sizes = [p.whole(i) for i in (2, 11, 1, 0)]
    shape = [s for s in sizes if s] or [1]
    if min(sizes) < 0:
        refuse("X006", f"{layer.place} states {shape}", layer.place)
    count = math.prod(shape)
    data = file.raw(count, layer) if p.whole(21, 1) else file.weight(count, layer)[0]
    return Stored({"data": data.reshape(shape)})


WEIGHTS: dict[str, Callable[[Layer, Bin], Stored]] = {
    "Convolution": _filters, "ConvolutionDepthWise": _filters, "InnerProduct": _dense,
    "BatchNorm": _vectors("slope", "mean", "var", "bias"), "Bias": _vectors("bias"),
    "Scale": _scale, "PReLU": _vectors("slope"), "Normalize": _vectors("scale", count=3),
    "MemoryData": _memory,
}
"""How a layer's arrays are taken, for the types that have any."""

_NAMES = """
AbsVal ArgMax BinaryOp BNLL Cast CELU Clip Concat CopyTo Crop CumulativeSum DeepCopy Diag Dropout
Einsum Eltwise ELU Erf Exp ExpandDims Flatten Flip Fold GELU GLU GridSample HardSigmoid HardSwish
Input Interp Log LRN MatMul Mish MVN Noop Packing Padding Permute PixelShuffle Pooling Pooling1D
Pooling3D Power PriorBox Reduction ReLU Reorg Reshape ROIAlign ROIPooling SELU Shrink
ShuffleChannel Sigmoid Slice Softmax Softplus Split SPP Squeeze StatisticsPooling Swish TanH
Threshold Tile UnaryOp Unfold
"""
WEIGHTLESS = frozenset(_NAMES.split())
"""Types without arrays. Of all others it is not known how many they have."""
