# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is assumed is listed, what is stated is not; and what runs the source."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import efm3
from efm3 import Efm3Error, mirror, reference, untrained, verification
from efm3.arch import Arch, Stage
from efm3.convert import Wanted, _meta, matching
from efm3.convert._base import Runtime, Source
from efm3.convert.graph import walk
from efm3.convert.graph.picture import Picture
from efm3.convert.matching import embedding, function_of, network_of
from efm3.findings import refuse
from efm3.model import Model
from tests.convert.graph.built import Net

ARCH = Arch("small", 0.125, 8, 8, 8, 8, 7, (Stage(2, 2, 2), Stage(2, 1, 2), Stage(2, 1, 2)))


@pytest.fixture(scope="module")
def model():
    return efm3.load(untrained.dumps(ARCH, 7))


class NoNorm(Net):
    def end(self, x):
        return x


class Pixels(Net):
    def picture(self):
        x = self.b.input((1, 3, 112, 112), "data")
        return x, self.op("Mul", self.op("Sub", x, self.const(127.5)), self.const(1 / 128))


@pytest.mark.parametrize(("style", "wanted", "words"), [
    (Net, {}, ["--input-range", "--rgb"]), (Net, {"bgr": False}, ["--input-range"]),
    (Net, {"input_range": (-1.0, 1.0)}, ["--rgb"]),
    (Net, {"bgr": True, "input_range": (-1.0, 1.0)}, []),
    (Pixels, {}, ["--rgb"]), (Pixels, {"bgr": False}, []),
    (NoNorm, {"bgr": False}, ["--input-range", "L2 norm"])])
def test_what_is_assumed(model, style, wanted, words):
    assumed = network_of(Source(style(model).graph()), Wanted(**wanted)).assumed
    assert [w in a for w, a in zip(words, assumed, strict=True)] == [True] * len(words)


def test_blue_first_and_another_range(model):
    """The source takes blue first, from -1 to 1; its file takes EFM3's pictures."""
    network = network_of(Source(Net(model).graph()), Wanted(bgr=True, input_range=(-1.0, 1.0)))
    x = verification.inputs()[:2]
    source = reference.forward(model, np.ascontiguousarray(x[:, ::-1]) * np.float32(128 / 127.5))
    np.testing.assert_allclose(network.run(x), source, atol=1e-6)
    np.testing.assert_allclose(reference.forward(network.model, x), source, atol=1e-6)


def runtime(function):
    return Runtime("there", lambda: function)


def test_the_runtime_runs_the_source_where_it_is_installed(model):
    calls = []

    def run(u):
        calls.append(u.shape)
        return np.ones((1, 8), np.float32)

    network = network_of(Source(Net(model).graph(), runtime=runtime(run)), Wanted())
    out = network.run(verification.inputs()[:3])
    assert calls == [(1, 3, 112, 112)] * 3
    assert network.framework == "there"
    np.testing.assert_allclose(out, np.full((3, 8), 8 ** -0.5))


def test_elsewhere_the_graph_is_evaluated(model):
    def missing():
        refuse("X002", "not here", "there")

    network = network_of(Source(Net(model).graph(), runtime=Runtime("there", missing)), Wanted())
    x = verification.inputs()[:1]
    np.testing.assert_allclose(network.run(x), reference.forward(model, x), atol=1e-12)
    assert network.framework == "float64 evaluation of the graph (there is not installed)"


def test_weights_of_8_bits_are_compared_dequantised(model):
    def never():
        raise AssertionError

    source = Source(Net(model).graph(), runtime=Runtime("there", never), approximate="8 bits")
    network = network_of(source, Wanted(bgr=False))
    network.run(verification.inputs()[:1])
    assert "8 bits" in network.assumed
    assert network.framework == "float64 evaluation of the graph"


def test_our_own_files_assume_nothing(model):
    source = Source(Net(model).graph(), texts=_meta.texts(model))
    network = network_of(source, Wanted())
    assert network.assumed == [] and network.own
    told = network_of(source, Wanted(bgr=True, input_range=(-1.0, 1.0)))
    assert told.unused == ("--bgr", "--input-range")
    assert np.array_equal(told.model.tensors["stem.conv.w"], model.tensors["stem.conv.w"])


