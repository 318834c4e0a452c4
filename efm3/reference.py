# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The network in numpy: the reference for every engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from efm3 import format as fmt
from efm3.arithmetic import pixels_scaled
from efm3.arrays import Array, Floats
from efm3.model import Model
from efm3.network import Layer, layers

if TYPE_CHECKING:
    import numpy.typing as npt

Watch = Callable[[Layer, Array], None]


def prepare(images: npt.ArrayLike) -> Floats:
    """u8 RGB images [112, 112, 3] or [N, 112, 112, 3] as network input [N, 3, 112, 112].

    Each value is (p - 127.5) / 128, which float32 holds exactly. Raises ValueError.
    """
    a = np.asarray(images)
    side = (fmt.INPUT_SIDE, fmt.INPUT_SIDE, fmt.INPUT_CHANNELS)
    if a.dtype != np.uint8 or a.shape[-3:] != side or a.ndim not in (3, 4):
        raise ValueError(f"images are {a.dtype} {a.shape}, not uint8 [N, 112, 112, 3]")
    chw = np.moveaxis(a.reshape(-1, *side), -1, 1)
    return np.ascontiguousarray(pixels_scaled(chw.astype(np.float32)))


def turn(images: npt.ArrayLike) -> Array:
    """Pictures turned by 180 degrees: uint8 [..., 112, 112, 3], or network inputs
    [..., 3, 112, 112]. Raises ValueError."""
    a = np.asarray(images)
    side, channels = fmt.INPUT_SIDE, fmt.INPUT_CHANNELS
    if a.dtype == np.uint8 and a.shape[-3:] == (side, side, channels):
        return np.ascontiguousarray(a[..., ::-1, ::-1, :])
    if a.dtype.kind == "f" and a.shape[-3:] == (channels, side, side):
        return np.ascontiguousarray(a[..., ::-1, ::-1])
    raise ValueError(f"images are {a.dtype} {list(a.shape)}, not uint8 [..., 112, 112, 3] or "
                     "floats [..., 3, 112, 112]")


def forward(model: Model, x: npt.ArrayLike, dtype: npt.DTypeLike = np.float64, *,
            watch: Watch | None = None, as_given: bool = False) -> Array:
    """Embeddings [N, embedding_dim] of unit length for inputs [N, 3, 112, 112] of upright pictures.

    Where the model takes its picture turned by 180 degrees (`Model.turned`) they are turned here,
    unless `as_given` is true: then `x` reaches the network as it is.

    All arithmetic is in `dtype` (float64 or float32). BatchNorm is computed from its
    four tensors, PReLU is x where x > 0 and slope*x elsewhere (NaN stays NaN), and
    the vector is divided by max(norm, 1e-12). `watch` gets each layer and its output
    [N, C, side, side], residual added. Raises ValueError for another shape or dtype, Efm3Error
    M043 where the model's picture is unknown.
    """
    kind = np.dtype(dtype)
    if kind not in (np.float32, np.float64):
        raise ValueError(f"dtype is {kind}, not float32 or float64")
    a = np.asarray(x)
    want = (fmt.INPUT_CHANNELS, fmt.INPUT_SIDE, fmt.INPUT_SIDE)
    if a.ndim != 4 or a.shape[1:] != want or a.dtype.kind != "f":
        raise ValueError(f"input is {a.dtype} {list(a.shape)}, not floats [N, 3, 112, 112]")
    if not as_given and model.turned:
        a = turn(a)
    a = np.ascontiguousarray(a, kind)
    inputs: dict[str, Array] = {}
    skips = {layer.residual for layer in layers(model.arch)}
    with np.errstate(all="ignore"):
        for layer in layers(model.arch):
            if layer.name in skips:
                inputs[layer.name] = a
            a = apply(layer, model.tensors, a)
            if layer.residual:
                a = a + inputs.pop(layer.residual)
            if watch is not None:
                watch(layer, a)
        return normalised(a[:, :, 0, 0])


def normalised(flat: Array) -> Array:
    """Vectors [N, D], each divided by its L2 norm or by the format's floor for it."""
    # In float32 the squares overflow at norms above 1.8e19.
    norm = np.sqrt(np.sum(np.square(flat, dtype=np.float64), axis=1, keepdims=True))
    out: Array = (flat / np.maximum(norm, fmt.L2_EPS)).astype(flat.dtype)
    return out


def activations(model: Model, x: npt.ArrayLike, dtype: npt.DTypeLike = np.float64, *,
                as_given: bool = False) -> dict[str, Array]:
    """Every layer's output by name, in order of execution; see `forward`."""
    out: dict[str, Array] = {}
    forward(model, x, dtype, watch=lambda layer, a: out.update({layer.name: a}),
            as_given=as_given)
    return out


def apply(layer: Layer, tensors: Mapping[str, Array], x: Array) -> Array:
    """One layer without its residual: convolution, BatchNorm, PReLU; [N, C, side, side]."""
    def tensor(name: str) -> Array:
        return np.asarray(tensors[f"{layer.name}.{name}"], x.dtype)

    y = convolve(layer, tensor("conv.w"), x)
    scale = tensor("bn.w") / np.sqrt(tensor("bn.var") + x.dtype.type(fmt.BN_EPS))
    y = (y - _channels(tensor("bn.mean"))) * _channels(scale) + _channels(tensor("bn.b"))
    if layer.act:
        y = np.where(y > 0, y, _channels(tensor("act.w")) * y)
    return y


def _channels(v: Array) -> Array:
    return v[:, None, None]


def convolve(layer: Layer, w: Array, x: Array) -> Array:
    """The convolution alone, zero padded; w [out, in/groups, k, k]."""
    n, k, s, side = len(x), layer.kernel, layer.stride, layer.out_side
    if k == 1 and s == 1 and layer.groups == 1:
        flat = w[:, :, 0, 0] @ x.reshape(n, layer.in_channels, side * side)
        return np.asarray(flat.reshape(n, layer.out_channels, side, side))
    p = layer.padding
    padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p))) if p else x
    out = np.zeros((n, layer.out_channels, side, side), x.dtype)
    reach = s * (side - 1) + 1
    for i in range(k):
        for j in range(k):
            taps = padded[:, :, i:i + reach:s, j:j + reach:s]
            if layer.groups == 1:
                flat = w[:, :, i, j] @ taps.reshape(n, layer.in_channels, side * side)
                out += flat.reshape(out.shape)
            else:
                out += _channels(w[:, 0, i, j]) * taps
    return out
