# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""MXNet: symbols as InsightFace's programs and Gluon write them, and near-misses."""

import numpy as np
import pytest

from tests.convert.mxnet_files import V1, Layer, write
from tests.zoo.base import LEAK, Walk
from tests.zoo.styles import Misses, Styles, converts, refused

STYLES, MISSES = Styles(), Misses()
style, miss = STYLES.style, MISSES.miss

NORM = "L2 norm"
"""Most symbols end before it, and EFM3 has it."""


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_refused_with_its_fact(name, tmp_path):
    refused(MISSES[name], tmp_path)


class Net(Walk):
    """Convolution, BatchNorm, LeakyReLU of kind prelu; pre_fc1 with a bias, fc1 with a fixed
    scale, as InsightFace's MobileFaceNet ends."""

    eps = 1e-3

    def __init__(self):
        super().__init__()
        self.layers = []
        self._count = {}

    def op(self, op, *inputs, params=None, **attrs):
        name = f"{self.at}_{op.strip('_').lower()}".replace(".", "_")
        count = self._count[name] = self._count.get(name, -1) + 1
        name += str(count or "")
        self.layers.append(Layer(op, name, inputs, params or {}, attrs))
        return name

    def picture(self):
        return "data"

    def bias(self, part):
        return part.beta if part.name == "embed_proj" else None

    def conv(self, part, x):
        layer, bias = part.layer, self.bias(part)
        params = {"weight": part.w} | ({} if bias is None else {"bias": bias})
        if part.name == "embed_proj":
            params["weight"] = part.w[:, :, 0, 0]
            return self.op("FullyConnected", x, params=params, num_hidden=len(part.w),
                           no_bias=bias is None)
        return self.op("Convolution", x, params=params, num_filter=len(part.w),
                       **self.geometry(layer), no_bias=bias is None)

    def geometry(self, layer):
        return {"kernel": (layer.kernel,) * 2, "stride": (layer.stride,) * 2,
                "pad": (layer.padding,) * 2, "num_group": layer.groups}

    def bn(self, part, x):
        mean = part.mean if self.bias(part) is None else part.mean + self.bias(part)
        if part.name == "embed_proj":
            return self.fixed(part, x, mean)
        scale = part.factor * np.sqrt(part.var + self.eps)
        return self.norm(x, scale, part.beta, mean, part.var, eps=self.eps, fix_gamma=False)

    def fixed(self, part, x, mean):
        """BatchNorm with fix_gamma: the scale that is stored is not used."""
        self.layers[-1].params["weight"] = part.w[:, :, 0, 0] * np.sign(part.gamma)[:, None]
        bias = part.beta * np.sign(part.gamma)
        self.layers[-1].params["bias"] = bias
        mean = np.sign(part.gamma) * (mean - part.beta) + bias
        return self.norm(x, part.gamma * 0 + 9, part.beta, mean, 1 / part.factor ** 2 - 2e-5,
                         eps=2e-5, fix_gamma=True)

    def norm(self, x, *rows, **attrs):
        names = ("gamma", "beta", "moving_mean", "moving_var")
        params = {k: np.asarray(v, np.float32) for k, v in zip(names, rows, strict=True)}
        return self.op("BatchNorm", x, params=params, **attrs)

    def act(self, part, slope, x):
        return self.op("LeakyReLU", x, params={"gamma": slope}, act_type="prelu")

    def add(self, part, skip, x):
        return self.op("elemwise_add", x, skip)

    def flat(self, x):
        return x

    def unit(self, x):
        return x

    def save(self, folder):
        self.walk()
        return write(folder, self.layers, **self.written())

    def written(self):
        """Options of the files' writer."""
        return {}

    def run(self, path, x):
        return None


@style(NORM)
class Plain(Net):
    pass


@style(NORM)
class Params(Net):
    """The other of the two files is given."""

    def save(self, folder):
        super().save(folder)
        return folder / "net-0000.params"


@style(NORM, verify=True)
class Pixels(Net):
    """The input is 0..255, normalised inside."""

    says_range = True

    def picture(self):
        return self.op("_mul_scalar", self.op("_minus_scalar", "data", scalar=127.5),
                       scalar=0.0078125)


