# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Whole networks in many spellings: the same tensors come out, or the network's own fact."""

import numpy as np
import pytest

from efm3 import Efm3Error, dumps, load, reference, untrained, verification
from efm3.arch import Arch, Stage
from efm3.convert import _units
from efm3.convert._base import Source, Wanted
from efm3.convert.graph import walk
from efm3.convert.matching import network_of
from tests.convert.graph.built import Net

ARCH = Arch("small", 0.25, 8, 8, 16, 8, 7, (Stage(2, 2, 2), Stage(2, 1, 2), Stage(2, 1, 2)))


@pytest.fixture(scope="module")
def model():
    return load(untrained.dumps(ARCH, 5))


class Last(Net):
    """Everything in [N, H, W, C], with a Transpose around each convolution."""

    def picture(self):
        x = self.b.input((self.batch, 112, 112, 3), "image")
        return x, x

    def first(self, x):
        return self.op("Transpose", x, perm=(0, 3, 1, 2))

    def last(self, x):
        return self.op("Transpose", x, perm=(0, 2, 3, 1))

    def conv(self, layer, x):
        return self.last(super().conv(layer, self.first(x)))

    def norm(self, layer, x):
        return self.last(super().norm(layer, self.first(x)))

    def act(self, layer, x):
        s = self.const(self.model.tensors[f"{layer.name}.act.w"])
        down = self.op("Neg", self.op("Relu", self.op("Neg", x)))
        return self.op("Add", self.op("Relu", x), self.op("Mul", s, down))


class Biased(Net):
    """A bias before each BatchNorm, which its mean takes back."""

    def conv(self, layer, x):
        bias = np.linspace(-1, 1, layer.out_channels)
        return self.op("Add", super().conv(layer, x), self.const(bias[:, None, None]))

    def norm(self, layer, x):
        p = [np.asarray(self.model.tensors[f"{layer.name}.bn.{k}"], np.float64)
             for k in ("w", "b", "mean", "var")]
        p[2] = p[2] + np.linspace(-1, 1, layer.out_channels)
        return self.op("BatchNorm", x, *(self.b.const(v, "bn") for v in p), eps=1e-5)


class Apart(Net):
    """BatchNorm without scale, then Mul and Add; padding as an operation of its own."""

    def conv(self, layer, x):
        p = layer.padding
        x = self.op("Pad", x, pads=[(0, 0), (0, 0), (p, p), (p, p)], value=0.0, mode="constant")
        return self.op("Conv", x, self.tensor(layer, "conv.w"), strides=(layer.stride,) * 2,
                       pads=(0,) * 4, dilations=(1, 1), group=layer.groups)

    def norm(self, layer, x):
        w, b, mean, var = (np.asarray(self.model.tensors[f"{layer.name}.bn.{k}"])
                           for k in ("w", "b", "mean", "var"))
        x = self.op("BatchNorm", x, self.const(np.ones_like(w)), self.const(np.zeros_like(w)),
                    self.const(mean), self.const(var), eps=1e-5)
        x = self.op("Mul", x, self.const(w[:, None, None]))
        return self.op("Add", x, self.const(b[:, None, None]))


class Dense(Net):
    """The last layer as a matrix on [N, C], with its BatchNorm there, and no norm."""

    def layer(self, layer, x):
        if layer.name != "embed_proj":
            return super().layer(layer, x)
        flat = self.b.reshape(x, (self.batch, -1), "flat")
        w = np.asarray(self.model.tensors["embed_proj.conv.w"])[:, :, 0, 0]
        return self.norm(layer, self.op("Dense", flat, self.const(w)))

    def end(self, x):
        return x


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("style", [Net, Last, Apart, Dense], ids=lambda s: s.__name__)
def test_the_same_tensors_come_out(model, style, batch):
    network = network_of(Source(style(model, batch).graph()), Wanted())
    assert network.model.arch.header() == model.arch.header()
    for key, value in model.tensors.items():
        assert np.asarray(network.model.tensors[key]).tobytes() == np.asarray(value).tobytes(), key


def test_a_bias_goes_into_the_mean(model):
    network = network_of(Source(Biased(model).graph()), Wanted())
    x = verification.inputs()[:2]
    np.testing.assert_allclose(reference.forward(network.model, x), reference.forward(model, x),
                               atol=1e-6)


def test_the_source_itself_runs(model):
    """The graph as it was built, in its own layout and batch, is the model's function."""
    x = verification.inputs()[:3]
    for style in (Net, Last, Dense):
        network = network_of(Source(style(model, 2).graph()), Wanted())
        np.testing.assert_allclose(network.run(x), reference.forward(model, x), atol=1e-12)
        assert network.framework == "float64 evaluation of the graph"


