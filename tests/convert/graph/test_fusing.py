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
    shift[1] = -0.0
    y = d.op("Add", d.op("Mul", d.conv(d.x), d.value(scale)), d.value(shift))
    norm = next(n for n in fused(d.graph(y)).nodes if n.op == "BatchNorm")
    values = [np.asarray(i.value, np.float32) for i in norm.inputs[1:]]
    assert values[0].tobytes() == scale.tobytes()
    assert values[1].tobytes() == shift.tobytes()
    assert (values[3] == IDENTITY_VAR).all()


def dynamic(d, count=4):
    """A value for each channel that is no constant."""
    return d.b.reshape(d.op("ReduceMax", d.x, axes=(0, 2, 3), keepdims=False), (count,), "r")


def odd_norm(d, x, at=1):
    """A BatchNorm of which one parameter, the scale first, is no constant."""
    params = [d.const(4, low=0.5) for _ in range(4)]
    params[at - 1] = d.op("Exp", dynamic(d))
    return d.op("BatchNorm", x, *params, eps=1e-5)


def odd_conv(d, x):
    """A convolution of which the bias is no constant."""
    return d.op("Conv", x, d.const(4, 4, 1, 1), dynamic(d), strides=(1, 1), pads=(0,) * 4,
                dilations=(1, 1), group=1)


def behind(d):
    """What lies behind a layer: not the picture."""
    return d.op("PRelu", d.conv(d.x), d.const(4, 1, 1))


def dense(d, x, bias=True):
    flat = d.b.reshape(x, (2, -1), "flat")
    return d.op("Dense", flat, d.const(4, flat.channels), *([d.const(4)] if bias else []))


LEFT = {
    "a bias of no constant": lambda d: d.norm(odd_conv(d, d.x)),
    "a bias under a scale of no constant": lambda d: odd_norm(d, d.conv(d.x, bias=True)),
    "a bias under a variance of no constant": lambda d: odd_norm(d, d.conv(d.x, bias=True), 4),
    "a norm of what is no convolution": lambda d: d.norm(dense(d, d.x)),
    "a norm of an odd norm": lambda d: d.norm(odd_norm(d, d.conv(d.x))),
    "an odd norm of a norm": lambda d: odd_norm(d, d.norm(d.conv(d.x))),
    "a factor on an odd norm": lambda d: d.op("Mul", odd_norm(d, d.conv(d.x)), d.const(4, 1, 1)),
    "an addend on an odd norm": lambda d: d.op("Add", odd_norm(d, d.conv(d.x)), d.const(4, 1, 1)),
    "an addend on an odd bias": lambda d: d.op("Add", odd_conv(d, d.x), d.const(4, 1, 1)),
    "an addend that is a map": lambda d: d.op("Add", d.conv(d.x), d.const(4, 6, 6)),
    "a factor that is a map": lambda d: d.op("Mul", d.conv(d.x), d.const(4, 6, 6)),
    "what only dynamic values make": lambda d: d.op("Add", d.op("Mul", d.conv(d.x), d.x), d.x),
    "a difference of two": lambda d: d.op("Sub", d.conv(d.x), d.x),
    "a quotient of two": lambda d: d.op("Div", d.conv(d.x), d.op("Exp", d.x)),
    "a constant by a value": lambda d: d.op("Div", d.value(2.0), d.op("Exp", d.conv(d.x))),
    "by a zero": lambda d: d.op("Div", d.conv(d.x), d.value(np.arange(4.0)[:, None, None])),
    "a slope by a zero": lambda d: d.op("Mul", behind(d), d.value(np.arange(4.)[:, None, None])),
    "a slope by a negative": lambda d: d.op("Mul", behind(d), d.value(-1.0)),
    "a slope by a map": lambda d: d.op("Mul", behind(d), d.const(4, 6, 6, low=0.5)),
    "a factor on an addend": lambda d: d.op("Mul", d.op("Add", d.x, d.const(4, 1, 1)), d.value(3.)),
    "two maps in a row": lambda d: d.op("Add", d.op("Add", d.x, d.const(4, 6, 6)), d.value(3.0)),
    "a map last": lambda d: d.op("Add", d.op("Add", d.x, d.value(3.0)), d.const(4, 6, 6)),
    "a factor on an activation": lambda d: d.op("Mul", d.op("Relu", d.conv(d.x)), d.value(3.0)),
    "an addend on an activation": lambda d: d.op("Add", d.op("Relu", d.conv(d.x)), d.value(3.0)),
    "a norm between two layers": lambda d: d.conv(d.norm(d.conv(d.x))),
    "a factor before a weight of no constant": lambda d: d.op(
        "Conv", d.op("Mul", behind(d), d.const(4, 1, 1)),
        d.b.reshape(dynamic(d), (4, 1, 1, 1), "w"),
        strides=(1, 1), pads=(0,) * 4, dilations=(1, 1), group=4),
    "an odd norm before": lambda d: d.conv(odd_norm(d, behind(d))),
    "an addend before padding": lambda d: d.conv(d.op("Add", behind(d), d.value(1.0)), kernel=3,
                                                 pad=1),
    "a map before": lambda d: d.conv(d.op("Mul", behind(d), d.const(4, 6, 6))),
    "an addend before an odd bias": lambda d: odd_conv(d, d.op("Add", behind(d), d.value(1.0))),
    "a pad of channels": lambda d: d.conv(d.op("Pad", d.x, pads=[(0, 0), (0, 1), (1, 1), (1, 1)],
                                               value=0.0, mode="constant"), kernel=3),
    "a mean over pictures": lambda d: d.op("ReduceMean", d.conv(d.x), axes=(0, 1), keepdims=True),
    "a mean of one value": lambda d: d.op("ReduceMean", d.conv(d.x, kernel=6), axes=(2, 3),
                                          keepdims=True),
    "a mean of no square": lambda d: d.op("ReduceMean", d.op("Slice", d.conv(d.x), axis=2, start=0,
                                                             stop=5, step=1),
                                          axes=(2, 3), keepdims=True),
}


