# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""How far ways to round are from the reference: the figures behind spec/EFM3.md, section 13.

Pointwise layers of every engine case are rounded in float64, and the distance is given in parts of
the case's bound: its root mean square and its largest, and how many inputs lie within.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from efm3 import load
from efm3.arrays import Array
from efm3.conformance import rounding, weights
from efm3.conformance.cases import corpus
from efm3.conformance.engines import expected
from efm3.conformance.rounding import LARGEST, Step, bfloat16, largest, row_width
from efm3.model import Model
from efm3.network import Layer


class Way(NamedTuple):
    """A way to round, and the precision whose bounds it is held to."""

    name: str
    precision: str
    weights: Step
    maps: Step


def _channel(bits: int) -> Step:
    return lambda w: largest(w, (1, 2, 3)) / (2 ** (bits - 1) - 1)


def _float16(a: Array) -> Array:
    """The distance of binary16's values, subnormal ones included."""
    return np.where(a == 0, 0.0, np.ldexp(1.0, np.maximum(np.frexp(a)[1], -13) - 11))


def _width(a: Array, axes: tuple[int, ...]) -> Array:
    return np.asarray(a.max(axis=axes, keepdims=True, initial=0)
                      - a.min(axis=axes, keepdims=True, initial=0))


_LEVELS = LARGEST["fast"][0]
WAYS = (
    Way("12 and 11 bits", "high", _channel(12), lambda a: largest(a, (1, 3)) / LARGEST["high"][0]),
    Way("bfloat16", "high", bfloat16, bfloat16),
    Way("binary16", "high", _float16, _float16),
    Way("8 bits", "fast", _channel(8), lambda a: row_width(a) / _LEVELS),
    Way("8 bits, a scale a pixel", "fast", _channel(8), lambda a: _width(a, (1,)) / _LEVELS),
    Way("8 bits, a scale a map", "fast", _channel(8), lambda a: _width(a, (1, 2, 3)) / _LEVELS),
    Way("7 and 8 bits", "fast", _channel(7), lambda a: row_width(a) / _LEVELS),
    Way("6 and 8 bits", "fast", _channel(6), lambda a: row_width(a) / _LEVELS),
    Way("8 bits, as high", "high", _channel(8), lambda a: row_width(a) / _LEVELS))


def distance(way: Way, model: Model, x: Array, want: Array, most: float) -> float:
    """How far the embedding of an input [3, 112, 112] is, in parts of its bound."""
    zero = np.zeros(())

    def rounded_weights(layer: Layer, w: Array) -> Array:
        return rounding.moved(w, way.weights(w), zero) if rounding.pointwise(layer) else w

    def rounded_maps(layer: Layer, a: Array) -> Array:
        return rounding.moved(a, way.maps(a), zero) if rounding.pointwise(layer) else a
    (have,) = rounding.forward(model, x[None], rounded_weights, rounded_maps)
    gap = np.sum((have - want) ** 2) / np.sum(want * want) / 2
    return float(np.sqrt(gap / most))


def main() -> None:
    """Print each way's distances."""
    found: dict[str, list[tuple[float, str]]] = {way.name: [] for way in WAYS}
    for case in (c for c in corpus() if c.kind == "engine"):
        model = load(case.data(), "structure")
        for row in expected(case.id)["inputs"]:
            want, x = np.array(row["embedding"], np.float64), weights.picture(row["input"])
            for way in WAYS:
                if row["gaps"] and want.size > 1:
                    found[way.name].append((distance(way, model, x, want, row["gaps"][
                        way.precision]), case.id))
    for way in WAYS:
        far = np.array([d for d, _ in found[way.name]])
        print(f"{way.name:24} {way.precision:5} {np.sqrt(np.mean(far * far)):.2f} "
              f"at most {far.max():.2f} ({max(found[way.name])[1]})  "
              f"{int((far <= 1).sum())} of {far.size} within")


if __name__ == "__main__":
    main()
