# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: the ways in which the picture comes in and the embedding goes out."""

import numpy as np
import onnx
import pytest

from tests.zoo.onnx_net import SIDE, Net
from tests.zoo.styles import Styles, converts

NEEDS = ("onnx", "onnxruntime")

STYLES = Styles()
style = STYLES.style


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


# The picture.

class Pixels(Net):
    """The input is 0..255, and the graph has what makes it EFM3's."""

    says_range = True

    def feed(self, x):
        return x * 128 + 127.5


@style(verify=True)
class SubDiv(Pixels):
    def picture(self):
        return self.op("Div", self.op("Sub", "picture", self.put(127.5)), self.put(128))


@style()
class SubMul(Pixels):
    def picture(self):
        return self.op("Mul", self.op("Sub", "picture", self.put(127.5)), self.put(1 / 128))


@style()
class MulAdd(Pixels):
    def picture(self):
        return self.op("Add", self.put(-127.5 / 128), self.op("Mul", "picture", self.put(1 / 128)))


@style()
class SubDivByChannel(Pixels):
    """A constant for each channel."""

    def picture(self):
        x = self.op("Sub", "picture", self.put(np.full((1, 3, 1, 1), 127.5)))
        return self.op("Div", x, self.put(np.full((3, 1, 1), 128)))


@style()
class InputNorm(Pixels):
    """A BatchNorm on the input, with a grey mean."""

    def picture(self):
        rows = (np.ones(3), np.zeros(3), np.full(3, 127.5), np.full(3, 128.0 ** 2))
        return self.op("BatchNormalization", "picture", *map(self.put, rows), epsilon=0.0)


class Scaled(Net):
    """The weights of the first convolution are for another scale of the input."""

    scale = 127.5 / 128

    def weight(self, part):
        return part.w * self.scale if part.name == "stem" else part.w

    def feed(self, x):
        return x / np.float32(self.scale)


@style()
class By127(Scaled):
    """(p - 127.5) / 127.5, in the graph."""

    says_range = True

    def picture(self):
        return self.op("Div", self.op("Sub", "picture", self.put(127.5)), self.put(127.5))

    def feed(self, x):
        return x * 128 + 127.5


@style(verify=True)
class Unit(By127):
    """(u - 0.5) / 0.5 of an input of 0..1."""

    def picture(self):
        return self.op("Div", self.op("Sub", "picture", self.put(0.5)), self.put(0.5))

    def feed(self, x):
        return (x * 128 + 127.5) / 255


@style(input_range=(-1, 1), verify=True)
class RangeByOption(Scaled):
    """-1..1, which only the caller knows."""


@style(verify=True)
class Bytes(Pixels):
    """The input is of type uint8."""

    input_type = onnx.TensorProto.UINT8

    def picture(self):
        x = self.op("Sub", self.op("Cast", "picture", to=1), self.put(127.5))
        return self.op("Div", x, self.put(128))

    def feed(self, x):
        return super().feed(x).astype(np.uint8)


class Last(Net):
    """The input is [N, 112, 112, 3]."""

    input_shape = (SIDE, SIDE, 3)

    def feed(self, x):
        return np.ascontiguousarray(super().feed(x).transpose(0, 2, 3, 1))

    def picture(self):
        return self.op("Transpose", super().picture(), perm=[0, 3, 1, 2])


@style(verify=True)
class Transposed(Last):
    """One Transpose at the start."""


@style()
class TransposedPixels(Last, SubDiv):
    """Preprocessing before the Transpose."""


@style(verify=True)
class Throughout(Last):
    """As tf2onnx writes a TensorFlow graph: each convolution between two Transposes."""

    def picture(self):
        return "picture"

    def conv(self, part, x):
        x = super().conv(part, self.op("Transpose", x, perm=[0, 3, 1, 2]))
        return self.op("Transpose", x, perm=[0, 2, 3, 1])

    def bn(self, part, x):
        x = self.op("Mul", x, self.put(part.factor))
        return self.op("Add", x, self.put(part.offset))

    def slopes(self, slope):
        return slope[None, None, :]

    def flat(self, x):
        return self.squeeze(x, 1, 2)