@pytest.mark.parametrize("what", LEFT)
def test_what_fits_no_rule_is_left(what):
    d = Draw(0)
    graph = d.graph(LEFT[what](d))
    after = kept(graph, fused)
    assert ops(after) == ops(graph)
    assert [len(n.inputs) for n in after.nodes] == [len(n.inputs) for n in graph.nodes]


@pytest.mark.parametrize("swap", [False, True])
@pytest.mark.parametrize("op", ["Add", "Mul"])
def test_a_constant_that_makes_the_value_larger_is_left(op, swap):
    """No BatchNorm and no bias makes a map of one value."""
    d = Draw(0, (2, 4, 1, 1))
    pair = (d.conv(d.x), d.value(np.broadcast_to(np.arange(1., 5)[:, None, None], (4, 6, 6))))
    graph = d.graph(d.op(op, *(pair[::-1] if swap else pair)))
    assert ops(kept(graph, fused)) == ops(graph)


def convs(graph):
    return [n for n in graph.nodes if n.op == "Conv"]


def test_a_bias_is_gone_where_a_norm_takes_it():
    d = Draw(0)
    (conv,) = convs(kept(d.graph(bias(d)), fused))
    assert len(conv.inputs) == 2


def test_a_bias_of_zeros_leaves_the_mean_as_it_was():
    d = Draw(0)
    mean = np.float32([0.1, 0.2, 0.3, 0.4])
    conv = d.op("Conv", d.x, d.const(4, 4, 1, 1), d.value(np.zeros(4, np.float32)), strides=(1, 1),
                pads=(0,) * 4, dilations=(1, 1), group=1)
    y = d.op("BatchNorm", conv, *(d.const(4) for _ in range(2)), d.value(mean), d.const(4, low=0.5),
             eps=1e-5)
    norm = kept(d.graph(y), fused).output
    assert norm.inputs[3].value.dtype == np.float32 and (norm.inputs[3].value == mean).all()


