# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite: what Keras and TensorFlow programs become, and converted PyTorch ones; near-misses."""

from importlib.util import find_spec

import numpy as np
import pytest

from tests.convert.tflite_files import NONE, RELU, RELU6, SAME, VALID, Writer
from tests.zoo.base import LEAK, Walk, pair, sizes, turned
from tests.zoo.styles import Misses, Styles, converts, refused

STYLES, MISSES = Styles(), Misses()
style, miss = STYLES.style, MISSES.miss


@pytest.mark.parametrize("name", STYLES)
def test_a_style_becomes_the_same_network(name, tmp_path):
    converts(STYLES[name], tmp_path)


@pytest.mark.parametrize("name", MISSES)
def test_a_near_miss_is_refused_with_its_fact(name, tmp_path):
    refused(MISSES[name], tmp_path)


class Net(Walk):
    """NHWC, BatchNorm folded; ZeroPadding2D before strided convolutions, PRELU, L2_NORMALIZATION.

    An operator's output is called after its layer and operator, as `stem/PRELU`.
    """

    batch = 1
    side = (112, 112)
    input_kind = "float32"
    activation = NONE
    """What convolutions that have an activation do themselves."""

    def __init__(self):
        super().__init__()
        self.w = Writer()

    def op(self, code, inputs, shape=None, **more):
        return self.w.op(code, inputs, shape or self.w.shape(inputs[0]), f"{self.at}/{code}",
                         **more)

    def const(self, value):
        a = np.asarray(value)
        return self.w.const(a.astype(np.float32 if a.dtype.kind == "f" else np.int32))

    def picture(self):
        return self.w.input((self.batch, *self.side, 3), kind=self.input_kind)

    # Convolutions.

    def kernel(self, part):
        return part.folded

    def bias(self, part):
        return part.offset

    def put(self, kernel):
        """The kernel [O, kh, kw, I] or [1, kh, kw, C] as a tensor."""
        return self.const(kernel)

    def conv(self, part, x):
        kernel, layer = self.kernel(part), part.layer
        if layer.groups > 1:
            weight = self.put(kernel.transpose(1, 2, 3, 0))
            return self.window("DEPTHWISE_CONV_2D", part, x, weight, multiplier=1)
        return self.window("CONV_2D", part, x, self.put(kernel.transpose(0, 2, 3, 1)))

    def window(self, code, part, x, weight, **more):
        layer = part.layer
        padding = SAME if layer.padding else VALID
        if layer.stride > 1:
            x, padding = self.padded(x, layer.padding)
        act = self.activation if layer.act else NONE
        side = (layer.out_side, layer.out_side)
        return self.op(code, [x, weight, self.const(self.bias(part))],
                       (self.batch, *side, layer.out_channels), padding=padding,
                       stride_w=layer.stride, stride_h=layer.stride, activation=act, **more)

    def padded(self, x, p):
        """What a strided convolution takes, and its padding."""
        n, h, w, c = self.w.shape(x)
        pads = self.const([[0, 0], [p, p], [p, p], [0, 0]])
        return self.op("PAD", [x, pads], (n, h + 2 * p, w + 2 * p, c)), VALID

    def bn(self, part, x):
        return x

    def act(self, part, slope, x):
        return self.op("PRELU", [x, self.const(slope[None, None])])

    def add(self, part, skip, x):
        return self.op("ADD", [x, skip])

    def flat(self, x):
        return self.op("RESHAPE", [x, self.const([self.batch, 9])], (self.batch, 9))

    def unit(self, x):
        return self.op("L2_NORMALIZATION", [x])

    def save(self, folder):
        last = self.walk()
        path = folder / "zoo.tflite"
        path.write_bytes(self.w.data([last]))
        return path

    def feed(self, x):
        return np.ascontiguousarray(x.transpose(0, 2, 3, 1))

    def run(self, path, x):
        if find_spec("ai_edge_litert") is None:
            return None
        from ai_edge_litert.interpreter import Interpreter
        from ai_edge_litert.interpreter import OpResolverType as Kernels

        # Without the default delegate, whose own kernels are another program.
        net = Interpreter(str(path), num_threads=1, experimental_op_resolver_type=(
            Kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES))
        net.allocate_tensors()
        rows = []
        for u in sizes(self.batch, self.feed(x)):
            net.set_tensor(net.get_input_details()[0]["index"], u)
            net.invoke()
            rows.append(net.get_tensor(net.get_output_details()[0]["index"]))
        return np.concatenate(rows)[:len(x)]


