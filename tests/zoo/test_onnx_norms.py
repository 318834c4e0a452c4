# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: the ways in which x / |x| is spelled, and files with several outputs."""

import numpy as np
import pytest

from tests.zoo.onnx_net import Net
from tests.zoo.styles import Styles, converts

NEEDS = ("onnx", "onnxruntime")

STYLES = Styles()
style = STYLES.style


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


@style()
class LastAxis(Net):
    def unit(self, x):
        return self.op("Div", x, self.reduce("ReduceL2", x, -1))


@style()
class Normalize(Net):
    """torch.nn.functional.normalize."""

    def unit(self, x):
        norm = self.clip(self.reduce("ReduceL2", x, 1), 1e-12)
        return self.op("Div", x, self.op("Expand", norm, self.op("Shape", x)))


@style()
class NormalizeByMax(Net):
    def unit(self, x):
        norm = self.op("Max", self.reduce("ReduceL2", x, 1), self.put(1e-12))
        return self.op("Div", x, norm)


@style()
class ExpandOfOnes(Net):
    """norm.expand(-1, D) as the older exporter writes it."""

    def unit(self, x):
        want = self.ints(-1, 9)
        ones = self.op("ConstantOfShape", self.ints(2), value=self.one())
        minus = self.op("Mul", ones, self.put(-1, np.int64))
        shape = self.op("Where", self.op("Equal", want, minus), ones, want)
        return self.op("Div", x, self.op("Expand", self.reduce("ReduceL2", x, 1), shape))

    def one(self):
        from onnx import numpy_helper

        return numpy_helper.from_array(np.ones(1, np.int64))


@style()
class PowSumSqrt(Net):
    def unit(self, x):
        total = self.reduce("ReduceSum", self.op("Pow", x, self.put(2)), 1)
        return self.op("Div", x, self.op("Sqrt", total))


@style()
class PowHalf(Net):
    """The root is a power of a half."""

    def unit(self, x):
        total = self.reduce("ReduceSum", self.op("Mul", x, x), 1)
        return self.op("Div", x, self.op("Pow", total, self.put(0.5)))


@style()
class Rsqrt(Net):
    """tf.nn.l2_normalize: x * rsqrt(max(sum, epsilon))."""

    def unit(self, x):
        total = self.reduce("ReduceSum", self.op("Mul", x, x), 1)
        root = self.op("Sqrt", self.op("Max", total, self.put(1e-12)))
        return self.op("Mul", x, self.op("Reciprocal", root))


@style()
class SumSquare(Net):
    def unit(self, x):
        return self.op("Div", x, self.op("Sqrt", self.reduce("ReduceSumSquare", x, 1)))


@style()
class EpsilonInside(Net):
    """A small number is added to the sum."""

    def unit(self, x):
        total = self.op("Add", self.reduce("ReduceSumSquare", x, 1), self.put(1e-10))
        return self.op("Div", x, self.op("Sqrt", total))


@style()
class EpsilonOutside(Net):
    """A small number is added to the norm."""

    def unit(self, x):
        return self.op("Div", x, self.op("Add", self.reduce("ReduceL2", x, 1), self.put(1e-8)))


@style()
class LpNormalization(Net):
    def unit(self, x):
        return self.op("LpNormalization", x, axis=1, p=2)


@style()
class BeforeFlatten(Net):
    """The norm is taken of [N, D, 1, 1]."""

    def end(self, x):
        return self.flat(self.unit(x))


@style()
class KeptAsAMap(Net):
    """The output is [N, D, 1, 1]."""

    def end(self, x):
        return self.unit(x)


@style()
class NormsOneDimension(Net):
    """The norm without its axis, which comes back by Unsqueeze."""

    def unit(self, x):
        norm = self.reduce("ReduceL2", x, 1, keepdims=0)
        return self.op("Div", x, self.unsqueeze(norm, 1))


@style()
class Twice(Net):
    """Normalised twice, as a wrapper around a network that does it already."""

    def unit(self, x):
        return super().unit(super().unit(x))


@style("L2 norm", verify=True)
class NotNormalised(Net):
    """The embedding as it is: EFM3's engines normalise it."""

    def unit(self, x):
        return x


# Several outputs.

class TwoOutputs(Net):
    """The embedding and, beside it, what a training head made of it."""

    def end(self, x):
        unit = super().end(x)
        head = self.put(np.linspace(-1, 1, 9 * 20).reshape(9, 20))
        self.outputs.append(self.op("Softmax", self.op("MatMul", unit, head), axis=1))
        return unit


@style(output="end/Div:0")
class Named(TwoOutputs):
    """One of two outputs, by name."""


@style(output="end/Div:0", verify=True)
class NamedLast(TwoOutputs):
    """The second of two outputs."""

    def build(self):
        p = super().build()
        p.graph.output.insert(0, p.graph.output.pop())
        return p

    def run(self, path, x):
        return None


@style(verify=True)
class DeadBranch(Net):
    """Nodes that lead to no output, with an operation that nobody knows."""

    def end(self, x):
        self.op("Mystery", x, domain="example")
        return super().end(x)

    def build(self):
        from onnx import helper

        p = super().build()
        p.opset_import.append(helper.make_opsetid("example", 1))
        return p

    def run(self, path, x):
        return None