class Eps(Net):
    def __init__(self, model, eps):
        super().__init__(model)
        self.eps = eps

    def norm(self, layer, x):
        p = [self.tensor(layer, f"bn.{k}") for k in ("w", "b", "mean", "var")]
        return self.op("BatchNorm", x, *p, eps=self.eps)


class OddNorm(Net):
    """A norm with |x|·|x|, and a bound of 0, which are piecewise linear in their inputs."""

    def end(self, x):
        flat = self.b.reshape(x, (0, -1), "flat")
        square = self.op("Mul", self.op("Abs", flat), self.op("Abs", flat))
        norm = self.op("Sqrt", self.op("ReduceSum", square, axes=(1,), keepdims=True))
        return self.op("Div", flat, self.op("Max", norm, self.const(0)))


class ActiveEnd(Net):
    def end(self, x):
        return super().end(self.op("Relu", x, place="late (Relu)"))


def test_a_norm_with_pieces_is_a_norm(model):
    network = network_of(Source(OddNorm(model).graph()), Wanted())
    assert not any("L2" in a for a in network.assumed)


def test_an_activation_at_the_end_is_refused(model):
    with pytest.raises(Efm3Error) as e:
        network_of(Source(ActiveEnd(model).graph()), Wanted())
    assert e.value.code == "X009"
    assert "has an activation: EFM3's embed_proj has none" in str(e.value)


@pytest.mark.parametrize("eps", [1e-3, 2e-5, 1e-7])
def test_another_epsilon_is_exact_and_stated(model, eps):
    """Into the variance; below EFM3's, where a variance is nearly 0, into the scale."""
    thin = {k: np.where(np.arange(v.size).reshape(v.shape) % 3 == 0, np.float32(1e-7), v)
            if k.endswith("bn.var") else v for k, v in model.tensors.items()}
    thin = load(dumps(ARCH, {k: np.asarray(v, np.float32) for k, v in thin.items()}))
    network = network_of(Source(Eps(thin, eps).graph()), Wanted(bgr=False))
    assert not [a for a in network.assumed if "epsilon" in a]
    x = verification.inputs()[:2]
    np.testing.assert_allclose(reference.forward(network.model, x), network.run(x), atol=1e-5)


class Same(Net):
    """TensorFlow's SAME: strided layers pad below and right."""

    def __init__(self, model, only=None):
        super().__init__(model)
        self.only = only

    def conv(self, layer, x):
        p = layer.padding
        same = layer.stride == 2 and self.only in (None, layer.name)
        pads = (0, 0, p, p) if same else (p,) * 4
        return self.op("Conv", x, self.tensor(layer, "conv.w"), place=f"{layer.name} (Conv)",
                       strides=(layer.stride,) * 2, pads=pads, dilations=(1, 1),
                       group=layer.groups)


def test_same_padding_asks_for_turned(model):
    with pytest.raises(Efm3Error) as e:
        network_of(Source(Same(model).graph()), Wanted())
    assert e.value.code == "X017"
    assert "--turned" in str(e.value)
    network = network_of(Source(Same(model).graph()), Wanted(turned=True))
    assert network.turned
    w = np.asarray(model.tensors["stem.conv.w"])[:, :, ::-1, ::-1]
    assert np.array_equal(network.model.tensors["stem.conv.w"], w)


def test_padding_of_both_kinds_is_refused(model):
    with pytest.raises(Efm3Error) as e:
        network_of(Source(Same(model, "stem").graph()), Wanted(turned=True))
    assert e.value.code == "X009"
    assert "stem (Conv) pads below and right" in str(e.value)


def test_padding_that_no_window_reaches_does_not_count(model):
    """Above and left alone, at stride 2 on an even map, is all that EFM3's layer uses."""
    class Above(Same):
        def conv(self, layer, x):
            if layer.stride != 2:
                return super().conv(layer, x)
            p = layer.padding
            return self.op("Conv", x, self.tensor(layer, "conv.w"), strides=(2, 2),
                           pads=(p, p, 0, 0), dilations=(1, 1), group=layer.groups)

    network = network_of(Source(Above(model).graph()), Wanted())
    assert not network.turned


class Relu6(Net):
    def act(self, layer, x):
        return self.op("Clip", x, low=0.0, high=6.0, place=f"{layer.name}/6 (Clip)")


class Swish(Net):
    def act(self, layer, x):
        return self.op("HardSwish", x, place=f"{layer.name} (HardSwish)")