class Relu6(Net):
    def act(self, layer, x):
        return self.op("Clip", x, low=0.0, high=6.0, place="relu6")


def test_a_network_that_efm3_cannot_hold_runs_all_the_same(model):
    graph = Relu6(model).graph()
    with pytest.raises(Efm3Error):
        network_of(Source(graph), Wanted())
    function = function_of(Source(graph), Wanted())
    out = function(verification.inputs()[:2])
    assert out.shape == (2, 8)
    np.testing.assert_allclose(np.linalg.norm(out, axis=1), 1)
    assert function.name == "float64 evaluation of the graph"


def test_an_option_that_has_no_use_is_said(model):
    stated = Wanted(eps=1e-3, act="relu", key="a", bgr=False, input_range=(-1.0, 1.0), turned=True)
    assumed = network_of(Source(Net(model).graph()), stated).assumed
    assert [a.partition(" ")[0] for a in assumed] == ["--eps", "--act", "--key", "--turned"]
    assumed = network_of(Source(model=model), Wanted(bgr=True, output="x")).assumed
    assert [a.partition(" ")[0] for a in assumed] == ["--output", "--bgr"]


def recorded(out=None):
    """What the source's runtime is given, and a runtime that gives the sums of its rows, or what
    `out` gives."""
    seen = []

    def run(u):
        seen.append(u)
        return out(u) if out else u.reshape(len(u), -1)[:, :8]
    return seen, runtime(run)


X = np.random.default_rng(3).uniform(-1, 1, (3, 3, 112, 112)).astype(np.float32)
"""Of no symmetry: as EFM3 takes its pictures."""


def ran(shape, batch=1, picture=None, bgr=False, turns=False, x=X):
    """What a source of this input is given for EFM3's inputs, and the embeddings."""
    seen, start = recorded()
    graph = SimpleNamespace(input=SimpleNamespace(shape=shape), batch=batch)
    name, embed = embedding(graph, start, picture or Picture((0, 1, 2), np.ones(3), 2.0, 0.5), bgr,
                            turns)
    assert name == "there"
    return embed(x), seen


@pytest.mark.parametrize("shape,last", [
    ((1, 3, 112, 112), False), ((1, 112, 112, 3), True), ((None, None, None, 3), True),
    ((1, 3, 112, 3), False), ((1, 112, 3, 112), False), ((112, 112, 3), False), (None, False),
    ((1, 112, 112, 3, 3), False), ((3, 112, 112, 3), True), ((1, 4, 4, 4), False)])
