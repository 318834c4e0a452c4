# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of a network: the L2 norm in every spelling, none, or something else."""

import pytest

from efm3 import Efm3Error
from efm3.convert.graph import tail
from tests.convert.graph.small import Draw


def flat(d, x):
    return d.b.reshape(x, (d.x.shape[0], -1), "flat")


def reduce(d, x):
    return d.op("Div", x, d.op("ReduceL2", x, axes=(1,), keepdims=True))


def clipped(d, x):
    n = d.op("Clip", d.op("ReduceL2", x, axes=(1,), keepdims=True), low=1e-12, high=float("inf"))
    return d.op("Div", x, d.op("Expand", n, shape=tuple(x.shape)))


def power(d, x):
    s = d.op("ReduceSum", d.op("Pow", x, d.value(2.0)), axes=(1,), keepdims=True)
    return d.op("Div", x, d.op("Pow", s, d.value(0.5)))


def reciprocal(d, x):
    s = d.op("Add", d.op("ReduceSumSquare", x, axes=(1,), keepdims=True), d.value(1e-10))
    return d.op("Mul", x, d.op("Reciprocal", d.op("Sqrt", s)))


@pytest.mark.parametrize("norm", [reduce, clipped, power, reciprocal], ids=lambda f: f.__name__)
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("map_", [False, True])
def test_a_norm_is_seen(norm, batch, map_):
    d = Draw(0, (batch, 8, 1, 1))
    x = d.conv(d.x, out=8)
    y = norm(d, x if map_ else flat(d, x))
    assert tail.normalises(d.graph(y), x)


@pytest.mark.parametrize("batch", [1, 3])
def test_none_is_seen(batch):
    d = Draw(0, (batch, 8, 1, 1))
    x = d.conv(d.x, out=8)
    assert not tail.normalises(d.graph(flat(d, x)), x)
    assert not tail.normalises(d.graph(x), x)


def l1(d, x):
    return d.op("Div", x, d.op("ReduceL1", x, axes=(1,), keepdims=True))


def batch_axis(d, x):
    return d.op("Div", x, d.op("ReduceL2", x, axes=(0,), keepdims=True))


def times(d, x):
    return d.op("Mul", reduce(d, x), d.value(64.0))


def part(d, x):
    return d.op("Slice", reduce(d, x), axis=1, start=0, stop=4, step=1)


def relu(d, x):
    return d.op("Relu", x)


def softmax(d, x):
    return d.op("Softmax", x)


def two(d, x):
    return d.op("Add", x, d.b.reshape(d.x, (2, 8), "in"))


@pytest.mark.parametrize("make", [l1, batch_axis, times, part, relu, softmax, two],
                         ids=lambda f: f.__name__)
def test_anything_else_is_refused(make):
    d = Draw(0, (2, 8, 1, 1))
    x = d.conv(d.x, out=8)
    with pytest.raises(Efm3Error) as e:
        tail.normalises(d.graph(make(d, flat(d, x))), x)
    assert e.value.code == "X008"