class Gate(Net):
    def layer(self, layer, x):
        x = super().layer(layer, x)
        if layer.name != "stage1.block1.dw":
            return x
        pooled = self.op("ReduceMean", x, axes=(2, 3), keepdims=True, place="pool (Pool)")
        return self.op("Mul", x, self.op("Sigmoid", pooled, place="gate (Sigmoid)"), place="se")


class SlopeLater(Net):
    def add(self, layer, x, entry):
        y = super().add(layer, x, entry)
        return self.op("PRelu", y, self.const(np.full((8, 1, 1), 0.3)), place="late (PRelu)")


class SlopesOfMap(Net):
    def act(self, layer, x):
        s = np.linspace(0, 1, int(np.prod(x.shape[1:]))).reshape(x.shape[1:])
        return self.op("PRelu", x, self.const(s), place=f"{layer.name} (PRelu)")


class Dilated(Net):
    def conv(self, layer, x):
        if layer.name != "dw_stem":
            return super().conv(layer, x)
        return self.op("Conv", x, self.tensor(layer, "conv.w"), place="dw_stem (Conv)",
                       strides=(1, 1), pads=(2,) * 4, dilations=(2, 2), group=layer.groups)


class Unadded(Net):
    def add(self, layer, x, entry):
        return x


class Whole(Net):
    """A matrix over the last map in gdconv's place."""

    def layer(self, layer, x):
        if layer.name == "gdconv":
            return x
        if layer.name != "embed_proj":
            return super().layer(layer, x)
        flat = self.b.reshape(x, (1, -1), "flat")
        w = np.zeros((layer.out_channels, flat.shape[1]))
        return self.op("Dense", flat, self.const(w), place="fc (Dense)")


class Pooled(Net):
    """The mean of the last map: a gdconv of equal weights, which EFM3 holds."""

    def layer(self, layer, x):
        if layer.name != "gdconv":
            return super().layer(layer, x)
        return self.op("ReduceMean", x, axes=(2, 3), keepdims=True, place="pool")


class Foreign(Net):
    def act(self, layer, x):
        return self.op("Elu", x, place=f"{layer.name} (Elu)")


@pytest.mark.parametrize(("style", "code", "words"), [
    (Relu6, "X008", "ReLU6 at stem/6 (Clip) after stem (Conv); EFM3 has PReLU alone"),
    (Swish, "X008", "HardSwish at stem (HardSwish)"), (Gate, "X008", "SE block at gate (Sigmoid)"),
    (SlopeLater, "X009", "late (PRelu) follows a residual sum"),
    (SlopesOfMap, "X009", "differ within a channel"),
    (Dilated, "X009", "dw_stem (Conv) has dilations [2, 2]"),
    (Unadded, "X009", "not added to its block's input"),
    (Whole, "X009", "fc (Dense) takes the whole 7×7 map at once"),
    (Foreign, "X008", "ELU at stem (Elu)")], ids=lambda v: getattr(v, "__name__", ""))
def test_what_is_not_expressible_is_refused_with_its_fact(model, style, code, words):
    with pytest.raises(Efm3Error) as e:
        network_of(Source(style(model).graph()), Wanted())
    assert (e.value.code, words in str(e.value)) == (code, True), str(e.value)


def test_a_mean_over_the_map_is_a_gdconv_of_equal_weights(model):
    network = network_of(Source(Pooled(model).graph()), Wanted())
    w = np.asarray(network.model.tensors["gdconv.conv.w"])
    assert np.allclose(w, 1 / 49)
    x = verification.inputs()[:2]
    np.testing.assert_allclose(reference.forward(network.model, x), network.run(x), atol=1e-6)


def test_a_missing_activation_is_a_slope_of_one(model):
    class Linear(Net):
        def act(self, layer, x):
            return x if layer.name == "stage2.block0.dw" else super().act(layer, x)

    network = network_of(Source(Linear(model).graph()), Wanted())
    assert (np.asarray(network.model.tensors["stage2.block0.dw.act.w"]) == 1).all()
    x = verification.inputs()[:2]
    np.testing.assert_allclose(reference.forward(network.model, x), network.run(x), atol=1e-6)


@pytest.mark.parametrize(("kernel", "words"), [((7, 6), "the network is for 112×96 pictures")])
def test_another_picture_is_named_by_the_last_map(model, kernel, words):
    """As tensors alone, where no side is known."""
    found = walk.found(Net(model).graph())
    gdc = found.units[-2]
    gdc.weight = np.zeros((gdc.weight.shape[0], 1, *kernel), np.float32)
    with pytest.raises(Efm3Error) as e:
        _units.match(found.units)
    assert words in str(e.value)
