# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX: the ways in which a convolution and an addition are written, and what does nothing."""

import numpy as np
import onnx
import pytest

from tests.zoo.base import pair, turned
from tests.zoo.onnx_net import Net
from tests.zoo.styles import Styles, converts

NEEDS = ("onnx", "onnxruntime")

STYLES = Styles()
style = STYLES.style


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


# Convolutions.

@style()
class PadNodes(Net):
    """A Pad node before each convolution that pads."""

    def conv(self, part, x):
        p = part.layer.padding
        return super().conv(part, self.pad(x, 0, 0, p, p, 0, 0, p, p) if p else x)

    def geometry(self, part):
        return super().geometry(part) | {"pads": [0] * 4}


@style()
class PadNodesOpset10(PadNodes):
    """The pads are attributes."""

    opset = 10


@style()
class SameLower(Net):
    """auto_pad SAME_LOWER: on maps of even sides it pads above and left, as EFM3 does."""

    def geometry(self, part):
        own = super().geometry(part)
        del own["pads"]
        return own | {"auto_pad": "SAME_LOWER" if part.layer.padding else "VALID"}


@style()
class AboveAndLeft(Net):
    """Pads 1, 1, 0, 0 at stride 2: what is padded below and right is never read."""

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"pads": [1, 1, 0, 0]} if part.layer.stride == 2 else own


class Turned(Net):
    """TensorFlow's SAME padding: below and right at stride 2."""

    def weight(self, part):
        return turned(part.w)


@style(turned=True, verify=True)
class SameUpper(Turned):
    """auto_pad SAME_UPPER."""

    def geometry(self, part):
        own = super().geometry(part)
        del own["pads"]
        return own | {"auto_pad": "SAME_UPPER" if part.layer.padding else "NOTSET"}


@style(turned=True, verify=True)
class BelowAndRight(Turned):
    """Pads 0, 0, 1, 1 at stride 2."""

    def geometry(self, part):
        own = super().geometry(part)
        return own | {"pads": [0, 0, 1, 1]} if part.layer.stride == 2 else own


@style()
class Defaults(Net):
    """No attribute that has its default."""

    def geometry(self, part):
        plain = {"kernel_shape": None, "strides": [1, 1], "pads": [0] * 4, "group": 1,
                 "dilations": [1, 1]}
        own = super().geometry(part)
        return {k: v for k, v in own.items() if plain[k] not in (None, v)}


@style()
class PoolAtTheEnd(Net):
    """The last depthwise convolution is a mean: GlobalAveragePool."""

    kind = "pooled"

    def pool(self, x):
        return self.op("GlobalAveragePool", x)

    def conv(self, part, x):
        return self.pool(x) if part.name == "gdconv" else super().conv(part, x)


@style()
class AveragePoolAtTheEnd(PoolAtTheEnd):
    def pool(self, x):
        return self.op("AveragePool", x, kernel_shape=[7, 7])


@style()
class MeanAtTheEnd(PoolAtTheEnd):
    def pool(self, x):
        return self.reduce("ReduceMean", x, 2, 3)


class Pair(Net):
    """A pointwise convolution without activation before another one."""

    before = ""
    first_bias = False

    def conv(self, part, x):
        if not part.name.endswith(self.before):
            return super().conv(part, x)
        first, second = (w[:, :, None, None] for w in pair(part.w))
        more = [self.put(self.own_bias(part))] if self.first_bias else []
        x = self.op("Conv", x, self.put(first), *more)
        return self.op("Conv", x, self.put(second))

    def own_bias(self, part):
        return np.linspace(-1, 1, part.w.shape[1])

    def statistics(self, part):
        scale, shift, mean, var = super().statistics(part)
        if self.first_bias and part.name.endswith(self.before):
            mean = mean + pair(part.w)[1] @ self.own_bias(part)
        return scale, shift, mean, var


@style()
class PairAtExpand(Pair):
    before = "expand"


@style()
class PairAtProject(Pair):
    before = "project"


@style()
class PairAtEmbedding(Pair):
    before = "embed_proj"


@style()
class PairWithBias(Pair):
    before = "expand"
    first_bias = True


@style()
class PairAtEmbeddingWithBias(Pair):
    before = "embed_proj"
    first_bias = True


@style()
class PairWithNorm(Net):
    """Two pointwise convolutions with a BatchNorm after each, and no activation between."""

    def conv(self, part, x):
        if part.name not in ("final_conv", "embed_proj"):
            return super().conv(part, x)
        first, second = pair(part.w)
        c = np.linspace(0.5, 1.5, len(first))
        x = self.op("Conv", x, self.put(first[:, :, None, None]))
        # The first BatchNorm multiplies by 2c and adds 1 - 2c*c.
        var = np.full(len(c), 0.25) - 1e-5
        x = self.op("BatchNormalization", x, *map(self.put, (c, c * 0 + 1, c, var)))
        return self.op("Conv", x, self.put((second / (2 * c))[:, :, None, None]))

    def statistics(self, part):
        scale, shift, mean, var = super().statistics(part)
        if part.name in ("final_conv", "embed_proj"):
            second = pair(part.w)[1]
            c = np.linspace(0.5, 1.5, second.shape[1])
            mean = mean + (second / (2 * c)) @ (1 - 2 * c * c)
        return scale, shift, mean, var


# Additions.

@style()
class AddTurnedRound(Net):
    def add(self, part, skip, x):
        return self.op("Add", x, skip)


@style()
class SumNode(Net):
    def add(self, part, skip, x):
        return self.op("Sum", x, skip)


# What does nothing.

@style()
class Nothings(Net):
    """Identity, Dropout, a Cast to the same type, Split into one, Concat of one."""

    def bn(self, part, x):
        x = self.op("Cast", self.op("Identity", super().bn(part, x)), to=1)
        return self.op("Split", self.op("Concat", x, axis=1), axis=1)

    def flat(self, x):
        return self.op("Dropout", super().flat(x))


@style()
class Constants(Net):
    """Weights are outputs of Constant nodes."""

    def put(self, value, kind=np.float32):
        super().put(value, kind)
        return self.op("Constant", value=self.tensors.pop())


@style()
class HalfWeights(Net):
    """Weights of half precision, each with a Cast."""

    def put(self, value, kind=np.float32):
        if kind is np.float32:
            return self.op("Cast", super().put(value, np.float16), to=1)
        return super().put(value, kind)


@style()
class WeightsAreInputs(Net):
    """The initializers are listed among the graph's inputs, as files before IR version 4 do."""

    opset = 9

    def build(self):
        p = super().build()
        p.ir_version = 3
        p.graph.input.extend(
            onnx.helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in self.tensors)
        return p


@style()
class NoNames(Net):
    """Nodes without names."""

    def build(self):
        p = super().build()
        for node in p.graph.node:
            node.name = ""
        return p


@style()
class OutsideData(Net):
    """The weights are in a file beside the graph."""

    def save(self, folder):
        path = folder / "zoo.onnx"
        onnx.save(self.build(), path, save_as_external_data=True, size_threshold=16)
        return path


class Versions(PadNodes):
    """Operations that changed between the opsets: Pad, Clip, Squeeze, reductions, Dropout."""

    def flat(self, x):
        return self.squeeze(self.op("Dropout", x), 2, 3)

    def unit(self, x):
        total = self.reduce("ReduceSum", self.op("Mul", x, x), 1)
        return self.op("Div", x, self.clip(self.op("Sqrt", total), 1e-12))


for version in (9, 10, 11, 12, 13, 14, 15, 17, 18, 19, 21, 23):
    style()(type(f"Opset{version}", (Versions,), {"opset": version}))