@style()
class ThroughoutWithNorm(Throughout):
    """BatchNorm stands before the Transpose back; the slopes are [C]."""

    def conv(self, part, x):
        return Net.conv(self, part, self.op("Transpose", x, perm=[0, 3, 1, 2]))

    def bn(self, part, x):
        return self.op("Transpose", Net.bn(self, part, x), perm=[0, 2, 3, 1])

    def slopes(self, slope):
        return slope


@style()
class ThroughoutSpelled(Throughout):
    """PReLU by Relu and Abs; the map is flattened as it lies."""

    def act(self, part, slope, x):
        low = self.op("Mul", self.op("Sub", x, self.op("Abs", x)), self.put(slope / 2))
        return self.op("Add", self.op("Relu", x), low)

    def flat(self, x):
        return self.op("Reshape", x, self.ints(-1, 9))


class Blue(Net):
    """The weights take blue first."""

    def weight(self, part):
        return part.w[:, ::-1] if part.name == "stem" else part.w


@style(verify=True)
class GatherBlue(Blue):
    def picture(self):
        return self.op("Gather", "picture", self.ints(2, 1, 0), axis=1)


@style()
class SliceBlue(Blue):
    """A Slice with step -1."""

    def picture(self):
        ends = (self.ints(-1), self.ints(-(1 << 31)), self.ints(1), self.ints(-1))
        return self.op("Slice", "picture", *ends)


@style()
class SplitBlue(Blue):
    """Split and Concat."""

    def picture(self):
        parts = self.several("Split", ["picture"], 3, axis=1)
        return self.op("Concat", *parts[::-1], axis=1)


@style()
class SplitBlueAndScale(SplitBlue, Pixels):
    """The mean is subtracted from each channel before they are put together, as VGG nets do."""

    def picture(self):
        parts = self.several("Split", ["picture"], 3, axis=1)
        parts = [self.op("Sub", x, self.put(127.5)) for x in parts]
        return self.op("Mul", self.op("Concat", *parts[::-1], axis=1), self.put(1 / 128))


@style(bgr=True, verify=True)
class BlueByOption(Blue):
    """Blue first, which only the caller knows."""

    def feed(self, x):
        return np.ascontiguousarray(x[:, ::-1])


# The batch.

@style()
class BatchOfOne(Net):
    batch = 1


@style(verify=True)
class BatchOfTwo(Net):
    batch = 2


@style(verify=True)
class BatchOfFour(Net):
    batch = 4

    def flat(self, x):
        return self.op("Reshape", x, self.ints(4, 9))


# [N, D, 1, 1] to [N, D].

class Shaped(Net):
    """A Reshape to constant sizes."""

    shape = (0, -1)

    def flat(self, x):
        return self.op("Reshape", x, self.ints(*self.shape))


for number, sizes in enumerate([(0, -1), (-1, 9), (0, 9), (0, 0)]):
    style()(type(f"Reshape{number}", (Shaped,), {"shape": sizes}))


@style()
class ReshapeOfOne(Shaped):
    """Baked in for a batch of 1, which the input states too."""

    batch = 1
    shape = (1, 9)


@style(verify=True)
class ReshapeBakedIn(Shaped):
    """Baked in for a batch of 1, though the input's batch is free."""

    shape = (1, 9)

    def run(self, path, x):
        return np.concatenate([super(Shaped, self).run(path, x[i:i + 1]) for i in range(len(x))])


@style()
class Squeeze(Net):
    def flat(self, x):
        return self.squeeze(x, 2, 3)


@style()
class SqueezeTwice(Net):
    opset = 11

    def flat(self, x):
        return self.squeeze(self.squeeze(x, 3), -1)


