# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: the ways in which a BatchNorm and an activation are spelled."""

import numpy as np
import pytest

from tests.zoo.base import LEAK, LINEAR
from tests.zoo.onnx_net import Net
from tests.zoo.styles import Styles, converts

NEEDS = ("onnx", "onnxruntime")

STYLES = Styles()
style = STYLES.style


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


# BatchNorm.

@style()
class Plain(Net):
    """A node for each operation."""


@style()
class Folded(Net):
    """BatchNorm in the convolution's weight and bias."""

    def weight(self, part):
        return part.folded

    def bias(self, part):
        return part.offset

    def bn(self, part, x):
        return x


@style()
class BiasBesideConv(Folded):
    """The bias is an addition of its own."""

    def bias(self, part):
        return None

    def bn(self, part, x):
        return self.op("Add", x, self.channels(part.offset))


class Eps(Net):
    """Another epsilon, the scale made up for it."""

    def statistics(self, part):
        scale = part.factor * np.sqrt(part.var + np.float64(self.eps))
        return scale, part.beta, part.mean, part.var


@style()
class KerasEps(Eps):
    eps = 1e-3


@style()
class MxnetEps(Eps):
    eps = 2e-5


@style()
class TinyVariances(Net):
    """Weights so small that the variance is below EFM3's epsilon."""

    eps = 1e-9

    def weight(self, part):
        return part.w / 1024

    def statistics(self, part):
        return part.gamma, part.beta, part.mean / 1024, (part.var + 1e-5) / 1024 ** 2 - 1e-9


@style()
class NoAffine(Net):
    """BatchNorm's scale is 1 and its shift 0: the statistics hold everything."""

    def weight(self, part):
        return part.w * np.sign(part.gamma)[:, None, None, None]

    def statistics(self, part):
        one, sign = np.ones_like(part.gamma), np.sign(part.gamma)
        mean = sign * (part.mean - part.beta / part.factor)
        return one, one * 0, mean, 1 / part.factor ** 2 - self.eps


@style()
class FixedGamma(Net):
    """BatchNorm's scale is 1."""

    def weight(self, part):
        return part.w * np.sign(part.gamma)[:, None, None, None]

    def statistics(self, part):
        sign = np.sign(part.gamma)
        return np.abs(sign), part.beta, sign * part.mean, 1 / part.factor ** 2 - self.eps


@style()
class CaffeScale(Net):
    """BatchNorm without scale and shift, then a Mul and an Add."""

    def bn(self, part, x):
        one = np.ones_like(part.gamma)
        x = self.op("BatchNormalization", x, *map(self.put, (one, one * 0, part.mean, part.var)))
        x = self.op("Mul", x, self.channels(part.gamma))
        return self.op("Add", x, self.channels(part.beta))


@style()
class MulAdd(Net):
    """BatchNorm as one Mul and one Add."""

    def bn(self, part, x):
        x = self.op("Mul", x, self.put(part.factor[None, :, None, None]))
        return self.op("Add", self.put(part.offset[None, :, None, None]), x)


@style()
class SubDivMulAdd(Net):
    """BatchNorm by its formula, the deviation computed in the graph."""

    def bn(self, part, x):
        var = self.op("Add", self.put(part.var), self.put(np.float32(self.eps)))
        deviation = self.unsqueeze(self.op("Sqrt", var), 1, 2)
        x = self.op("Sub", x, self.channels(part.mean))
        x = self.op("Mul", self.op("Div", x, deviation), self.channels(part.gamma))
        return self.op("Add", x, self.channels(part.beta))


@style()
class ZeroBias(Net):
    """A bias of zeros before BatchNorm."""

    def bias(self, part):
        return part.beta * 0


@style()
class Bias(Net):
    """A bias before BatchNorm, which its mean takes away."""

    def bias(self, part):
        return part.beta + 1

    def statistics(self, part):
        return part.gamma, part.beta, part.mean + part.beta + 1, part.var


# Activations.

