# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is assumed is listed, what is stated is not; and what runs the source."""

import numpy as np
import pytest

import efm3
from efm3 import Efm3Error, reference, untrained, verification
from efm3.arch import Arch, Stage
from efm3.convert import Wanted
from efm3.convert._base import Runtime, Source
from efm3.convert.matching import function_of, network_of
from efm3.findings import refuse
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
    from efm3.convert import _meta

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
