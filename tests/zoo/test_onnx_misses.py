# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: networks that are not quite EFM3's. Each is refused with its own fact and its place."""

import numpy as np
import pytest

from tests.zoo.onnx_net import Net
from tests.zoo.styles import Misses, refused

NEEDS = ("onnx", "onnxruntime")

MISSES = Misses()
miss = MISSES.miss

EXPAND, DW, PROJECT = (f"stage1.block1.{part}" for part in ("expand", "dw", "project"))


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_refused_with_its_fact(name, tmp_path):
    refused(MISSES[name], tmp_path)


class Other(Net):
    """One layer is another one."""

    where = EXPAND

    def is_here(self, part):
        return part.name == self.where


# Activations.

class OtherAct(Other):
    def act(self, part, slope, x):
        return self.other(part, x) if self.is_here(part) else super().act(part, slope, x)


@miss("X008", "ReLU6 at stage1.block1.expand/Clip")
class Relu6(OtherAct):
    def other(self, part, x):
        return self.clip(x, 0, 6)


@miss("X008", "ReLU6 at stem/Clip")
class Relu6Everywhere(Net):
    def act(self, part, slope, x):
        return self.clip(x, 0, 6)


@miss("X008", "stage1.block1.expand/Min")
class Relu6AsMinOfRelu(OtherAct):
    def other(self, part, x):
        return self.op("Min", self.op("Relu", x), self.put(6))


@miss("X008", "HardSwish", EXPAND)
class HardSwish(OtherAct):
    opset = 14

    def other(self, part, x):
        return self.op("HardSwish", x)


@miss("X008", "Swish", EXPAND)
class Swish(OtherAct):
    def other(self, part, x):
        return self.op("Mul", x, self.op("Sigmoid", x))


@miss("X008", "Elu", EXPAND)
class Elu(OtherAct):
    def other(self, part, x):
        return self.op("Elu", x)


@miss("X009", "slope", EXPAND)
class SlopesOfTheMap(OtherAct):
    """Keras without shared_axes: each place of the map has a slope of its own."""

    def other(self, part, x):
        side, c = part.layer.out_side, len(part.w)
        slopes = np.linspace(0, 1, c * side * side).reshape(c, side, side)
        return self.op("PRelu", x, self.put(slopes))


@miss("X009", "embed_proj")
class ActivationOfTheEmbedding(Net):
    def bn(self, part, x):
        x = super().bn(part, x)
        return self.act(part, part.beta, x) if part.name == "embed_proj" else x


@miss("X009", PROJECT)
class ActivationBeforeTheSum(Net):
    where = PROJECT

    def bn(self, part, x):
        x = super().bn(part, x)
        return self.act(part, part.beta, x) if part.name == PROJECT else x


@miss("X009", PROJECT)
class ActivationAfterTheSum(Net):
    def add(self, part, skip, x):
        x = super().add(part, skip, x)
        return self.act(part, part.beta, x) if part.name == PROJECT else x


# Convolutions.

class OtherConv(Other):
    where = DW

    def weight(self, part):
        w = super().weight(part)
        return self.other(part, w) if self.is_here(part) else w

    def other(self, part, w):
        return w

    def geometry(self, part):
        own = super().geometry(part)
        return own | self.changed(part) if self.is_here(part) else own

    def changed(self, part):
        return {}


@miss("X009", "2 channels a group", DW)
class TwoChannelsAGroup(OtherConv):
    def other(self, part, w):
        return np.concatenate([w, w / 2], axis=1)

    def changed(self, part):
        return {"group": len(part.w) // 2}


@miss("X009", "dilation", DW)
class Dilated(OtherConv):
    def changed(self, part):
        return {"dilations": [2, 2], "pads": [2] * 4}


@miss("X009", "5×5", DW)
class FiveByFive(OtherConv):
    def other(self, part, w):
        return np.pad(w, ((0, 0), (0, 0), (1, 1), (1, 1)))

    def changed(self, part):
        return {"kernel_shape": [5, 5], "pads": [2] * 4}


@miss("X009", "dw_stem", "depthwise")
class SecondLayerPointwise(OtherConv):
    """The second layer mixes channels."""

    where = "dw_stem"

    def other(self, part, w):
        return np.ones((len(w), len(w), 1, 1))

    def changed(self, part):
        return {"kernel_shape": [1, 1], "pads": [0] * 4, "group": 1}


@miss("X009", "stage2.block0.expand", "stride 2")
class StrideAtExpand(Net):
    """A block's stride stands at its expand."""

    def geometry(self, part):
        strides = {"stage2.block0.expand": [2, 2], "stage2.block0.dw": [1, 1]}
        own = super().geometry(part)
        return own | {"strides": strides.get(part.name, own["strides"])}


@miss("X009", "pads [0, 0, 0, 0]", "stage2.block0.dw")
class NoPadding(Net):
    """A strided layer without padding; the maps come out of the same sides all the same."""

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"pads": [0] * 4} if part.name == "stage2.block0.dw" else own


@miss("X017", "--turned", "below and right")
class SameUpper(Net):
    """TensorFlow's SAME padding, and the picture is not wanted turned."""

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"pads": [0, 0, 1, 1]} if part.layer.stride == 2 else own


@miss("X016", "112×96")
class NarrowPictures(Net):
    """For pictures of 112x96: gdconv has 7x6."""

    input_shape = (3, 112, 96)

    def weight(self, part):
        return part.w[..., :6] if part.name == "gdconv" else part.w

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"kernel_shape": [7, 6]} if part.name == "gdconv" else own


