# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A network that takes its picture turned, written as the one that takes it upright.

A convolution's sums are the same with map, kernel and padding turned by 180 degrees. So a format
whose convolutions state the padding of each side holds a network of upright pictures, and nobody
who runs it has to turn anything. Of most such networks this is their origin: TensorFlow's SAME.
"""

from __future__ import annotations

import numpy as np

from efm3.arrays import Array
from efm3.findings import refuse
from efm3.model import Model
from efm3.network import Layer


def weight(model: Model, value: Array) -> Array:
    """A convolution's weight [out, in/groups, k, k] for the upright picture."""
    return np.ascontiguousarray(value[:, :, ::-1, ::-1]) if model.turned else value


def pads(model: Model, layer: Layer) -> tuple[int, int, int, int]:
    """A layer's padding above, left, below and right for the upright picture.

    Raises X009 where the layer's stride leaves rows unused that would then come first.
    """
    p = layer.padding
    if not model.turned:
        return p, p, p, p
    before = (layer.out_side - 1) * layer.stride + layer.kernel - layer.in_side - p
    if before < 0:
        refuse("X009", f"{layer.name} does not use its map's last {-before} rows and columns: for "
                       "an upright picture they would be the first, and be cut off", layer.name,
               f"kernel {layer.kernel}, stride {layer.stride}, map of {layer.in_side}")
    return before, before, p, p
