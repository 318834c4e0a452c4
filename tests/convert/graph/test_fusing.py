# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Rewrites of BatchNorm, constants and padding around convolutions."""

import numpy as np
import pytest

from efm3.convert._fold import IDENTITY_VAR
from efm3.convert.graph import fusing
from efm3.convert.graph.rewrite import applied
from tests.convert.graph.small import Draw, kept, ops


def fused(graph):
    return applied(graph, fusing.RULES)


def bias(d):
    return d.norm(d.conv(d.x, bias=True), eps=1e-3)


def norms(d):
    return d.norm(d.norm(d.norm(d.conv(d.x), 2e-5)), 1e-3)


def negative(d):
    return d.op("Neg", d.norm(d.conv(d.x)))


def difference(d):
    y = d.op("Sub", d.norm(d.conv(d.x)), d.const(4, 1, 1))
    return d.op("Sub", d.const(1, 4, 1, 1), y)


def quotient(d):
    return d.op("Div", d.norm(d.conv(d.x)), d.const(4, 1, 1, low=0.5))


def scaled(d):
    y = d.op("Mul", d.conv(d.x, bias=True), d.const(4, 1, 1))
    return d.op("Mul", y, d.value(3.0))


def shifted(d):
    y = d.op("Add", d.const(4, 1, 1), d.conv(d.x, bias=True))
    return d.op("Add", d.norm(y), d.const(1, 4, 1, 1))


def after_slope(d):
    y = d.op("PRelu", d.conv(d.x), d.const(4, 1, 1))
    return d.op("Mul", y, d.const(4, 1, 1, low=0.1))


def chained(d):
    y = d.op("Mul", d.op("Mul", d.x, d.const(4, 1, 1)), d.value(2.0))
    return d.op("Add", d.op("Add", y, d.const(4, 1, 1)), d.value(1.0))


def padded(d):
    y = d.op("Pad", d.x, pads=[(0, 0), (0, 0), (1, 2), (0, 3)], value=0.0, mode="constant")
    return d.conv(y, kernel=3, pad=1)


def before(d):
    y = d.norm(d.op("PRelu", d.conv(d.x), d.const(4, 1, 1)))
    y = d.conv(y, bias=True)
    y = d.op("Mul", d.op("PRelu", y, d.const(4, 1, 1)), d.const(4, 1, 1))
    return d.conv(y, out=4, kernel=3, group=4, pad=1)


def mean(d):
    return d.op("ReduceMean", d.conv(d.x), axes=(2, 3), keepdims=False)


BN = ["BatchNorm", "Conv"]
CASES = {
    fusing.bias_into_mean: (bias, BN),
    fusing.norm_of_norm: (norms, BN),
    fusing.neg_to_mul: (negative, BN),
    fusing.sub_to_add: (difference, BN),
    fusing.div_to_mul: (quotient, BN),
    fusing.mul_into_norm: (scaled, BN),
    fusing.add_into_norm: (shifted, BN),
    fusing.mul_of_prelu: (after_slope, ["BatchNorm", "Conv", "PRelu"]),
    fusing.mul_of_mul: (chained, ["Add", "Mul"]),
    fusing.pad_into_conv: (padded, ["Conv"]),
    fusing.affine_into_conv: (before, ["Conv", "Conv", "Conv", "PRelu", "PRelu"]),
    fusing.mean_to_conv: (mean, ["Conv", "Conv", "Reshape"]),
}


@pytest.mark.parametrize("rule", CASES, ids=lambda r: r.__name__)
@pytest.mark.parametrize("seed", range(3))
def test_a_rewrite_keeps_the_function(rule, seed):
    make, want = CASES[rule]
    d = Draw(seed)
    assert ops(kept(d.graph(make(d)), fused, seed)) == want


def test_every_rule_has_its_case():
    assert {r for rules in fusing.RULES.values() for r in rules} == set(CASES)


def test_a_shift_before_padding_is_left():
    """The border is of zeros, not of the shift: such a BatchNorm is no part of the convolution."""
    d = Draw(0)
    y = d.norm(d.op("PRelu", d.conv(d.x), d.const(4, 1, 1)))
    after = kept(d.graph(d.conv(y, kernel=3, pad=1)), fused)
    assert ops(after) == ["BatchNorm", "Conv", "Conv", "PRelu"]


def test_a_bias_that_is_no_constant_is_kept():
    d = Draw(0)
    bias = d.b.reshape(d.op("ReduceMax", d.x, axes=(0, 2, 3), keepdims=False), (4,), "r")
    y = d.norm(d.op("PRelu", d.conv(d.x), d.const(4, 1, 1)))
    y = d.op("Conv", y, d.const(4, 4, 1, 1), bias, strides=(1, 1), pads=(0,) * 4,
             dilations=(1, 1), group=1)
    kept(d.graph(y), fused)


def test_a_shift_before_unknown_padding_is_left():
    d = Draw(0)
    y = d.norm(d.op("PRelu", d.conv(d.x), d.const(4, 1, 1)))
    y = d.op("Conv", y, d.const(4, 4, 3, 3), strides=None, pads=(0,) * 4, dilations=(1, 1), group=1)
    assert "BatchNorm" in ops(fused(d.graph(y)))


def test_what_is_done_with_the_picture_is_left():
    d = Draw(0)
    after = kept(d.graph(d.conv(d.op("Mul", d.x, d.value(2.0)))), fused)
    assert ops(after) == ["Conv", "Mul"]


def test_a_pad_of_another_value_is_left():
    d = Draw(0)
    y = d.op("Pad", d.x, pads=[(0, 0), (0, 0), (1, 1), (1, 1)], value=1.0, mode="constant")
    assert ops(kept(d.graph(d.conv(y, kernel=3)), fused)) == ["Conv", "Pad"]


def test_a_norm_spelled_by_mul_and_add_keeps_its_values_bit_for_bit():
    d = Draw(0)
    scale = d.rng.normal(size=(4, 1, 1)).astype(np.float32)
    shift = d.rng.normal(size=(4, 1, 1)).astype(np.float32)
    y = d.op("Add", d.op("Mul", d.conv(d.x), d.value(scale)), d.value(shift))
    norm = next(n for n in fused(d.graph(y)).nodes if n.op == "BatchNorm")
    values = [np.asarray(i.value, np.float32) for i in norm.inputs[1:]]
    assert values[0].tobytes() == scale.tobytes()
    assert values[1].tobytes() == shift.tobytes()
    assert (values[3] == IDENTITY_VAR).all()