@style()
class SlopesWithBatch(Net):
    """Slopes [1, C, 1, 1]."""

    def slopes(self, slope):
        return slope.reshape(1, -1, 1, 1)


@style()
class OneSlope(Net):
    """Slope [1]."""

    kind = "leaky"

    def slopes(self, slope):
        return slope[:1]


@style()
class NoActivation(Net):
    """A layer without activation, which is PReLU with slope 1."""

    kind = "linear"

    def act(self, part, slope, x):
        return x if part.name == LINEAR else super().act(part, slope, x)


@style()
class LeakyRelu(Net):
    kind = "leaky"

    def act(self, part, slope, x):
        return self.op("LeakyRelu", x, alpha=LEAK)


@style()
class Relu(Net):
    kind = "relu"

    def act(self, part, slope, x):
        return self.op("Relu", x)


@style()
class ReluAsClip(Net):
    kind = "relu"

    def act(self, part, slope, x):
        return self.clip(x, 0)


@style()
class ReluAsMax(Net):
    kind = "relu"

    def act(self, part, slope, x):
        return self.op("Max", self.put(0), x)


@style()
class LeakyAsMax(Net):
    """max(x, a*x), for a below 1."""

    kind = "leaky"

    def act(self, part, slope, x):
        return self.op("Max", self.op("Mul", x, self.put(LEAK)), x)


@style()
class MaxOfSlopes(Net):
    """max(x, a*x) with a slope for each channel."""

    def act(self, part, slope, x):
        return self.op("Max", x, self.op("Mul", x, self.channels(slope)))


@style()
class ReluAndNeg(Net):
    """relu(x) + -a*relu(-x), as Keras spells PReLU."""

    def act(self, part, slope, x):
        low = self.op("Relu", self.op("Neg", x))
        return self.op("Add", self.op("Relu", x), self.op("Mul", self.channels(-slope), low))


@style()
class ReluAndAbs(Net):
    """relu(x) + a*(x - |x|)*0.5, as TensorFlow programs spell PReLU."""

    def act(self, part, slope, x):
        low = self.op("Sub", x, self.op("Abs", x))
        low = self.op("Mul", self.op("Mul", self.channels(slope), low), self.put(0.5))
        return self.op("Add", self.op("Relu", x), low)


@style()
class HalvesOfAbs(Net):
    """(1 + a)/2 * x + (1 - a)/2 * |x|."""

    def act(self, part, slope, x):
        a = self.op("Mul", x, self.channels((1 + slope) / 2))
        return self.op("Add", a, self.op("Mul", self.op("Abs", x), self.channels((1 - slope) / 2)))


@style()
class MaxAndMin(Net):
    def act(self, part, slope, x):
        low = self.op("Mul", self.op("Min", x, self.put(0)), self.channels(slope))
        return self.op("Add", self.op("Max", x, self.put(0)), low)


@style()
class ClipAndClip(Net):
    def act(self, part, slope, x):
        low = self.op("Mul", self.channels(slope), self.clip(x, None, 0))
        return self.op("Add", self.clip(x, 0), low)


@style()
class XAndRelu(Net):
    """a*x + (1 - a)*relu(x)."""

    def act(self, part, slope, x):
        high = self.op("Mul", self.op("Relu", x), self.channels(1 - slope))
        return self.op("Add", self.op("Mul", x, self.channels(slope)), high)


@style()
class MinusRelu(Net):
    """relu(x) - a*relu(-x), the negation a multiplication by -1."""

    def act(self, part, slope, x):
        low = self.op("Relu", self.op("Mul", x, self.put(-1)))
        return self.op("Sub", self.op("Relu", x), self.op("Mul", low, self.channels(slope)))


@style()
class WhereGreater(Net):
    def act(self, part, slope, x):
        above = self.op("Greater", x, self.put(0))
        return self.op("Where", above, x, self.op("Mul", x, self.channels(slope)))


@style()
class WhereLess(Net):
    def act(self, part, slope, x):
        below = self.op("Less", x, self.put(0))
        return self.op("Where", below, self.op("Mul", self.channels(slope), x), x)