def test_an_addend_becomes_the_bias_of_a_convolution_without_one():
    d = Draw(0)
    after = kept(d.graph(d.op("Add", d.conv(d.x), d.const(4, 1, 1))), fused)
    assert ops(after) == ["Conv"] and len(after.output.inputs) == 3


def test_addends_behind_a_factor_are_summed():
    """The shift has values there, the mean has none."""
    d = Draw(0)
    y, (a, b, c) = d.conv(d.x), (d.const(4, 1, 1) for _ in range(3))
    y = d.op("Add", d.op("Mul", d.op("Add", d.op("Mul", y, d.value(2.0)), a), b), c)
    after = fused(d.graph(y))
    assert ops(after) == BN
    np.testing.assert_allclose(after.output.inputs[2].value, (a.value * b.value + c.value).ravel())


def unknown(d):
    """A value of no known shape, that is not the picture's."""
    return d.op("Celu", behind(d))


def test_a_pad_of_a_value_of_unknown_shape_is_left():
    d = Draw(0)
    y = d.op("Pad", unknown(d), pads=[(0, 0)] * 3, value=0.0, mode="constant")
    assert "Pad" in ops(fused(d.graph(d.conv(y))))


def test_a_convolution_of_no_group_is_left():
    d = Draw(0)
    y = d.op("Conv", d.norm(unknown(d)), d.const(4, 1, 1, 1), strides=(1, 1), pads=(0,) * 4,
             dilations=(1, 1), group=0)
    assert "BatchNorm" in ops(fused(d.graph(y)))


def test_a_factor_goes_past_a_bias_that_is_no_constant():
    """It changes the weights alone."""
    d = Draw(0)
    after = kept(d.graph(odd_conv(d, d.op("Mul", behind(d), d.const(4, 1, 1)))), fused)
    assert ops(after).count("Conv") == 2 and "Mul" not in ops(after)


def test_a_mirroring_pad_is_left():
    d = Draw(0)
    y = d.op("Pad", d.x, pads=[(0, 0), (0, 0), (1, 1), (1, 1)], value=0.0, mode="reflect")
    assert "Pad" in ops(fused(d.graph(d.conv(y, kernel=3))))


def test_a_difference_becomes_a_sum():
    """In both orders, also where no convolution takes it."""
    d = Draw(0)
    after = kept(d.graph(d.op("Sub", d.op("Relu", d.x), d.const(4, 1, 1))), fused)
    assert ops(after) == ["Add", "Relu"]
    after = kept(d.graph(d.op("Sub", d.const(4, 1, 1), d.op("Relu", d.x))), fused)
    assert ops(after) == ["Add", "Mul", "Relu"]


@pytest.mark.parametrize("op,make", [
    ("Mul", lambda d: d.op("Mul", d.op("PRelu", dense(d, d.x), d.const(4)), d.value(2.0))),
    ("Mul", lambda d: d.op("Mul", d.op("Mul", dense(d, d.x), d.const(4)), d.const(4))),
    ("Add", lambda d: d.op("Add", d.op("Add", dense(d, d.x), d.const(4)), d.const(4)))])
def test_values_behind_a_dense_layer(op, make):
    """They have no height and no width."""
    d = Draw(0)
    assert ops(kept(d.graph(make(d)), fused)).count(op) == 1


def test_an_addend_goes_into_a_convolution_of_groups():
    d = Draw(0)
    y = d.op("Add", d.op("Mul", behind(d), d.const(4, 1, 1)), d.const(4, 1, 1))
    after = kept(d.graph(d.conv(y, out=6, group=2, kernel=3, bias=True)), fused)
    assert ops(after) == ["Conv", "Conv", "PRelu"]
    y = d.op("Add", behind(d), d.const(4, 1, 1))
    after = kept(d.graph(d.conv(y, out=6, group=2)), fused)
    assert ops(after) == ["Conv", "Conv", "PRelu"]


