# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The end of a network: the L2 norm in every spelling, none, or something else."""

import pytest

from efm3 import Efm3Error
from efm3.convert.graph import Node, tail
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


def test_what_is_refused_is_named():
    """What takes more than the embedding, and of what is no norm the last one."""
    d = Draw(0, (2, 8, 1, 1))
    x = d.conv(d.x, out=8)
    y = d.b.reshape(x, (2, 8), "flat")
    refused(d, d.op("Abs", two(d, y)), x, r"^X008 add \(Add\) takes more than the embedding")
    refused(d, d.op("Abs", d.op("Neg", d.op("Exp", y))), x, r"^X008 abs \(Abs\) and what leads")
    foreign = d.op("Celu", y)
    refused(d, foreign, x, r"^X008 celu \(Celu\) follows the embedding: EFM3 has no such layer")


def refused(d, y, last, words):
    with pytest.raises(Efm3Error, match=words) as e:
        tail.normalises(d.graph(y), last)
    assert e.value.code == "X008"


def expanded(d, x, rows):
    return d.op("Slice", d.op("Expand", flat(d, x), shape=(rows, 8)), axis=0, start=0, stop=1,
                step=1)


def test_what_is_made_of_an_embedding_is_bounded():
    d = Draw(0, (1, 8, 1, 1))
    x = d.conv(d.x, out=8)
    assert not tail.normalises(d.graph(expanded(d, x, 1 << 17)), x)
    refused(d, expanded(d, x, (1 << 17) + 1), x, "makes .131073, 8. of an embedding")
    unknown = Node("Abs", "abs (Abs)", (x,), {}, (None, 1 << 21))
    refused(d, unknown, x, "do not divide")


def test_operations_behind_the_embedding_are_counted():
    d = Draw(0, (1, 8, 1, 1))
    y = x = d.conv(d.x, out=8)
    for _ in range(200):
        y = d.op("Neg", y)
    assert not tail.normalises(d.graph(y), x)
    refused(d, d.op("Neg", y), x, "201 operations follow the embedding")


@pytest.mark.parametrize("shape", [None, (1, 8, None, 1)])
def test_an_embedding_of_unknown_shape_must_be_the_end(shape):
    d = Draw(0, (1, 8, 1, 1))
    x = d.conv(d.x, out=8)
    x.shape = shape
    assert not tail.normalises(d.graph(x), x)
    refused(d, d.op("Abs", reduce(d, x)), x, r"^X008 abs \(Abs\) follows the embedding")


@pytest.mark.parametrize("op,bound", [("Max", 1.0), ("Min", 15.0)])
@pytest.mark.parametrize("batch", [1, 3])
def test_a_norm_within_a_bound_is_none(op, bound, batch):
    """Embeddings are about 1 to 40 long."""
    d = Draw(0, (batch, 8, 1, 1))
    x = d.conv(d.x, out=8)
    length = d.op("ReduceL2", x, axes=(1,), keepdims=True)
    refused(d, d.op("Div", x, d.op(op, length, d.value(bound))), x, "do not divide")
