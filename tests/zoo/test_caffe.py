# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Caffe: networks as they were trained there or converted to it, and near-misses."""

import numpy as np
import pytest

from tests.convert.caffe_files import Layer, write
from tests.zoo.base import LEAK, Walk
from tests.zoo.styles import Misses, Styles, converts, refused

STYLES, MISSES = Styles(), Misses()
style, miss = STYLES.style, MISSES.miss

NORM = "L2 norm"
"""Most networks end before it, and EFM3 has it."""


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_refused_with_its_fact(name, tmp_path):
    refused(MISSES[name], tmp_path)


class Net(Walk):
    """Convolution, BatchNorm whose statistics have a scale factor, Scale, PReLU; InnerProduct.

    BatchNorm and Scale work in place, as is usual."""

    factor = 0.75

    def __init__(self):
        super().__init__()
        self.layers = []
        self._count = {}

    def op(self, kind, *inputs, blobs=(), top="", **params):
        name = f"{self.at}/{kind}"
        count = self._count[name] = self._count.get(name, -1) + 1
        name += str(count or "")
        arrays = tuple(np.asarray(b, np.float32) for b in blobs)
        self.layers.append(Layer(kind, name, inputs, (top or name,), arrays, params))
        return top or name

    def picture(self):
        return "data"

    def arrays(self, part):
        return [part.w]

    def conv(self, part, x):
        layer, blobs = part.layer, self.arrays(part)
        if part.name == "embed_proj":
            return self.op("InnerProduct", x, blobs=[blobs[0][:, :, 0, 0], *blobs[1:]],
                           inner_product_param={"num_output": len(part.w),
                                                "bias_term": len(blobs) > 1})
        own = {"num_output": len(part.w), "kernel_size": layer.kernel, "stride": layer.stride,
               "pad": layer.padding, "bias_term": len(blobs) > 1}
        return self.op("Convolution", x, blobs=blobs,
                       convolution_param=own | self.grouped(layer.groups))

    def grouped(self, groups):
        return {"group": groups} if groups > 1 else {}

    def bn(self, part, x):
        f = self.factor
        x = self.op("BatchNorm", x, top=x, blobs=[part.mean * f, part.var * f, [f]],
                    **self.norm_param())
        return self.op("Scale", x, top=x, blobs=[part.gamma, part.beta],
                       scale_param={"bias_term": True})

    def norm_param(self):
        return {"batch_norm_param": {"use_global_stats": True, "eps": 1e-5}}

    def act(self, part, slope, x):
        return self.op("PReLU", x, blobs=[slope])

    def add(self, part, skip, x):
        return self.op("Eltwise", skip, x, eltwise_param={"operation": "SUM"})

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
class Weights(Net):
    """The other of the two files is given."""

    def save(self, folder):
        super().save(folder)
        return folder / "net.caffemodel"


@style(NORM)
class Defaults(Net):
    """A factor of 1 and no parameters: Caffe's epsilon is 1e-5."""

    factor = 1.0

    def norm_param(self):
        return {}

    def add(self, part, skip, x):
        return self.op("Eltwise", skip, x)


@style(NORM)
class OldArrays(Net):
    """A caffemodel in the form of before 2014."""

    def written(self):
        return {"old": True}


@style(NORM)
class Folded(Net):
    """BatchNorm merged into the convolutions."""

    def arrays(self, part):
        return [part.folded, part.offset]

    def bn(self, part, x):
        return x


@style(NORM)
class Bias(Net):
    """A bias before BatchNorm everywhere."""

    def arrays(self, part):
        return [part.w, part.beta]

    def bn(self, part, x):
        mean = part.mean + part.beta
        x = self.op("BatchNorm", x, blobs=[mean * 2, part.var * 2, [2]])
        return self.op("Scale", x, blobs=[part.gamma, part.beta], scale_param={"bias_term": True})


@style(NORM)
class ScaleAndBias(Net):
    """Scale without a bias, then Bias."""

    def bn(self, part, x):
        x = self.op("BatchNorm", x, blobs=[part.mean, part.var, [1]])
        x = self.op("Scale", x, blobs=[part.gamma])
        return self.op("Bias", x, blobs=[part.beta])