def test_a_factor_goes_into_a_convolution_of_no_stated_stride():
    d = Draw(0)
    for kernel, op, left in ((3, "Mul", False), (1, "Add", False), (3, "Add", True)):
        y = d.op(op, behind(d), d.const(4, 1, 1))
        y = d.op("Conv", y, d.const(4, 4, kernel, kernel), strides=None, pads=(0,) * 4,
                 dilations=(1, 1), group=1)
        assert (op in ops(fused(d.graph(y)))) == left, (kernel, op)


def test_a_pad_before_no_stated_stride_is_left():
    d = Draw(0)
    y = d.op("Pad", d.x, pads=[(0, 0), (0, 0), (1, 1), (1, 1)], value=0.0, mode="constant")
    y = d.op("Conv", y, d.const(4, 4, 3, 3), strides=None, pads=(0,) * 4, dilations=(1, 1), group=1)
    assert "Pad" in ops(fused(d.graph(y)))


@pytest.mark.parametrize("of,to", [("<f2", "<f4"), ("<f4", "<f4"), ("<f8", "<f8")])
def test_scaled_weights_have_the_precision_that_they_had(of, to):
    d = Draw(0)
    y = d.op("Conv", d.op("Mul", behind(d), d.const(4, 1, 1)),
             d.b.const(d.array(4, 4, 1, 1).astype(of), "w"), strides=(1, 1), pads=(0,) * 4,
             dilations=(1, 1), group=1)
    weight = convs(fused(d.graph(y)))[-1].inputs[1]
    assert weight.value.dtype == np.dtype(to) and weight.place == "w"


@pytest.mark.parametrize("steps", [31, 32])
def test_the_picture_is_looked_for_32_steps_down(steps):
    """What is done with it is left there; no network does more with its picture."""
    d = Draw(0)
    y = d.x
    for _ in range(steps):
        y = d.op("Abs", y)
    after = fused(d.graph(d.conv(d.op("Mul", y, d.const(4, 1, 1)))))
    assert ("Mul" in ops(after)) == (steps == 31)


def test_the_picture_is_found_behind_any_constant():
    d = Draw(0)
    y = d.op("Add", d.op("Max", d.const(4, 6, 6), d.op("Transpose", d.x, perm=(0, 1, 3, 2))),
             d.const(4, 1, 1))
    assert "Add" in ops(fused(d.graph(d.conv(y))))
    # Behind a Dense layer it is not: here the factor goes into the convolution.
    y = d.b.reshape(dense(d, d.x), (2, 4, 1, 1), "map")
    assert "Mul" not in ops(kept(d.graph(d.conv(d.op("Mul", y, d.const(4, 1, 1)))), fused))


@pytest.mark.parametrize("channels,side,becomes", [
    (4, 2, True), (1, 512, True), (4, 512, True), (5, 512, False)])
def test_a_mean_is_a_convolution_up_to_a_million_weights(channels, side, becomes):
    d = Draw(0, (1, channels, side, side))
    graph = d.graph(d.op("ReduceMean", d.op("Abs", d.x), axes=(2, 3), keepdims=True))
    made = convs(fused(graph))
    assert [n.attrs["strides"] for n in made] == [(1, 1)] * becomes


@pytest.mark.parametrize("shape", [(1, 4, None, None), (None, 4, 6, 6), (1, 4, 6, 6, 1)])
@pytest.mark.parametrize("op", ["Abs", "Celu"])
def test_a_mean_of_unknown_or_other_size_is_left(op, shape):
    d = Draw(0, shape)
    graph = d.graph(d.op("ReduceMean", d.op(op, d.x), axes=(2, 3), keepdims=True))
    assert ops(fused(graph)) == [op, "ReduceMean"]


def test_what_takes_nothing_is_not_the_picture():
    d = Draw(0)
    y = d.conv(d.norm(d.op("Celu")))
    assert "BatchNorm" not in ops(fused(d.graph(d.op("Add", y, d.x))))
