# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Linear pointwise layers in a row: joined where EFM3 has one, kept where it has two."""

import numpy as np
import pytest

from efm3.convert.graph import pairs
from tests.convert.graph.small import Draw, kept, ops


def slope(d, x):
    return d.op("PRelu", x, d.const(x.channels, 1, 1))


def depth(d, x):
    return slope(d, d.norm(d.conv(x, out=x.channels, kernel=3, group=x.channels, pad=1)))


def first_two(d):
    return depth(d, slope(d, d.conv(d.x, kernel=3, pad=1)))


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("seed", range(2))
def test_a_pair_becomes_one(bias, norm, seed):
    d = Draw(seed)
    x = d.conv(d.x, out=7, bias=bias)
    x = d.norm(x) if norm else x
    after = kept(d.graph(d.norm(d.conv(x, out=3, bias=bias))), pairs.joined)
    assert ops(after) == ["BatchNorm", "Conv"]


def test_three_become_one():
    d = Draw(0)
    assert ops(kept(d.graph(d.conv(d.conv(d.conv(d.x, out=9), out=2), out=5)), pairs.joined)
               ) == ["Conv"]


def test_a_checkpoints_pair_too():
    """Strides and sides are not known there."""
    d = Draw(0, (1, 4, 6, 6))
    own = {"strides": None, "pads": (0,) * 4, "dilations": (1, 1), "group": 1}
    x = d.op("Conv", d.x, d.const(5, 4, 1, 1), **own)
    graph = pairs.joined(d.graph(d.op("Conv", x, d.const(3, 5, 1, 1), **own)))
    assert ops(graph) == ["Conv"]
    assert graph.output.attrs["strides"] is None


def test_project_and_expand_stay():
    d = Draw(0)
    x = depth(d, slope(d, d.conv(first_two(d), out=8)))
    x = slope(d, d.norm(d.conv(d.norm(d.conv(x, out=4)), out=8)))
    graph = d.graph(x)
    assert pairs.joined(graph) is graph


def test_an_expand_of_two_is_joined_after_the_second_layer():
    """The second layer is depthwise too, but what follows it is expand."""
    d = Draw(0)
    x = slope(d, d.conv(d.conv(first_two(d), out=6), out=8))
    assert ops(kept(d.graph(x), pairs.joined)).count("Conv") == 3


def test_an_expand_without_activation_stays():
    """A depthwise layer follows it: it is at expand's place."""
    d = Draw(0)
    x = depth(d, slope(d, d.conv(first_two(d), out=8)))
    x = depth(d, d.conv(d.conv(x, out=4), out=8))
    graph = d.graph(x)
    assert pairs.joined(graph) is graph


def test_a_value_that_is_used_twice_stays():
    d = Draw(0)
    x = d.conv(d.x, out=4)
    y = d.op("Add", d.conv(x, out=4), x)
    graph = d.graph(y)
    assert pairs.joined(graph) is graph


def test_a_convolution_or_its_norm_that_is_used_twice_stays():
    d = Draw(0)
    conv = d.conv(d.x, out=4)
    norm = d.norm(conv)
    for again in (conv, norm):
        graph = d.graph(d.op("Add", d.conv(norm, out=4), again))
        assert pairs.joined(graph) is graph


@pytest.mark.parametrize("at", range(5))
def test_what_is_no_constant_is_not_joined(at):
    """The bias of the first layer, or one of its BatchNorm's parameters, the scale first."""
    d = Draw(0)
    odd = d.b.reshape(d.op("ReduceMax", d.x, axes=(0, 2, 3), keepdims=False), (4,), "odd")
    own = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "group": 1}
    if at == 0:
        below = d.op("Conv", d.x, d.const(4, 4, 1, 1), odd, **own)
    else:
        params = [odd if i == at else d.const(4, low=0.5) for i in range(1, 5)]
        below = d.op("BatchNorm", d.conv(d.x), *params, eps=1e-5)
    graph = d.graph(d.conv(below))
    assert pairs.joined(graph) is graph


def test_project_and_expand_stay_from_the_third_layer_on():
    d = Draw(0)
    x = depth(d, first_two(d))
    graph = d.graph(slope(d, d.conv(d.conv(x, out=4), out=8)))
    assert pairs.joined(graph) is graph


def test_a_second_layer_that_is_linear_too_is_joined():
    d = Draw(0)
    x = depth(d, slope(d, d.conv(first_two(d), out=8)))
    graph = d.graph(d.conv(d.conv(x, out=4), out=8))
    assert ops(kept(graph, pairs.joined)).count("Conv") == ops(graph).count("Conv") - 1


