# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Each operator of TFLite beside numpy."""

import itertools

import numpy as np
import pytest

from tests.convert.tflite_checks import RANDOM, ROW, SHAPE, X, begin, computes, refused, source
from tests.convert.tflite_files import RELU, RELU6, RELU_N1_TO_1, SAME, TANH, VALID

# Layers with weights.

def padded(x, kernel, stride, dilation, padding):
    """SAME as TensorFlow's guide defines it: the output has ceil(side / stride)."""
    if padding == VALID:
        return x
    pads = [(0, 0)]
    for side in x.shape[1:3]:
        need = max((int(np.ceil(side / stride)) - 1) * stride + (kernel - 1) * dilation + 1 - side,
                   0)
        pads.append((need // 2, need - need // 2))
    return np.pad(x, [*pads, (0, 0)])


def windows(x, kernel, stride, dilation, padding):
    """[N, h, w, kernel, kernel, C]: what each output of a convolution looks at."""
    x = padded(x, kernel, stride, dilation, padding)
    span = (kernel - 1) * dilation + 1
    views = np.lib.stride_tricks.sliding_window_view(x, (span, span), axis=(1, 2))
    return np.moveaxis(views[:, ::stride, ::stride, :, ::dilation, ::dilation], 3, 5)


GEOMETRY = [*itertools.product((1, 2, 3), (1, 2, 3), (1, 2), (SAME, VALID))]


def fits(kernel, stride, dilation, padding):
    return padding == SAME or (kernel - 1) * dilation < 4


@pytest.mark.parametrize("multiplier", [0, 1, 2], ids=["conv", "depthwise", "multiplied"])
def test_convolutions(multiplier):
    for kernel, stride, dilation, padding in filter(lambda g: fits(*g), GEOMETRY):
        w, x = begin()
        seen = windows(X, kernel, stride, dilation, padding)
        more = {"multiplier": multiplier} if multiplier else {}
        if multiplier:
            weights = RANDOM.normal(size=(1, kernel, kernel, 3 * multiplier)).astype(np.float32)
            each = weights.reshape(kernel, kernel, 3, multiplier)
            want = np.einsum("nhwijc,ijcm->nhwcm", seen, each)
        else:
            weights = RANDOM.normal(size=(4, kernel, kernel, 3)).astype(np.float32)
            want = np.einsum("nhwijc,oijc->nhwo", seen, weights)
        want = want.reshape(*want.shape[:3], -1)
        bias = RANDOM.normal(size=want.shape[3]).astype(np.float32)
        y = w.op("DEPTHWISE_CONV_2D" if multiplier else "CONV_2D",
                 [x, w.const(weights), w.const(bias)], want.shape, padding=padding,
                 stride_w=stride, stride_h=stride, dilation_w=dilation, dilation_h=dilation, **more)
        computes(w, y, want + bias)


def test_strides_and_dilations_are_not_mixed_up():
    w, x = begin()
    weights = RANDOM.normal(size=(4, 1, 2, 3)).astype(np.float32)
    y = w.op("CONV_2D", [x, w.const(weights), -1], (2, 2, 3, 4), padding=VALID, stride_w=1,
             stride_h=2, dilation_w=2, dilation_h=1)
    seen = np.stack([X[:, ::2, 0:3], X[:, ::2, 2:5]])
    computes(w, y, np.einsum("jnhwc,ojc->nhwo", seen, weights[:, 0]))


def test_groups_are_found_by_the_weights():
    w, x = begin((2, 4, 5, 4))
    u = RANDOM.normal(size=(2, 4, 5, 4)).astype(np.float32)
    weights = RANDOM.normal(size=(6, 1, 1, 2)).astype(np.float32)
    y = w.op("CONV_2D", [x, w.const(weights)], (2, 4, 5, 6), padding=VALID, stride_w=1, stride_h=1)
    halves = [u[..., 2 * g:2 * g + 2] @ weights[3 * g:3 * g + 3, 0, 0].T for g in (0, 1)]
    computes(w, y, np.concatenate(halves, axis=3), u)


ACTIVATIONS = {RELU: lambda y: np.maximum(y, 0), RELU6: lambda y: np.clip(y, 0, 6),
               RELU_N1_TO_1: lambda y: np.clip(y, -1, 1), TANH: np.tanh}


@pytest.mark.parametrize("kind", [*ACTIVATIONS])
def test_activations_within_layers(kind):
    act, weights = ACTIVATIONS[kind], RANDOM.normal(size=(4, 3)).astype(np.float32) * 3
    w, x = begin()
    y = w.op("CONV_2D", [x, w.const(weights.reshape(4, 1, 1, 3))], (2, 4, 5, 4), padding=VALID,
             stride_w=1, stride_h=1, activation=kind)
    z = w.op("FULLY_CONNECTED", [x, w.const(weights)], (40, 4), activation=kind)
    computes(w, y, act(X @ weights.T))
    computes(w, z, act(X @ weights.T).reshape(40, 4))
    for code, f in (("ADD", np.add), ("SUB", np.subtract), ("MUL", np.multiply),
                    ("DIV", np.divide)):
        w, x = begin()
        computes(w, w.op(code, [x, w.const(ROW)], SHAPE, activation=kind), act(f(X, ROW)))


def test_an_activation_is_named_after_its_layer():
    w, x = begin()
    y = w.op("ADD", [x, x], SHAPE, "a/b;c/d", activation=RELU6)
    nodes = source(w.data([y])).graph.nodes
    assert [n.place for n in nodes] == ["input", "a/b (ADD)", "a/b (RELU6)"]


def test_fully_connected_keeps_dimensions_or_flattens_in_the_file_s_order():
    weights, bias = RANDOM.normal(size=(4, 60)), RANDOM.normal(size=4)
    weights, bias = weights.astype(np.float32), bias.astype(np.float32)
    w, x = begin()
    y = w.op("FULLY_CONNECTED", [x, w.const(weights), w.const(bias)], (2, 4))
    computes(w, y, X.reshape(2, 60) @ weights.T + bias)
    w, x = begin()
    y = w.op("FULLY_CONNECTED", [x, w.const(weights[:, :3])], (2, 4, 5, 4), keep_dims=True)
    computes(w, y, X @ weights[:, :3].T)


@pytest.mark.parametrize("code,f", [("AVERAGE_POOL_2D", np.mean), ("MAX_POOL_2D", np.max)])
def test_pools_over_the_whole_map_or_one_pixel(code, f):
    for padding in (SAME, VALID):
        w, x = begin()
        y = w.op(code, [x], (2, 1, 1, 3), padding=padding, stride_w=5, stride_h=4, width=5,
                 height=4, activation=RELU)
        computes(w, y, np.maximum(f(X, axis=(1, 2), keepdims=True), 0))
        w, x = begin()
        y = w.op(code, [x], (2, 2, 2, 3), padding=padding, stride_w=3, stride_h=2, width=1,
                 height=1)
        computes(w, y, X[:, ::2, ::3])
    w, x = begin()
    y = w.op(code, [x], (2, 2, 2, 3), "pool", padding=VALID, stride_w=2, stride_h=2, width=2,
             height=2)
    graph = source(w.data([y])).graph
    assert (graph.output.op, graph.output.place) == (code, f"pool ({code})")
    assert graph.output.shape == (2, 2, 2, 3)


# Arithmetic.

def sigmoid(x):
    return 1 / (1 + np.exp(-x))


UNARY = {
    "NEG": np.negative, "ABS": np.abs, "RELU": ACTIVATIONS[RELU], "RELU6": ACTIVATIONS[RELU6],
    "RELU_N1_TO_1": ACTIVATIONS[RELU_N1_TO_1], "RELU_0_TO_1": lambda x: np.clip(x, 0, 1),
    "EXP": np.exp, "SIGN": np.sign, "LOGISTIC": sigmoid, "TANH": np.tanh, "SQUARE": np.square,
    "HARD_SWISH": lambda x: x * np.clip(x + 3, 0, 6) / 6, "ZEROS_LIKE": np.zeros_like,
    "CAST": lambda x: x, "QUANTIZE": lambda x: x, "DEQUANTIZE": lambda x: x,
}


def test_functions_of_one_value():
    for code, f in UNARY.items():
        w, x = begin()
        # Added to the picture: what has no picture in it is no network.
        y = w.op("ADD", [x, w.op(code, [x], SHAPE)], SHAPE)
        computes(w, y, X + f(X.astype(np.float64)))
    w, x = begin()
    root = w.op("RSQRT", [w.op("SQRT", [w.op("ABS", [x], SHAPE)], SHAPE)], SHAPE)
    computes(w, root, np.abs(X.astype(np.float64)) ** -0.25)


def test_functions_of_two_values():
    for code, f in {
            "MAXIMUM": np.maximum, "MINIMUM": np.minimum, "GREATER": np.greater,
            "GREATER_EQUAL": np.greater_equal, "LESS": np.less, "LESS_EQUAL": np.less_equal,
            "EQUAL": np.equal, "NOT_EQUAL": np.not_equal,
            "SQUARED_DIFFERENCE": lambda a, b: (a - b) ** 2}.items():
        for flipped in (False, True):
            w, x = begin()
            pair = [w.const(ROW), x] if flipped else [x, w.const(ROW)]
            u = X.copy()
            u[0, 0, 0] = ROW
            computes(w, w.op(code, pair, SHAPE), f(ROW, u) if flipped else f(u, ROW), u)
    w, x = begin()
    computes(w, w.op("POW", [x, w.const(2.0)], SHAPE), X.astype(np.float64) ** 2)


def test_slopes():
    for slope in (ROW.reshape(1, 1, 3), RANDOM.normal(size=SHAPE[1:]).astype(np.float32)):
        w, x = begin()
        computes(w, w.op("PRELU", [x, w.const(slope)], SHAPE), np.where(X > 0, X, X * slope))
    w, x = begin()
    computes(w, w.op("LEAKY_RELU", [x], SHAPE, alpha=0.25), np.where(X > 0, X, X / 4))
    for spelling in ("PRELU", "keras", "abs", "where", "maximum"):
        w, x = begin()
        computes(w, w.prelu(spelling, x, ROW), np.where(X > 0, X, X * ROW))


def test_choices():
    above = X > 1
    for code in ("SELECT", "SELECT_V2"):
        w, x = begin()
        y = w.op(code, [w.op("GREATER", [x, w.const(1.0)], SHAPE, kind="bool"), x,
                        w.op("NEG", [x], SHAPE)], SHAPE)
        computes(w, y, np.where(above, X, -X))
    w, x = begin()
    first = w.const(np.array([True, False]))
    y = w.op("SELECT", [first, x, w.op("NEG", [x], SHAPE)], SHAPE)
    computes(w, y, np.stack([X[0], -X[1]]))
    w, x = begin()
    inside = w.op("LOGICAL_AND", [w.op("GREATER", [x, w.const(-1.0)], SHAPE, kind="bool"),
                                  w.op("LESS", [x, w.const(1.0)], SHAPE, kind="bool")], SHAPE,
                  kind="bool")
    outside = w.op("LOGICAL_NOT", [inside], SHAPE, kind="bool")
    both = w.op("LOGICAL_OR", [inside, outside], SHAPE, kind="bool")
    number = w.op("CAST", [outside], SHAPE)
    every = w.op("CAST", [both], SHAPE)
    computes(w, w.op("ADD", [number, every], SHAPE), (np.abs(X) >= 1) + 1.0)


def test_reductions():
    for code, f in {"MEAN": np.mean, "SUM": np.sum, "REDUCE_MAX": np.max, "REDUCE_MIN": np.min,
                    "REDUCE_PROD": np.prod}.items():
        for keep in (False, True):
            w, x = begin()
            want = f(X.astype(np.float64), axis=(1, 2), keepdims=keep)
            computes(w, w.op(code, [x, w.const([-2, 1])], want.shape, keep_dims=keep), want)


def test_l2_normalization_is_over_the_last_axis_and_never_divides_by_zero():
    w, x = begin()
    u = X.copy()
    u[0, 0, 0] = 0
    u[0, 0, 1] = 1e-8
    norm = np.maximum(np.sqrt(np.sum(u.astype(np.float64) ** 2, axis=3, keepdims=True)), 1e-6)
    computes(w, w.op("L2_NORMALIZATION", [x], SHAPE), u / norm, u)


# Moves.

def test_pads():
    pads = [[0, 0], [1, 2], [0, 3], [0, 0]]
    for code, value in (("PAD", 0), ("PADV2", -1.5)):
        w, x = begin()
        more = [w.const(value)] if value else []
        y = w.op(code, [x, w.const(pads), *more], (2, 7, 8, 3))
        computes(w, y, np.pad(X, pads, constant_values=value))


def test_a_mirrored_pad_is_no_zero():
    for mode, word in ((0, "reflect"), (1, "symmetric")):
        w, x = begin()
        y = w.op("MIRROR_PAD", [x, w.const([[0, 0], [1, 1], [1, 1], [0, 0]])], (2, 6, 7, 3),
                 mode=mode)
        assert source(w.data([y])).graph.output.attrs["mode"] == word


def test_shapes():
    w, x = begin()
    y = w.op("TRANSPOSE", [x, w.const([0, 3, 1, 2])], (2, 3, 4, 5))
    computes(w, y, X.transpose(0, 3, 1, 2))
    for inputs, options in (([[2, -1]], {}), ([], {"new_shape": [2, -1]}), ([], {})):
        w, x = begin()
        y = w.op("RESHAPE", [x, *(w.const(i) for i in inputs)], (2, 60), **options)
        computes(w, y, X.reshape(2, 60))
    one = X[:, :1, :1]
    for dims in ([1, 2], [-3, 2], []):
        w, x = begin(one.shape)
        computes(w, w.op("SQUEEZE", [x], (2, 3), dims=dims), one[:, 0, 0], one)
    w, x = begin()
    computes(w, w.op("EXPAND_DIMS", [x, w.const(-2)], (2, 4, 5, 1, 3)), X[:, :, :, None])
    w, x = begin(one.shape)
    computes(w, w.op("BROADCAST_TO", [x, w.const([2, 4, 5, 3])], SHAPE),
             np.broadcast_to(one, SHAPE), one)
    w, x = begin()
    full = w.op("FILL", [w.const([4, 1, 1]), w.const(2.5)], (4, 1, 1))
    computes(w, w.op("MUL", [x, full], SHAPE), X * 2.5)


def test_shape_arithmetic_is_constant():
    """What Keras writes to flatten a batch that may change."""
    w, x = begin()
    shape = w.op("SHAPE", [x], (4,), kind="int32")
    ends = [w.const(v) for v in ([0], [1], [1])]
    first = w.op("STRIDED_SLICE", [shape, *ends], (), kind="int32", shrink=1)
    rest = w.op("REDUCE_PROD", [w.op("SLICE", [shape, w.const([1]), w.const([-1])], (3,),
                                     kind="int32"), w.const([0])], (), kind="int32")
    rank = w.op("RANK", [x], (), kind="int32")
    rest = w.op("SUB", [w.op("ADD", [rest, rank], (), kind="int32"), w.const(4)], (), kind="int32")
    both = w.op("PACK", [first, rest], (2,), kind="int32", number=2, axis=0)
    computes(w, w.op("RESHAPE", [x, both], (2, 60)), X.reshape(2, 60))


SLICES = [
    ("begin and end", ([0, 1, 0, 2], [2, 3, 5, 3], [1, 1, 2, 1]), {}, np.s_[:2, 1:3, 0:5:2, 2:3]),
    ("from the end", ([0, -2, 0, 0], [2, -1, 4, 3], [1, 1, 1, 1]), {}, np.s_[0:2, -2:-1, 0:4]),
    ("masked", ([1, 1, 3, 2], [1, 3, 3, 1], [1, 1, 1, 1]), {"begin": 13, "end": 13},
     np.s_[:, 1:3]),
    ("backwards", ([0, 0, 0, 0], [0, 0, 0, 0], [1, 1, 1, -1]), {"begin": 15, "end": 15},
     np.s_[..., ::-1]),
    ("backwards in part", ([0, 3, 0, 0], [2, 0, 5, 3], [1, -2, 1, 1]), {}, np.s_[:, 3:0:-2]),
    ("one index", ([0, -1, 0, 0], [2, 0, 5, 3], [1, 1, 1, 1]), {"shrink": 2}, np.s_[:, -1]),
    ("the rest", ([0, 1], [0, 2], [1, 1]), {"ellipsis": 1}, np.s_[..., 1:2]),
    ("a new axis", ([0, 0, 1], [2, 0, 3], [1, 1, 1]), {"new": 2}, np.s_[:2, None, 1:3]),
    ("few axes", ([1], [2], [1]), {}, np.s_[1:2]),
    ("a length", ([0, 1, 0, 0], [2, 2, 5, 3], [1, 1, 1, 1]), {"offset": True}, np.s_[:, 1:3]),
    ("nothing", ([0, 2, 0, 0], [2, 2, 5, 3], [1, 1, 1, 1]), {}, np.s_[:, 2:2]),
]


@pytest.mark.parametrize("numbers,options,want", [s[1:] for s in SLICES],
                         ids=[s[0] for s in SLICES])
def test_strided_slices(numbers, options, want):
    w, x = begin()
    y = w.op("STRIDED_SLICE", [x, *(w.const(n) for n in numbers)], X[want].shape, **options)
    computes(w, y, X[want])


def test_splits_and_joins():
    swapped = X[..., ::-1]
    w, x = begin()
    parts = [w.tensor((2, 4, 5, 1)) for _ in range(3)]
    w.ops("SPLIT", [w.const(3), x], parts, number=3)
    computes(w, w.op("CONCATENATION", parts[::-1], SHAPE, axis=-1), swapped)
    w, x = begin()
    parts = [w.tensor((2, 4, 5, 1)), w.tensor((2, 4, 5, 2))]
    w.ops("SPLIT_V", [x, w.const([1, -1]), w.const(-1)], parts, number=2)
    computes(w, w.op("CONCATENATION", parts[::-1], SHAPE, axis=3, activation=RELU),
             np.maximum(X[..., [1, 2, 0]], 0))
    w, x = begin()
    parts = [w.tensor((2, 4, 5)) for _ in range(3)]
    w.ops("UNPACK", [x], parts, number=3, axis=-1)
    computes(w, w.op("PACK", parts[::-1], SHAPE, number=3, axis=-1), swapped)
    w, x = begin()
    computes(w, w.op("GATHER", [x, w.const([2, 1, 0])], SHAPE, axis=-1), swapped)
    w, x = begin()
    computes(w, w.op("REVERSE_V2", [x, w.const([3, 1])], SHAPE), X[:, ::-1, :, ::-1])
    w, x = begin()
    y = w.op("SLICE", [x, w.const([0, 1, 0, 2]), w.const([-1, 2, 5, 1])], (2, 2, 5, 1))
    computes(w, y, X[:, 1:3, :, 2:3])


def test_refusals_of_operators():
    def one(code, inputs, shape=SHAPE, **options):
        w, x = begin()
        return w.data([w.op(code, [x, *(i if isinstance(i, int) else w.const(i) for i in inputs)],
                            shape, "odd", **options)])

    kernel = np.ones((4, 2, 2, 3), np.float32)
    for data, code, *words in (
            (one("CONV_2D", [kernel]), "X009", "odd (CONV_2D)", "strides [0, 0]"),
            (one("CONV_2D", [kernel], stride_w=1, stride_h=1, padding=7), "X009", "padding 7"),
            (one("CONV_2D", [kernel], stride_w=1, stride_h=1, activation=5), "X008", "activation"),
            (one("CONV_2D", [kernel[..., :2]], stride_w=1, stride_h=1), "X006", "2 channels of 3"),
            (one("CONV_2D", [kernel[0]], stride_w=1, stride_h=1), "X006", "4 dimensions"),
            (one("CONV_2D", [0], stride_w=1, stride_h=1), "X008", "computed by input"),
            (one("CONV_2D", []), "X007", "input 2"),
            (one("DEPTHWISE_CONV_2D", [kernel]), "X006", "[4, 2, 2, 3]"),
            (one("FULLY_CONNECTED", [kernel[:, 0, :, 0]], format=1), "X008", "shuffled"),
            (one("FULLY_CONNECTED", [np.ones((2, 7), np.float32)]), "X006", "7 inputs"),
            (one("ADD", [np.ones(4, np.float32)]), "X006", "do not fit"),
            (one("PAD", [[[0, 0]]]), "X006", "2 numbers of padding"),
            (one("TRANSPOSE", [[0, 1, 2, 4]]), "X006", "perm"),
            (one("RESHAPE", [[7, -1]]), "X006", "cannot become [7, -1]"),
            (one("RESHAPE", [0]), "X008", "only a constant"),
            (one("SQUEEZE", [], dims=[0]), "X006", "out of [2, 4, 5, 3]"),
            (one("EXPAND_DIMS", [[1, 2]]), "X006", "2 axes"),
            (one("MEAN", [[4]]), "X006", "axis 4 of 4"),
            (one("SLICE", [[0, 0, 0, 1], [2, 4, 5, 3]]), "X006", "1 to 4 of 3"),
            (one("SLICE", [[0], [1]]), "X006", "1 starts"),
            (one("STRIDED_SLICE", [[0], [1], [0]]), "X006", "strides [0]"),
            (one("STRIDED_SLICE", [[9], [1], [1]], shrink=1), "X006", "9 of 2"),
            (one("STRIDED_SLICE", [[0] * 5, [1] * 5, [1] * 5]), "X006", "5 parts"),
            (one("SPLIT_V", [[1, 1], [3]], number=2), "X006", "[1, 1] of 3"),
            (one("GATHER", [[3]], axis=3), "X006", "3 to 3 of 3"),
            (one("BROADCAST_TO", [[-1, 4, 5, 3]]), "X006", "[-1, 4, 5, 3]"),
            (one("CONCATENATION", [], axis=9), "X006", "axis 9 of 4")):
        refused(data, code, *words)
