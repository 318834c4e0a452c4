# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""LiteRT itself: what the tests' writer writes is TFLite, and the reader reads it as it runs."""

import numpy as np
import pytest

from efm3.convert._base import Wanted
from efm3.convert.graph import run
from efm3.convert.matching import network_of
from tests.convert.tflite_checks import RANDOM, ROW, SHAPE, X, begin, source
from tests.convert.tflite_files import (
    RELU,
    RELU6,
    RELU_N1_TO_1,
    SAME,
    VALID,
    Style,
    Writer,
    network,
)

NEEDS = ("ai_edge_litert",)


def same(data, x=X, limit=1e-5, **wanted):
    """LiteRT and the graph as it was read agree."""
    found = source(data, **wanted)
    have = found.runtime.start()(x)
    want = run.forward(found.graph, x)
    assert have.shape == want.shape
    np.testing.assert_allclose(have, want, atol=limit * max(1, np.abs(want).max()))


@pytest.mark.parametrize("style", [
    Style(), Style(batch=2, prelu="keras"), Style(prelu="abs", norm="rsqrt", same=True),
    Style(prelu="where", norm="none", weights="float16"), Style(prelu="maximum")], ids=repr)
def test_networks(style, small, pictures):
    data = network(small, style)
    same(data, np.resize(pictures, (style.batch, 3, 112, 112)).transpose(0, 2, 3, 1).copy())


def test_a_network_s_embeddings(small, pictures, small_embeddings):
    found = network_of(source(network(small)), Wanted())
    np.testing.assert_allclose(found.run(pictures[:2]), small_embeddings[:2], atol=1e-5)
    assert found.framework == "LiteRT"


def chain(w, x):
    """One operator after the other, on a map of SHAPE; what LiteRT and numpy differ in is none."""
    def op(code, *inputs, shape=SHAPE, **options):
        return w.op(code, inputs, shape, **options)

    row = w.const(ROW)
    x = op("ADD", op("MUL", x, row, activation=RELU_N1_TO_1), op("SUB", x, row, activation=RELU))
    x = op("PRELU", op("DIV", x, row), w.const(ROW.reshape(1, 1, 3)))
    for code in ("NEG", "ABS", "SQRT", "EXP", "LOGISTIC", "HARD_SWISH", "SQUARE", "TANH", "RELU6"):
        x = op(code, x)
    x = op("LEAKY_RELU", op("MAXIMUM", op("MINIMUM", x, row), op("NEG", x)), alpha=0.5)
    x = op("SQUARED_DIFFERENCE", op("POW", op("ABS", x), w.const(1.5)), row)
    x = op("SELECT_V2", op("LESS_EQUAL", x, row, kind="bool"), op("NEG", x), x)
    x = op("PAD", x, w.const([[0, 0], [1, 2], [0, 3], [0, 0]]), shape=(2, 7, 8, 3))
    for stride, dilation, padding, side in ((2, 1, SAME, (4, 4)), (1, 2, SAME, (4, 4)),
                                            (2, 1, VALID, (1, 1))):
        kernel = w.const(RANDOM.normal(size=(3, 3, 3, 3)).astype(np.float32))
        x = op("CONV_2D", x, kernel, row, shape=(2, *side, 3), padding=padding, stride_w=stride,
               stride_h=stride, dilation_w=dilation, dilation_h=dilation, activation=RELU6)
    kernel = w.const(RANDOM.normal(size=(1, 1, 1, 6)).astype(np.float32))
    bias = w.const(np.arange(6, dtype=np.float32))
    return op("DEPTHWISE_CONV_2D", x, kernel, bias, shape=(2, 1, 1, 6), padding=VALID, stride_w=1,
              stride_h=1, multiplier=2)


def test_operators():
    w, x = begin()
    y = chain(w, x)
    same(w.data([y]))


def joined(w, outputs):
    """A file whose output is all of these: one process runs them."""
    flat = [w.op("RESHAPE", [y, w.const([-1])], (int(np.prod(w.shape(y))),)) for y in outputs]
    return w.data([w.op("CONCATENATION", flat, (sum(w.shape(y)[0] for y in flat),))])


def test_pools_and_reductions():
    w, x = begin()
    outputs = [w.op("L2_NORMALIZATION", [x], SHAPE)]
    for code in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        outputs += [w.op(code, [x], (2, side, side, 3), padding=SAME, stride_h=rows,
                         stride_w=columns, height=height, width=width, activation=RELU)
                    for side, height, width, rows, columns in ((1, 4, 5, 4, 5), (2, 1, 1, 2, 3))]
    for code in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"):
        outputs.append(w.op(code, [x, w.const([-2, 1])], (2, 1, 1, 3), keep_dims=True))
    same(joined(w, outputs))