@style(NORM)
class Old(Net):
    """Attributes under their old name, arrays in the old form, `_Plus`."""

    def written(self):
        return {"key": "param", "magic": V1}

    def add(self, part, skip, x):
        return self.op("_Plus", x, skip)


@style(NORM)
class Defaults(Net):
    """BatchNorm without attributes: epsilon 1e-3, and its scale is fixed at 1."""

    def conv(self, part, x):
        sign = np.sign(part.gamma)[:, None, None, None]
        x = super().conv(part, x)
        w = self.layers[-1].params["weight"]
        self.layers[-1].params["weight"] = (part.w * sign).reshape(w.shape)
        return x

    def bias(self, part):
        return None

    def bn(self, part, x):
        mean = np.sign(part.gamma) * part.mean
        # With a fixed scale the variance holds it; it may not fall below zero.
        var = 1 / part.factor ** 2 - 1e-3
        assert (var >= 0).all()
        return self.norm(x, part.gamma * 0 + 9, part.beta, mean, var)


@style()
class Gluon(Net):
    """A Gluon export, which normalises at the end."""

    def act(self, part, slope, x):
        return self.op("LeakyReLU", x, params={"alpha": slope}, act_type="prelu")

    def unit(self, x):
        return self.op("L2Normalization", self.op("Flatten", x), mode="instance")


@style(NORM)
class Half(Net):
    """Convolutions of half precision."""

    def conv(self, part, x):
        x = super().conv(part, x)
        params = self.layers[-1].params
        if part.name != "embed_proj":
            params["weight"] = params["weight"].astype(np.float16)
        return x


@style(NORM)
class Leaky(Net):
    kind = "leaky"

    def act(self, part, slope, x):
        return self.op("LeakyReLU", x, act_type="leaky", slope=LEAK)


@style(NORM)
class Relu(Net):
    kind = "relu"

    def act(self, part, slope, x):
        return self.op("Activation", x, act_type="relu")


@style(NORM)
class Pooled(Net):
    kind = "pooled"

    def conv(self, part, x):
        if part.name == "gdconv":
            return self.op("Pooling", x, global_pool=True, pool_type="avg", kernel=(7, 7))
        return super().conv(part, x)


@style(NORM)
class Nothings(Net):
    """Dropout, identity, a copy without gradient."""

    def bn(self, part, x):
        return self.op("identity", super().bn(part, x))

    def flat(self, x):
        return self.op("Dropout", self.op("BlockGrad", x), p=0.5)


# Near-misses.

WHERE = "stage1_block1_expand"


class OtherAct(Net):
    def act(self, part, slope, x):
        here = part.name == "stage1.block1.expand"
        return self.other(x) if here else super().act(part, slope, x)


@miss("X008", f"ReLU6 at {WHERE}_clip")
class Relu6(OtherAct):
    def other(self, x):
        return self.op("clip", x, a_min=0, a_max=6)


@miss("X008", "ELU", WHERE)
class Elu(OtherAct):
    def other(self, x):
        return self.op("LeakyReLU", x, act_type="elu", slope=0.25)


@miss("X008", "SE block", WHERE)
class Squeeze(OtherAct):
    def other(self, x):
        c = 12
        y = self.op("Pooling", x, global_pool=True, pool_type="avg", kernel=(7, 7))
        w = np.ones((c, c, 1, 1), np.float32)
        y = self.op("Convolution", y, params={"weight": w}, kernel=(1, 1), num_filter=c,
                    no_bias=True)
        return self.op("broadcast_mul", x, self.op("Activation", y, act_type="sigmoid"))


@miss("X009", "2 channels a group", "dw_stem")
class TwoChannelsAGroup(Net):
    def conv(self, part, x):
        x = super().conv(part, x)
        if part.name == "dw_stem":
            params = self.layers[-1].params
            params["weight"] = np.concatenate([part.w, part.w], axis=1)
            self.layers[-1].attrs["num_group"] = len(part.w) // 2
        return x


@miss("X008", "dw_stem_pooling")
class MaxPool(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        if part.name != "dw_stem":
            return x
        return self.op("Pooling", x, pool_type="max", kernel=(3, 3), pad=(1, 1))