@pytest.mark.parametrize("below", [
    lambda d, x: d.op("Add", x, d.op("Relu", x)),
    lambda d, x: slope(d, d.conv(x, kernel=3, pad=1))])
def test_a_first_layer_that_is_no_project_is_joined(below):
    """It follows an addition, or a layer that is not depthwise."""
    d = Draw(0)
    graph = d.graph(slope(d, d.conv(d.conv(below(d, first_two(d)), out=4), out=8)))
    assert ops(kept(graph, pairs.joined)).count("Conv") == ops(graph).count("Conv") - 1


def test_stride_and_padding_are_no_pointwise_layer():
    d = Draw(0)
    for own in ({"stride": 2}, {"pad": 1}, {"kernel": 3}, {"group": 2}):
        for first, second in (({}, own), (own, {})):
            graph = d.graph(d.conv(d.conv(d.x, out=4, **first), out=4, **second))
            assert pairs.joined(graph) is graph, own


def test_the_weights_are_the_product():
    d = Draw(0)
    a, b = d.const(6, 4, 1, 1), d.const(5, 6, 1, 1)
    own = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "group": 1}
    out = pairs.joined(d.graph(d.op("Conv", d.op("Conv", d.x, a, **own), b, **own))).output
    np.testing.assert_allclose(out.inputs[1].value[:, :, 0, 0],
                               b.value[:, :, 0, 0] @ a.value[:, :, 0, 0])


def test_work_is_bounded():
    """A product of layers far larger than any network's is not computed: they are refused later."""
    d = Draw(0, (1, 4096, 1, 1))
    thin = d.conv(d.x, out=1)
    graph = d.graph(d.conv(thin, out=4096))
    assert pairs.joined(graph) is graph


def test_a_depthwise_layer_of_one_channel_is_one():
    d = Draw(0, (2, 1, 6, 6))
    conv = d.conv(d.x, out=1, kernel=3, pad=1)
    assert pairs.depthwise(conv) and not pairs.depthwise(d.conv(conv, out=2, kernel=3))


def test_what_is_no_convolution_of_constants_is_neither():
    d = Draw(0, (2, 4, 6, 6))
    weight = d.b.reshape(d.op("ReduceMax", d.x, axes=(0, 2, 3), keepdims=False), (4, 1, 1, 1), "w")
    own = {"strides": (1, 1), "pads": (0,) * 4, "dilations": (1, 1), "group": 4}
    for n in (d.op("Relu", d.x), d.op("PRelu", d.x, d.const(4, 1, 1)),
              d.op("Conv", d.x, weight, **own)):
        assert not pairs.pointwise(n) and not pairs.depthwise(n)


@pytest.mark.parametrize("own,is_one", [
    ({"group": 4, "kernel": 2}, True), ({"group": 4, "kernel": 3}, True),
    ({"group": 4, "kernel": 1}, False), ({"group": 2, "kernel": 3}, False),
    ({"group": 1, "kernel": 3}, False), ({"group": 4, "kernel": 3, "out": 8}, False),
    ({"group": 2, "kernel": 3, "out": 2}, False)])
def test_a_depthwise_layer(own, is_one):
    d = Draw(0)
    assert pairs.depthwise(d.conv(d.x, **own)) == is_one


def zeros(d, x, out):
    """A pointwise layer of many weights, in hardly any memory."""
    return d.op("Conv", x, d.value(np.broadcast_to(np.float32(0), (out, x.channels, 1, 1))),
                strides=(1, 1), pads=(0,) * 4, dilations=(1, 1), group=1)


@pytest.mark.parametrize("thick,middle,outs,joins", [
    (2048, 1, (2048,), 1), (2048, 1, (2049,), 0), (2048, 1024, (2048,), 1),
    (2048, 1025, (2048,), 0), (2048, 1000, (2048, 24), 2),
    (2048, 1000, (2048, 25), 1)])
def test_the_bounds_of_weights_and_of_work(monkeypatch, thick, middle, outs, joins):
    """4 Mi weights in a join, 4 Gi products in all of them. Nothing is multiplied here."""
    d, made = Draw(0, (1, thick, 1, 1)), []

    def join(second, first, make):
        made.append(second)
        return zeros(d, first.inputs[0], len(second.inputs[1].value))

    monkeypatch.setattr(pairs, "_join", join)
    x = zeros(d, d.x, middle)
    for out in outs:
        x = zeros(d, x, out)
    pairs.joined(d.graph(x))
    assert len(made) == joins