@style()
class MeanOfOnePixel(Net):
    def flat(self, x):
        return self.reduce("ReduceMean", x, 2, 3, keepdims=0)


@style()
class PoolOfOnePixel(Net):
    def flat(self, x):
        return self.op("Flatten", self.op("GlobalAveragePool", x))


class Dense(Net):
    """The last layer is a matrix product, its BatchNorm on [N, D]."""

    def conv(self, part, x):
        return self.dense(part, super().flat(x)) if part.name == "embed_proj" else super().conv(
            part, x)

    def dense(self, part, x):
        return self.op("Gemm", x, self.put(part.w[:, :, 0, 0]), transB=1)

    def flat(self, x):
        return x


@style()
class Gemm(Dense):
    pass


@style()
class GemmNotTurned(Dense):
    def dense(self, part, x):
        return self.op("Gemm", x, self.put(part.w[:, :, 0, 0].T))


@style()
class GemmWithBias(Dense):
    """A bias, then BatchNorm: InsightFace's fc1."""

    def dense(self, part, x):
        return self.op("Gemm", x, self.put(part.w[:, :, 0, 0]), self.put(part.beta), transB=1)

    def statistics(self, part):
        more = part.beta if part.name == "embed_proj" else 0
        return part.gamma, part.beta, part.mean + more, part.var


@style()
class GemmFolded(Dense):
    """No BatchNorm: weight and bias have it."""

    def dense(self, part, x):
        w = part.folded[:, :, 0, 0]
        return self.op("Gemm", x, self.put(w / 2), self.put(part.offset * 2), transB=1, alpha=2.0,
                       beta=0.5)

    def bn(self, part, x):
        return x if part.name == "embed_proj" else super().bn(part, x)


@style()
class MatMulAndAdd(Dense):
    """No BatchNorm: a product and an Add."""

    def dense(self, part, x):
        x = self.op("MatMul", x, self.put(part.folded[:, :, 0, 0].T))
        return self.op("Add", x, self.put(part.offset))

    def bn(self, part, x):
        return x if part.name == "embed_proj" else super().bn(part, x)


# Shapes computed from the picture's.

@style()
class View(Net):
    """x.view(x.size(0), -1)."""

    opset = 11

    def flat(self, x):
        size = self.op("Gather", self.op("Shape", x), self.put(0, np.int64), axis=0)
        shape = self.op("Concat", self.unsqueeze(size, 0), self.ints(-1), axis=0)
        return self.op("Reshape", x, shape)


@style()
class ViewOfTheInput(Net):
    """The batch comes from the input's shape."""

    def flat(self, x):
        ends = (self.ints(0), self.ints(1), self.ints(0))
        size = self.op("Slice", self.op("Shape", "picture"), *ends)
        return self.op("Reshape", x, self.op("Concat", size, self.ints(9), axis=0))


@style()
class ViewOfAProduct(Net):
    """x.view(n, c * h * w)."""

    def flat(self, x):
        n, c, h, w = (self.op("Gather", self.op("Shape", x), self.put(i, np.int64))
                      for i in range(4))
        rest = self.op("Mul", self.op("Mul", c, h), w)
        shape = self.op("Concat", self.unsqueeze(n, 0), self.unsqueeze(rest, 0), axis=0)
        return self.op("Reshape", x, shape)


@style()
class StridedSlices(Net):
    """As TensorFlow computes a shape: a Cast, a StridedSlice, Pack."""

    opset = 15

    def flat(self, x):
        shape = self.op("Cast", self.op("Shape", x, start=0, end=1), to=6)
        size = self.squeeze(self.op("Slice", shape, *map(self.ints, (0, 1, 0, 1))), 0)
        parts = [self.unsqueeze(v, 0) for v in (size, self.put(9, np.int32))]
        return self.op("Reshape", x, self.op("Cast", self.op("Concat", *parts, axis=0), to=7))
