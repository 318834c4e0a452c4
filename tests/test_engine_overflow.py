# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is not finite, in the file or by folding: every instruction set gives the same NaN."""

import numpy as np
import pytest

import efm3
from efm3 import engine as engines
from efm3 import reference
from efm3.conformance import sample, weights

pytestmark = pytest.mark.skipif(not engines.available(), reason=engines.MISSING)

ISAS = [k for k, ok in engines.isas().items() if ok] if engines.available() else []
X = weights.picture("drawn 1")
LAYERS = ("stem", "dw_stem", "stage1.block0.expand", "stage1.block0.dw", "stage1.block0.project",
          "final_conv", "gdconv", "embed_proj")
INF, NAN = float("inf"), float("nan")


def patched(*patches):
    data = sample.base()
    for patch in patches:
        data = patch(data)
    return data


def on_every_isa(data, call=lambda e: e.activations(X)):
    out = []
    for isa in ISAS:
        with efm3.Engine(data, isa=isa) as e:
            out.append(call(e))
    return out


def same_nan(data):
    """The NaN patterns of the embedding and of each layer; the same on every row, or it fails."""
    first, *others = on_every_isa(data, lambda e: e.activations(X) | {"": e.embed(X)})
    for other in others:
        for name, a in first.items():
            assert np.array_equal(np.isnan(a), np.isnan(other[name])), name
    return {name: np.isnan(a) for name, a in first.items()}


@pytest.mark.parametrize("layer", LAYERS)
def test_a_folded_parameter_that_overflows(layer):
    """The bias, then a weight: loaded, not refused, and the same components are NaN."""
    for sign in (1, -1):
        nan = same_nan(patched(sample.weights(f"{layer}.bn.mean", sign * 3e38, at=1),
                               sample.weights(f"{layer}.bn.w", 3.0, at=1)))
        assert nan[""].any()
        same_nan(patched(sample.weights(f"{layer}.bn.w", sign * 3e38, at=1),
                         sample.fill(f"{layer}.conv.w", 3.0)))
        same_nan(patched(sample.weights(f"{layer}.bn.w", sign * 3e38, at=1),
                         sample.weights(f"{layer}.bn.var", -1e-5, at=1)))


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("part", ["conv.w", "bn.w", "bn.b", "bn.mean", "bn.var"])
def test_values_of_the_file_that_are_not_finite(layer, part):
    for value in (INF, -INF, NAN):
        same_nan(patched(sample.weights(f"{layer}.{part}", value, at=1)))


def test_a_variance_of_infinity_leaves_the_bias_alone():
    """w / √∞ is 0: the channel is its bias, and nothing is NaN."""
    data = patched(sample.fill("stem.bn.var", INF))
    want = reference.activations(efm3.load(data, level="structure"), X[None])
    for have in on_every_isa(data):
        assert np.array_equal(have["stem"], want["stem"][0].astype(np.float32))


@pytest.mark.parametrize("slope", [INF, -INF, NAN])
@pytest.mark.parametrize("layer", ["stem", "dw_stem", "stage1.block0.expand", "stage1.block0.dw"])
def test_a_slope_that_is_not_finite_shows_where_x_is_not_above_zero_alone(layer, slope):
    data = patched(sample.weights(f"{layer}.act.w", slope, at=1))
    want = reference.activations(efm3.load(data, level="structure"), X[None])[layer][0]
    assert np.isfinite(want[1]).any()  # in expand that channel is above zero everywhere
    for have in on_every_isa(data):
        finite = np.isfinite(want)
        assert np.array_equal(np.isfinite(have[layer]), finite)
        assert np.abs(have[layer][finite] - want[finite]).max() < 1e-4