def test_the_source_has_its_channels_where_its_input_has_them(shape, last):
    out, seen = ran(shape)
    want = X * 2.0 + 0.5
    want = np.moveaxis(want, 1, 3) if last else want
    assert [u.shape for u in seen] == [(1, *want.shape[1:])] * 3 and seen[0].flags.c_contiguous
    assert np.array_equal(np.concatenate(seen), want.astype(np.float32))
    rows = want.reshape(3, -1)[:, :8]
    np.testing.assert_allclose(out, rows / np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def test_a_batch_is_filled():
    out, seen = ran((2, 3, 112, 112), 2)
    assert [u.shape[0] for u in seen] == [2, 2] and len(out) == 3
    np.testing.assert_array_equal(seen[1][0], seen[1][1])
    np.testing.assert_allclose(out, ran((1, 3, 112, 112))[0])


def test_colours_and_turns():
    blue = ran((1, 3, 112, 112), bgr=True)[1][0][0]
    plain = ran((1, 3, 112, 112))[1][0][0]
    assert np.array_equal(blue, plain[::-1])
    turned = ran((1, 3, 112, 112), turns=True)[1][0][0]
    assert np.array_equal(turned, plain[:, ::-1, ::-1])


def test_an_embedding_of_nothing_is_nothing():
    out, _ = ran((1, 3, 112, 112), picture=Picture((0, 1, 2), np.ones(3), 0.0, 0.0))
    assert (out == 0).all()


def test_a_runtime_that_breaks_says_so(model):
    def breaks():
        refuse("X012", "broken", "there")
    with pytest.raises(Efm3Error, match="X012"):
        function_of(Source(Net(model).graph(), runtime=Runtime("there", breaks)), Wanted())(X)


@pytest.mark.parametrize("wanted,low,high", [
    ({}, -127.5 / 128, 127.5 / 128), ({"input_range": (0.0, 1.0)}, 0, 1),
    ({"input_range": (-2.0, 3.0), "bgr": True}, -2, 3)])
def test_what_a_network_that_efm3_cannot_hold_is_given(model, wanted, low, high):
    """0 and 255 are the ends of the range; red first, unless blue is."""
    seen, start = recorded()
    function_of(Source(Relu6(model).graph(), runtime=start), Wanted(**wanted))(X[:1])
    grey = X[0, ::-1] if wanted.get("bgr") else X[0]
    want = low + (grey.astype(float) * 128 + 127.5) / 255 * (high - low)
    np.testing.assert_allclose(seen[0][0], want, atol=1e-6)


def test_whose_function_it_is(model):
    own = function_of(Source(model=model), Wanted())
    np.testing.assert_array_equal(own(X[:1]), reference.forward(model, X[:1]))
    assert own.name == "reference"
    function = function_of(Source(Net(model).graph()), Wanted())
    function(X[:1])
    assert function.name == "float64 evaluation of the graph"
    # Of tensors alone nothing runs but what they make with an arch.
    with pytest.raises(Efm3Error):
        function_of(Source(Relu6(model).graph(), complete=lambda arch: None), Wanted())


@pytest.mark.parametrize("shape,pads,strides,made", [
    ((1, 8, 56, 57), (1, 1, 2, 3), (2, 2), (0, 0, 2, 3)), ((1, 7, 56, 55), (1, 1, 1, 1), (2, 2),
                                                         (0, 0, 1, 1)),
    ((1, 8, 57, 56), (1, 1, 1, 1), (2, 2), None), ((1, 8, 56, 56), (1, 1, 1, 1), (1, 1), None),
    ((1, 8, 56, 56), (0, 1, 1, 1), (2, 2), None), (None, (1, 1, 1, 1), (2, 2), (0, 0, 1, 1)),
    ((1, 8, None, 57), (1, 1, 1, 1), (2, 2), (0, 0, 1, 1)),
    ((1, 8, 57), (1, 1, 1, 1), (2, 2), (0, 0, 1, 1)),
    ((1, 8, 57, 57, 57), (1, 1, 1, 1), (2, 2), (0, 0, 1, 1)),
    ((1, 8, 54, 54), (1, 1, 1, 1), (3, 3), (0, 0, 1, 1))])
def test_padding_below_and_right(shape, pads, strides, made):
    """Of a strided convolution that pads, on a side that is even or not known."""
    x, calls = SimpleNamespace(shape=shape), []
    node = SimpleNamespace(attrs={"pads": pads, "strides": strides, "group": 2}, inputs=(x, "w"),
                           place="here")
    make = SimpleNamespace(make=lambda *args, **kw: calls.append((args, kw)) or node)
    found = matching._below_and_right(node, make)
    if made is None:
        assert found is None and not calls
    else:
        assert found is node and calls == [(("Conv", x, "w"), {
            "place": "here", "pads": made, "strides": strides, "group": 2})]


def units():
    return [SimpleNamespace(weight=np.arange(24.0).reshape(2, 1, 3, 4) + i, stride=s, place=str(s))
            for i, s in enumerate((1, None, 2, 3))]


@pytest.mark.parametrize("asked,hint,turned", [
    (False, None, False), (True, None, True), (False, False, False), (False, True, True),
    (True, False, True)])
def test_kernels_are_turned_where_it_is_asked_for(asked, hint, turned):
    found = SimpleNamespace(units=units())
    said = None if hint is None else SimpleNamespace(turned=hint)
    if not turned:
        with pytest.raises(Efm3Error, match="X017") as e:
            matching._turn(found, Wanted(turned=asked), said)
        assert e.value.path == "2"
        return
    matching._turn(found, Wanted(turned=asked), said)
    for before, after in zip(units(), found.units, strict=True):
        assert np.array_equal(after.weight, before.weight[..., ::-1, ::-1])
        assert after.weight.flags.c_contiguous


@pytest.mark.parametrize("stated,own,turned,unused", [
    (True, False, True, "--eps --act --key"), (True, False, False, "--eps --act --key --turned"),
    (False, False, True, "--output"), (False, True, True, "--output --bgr --input-range --l2-norm"),
    (True, True, True, "--eps --act --key --bgr --input-range --l2-norm")])
def test_which_options_have_no_use(model, stated, own, turned, unused):
    wanted = Wanted(eps=1e-3, act="relu", key="a", output="x", bgr=False, input_range=(0.0, 1.0),
                    l2_norm=True, turned=True)
    source = Source(Net(model).graph(), stated=stated)
    assert matching._unused(source, wanted, own, turned) == tuple(unused.split())
    of_model = matching._unused(Source(model=model), wanted, own, turned)
    assert "--output" in of_model


NORM, JOINED = "does not show whether the L2 norm follows", "two linear layers in a row were joined"


@pytest.mark.parametrize("style,of,wanted,norm", [
    (NoNorm, {}, {}, NORM), (NoNorm, {"stated": True}, {}, "does not divide its embedding"),
    (NoNorm, {}, {"l2_norm": True}, ""), (NoNorm, {"own": True}, {}, ""), (Net, {}, {}, "")])
def test_what_a_checkpoint_does_not_show(model, monkeypatch, style, of, wanted, norm):
    found = walk.found
    source = Source(style(model).graph(), **{"stated": False, **of})
    for joined in (False, True):
        def read(*args, joined=joined, **kw):
            out = found(*args, **kw)
            out.joined = joined
            return out
        monkeypatch.setattr(walk, "found", read)
        said = " ".join(network_of(source, Wanted(arch=ARCH, **wanted)).assumed)
        assert (norm in said, JOINED in said) == (True, joined and not source.stated)
        assert norm or (NORM not in said and "does not divide" not in said)


def test_whether_a_checkpoint_is_turned_is_the_callers_word(model):
    graph, stem = Net(model).graph(), model.tensors["stem.conv.w"]
    for asked in (False, True):
        network = network_of(Source(graph, stated=False), Wanted(arch=ARCH, turned=asked))
        assert network.turned == asked
        kernel = network.model.tensors["stem.conv.w"]
        np.testing.assert_array_equal(kernel, stem[..., ::-1, ::-1] if asked else stem)


@pytest.mark.parametrize("turned", [False, True])
def test_what_our_own_checkpoint_says_of_turning_holds(model, turned):
    """Its tensors are as the file has them: nothing is turned once more."""
    told = Model(model.arch, model.tensors)
    told.mirror = mirror.as_turned(told.mirror) if turned else told.mirror
    source = Source(Net(model).graph(), stated=False, texts=_meta.texts(told))
    network = network_of(source, Wanted(turned=True))
    assert network.turned == turned
    np.testing.assert_array_equal(network.model.tensors["stem.conv.w"],
                                  model.tensors["stem.conv.w"])


def test_what_our_own_file_says_beside_its_weights_is_kept(model):
    told = Model(model.arch, model.tensors)
    told.mirror = {**told.mirror, "meta": {"note": "kept"}}
    source = Source(Net(model).graph(), texts=_meta.texts(told))
    assert network_of(source, Wanted()).model.mirror["meta"]["note"] == "kept"
    other = replace(ARCH, name="another")
    named = network_of(source, Wanted(arch=other)).model
    assert named.arch == other and "note" not in named.mirror.get("meta", {})


def test_what_runs_a_checkpoint(model):
    """Its tensors with the arch's strides and padding; turned, with TensorFlow's padding, which no
    runtime of its own has."""
    asked, (_, start) = [], recorded()

    def complete(arch):
        asked.append(arch)
        return Net(model).graph(), start
    source = Source(Net(model).graph(), stated=False, complete=complete)
    network = network_of(source, Wanted(arch=ARCH))
    network.run(X[:1])
    assert network.framework == "there" and asked == [ARCH]
    turned = network_of(source, Wanted(arch=ARCH, turned=True))
    np.testing.assert_allclose(turned.run(X[:1]), reference.forward(turned.model, X[:1]), atol=1e-6)
    assert turned.framework == "float64 evaluation of the graph"
