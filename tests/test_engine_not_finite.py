# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""NaN and infinity below float32: no embedding that looks right where float32 has none.

Float pictures and pixels, every instruction set, each kind of layer; the network is small.
"""

import numpy as np
import pytest

import efm3
from efm3 import engine as engines
from efm3 import untrained
from efm3.conformance import sample, weights

pytestmark = pytest.mark.skipif(not engines.available(), reason=engines.MISSING)

ISAS = [k for k, ok in engines.isas().items() if ok] if engines.available() else []
LOWER = ("high", "fast")
X = weights.picture("drawn 1")
PIXELS = untrained.images(21, 1)[0]
LAYERS = ("stem", "dw_stem", "stage1.block0.expand", "stage1.block0.dw", "stage1.block0.project",
          "final_conv", "gdconv", "embed_proj")
BENT = LAYERS[:4]
INF, NAN = float("inf"), float("nan")


def patched(*patches):
    data = sample.base()
    for patch in patches:
        data = patch(data)
    return data


def embedded(data, isa, precision, x=X):
    """Of the floats `x` and of pixels."""
    with efm3.Engine(data, isa=isa, precision=precision) as e:
        return np.array([e.embed(x), e.embed(PIXELS)])


def every_lower(data, x=X):
    """What each instruction set and precision gives, and what float32 does."""
    want = embedded(data, "scalar", "f32", x)
    return want, [embedded(data, isa, p, x) for isa in ISAS for p in LOWER]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("value", [INF, -INF, NAN])
def test_a_weight_that_is_not_finite(layer, value):
    """The stem's of pixels and a depthwise layer's bytes included. The last layer's makes one
    component infinite in bfloat16, as in float32: the others are 0."""
    for part in ("conv.w", "bn.w"):
        want, lower = every_lower(patched(sample.weights(f"{layer}.{part}", value, at=1)))
        assert np.isnan(want).any(axis=1).all()
        for have in lower:
            same = layer == "embed_proj"
            assert np.isnan(have[np.isnan(want)] if same else have).all(), part


@pytest.mark.parametrize("layer", LAYERS)
def test_a_bias_that_is_not_finite(layer):
    """What the last layer adds is behind all rows: one component, as in float32."""
    for value in (INF, -INF, NAN):
        want, lower = every_lower(patched(sample.weights(f"{layer}.bn.b", value, at=1)))
        assert np.isnan(want).any(axis=1).all()
        for have in lower:
            same = layer == "embed_proj"
            assert np.array_equal(np.isnan(have), np.isnan(want)) if same else np.isnan(have).all()


@pytest.mark.parametrize("layer", BENT)
def test_a_slope_that_is_not_finite(layer):
    """At least where float32 has NaN: in this expand, whose channel is above zero, it has none."""
    for value in (INF, -INF, NAN):
        want, lower = every_lower(patched(sample.weights(f"{layer}.act.w", value, at=1)))
        assert np.isnan(want).any() == (layer != "stage1.block0.expand")
        for have in lower:
            assert np.isnan(have[np.isnan(want)]).all()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("value", [3e38, -3e38])
def test_weights_that_overflow_once_they_are_folded_or_scaled(layer, value):
    """Where float32 has a NaN each precision has one; it may have more, where a column's or a
    row's scale does not fit."""
    for patch in ((sample.weights(f"{layer}.bn.w", value, at=1),
                   sample.fill(f"{layer}.conv.w", 3.0)),
                  (sample.fill(f"{layer}.conv.w", value),),
                  (sample.weights(f"{layer}.bn.mean", value, at=1),
                   sample.weights(f"{layer}.bn.w", 3.0, at=1))):
        want, lower = every_lower(patched(*patch))
        for have in lower:
            assert np.isnan(have[np.isnan(want)]).all()


@pytest.mark.parametrize("value", [INF, -INF, NAN])
def test_one_value_of_the_picture_that_is_not_finite(value):
    x = X.copy()
    x[1, 56, 56] = value
    want, lower = every_lower(sample.base(), x)
    assert np.isnan(want[0]).any() and np.isfinite(want[1]).all()
    for have in lower:
        assert np.isnan(have[0]).all() and np.isfinite(have[1]).all()


@pytest.mark.parametrize("layer", LAYERS)
def test_weights_below_the_least_float(layer):
    """A channel of denormals counts as zeros: nothing is divided by it."""
    data = patched(sample.fill(f"{layer}.conv.w", 1e-40))
    want, lower = every_lower(data)
    assert np.isfinite(want).all()
    for have in lower:
        assert np.isfinite(have).all()
        assert (have * want).sum(axis=1).min() > 0.99
