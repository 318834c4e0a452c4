# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a source does with its picture, and how it is undone."""

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.convert.graph import picture, run
from tests.convert.graph.small import Draw

SHAPE = (1, 3, 112, 112)
RED = {"bgr": False}


def draw(shape=SHAPE):
    return Draw(0, shape)


def of(d, x, bgr=None, input_range=None):
    conv = d.conv(x, out=4, kernel=3, pad=1)
    graph = d.graph(conv)
    return graph, picture.of(graph, conv, bgr, input_range)


def agrees(graph, entry, bgr=False):
    """The convolution of EFM3's input, with the weight for it, is the source's."""
    x = np.random.default_rng(1).uniform(-1, 1, SHAPE)
    u = (x[:, ::-1] if bgr else x) * entry.factor + entry.offset
    want = run.forward(graph, u)
    conv = graph.output
    d = draw()
    own = d.op("Conv", d.x, d.value(entry.weight(conv.inputs[1].value)), **conv.attrs)
    np.testing.assert_allclose(run.forward(d.graph(own), x), want, rtol=1e-6, atol=1e-6)


def scaled(d):
    return d.op("Mul", d.op("Sub", d.x, d.value(127.5)), d.value(1 / 128))


def divided(d):
    return d.op("Div", d.op("Sub", d.x, d.value(np.full((3, 1, 1), 127.5))), d.value(128.0))


def unit(d):
    return d.op("Div", d.op("Sub", d.x, d.value(0.5)), d.value(0.5))


def normed(d):
    one = d.value(np.ones(3))
    return d.op("BatchNorm", d.x, one, d.value(np.zeros(3)), d.value(np.full(3, 127.5)),
                d.value(np.full(3, 128.0 ** 2)), eps=0.0)


def each_apart(d):
    parts = [d.op("Slice", d.x, axis=1, start=i, stop=i + 1, step=1) for i in (2, 1, 0)]
    parts = [d.op("Mul", d.op("Sub", p, d.value(127.5)), d.value(f)) for p, f in
             zip(parts, (0.01, 0.02, 0.03), strict=True)]
    return d.op("Concat", *parts, axis=1)


@pytest.mark.parametrize("make", [scaled, divided, unit, normed, each_apart],
                         ids=lambda f: f.__name__)
def test_a_stated_range_is_undone(make):
    d = draw()
    graph, entry = of(d, make(d), **RED)
    assert entry.assumed == ()
    agrees(graph, entry)


def swapped(d):
    return d.op("Gather", d.x, d.value(np.array([2, 1, 0])), axis=1)


def reversed_(d):
    return d.op("Slice", d.x, axis=1, start=2, stop=None, step=-1)


@pytest.mark.parametrize("make", [swapped, reversed_], ids=lambda f: f.__name__)
@pytest.mark.parametrize("bgr", [False, True])
def test_swapped_channels_go_into_the_weights(make, bgr):
    d = draw()
    graph, entry = of(d, make(d), bgr)
    assert entry.order == ((0, 1, 2) if bgr else (2, 1, 0))
    agrees(graph, entry, bgr)


def test_what_nothing_states_is_assumed():
    d = draw()
    graph, entry = of(d, d.x)
    assert ["--input-range" in a or "--rgb" in a for a in entry.assumed] == [True, True]
    agrees(graph, entry)


@pytest.mark.parametrize(("span", "factor"), [((-1.0, 1.0), 256 / 255),
                                              ((-127.5 / 128, 127.5 / 128), 1.0)])
def test_a_range_that_the_caller_states(span, factor):
    d = draw()
    graph, entry = of(d, d.x, False, span)
    assert entry.assumed == ()
    assert entry.factor == pytest.approx(factor)
    agrees(graph, entry)


def imagenet(d):
    return d.op("Sub", d.x, d.value(np.array([123.7, 116.3, 103.5])[:, None, None]))


def curved(d):
    return d.op("Abs", d.x)


def uneven(d):
    return d.op("Mul", d.x, d.const(112, 112))


def grey(d):
    return d.op("Gather", d.x, d.value(np.array([0, 0, 0])), axis=1)


def divisor(d):
    return d.op("Div", d.value(2.0), d.x)


def nothing(d):
    return d.op("Mul", d.x, d.value(0.0))


@pytest.mark.parametrize(("make", "words"), [
    (imagenet, "padding would have another colour"), (curved, "abs (Abs) changes the input"),
    (uneven, "not one factor"), (grey, "channels [0, 0, 0]"),
    (divisor, "not finite"), (nothing, "takes the input's channels")],
    ids=lambda v: getattr(v, "__name__", ""))
def test_what_cannot_be_undone_is_refused(make, words):
    d = draw()
    with pytest.raises(Efm3Error) as e:
        of(d, make(d))
    assert e.value.code == "X016"
    assert words in str(e.value)


def test_a_range_against_the_graphs_own():
    d = draw()
    with pytest.raises(Efm3Error) as e:
        of(d, scaled(d), False, (0.0, 1.0))
    assert e.value.code == "X016"


@pytest.mark.parametrize(("shape", "words"), [
    ((1, 1, 112, 112), "takes 1 channels"), ((1, 3, 112, 96), "for 112×96 pictures"),
    ((1, 3, 112), "not [N, 3, 112, 112]")])
def test_other_pictures(shape, words):
    d = draw(shape)
    with pytest.raises(Efm3Error) as e:
        picture.picture(d.graph(d.op("Relu", d.x)))
    assert e.value.code == "X016"
    assert words in str(e.value)