def test_moves():
    w, x = begin()
    parts = [w.tensor((2, 4, 5, 1)) for _ in range(3)]
    w.ops("SPLIT", [w.const(3), x], parts, number=3)
    x = w.op("CONCATENATION", parts[::-1], SHAPE, axis=-1)
    x = w.op("REVERSE_V2", [x, w.const([2])], SHAPE)
    x = w.op("GATHER", [x, w.const([2, 0, 1])], SHAPE, axis=3)
    shape = w.op("SHAPE", [x], (4,), kind="int32", out_type=2)
    first = w.op("STRIDED_SLICE", [shape, *(w.const(v) for v in ([0], [1], [1]))], (),
                 kind="int32", shrink=1)
    both = w.op("PACK", [first, w.const(-1)], (2,), kind="int32", number=2, axis=0)
    outputs = [w.op("RESHAPE", [x, both], (2, 60))]
    for numbers, options, shape in (
            (([0, 3, 0, 0], [2, 0, 5, 3], [1, -2, 1, 1]), {}, (2, 2, 5, 3)),
            (([0, 0, 1], [2, 0, 3], [1, 1, 1]), {"new": 2}, (2, 1, 2, 5, 3)),
            (([0, 1], [0, 2], [1, 1]), {"ellipsis": 1}, (2, 4, 5, 1)),
            (([1, 1, 3, 2], [1, 3, 3, 1], [1, 1, 1, 1]), {"begin": 13, "end": 13}, (2, 2, 5, 3)),
            (([0, -1, 0, 0], [2, 0, 5, 3], [1, 1, 1, 1]), {"shrink": 2}, (2, 5, 3))):
        outputs.append(w.op("STRIDED_SLICE", [x, *(w.const(n) for n in numbers)], shape,
                            **options))
    same(joined(w, outputs))


def test_weights_of_8_bits():
    """LiteRT multiplies them out where DEQUANTIZE says so; as hybrid ones it rounds the input."""
    w, x = begin()
    kernel = RANDOM.normal(size=(3, 1, 1, 3)).astype(np.float32)
    for exact, limit in ((True, 1e-5), (False, 0.02)):
        q = w.int8(kernel, 0)
        if exact:
            q = w.op("DEQUANTIZE", [q], kernel.shape)
        y = w.op("CONV_2D", [x, q, w.const(ROW)], SHAPE, padding=VALID, stride_w=1, stride_h=1)
        same(w.data([y]), limit=limit)


@pytest.mark.parametrize("kind,zero", [("int8", 0), ("uint8", 128)])
def test_a_full_integer_layer(kind, zero):
    w = Writer()
    low = -128 if kind == "int8" else 0
    x = w.input(SHAPE, kind=kind, scale=3 / 127, zero=zero)
    kernel = w.int8(np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3), 0) if kind == "int8" else (
        w.const((np.eye(3) * 127 + 128).astype(np.uint8).reshape(3, 1, 1, 3), scale=1 / 127,
                zero=128))
    bias = w.const(np.array([50, -50, 0], np.int32), scale=3 / 127 / 127)
    y = w.op("CONV_2D", [x, kernel, bias], SHAPE, "conv", kind, scale=4 / 255, zero=low,
             padding=VALID, stride_w=1, stride_h=1)
    # The range alone says that nothing is below 0.
    data = w.data([y])
    assert "Relu" in [n.op for n in source(data).graph.nodes]
    same(data, limit=0.05)
    assert source(data).runtime.start()(X).min() == 0


def test_dead_operators_are_not_run():
    w, x = begin()
    w.op("NoSuchOp", [x], SHAPE, custom=True)
    w.op("RESHAPE", [x, w.const([7])], (7,))
    a, b = w.op("NEG", [x], SHAPE, "a"), w.op("RELU", [x], SHAPE, "b")
    same(w.data([a, b], signature={"a": a, "b": b}), output="b")


def test_an_operator_that_only_litert_knows(small):
    """It can be run, though it cannot be converted."""
    w, x = begin()
    y = w.op("ELU", [x], SHAPE)
    found = source(w.data([y]))
    np.testing.assert_allclose(found.runtime.start()(X), np.where(X > 0, X, np.expm1(X)),
                               atol=1e-6)