@style(NORM)
class Depthwise(Net):
    """Depthwise convolutions of a type of their own."""

    def op(self, kind, *inputs, **more):
        own = more.get("convolution_param", {})
        return super().op("ConvolutionDepthwise" if own.get("group") else kind, *inputs, **more)


@style(NORM, verify=True)
class PowerInside(Net):
    """The input is 0..255: Power layers make it EFM3's."""

    says_range = True

    def picture(self):
        x = self.op("Power", "data", power_param={"shift": -127.5})
        return self.op("Power", x, power_param={"scale": 0.0078125})


@style(NORM)
class ScaleInside(Net):
    """The same by a Scale layer."""

    says_range = True

    def picture(self):
        rows = (np.full(3, 1 / 128), np.full(3, -127.5 / 128))
        return self.op("Scale", "data", blobs=rows, scale_param={"bias_term": True})


@style(NORM)
class OneSlope(Net):
    kind = "leaky"

    def act(self, part, slope, x):
        return self.op("PReLU", x, blobs=[slope[:1]], prelu_param={"channel_shared": True})


@style(NORM)
class Leaky(Net):
    kind = "leaky"

    def act(self, part, slope, x):
        return self.op("ReLU", x, top=x, relu_param={"negative_slope": LEAK})


@style(NORM)
class Relu(Net):
    kind = "relu"

    def act(self, part, slope, x):
        return self.op("ReLU", x, top=x)


@style(NORM)
class Pooled(Net):
    kind = "pooled"

    def conv(self, part, x):
        if part.name == "gdconv":
            return self.op("Pooling", x, pooling_param={"pool": "AVE", "global_pooling": True})
        return super().conv(part, x)


@style()
class Normalised(Net):
    """A Normalize layer at the end, over all channels."""

    def unit(self, x):
        x = self.op("Reshape", x, reshape_param={"shape": {"dim": [0, -1, 1, 1]}})
        return self.op("Normalize", x, blobs=[[1]],
                       norm_param={"across_spatial": True, "channel_shared": True})


@style(NORM)
class Nothings(Net):
    """Dropout, Flatten."""

    def flat(self, x):
        return self.op("Flatten", self.op("Dropout", x, top=x))


# Near-misses.

WHERE = "stage1.block1.expand"


class OtherAct(Net):
    def act(self, part, slope, x):
        return self.other(x) if part.name == WHERE else super().act(part, slope, x)


@miss("X008", f"ReLU6 at {WHERE}/ReLU6")
class Relu6(OtherAct):
    def other(self, x):
        return self.op("ReLU6", x)


@miss("X008", "ELU", WHERE)
class Elu(OtherAct):
    def other(self, x):
        return self.op("ELU", x)


@miss("X009", "2 channels a group", "dw_stem")
class TwoChannelsAGroup(Net):
    def arrays(self, part):
        return [np.concatenate([part.w] * 2, axis=1)] if self.at == "dw_stem" else [part.w]

    def grouped(self, groups):
        return super().grouped(groups // 2 if self.at == "dw_stem" else groups)


@miss("X008", "dw_stem/Pooling")
class MaxPool(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        if part.name != "dw_stem":
            return x
        return self.op("Pooling", x, pooling_param={"kernel_size": 3, "pad": 1})


@miss("X008", "LRN", "stem")
class LocalNorm(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        return self.op("LRN", x) if part.name == "stem" else x


@miss("X016", "112×96", "data")
class NarrowPictures(Net):
    def written(self):
        return {"shape": (1, 3, 112, 96)}

    def conv(self, part, x):
        if part.name != "gdconv":
            return super().conv(part, x)
        own = {"num_output": len(part.w), "kernel_h": 7, "kernel_w": 6, "bias_term": False,
               "group": part.layer.groups}
        return self.op("Convolution", x, blobs=[part.w[..., :6]], convolution_param=own)