@miss("X009", "7×6", "gdconv")
class NarrowPicturesUnsaid(NarrowPictures):
    """The same, and the input states no sides."""

    input_shape = (3, "h", "w")


@miss("X016", "1 channel")
class Grey(Net):
    """Pictures of one channel."""

    input_shape = (1, 112, 112)

    def weight(self, part):
        return part.w[:, :1] if part.name == "stem" else part.w


# Residuals.

@miss("X009", PROJECT, "add")
class NoResidual(Net):
    def add(self, part, skip, x):
        return x if part.name == PROJECT else super().add(part, skip, x)


@miss("X008", "stage1.block1.project/Conv_1")
class ResidualByConv(Net):
    """The input goes through a convolution before it is added."""

    def add(self, part, skip, x):
        if part.name == PROJECT:
            skip = self.op("Conv", skip, self.put(np.eye(len(part.w))[:, :, None, None] / 2))
        return super().add(part, skip, x)


@miss("X008", "Concat")
class Beside(Net):
    """The input is put beside the output, and a convolution mixes both."""

    def add(self, part, skip, x):
        if part.name != PROJECT:
            return super().add(part, skip, x)
        both = self.op("Concat", skip, x, axis=1)
        mix = np.concatenate([np.eye(len(part.w))] * 2, axis=1)[:, :, None, None]
        return self.op("Conv", both, self.put(mix))


@miss("X008", "SE block", DW)
class Squeeze(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        if part.name != DW:
            return x
        c = len(part.w)
        y = self.op("GlobalAveragePool", x)
        y = self.op("Relu", self.op("Conv", y, self.put(np.ones((c // 4, c, 1, 1)))))
        y = self.op("Sigmoid", self.op("Conv", y, self.put(np.ones((c, c // 4, 1, 1)))))
        return self.op("Mul", x, y)


# Other layers.

@miss("X008", "MaxPool", "dw_stem")
class MaxPool(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        if part.name != "dw_stem":
            return x
        return self.op("MaxPool", x, kernel_shape=[3, 3], pads=[1] * 4)


@miss("X008", "LRN", "stem")
class LocalNorm(Net):
    def bn(self, part, x):
        x = super().bn(part, x)
        return self.op("LRN", x, size=5) if part.name == "stem" else x


@miss("X008", "Softmax", "end")
class SoftmaxAtTheEnd(Net):
    def unit(self, x):
        return self.op("Softmax", x, axis=1)


@miss("X008", "L2 norm", "end/Div")
class SumOfMagnitudes(Net):
    def unit(self, x):
        return self.op("Div", x, self.reduce("ReduceL1", x, 1))


@miss("X009", "training", "stem")
class Training(Net):
    """A BatchNorm that takes its statistics from the batch."""

    opset = 14

    def bn(self, part, x):
        if part.name != "stem":
            return super().bn(part, x)
        rows = [x, *map(self.put, self.statistics(part))]
        return self.several("BatchNormalization", rows, 3, training_mode=1)[0]


@miss("X008", "InstanceNormalization", "stem")
class InstanceNorm(Net):
    def bn(self, part, x):
        if part.name != "stem":
            return super().bn(part, x)
        return self.op("InstanceNormalization", x, self.put(part.gamma), self.put(part.beta))


# Inputs and outputs.

@miss("X016", "padding")
class ImageNet(Net):
    """The mean and deviation of ImageNet: its padding has that mean's colour, not grey."""

    def picture(self):
        x = self.op("Sub", "picture", self.channels(np.array([0.485, 0.456, 0.406])))
        return self.op("Div", x, self.channels(np.array([0.229, 0.224, 0.225])))


@miss("X016", "padding", input_range=(0, 255))
class BlackPadding(Net):
    """Raw pixels: its padding is black."""


@miss("X008", "2 inputs", "mask")
class TwoInputs(Net):
    def picture(self):
        return self.op("Mul", "picture", "mask")

    def build(self):
        from onnx import helper

        p = super().build()
        p.graph.input.append(helper.make_tensor_value_info("mask", 1, [1]))
        return p


@miss("X018", "end/Div:0", "end/Sigmoid:0", "--output")
class TwoOutputs(Net):
    def end(self, x):
        unit = super().end(x)
        self.outputs.append(self.op("Sigmoid", unit))
        return unit


@miss("X018", "ghost", "end/Div:0", output="ghost")
class NoSuchOutput(Net):
    pass


@miss("X014", "L2 norm", strict=True)
class NotNormalisedButStrict(Net):
    def unit(self, x):
        return x


@miss("X009", "expands 8 channels to 12", EXPAND)
class OddExpansion(Net):
    """The first stage puts out two channels more, of which no whole multiple is expanded."""

    def weight(self, part):
        return self.widened(part, super().weight(part))

    def widened(self, part, w):
        if part.name.startswith("stage1.") and part.name.endswith("project"):
            w = np.concatenate([w, w[:2]])
        if part.name in (EXPAND, "stage2.block0.expand"):
            w = np.concatenate([w, w[:, :2]], axis=1)
        return w

    def statistics(self, part):
        rows = super().statistics(part)
        if part.name.startswith("stage1.") and part.name.endswith("project"):
            rows = tuple(np.concatenate([v, v[:2]]) for v in rows)
        return rows
