# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""PReLU in every spelling becomes PReLU; what only looks like one does not."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from efm3.convert.graph import run, slopes
from tests.convert.graph.small import Draw, kept, ops


def neg(d, x, s):
    return d.op("Add", d.op("Relu", x), d.op("Mul", d.op("Neg", d.op("Relu", d.op("Neg", x))), s))


def neg_slope_negated(d, x, s):
    minus = d.op("Mul", d.op("Relu", d.op("Neg", x)), d.op("Neg", s))
    return d.op("Add", d.op("Relu", x), minus)


def absolute(d, x, s):
    half = d.op("Mul", d.op("Sub", x, d.op("Abs", x)), d.value(0.5))
    return d.op("Add", d.op("Relu", x), d.op("Mul", s, half))


def halves(d, x, s):
    up = d.op("Mul", d.op("Add", x, d.op("Abs", x)), d.value(0.5))
    down = d.op("Div", d.op("Sub", x, d.op("Abs", x)), d.value(2.0))
    return d.op("Add", up, d.op("Mul", down, s))


def extremes(d, x, s):
    return d.op("Add", d.op("Max", x, d.value(0.0)), d.op("Mul", s, d.op("Min", d.value(0.0), x)))


def where(d, x, s):
    return d.op("Where", d.op("Greater", x, d.value(0.0)), x, d.op("Mul", s, x))


def where_less(d, x, s):
    return d.op("Where", d.op("Less", x, d.value(0)), d.op("Mul", x, s), x)


def mask(d, x, s):
    over = d.op("Cast", d.op("GreaterEqual", x, d.value(0.0)), kind="float")
    under = d.op("Cast", d.op("Not", d.op("GreaterEqual", x, d.value(0.0))), kind="float")
    return d.op("Add", d.op("Mul", x, over), d.op("Mul", d.op("Mul", under, x), s))


def where_zero(d, x, s):
    down = d.op("Where", d.op("Greater", x, d.value(0.0)), d.value(0.0), x)
    return d.op("Add", d.op("Clip", x, low=0, high=math.inf), d.op("Mul", down, s))


def clips(d, x, s):
    down = d.op("Clip", x, low=-math.inf, high=0)
    return d.op("Add", d.op("Clip", x, low=0, high=math.inf), d.op("Mul", down, s))


def plain(d, x, s):
    return d.op("PRelu", x, s)


SPELLINGS = [neg, neg_slope_negated, absolute, halves, extremes, where, where_less, mask,
             where_zero, clips, plain]
SHAPES = [(4, 1, 1), (1, 4, 1, 1), (), (1,), (1, 1, 1), (4, 6, 6)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("spelling", SPELLINGS, ids=lambda f: f.__name__)
def test_a_spelling_becomes_prelu(spelling, shape):
    d = Draw(0)
    after = kept(d.graph(spelling(d, d.conv(d.x), d.const(*shape))), slopes.spelled)
    assert ops(after) == ["Conv", "PRelu"]


@pytest.mark.parametrize(("op", "own", "slope"), [
    ("Relu", {}, 0), ("LeakyRelu", {"alpha": 0.3}, 0.3), ("LeakyRelu", {"alpha": -0.3}, -0.3)])
def test_relu_and_leaky_relu_are_prelu(op, own, slope):
    d = Draw(0)
    after = kept(d.graph(d.op(op, d.conv(d.x), **own)), slopes.spelled)
    assert ops(after) == ["Conv", "PRelu"]
    assert after.output.inputs[1].value == slope


def test_a_factor_stays_beside_it():
    d = Draw(0)
    y = d.op("Mul", d.op("Relu", d.conv(d.x)), d.value(3.0))
    assert ops(kept(d.graph(y), slopes.spelled)) == ["Conv", "Mul", "PRelu"]


def relu6(d, x):
    return d.op("Min", d.op("Relu", x), d.value(6.0))


def shifted(d, x):
    return d.op("Max", x, d.value(0.5))


def between(d, x):
    return d.op("Clip", x, low=0, high=6)


def other_threshold(d, x):
    return d.op("Where", d.op("Greater", x, d.value(1.0)), x, d.value(0.0))


def two_values(d, x):
    return d.op("Max", x, d.conv(d.x))


def squared(d, x):
    return d.op("Mul", d.op("Relu", x), d.op("Relu", x))


def wider(d, x):
    return d.op("Max", d.op("ReduceSum", x, axes=(2, 3), keepdims=True), x)


@pytest.mark.parametrize("make", [relu6, shifted, between, other_threshold, two_values, squared,
                                  wider], ids=lambda f: f.__name__)
def test_what_is_no_prelu_keeps_its_function(make):
    d = Draw(0)
    after = kept(d.graph(make(d, d.conv(d.x))), slopes.spelled)
    assert set(ops(after)) & {"Min", "Max", "Clip", "Where", "Mul"}


def whole(d, x):
    return d.op("Add", d.op("Relu", x), d.op("Div", d.op("Abs", x), d.value(np.array([2]))))


def as_whole(d, x):
    over = d.op("Cast", d.op("Sign", x), kind="bool")
    return d.op("Mul", x, d.op("Cast", over, kind="float"))


@pytest.mark.parametrize("make", [whole, as_whole], ids=lambda f: f.__name__)
def test_whole_numbers_and_truths_keep_their_function(make):
    d = Draw(0)
    kept(d.graph(make(d, d.conv(d.x))), slopes.spelled)


UNARY = st.sampled_from(["Relu", "Neg", "Abs", "LeakyRelu"])
BINARY = st.sampled_from(["Add", "Sub", "Max", "Min", "Mul"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), UNARY, BINARY, st.integers(0, 5), st.integers(0, 5)),
                min_size=1, max_size=8), st.integers(0, 9))
def test_any_combination_keeps_its_function(steps, seed):
    """Random expressions of one value: whatever becomes of them, the function stays."""
    d = Draw(seed, (1, 4, 3, 3))
    made = [d.conv(d.x), d.const(4, 1, 1), d.value(0.0)]
    for single, one, two, a, b in steps:
        x, y = made[a % len(made)], made[b % len(made)]
        if single:
            made.append(d.op(one, x, **({"alpha": 0.25} if one == "LeakyRelu" else {})))
        else:
            made.append(d.op(two, x, y))
    last = next((m for m in reversed(made) if m.value is None), made[0])
    graph = d.graph(last)
    after = slopes.spelled(graph)
    x = np.random.default_rng(seed).normal(size=(1, 4, 3, 3))
    np.testing.assert_allclose(run.forward(after, x), run.forward(graph, x), rtol=1e-9, atol=1e-9)