@style()
class Upright(Net):
    """ZeroPadding2D and VALID, which is EFM3's padding."""


class Same(Net):
    """SAME padding throughout, the picture turned."""

    def kernel(self, part):
        return turned(super().kernel(part))

    def padded(self, x, p):
        return x, SAME


@style(turned=True, verify=True)
class Keras(Same):
    pass


class Spelled(Net):
    """PReLU spelled as `spelling`."""

    spelling = ""

    def act(self, part, slope, x):
        return self.w.prelu(self.spelling, x, slope, f"{self.at}/act")


for spelling in ("keras", "abs", "where", "maximum"):
    style()(type(f"Spelled{spelling.title()}", (Spelled,), {"spelling": spelling}))


@style(turned=True, verify=True)
class Android(Same, Spelled):
    """A batch of 2, SAME, PReLU by Relu and Abs, two linear pointwise layers in a row twice, the
    norm by its formula: the file that most Android projects carry."""

    batch = 2
    spelling = "abs"

    def conv(self, part, x):
        if part.name not in ("final_conv", "embed_proj"):
            return super().conv(part, x)
        first, second = pair(self.kernel(part))
        for w, bias in ((first, np.zeros(len(first))), (second, part.offset)):
            shape = (*self.w.shape(x)[:3], len(w))
            x = self.op("CONV_2D", [x, self.const(w[:, None, None]), self.const(bias)], shape,
                        padding=SAME, stride_w=1, stride_h=1)
        return x

    def unit(self, x):
        total = self.op("SUM", [self.op("MUL", [x, x]), self.const([1])], (2, 1), keep_dims=True)
        least = self.op("MAXIMUM", [total, self.const(1e-10)])
        return self.op("MUL", [x, self.op("RSQRT", [least])])


@style()
class Norms(Net):
    """BatchNorm kept as a MUL and an ADD."""

    def kernel(self, part):
        return part.w

    def bias(self, part):
        return part.offset * 0

    def bn(self, part, x):
        x = self.op("MUL", [x, self.const(part.factor)])
        return self.op("ADD", [x, self.const(part.offset)])


@style()
class Half(Norms):
    """Kernels of half precision, each with a DEQUANTIZE."""

    def put(self, kernel):
        return self.w.half(kernel)


@style()
class Relu(Net):
    """The activation is the convolution's own."""

    kind = "relu"
    activation = RELU

    def act(self, part, slope, x):
        return x


@style()
class Leaky(Net):
    kind = "leaky"

    def act(self, part, slope, x):
        return self.op("LEAKY_RELU", [x], alpha=LEAK)


@style()
class Dense(Net):
    """The last layer is a FULLY_CONNECTED."""

    def conv(self, part, x):
        if part.name != "embed_proj":
            return super().conv(part, x)
        x = self.op("RESHAPE", [x, self.const([-1, 10])], (1, 10))
        return self.op("FULLY_CONNECTED", [x, self.const(part.folded[:, :, 0, 0]),
                                           self.const(part.offset)], (1, 9))

    def flat(self, x):
        return x


@style()
class Pooled(Net):
    """The last depthwise convolution is a mean."""

    kind = "pooled"

    def conv(self, part, x):
        if part.name != "gdconv":
            return super().conv(part, x)
        c = len(part.w)
        x = self.op("AVERAGE_POOL_2D", [x], (1, 1, 1, c), padding=VALID, stride_w=7, stride_h=7,
                    width=7, height=7)
        x = self.op("MUL", [x, self.const(part.factor)])
        return self.op("ADD", [x, self.const(part.offset)])


@style()
class Mean(Pooled):
    def conv(self, part, x):
        if part.name != "gdconv":
            return super().conv(part, x)
        x = self.op("MEAN", [x, self.const([1, 2])], (1, 1, 1, len(part.w)), keep_dims=True)
        x = self.op("MUL", [x, self.const(part.factor)])
        return self.op("ADD", [x, self.const(part.offset)])


class Pixels(Net):
    """The input is 0..255, normalised inside."""

    says_range = True

    def picture(self):
        x = self.op("SUB", [super().picture(), self.const(127.5)])
        return self.op("MUL", [x, self.const(1 / 128)])

    def feed(self, x):
        return super().feed(x) * 128 + np.float32(127.5)


