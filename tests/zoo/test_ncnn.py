# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn: as its converters write the network, as its optimiser does, and near-misses."""

import numpy as np
import pytest

from tests.zoo.base import LEAK, turned
from tests.zoo.ncnn_net import Net
from tests.zoo.styles import Misses, Styles, converts, refused

NORM = "L2 norm"
"""These networks end before it, and EFM3's has it."""

STYLES, MISSES = Styles(), Misses()
style, miss = STYLES.style, MISSES.miss


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_refused_with_its_fact(name, tmp_path):
    refused(MISSES[name], tmp_path)


@style(NORM)
class Plain(Net):
    pass


@style(NORM)
class Epsilon(Net):
    """BatchNorm states an epsilon."""

    def bn(self, part, x):
        scale = part.factor * np.sqrt(part.var + 1e-3)
        self.put(scale, part.mean, part.var, part.beta)
        return self.op("BatchNorm", x, p0=len(part.w), p1=1e-3)


@style(NORM)
class Half(Net):
    """fp16 storage."""

    half = True


class Folded(Net):
    def arrays(self, part):
        return part.folded, part.offset

    def bn(self, part, x):
        return x


@style(NORM)
class Optimised(Folded):
    """BatchNorm folded by ncnnoptimize."""


@style(NORM)
class Relu(Folded):
    """The activation is the convolution's own."""

    kind = "relu"

    def fused(self):
        return {"p9": 1}

    def conv(self, part, x):
        self.acts = part.slope is not None
        return super().conv(part, x)

    def op(self, kind, *inputs, **params):
        if kind.startswith("Convolution") and self.acts:
            params |= self.fused()
        return super().op(kind, *inputs, **params)

    def act(self, part, slope, x):
        return x


@style(NORM)
class Leaky(Relu):
    kind = "leaky"

    def fused(self):
        return {"p9": 2, "p-23310": f"1,{LEAK}"}


@style(NORM)
class ReluLayers(Net):
    kind = "leaky"

    def act(self, part, slope, x):
        return self.op("ReLU", x, p0=LEAK)


@style(NORM)
class OneSlope(Net):
    kind = "leaky"

    def act(self, part, slope, x):
        self.put(slope[:1])
        return self.op("PReLU", x, p0=1)


@style(NORM)
class Eltwise(Net):
    """Additions by Eltwise."""

    def add(self, part, skip, x):
        return self.op("Eltwise", x, skip, p0=1)


@style(NORM)
class CaffeScale(Net):
    """BatchNorm, then Scale."""

    def bn(self, part, x):
        one = np.ones_like(part.gamma)
        self.put(one, part.mean, part.var + np.float32(1e-5), one * 0)
        x = self.op("BatchNorm", x, p0=len(part.w))
        self.put(part.gamma, part.beta)
        return self.op("Scale", x, p0=len(part.w), p1=1)


@style(NORM)
class DenseBias(Net):
    """InnerProduct has a bias before the last BatchNorm: InsightFace's fc1."""

    def arrays(self, part):
        return part.w, part.beta if part.name == "embed_proj" else None

    def bn(self, part, x):
        mean = part.mean + (part.beta if part.name == "embed_proj" else 0)
        self.put(part.gamma, mean, part.var + np.float32(1e-5), part.beta)
        return self.op("BatchNorm", x, p0=len(part.w))


@style(NORM, verify=True)
class Pixels(Net):
    """The input is 0..255, normalised inside."""

    says_range = True

    def picture(self):
        x = self.op("BinaryOp", super().picture(), p0=1, p1=1, p2=127.5)
        return self.op("BinaryOp", x, p0=2, p1=1, p2=1 / 128)

    def feed(self, x):
        return x * 128 + 127.5


@style(NORM)
class Sized(Net):
    """Input states its size."""

    def picture(self):
        return self.op("Input", p0=112, p1=112, p2=3)


@style()
class Normalised(Net):
    """A Normalize layer at the end."""

    def unit(self, x):
        self.put(np.ones(1))
        return self.op("Normalize", self.op("Reshape", x, p0=1, p1=1, p2=9), p0=0, p1=1, p2=1e-12,
                       p3=1, p4=1, p9=1)


@style(NORM)
class Nothings(Net):
    """Dropout, Noop, Flatten, Reshape."""

    def flat(self, x):
        return self.op("Reshape", self.op("Flatten", self.op("Dropout", x)), p0=-1)

    def bn(self, part, x):
        return self.op("Noop", super().bn(part, x))


@style(NORM)
class PaddingLayers(Net):
    def conv(self, part, x):
        p = part.layer.padding
        return super().conv(part, self.op("Padding", x, p0=p, p1=p, p2=p, p3=p) if p else x)

    def geometry(self, part):
        return super().geometry(part) | {"p4": 0, "p14": 0}


@style(NORM)
class Pooled(Net):
    """A global mean in place of the last depthwise convolution."""

    kind = "pooled"

    def conv(self, part, x):
        if part.name == "gdconv":
            return self.op("Pooling", x, p0=1, p4=1)
        return super().conv(part, x)


@style(NORM, turned=True, verify=True)
class SameUpper(Net):
    """TensorFlow's SAME padding, as ncnn writes it: -233."""

    def arrays(self, part):
        return turned(part.w), None

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"p4": -233, "p14": -233} if part.layer.padding else own


# Near-misses.

WHERE = "stage1.block1.expand"


@miss("X008", "ReLU6 at stage1.block1.expand/Clip")
class Relu6(Net):
    def act(self, part, slope, x):
        if part.name != WHERE:
            return super().act(part, slope, x)
        return self.op("Clip", x, p0=0.0, p1=6.0)


@miss("X008", "ReLU6 at stage1.block1.expand/Convolution")
class Relu6Fused(Folded):
    def op(self, kind, *inputs, **params):
        if kind == "Convolution" and self.at == WHERE:
            params |= {"p9": 3, "p-23310": "2,0.000000e+00,6.000000e+00"}
        return super().op(kind, *inputs, **params)

    def act(self, part, slope, x):
        return x if part.name == WHERE else super().act(part, slope, x)


@miss("X008", "HardSwish at stage1.block1.expand/HardSwish")
class HardSwish(Net):
    def act(self, part, slope, x):
        if part.name != WHERE:
            return super().act(part, slope, x)
        return self.op("HardSwish", x, p0=1 / 6, p1=0.5)


@miss("X009", "2 channels a group", "dw_stem/ConvolutionDepthWise")
class TwoChannelsAGroup(Net):
    def arrays(self, part):
        w, bias = super().arrays(part)
        return np.concatenate([w, w], axis=1) if part.name == "dw_stem" else w, bias

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"p7": len(part.w) // 2} if part.name == "dw_stem" else own


@miss("X008", "dw_stem/Pooling")
class MaxPool(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        return self.op("Pooling", x, p0=0, p1=3, p3=1) if part.name == "dw_stem" else x


@miss("X017", "--turned", "below and right")
class NotTurned(SameUpper):
    pass


@miss("X016", "112×96", "Input")
class NarrowPictures(Net):
    def picture(self):
        return self.op("Input", p0=96, p1=112, p2=3)

    def arrays(self, part):
        w, bias = super().arrays(part)
        return w[..., :6] if part.name == "gdconv" else w, bias

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"p1": 6} if part.name == "gdconv" else own


@miss("X009", "7×6", "gdconv")
class NarrowPicturesUnsaid(NarrowPictures):
    """The input states no sides."""

    def picture(self):
        return self.op("Input")
