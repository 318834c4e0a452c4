# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tensors and inputs of Engine and Writer cases: seeded, from integers, equal on every machine.

The weights keep a signal's magnitude from layer to layer (variance 1/fan-in, BatchNorm near the
identity), so that no calibration is needed and every layer matters to the embedding.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from efm3 import format as fmt
from efm3 import reference
from efm3.arch import Arch
from efm3.arithmetic import pixels_scaled
from efm3.arrays import Floats
from efm3.conformance.home import HOME, RecipeError
from efm3.model import dumps
from efm3.network import Layer, layers
from efm3.untrained import Random, images

_RANGES = {"bn.w": (0.75, 1.25), "bn.b": (-0.25, 0.25), "bn.mean": (-0.25, 0.25),
           "bn.var": (0.5, 1.5), "act.w": (0.125, 0.5)}
_PRELU_GAIN = math.sqrt(1.8)
"""A PReLU of slope 0.3 keeps (1 + 0.09) / 2 of the variance."""


def tensors(arch: Arch, seed: int) -> dict[str, Floats]:
    """Every tensor of the layout, in stored order; the arrays cannot be written."""
    return dict(_tensors(tuple(layers(arch)), seed))


@lru_cache(maxsize=4)
def _tensors(of: tuple[Layer, ...], seed: int) -> dict[str, Floats]:
    # Many cases differ in what their mirror says and in nothing else.
    rng = Random(seed)
    out: dict[str, Floats] = {}
    for layer in of:
        for name, shape in layer.tensors:
            count = math.prod(shape)
            kind = name.removeprefix(layer.name + ".")
            if kind == "conv.w":
                gain = _PRELU_GAIN if layer.act else 1.0
                flat = rng.bell(count) * (gain / math.sqrt(math.prod(shape[1:]) or 1))
            else:
                flat = rng.uniform(*_RANGES[kind], count)
            out[name] = flat.reshape(shape).astype(np.float32)
            out[name].flags.writeable = False
    return out


def file(arch: Arch, seed: int) -> bytes:
    """The canonical file of `tensors(arch, seed)`."""
    return dumps(arch, tensors(arch, seed))


def picture(word: str) -> Floats:
    """An input [3, 112, 112] by its name in a case. Raises RecipeError.

    `drawn N` and `noise N` are seeded, `constant V` is one value, `point C Y X V` is zero but for
    one value, `vector NAME I` is input I of a vector.
    """
    kind, *args = word.split()
    shape = (fmt.INPUT_CHANNELS, fmt.INPUT_SIDE, fmt.INPUT_SIDE)
    try:
        if kind == "drawn":
            drawn: Floats = reference.prepare(images(int(args[0]), 1))[0]
            return drawn
        if kind == "noise":
            bytes_ = Random(int(args[0])).integers(math.prod(shape)) >> np.uint64(56)
            flat: Floats = pixels_scaled(bytes_.astype(np.float32))
            return flat.reshape(shape)
        if kind == "constant":
            return np.full(shape, float(args[0]), np.float32)
        if kind == "point":
            out = np.zeros(shape, np.float32)
            out[tuple(int(a) for a in args[:3])] = float(args[3])
            return out
        if kind == "vector":
            x: Floats = np.ascontiguousarray(vector(args[0])["x"][int(args[1])])
            return x
    except (IndexError, ValueError, OSError) as e:
        raise RecipeError(f"input {word!r}: {e}") from e
    raise RecipeError(f"no input {word!r}")


def vector(name: str) -> dict[str, Any]:
    """`x` and `embedding` of a vector file."""
    with np.load(HOME / "vectors" / f"{name}.npz", allow_pickle=False) as z:
        return {k: z[k] for k in ("x", "embedding")}