@style()
class PixelsInside(Pixels):
    pass


@style(verify=True)
class Bytes(Pixels):
    """The input is of type uint8."""

    input_kind = "uint8"

    def picture(self):
        x = self.op("CAST", [Net.picture(self)])
        x = self.op("SUB", [x, self.const(127.5)])
        return self.op("DIV", [x, self.const(128.0)])

    def feed(self, x):
        return super().feed(x).astype(np.uint8)


@style()
class Blue(Net):
    """The channels turned round by GATHER, the weights for blue first."""

    def picture(self):
        return self.op("GATHER", [super().picture(), self.const([2, 1, 0])], (1, 112, 112, 3),
                       axis=3)

    def kernel(self, part):
        w = super().kernel(part)
        return w[:, ::-1] if part.name == "stem" else w


@style(verify=True)
class First(Net):
    """The input is [N, 3, 112, 112], as converters of PyTorch networks leave it."""

    def picture(self):
        x = self.w.input((1, 3, 112, 112))
        return self.op("TRANSPOSE", [x, self.const([0, 2, 3, 1])], (1, 112, 112, 3))

    def feed(self, x):
        return x


@style()
class Shaped(Net):
    """The flat shape is computed: SHAPE, STRIDED_SLICE, PACK."""

    def flat(self, x):
        shape = self.op("SHAPE", [x], (4,), kind="int32")
        ends = [self.const([v]) for v in (0, 1, 1)]
        size = self.op("STRIDED_SLICE", [shape, *ends], (), kind="int32", begin=0, end=0,
                       ellipsis=0, new=0, shrink=1)
        want = self.op("PACK", [size, self.const(9)], (2,), kind="int32", number=2, axis=0)
        return self.op("RESHAPE", [x, want], (1, 9))

    def run(self, path, x):
        # LiteRT wants SHAPE's type stated, which no other reader needs.
        return None


@style()
class FreeBatch(Net):
    """The batch may change."""

    def picture(self):
        return self.w.input((1, 112, 112, 3), signature=(-1, 112, 112, 3))


@style("L2 norm")
class NotNormalised(Net):
    def flat(self, x):
        return self.op("SQUEEZE", [x], (1, 9), dims=[1, 2])

    def unit(self, x):
        return x


# Near-misses.

WHERE = "stage1.block1.expand"


@miss("X008", "ReLU6", f"{WHERE}/CONV_2D")
class Relu6(Net):
    """The convolution's own activation."""

    def window(self, code, part, x, weight, **more):
        self.activation = RELU6 if part.name == WHERE else NONE
        return super().window(code, part, x, weight, **more)

    def act(self, part, slope, x):
        return x if part.name == WHERE else super().act(part, slope, x)


@miss("X008", "HardSwish", WHERE)
class HardSwish(Net):
    def act(self, part, slope, x):
        return self.op("HARD_SWISH", [x]) if part.name == WHERE else super().act(part, slope, x)


@miss("X017", "--turned", "below and right")
class NotTurned(Same):
    pass


@miss("X009", "slopes", WHERE)
class SlopesOfTheMap(Net):
    """Keras' PReLU without shared_axes."""

    def act(self, part, slope, x):
        if part.name != WHERE:
            return super().act(part, slope, x)
        shape = self.w.shape(x)[1:]
        return self.op("PRELU", [x, self.const(np.linspace(0, 1, np.prod(shape)).reshape(shape))])


@miss("X008", "dw_stem/MAX_POOL_2D")
class MaxPool(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        if part.name != "dw_stem":
            return x
        return self.op("MAX_POOL_2D", [x], padding=SAME, stride_w=1, stride_h=1, width=3, height=3)


@miss("X008", "SE block", WHERE)
class Squeeze(Net):
    def act(self, part, slope, x):
        x = super().act(part, slope, x)
        if part.name != WHERE:
            return x
        c = self.w.shape(x)[3]
        y = self.op("MEAN", [x, self.const([1, 2])], (1, c))
        y = self.op("FULLY_CONNECTED", [y, self.const(np.ones((c, c))), self.const(np.zeros(c))])
        y = self.op("RESHAPE", [self.op("LOGISTIC", [y]), self.const([1, 1, 1, c])], (1, 1, 1, c))
        return self.op("MUL", [x, y])
