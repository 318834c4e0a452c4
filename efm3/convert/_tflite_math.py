# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite's arithmetic, element by element and over axes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from efm3.convert._tflite_layer import Layer
from efm3.convert.graph.nodes import Node

Build = Callable[[Layer], Node]
L2_LEAST = 1e-12
"""L2_NORMALIZATION divides by no less than 1e-6."""


def _elementwise(op: str, arity: int = 2, activation: int | None = None, **attrs: object) -> Build:
    def build(layer: Layer) -> Node:
        y = layer.add(op, *(layer.x(i) for i in range(arity)), **attrs)
        return y if activation is None else layer.activated(y, activation)
    return build


def _square(layer: Layer) -> Node:
    return layer.add("Mul", layer.x(), layer.x())


def _squared_difference(layer: Layer) -> Node:
    d = layer.add("Sub", layer.x(0), layer.x(1))
    return layer.add("Mul", d, d)


def _rsqrt(layer: Layer) -> Node:
    return layer.add("Reciprocal", layer.add("Sqrt", layer.x()))


def _leaky_relu(layer: Layer) -> Node:
    alpha = layer.options.number(0, "f") if layer.options else 0.0
    return layer.add("LeakyRelu", layer.x(), alpha=float(alpha))


def _not_equal(layer: Layer) -> Node:
    return layer.add("Not", layer.add("Equal", layer.x(0), layer.x(1)))


def _select(layer: Layer) -> Node:
    """A condition for each picture is a vector, beside inputs of more dimensions."""
    condition = layer.x()
    rank = len(layer.sizes(1))
    if layer.op == "SELECT" and len(layer.sizes()) == 1 and rank > 1:
        condition = layer.reshape(condition, (*layer.sizes(), *[1] * (rank - 1)))
    return layer.add("Where", condition, layer.x(1), layer.x(2))


def _cast(layer: Layer) -> Node:
    to = layer.outputs[0].kind
    if to == "bool":
        return layer.add("Cast", layer.x(), kind="bool")
    if to.startswith(("float", "bfloat")):
        return layer.add("Cast", layer.x(), kind="float")
    if to.startswith(("int", "uint")):
        return layer.add("Cast", layer.x(), kind="int")
    return layer.foreign()


def _same(layer: Layer) -> Node:
    """QUANTIZE and DEQUANTIZE: between real numbers and what stands for them."""
    return layer.x()


def _l2_normalization(layer: Layer) -> Node:
    rank = len(layer.sizes())
    return layer.activated(layer.build.normalised(layer.x(), (rank - 1,), layer.place,
                                                  least=L2_LEAST), 0)


def _reduced(op: str) -> Build:
    def build(layer: Layer) -> Node:
        return layer.add(op, layer.x(), axes=layer.axes(1), keepdims=layer.flag(0))
    return build


def _zeros_like(layer: Layer) -> Node:
    return layer.add("Expand", layer.const(np.float32(0)), shape=layer.sizes())


ROWS: dict[str, Build] = {
    "ADD": _elementwise("Add", activation=0), "SUB": _elementwise("Sub", activation=0),
    "MUL": _elementwise("Mul", activation=0), "DIV": _elementwise("Div", activation=0),
    "MAXIMUM": _elementwise("Max"), "MINIMUM": _elementwise("Min"), "POW": _elementwise("Pow"),
    "PRELU": _elementwise("PRelu"), "GREATER": _elementwise("Greater"),
    "GREATER_EQUAL": _elementwise("GreaterEqual"), "LESS": _elementwise("Less"),
    "LESS_EQUAL": _elementwise("LessEqual"), "EQUAL": _elementwise("Equal"),
    "LOGICAL_AND": _elementwise("And"), "LOGICAL_OR": _elementwise("Or"),
    "LOGICAL_NOT": _elementwise("Not", 1), "NEG": _elementwise("Neg", 1),
    "ABS": _elementwise("Abs", 1), "RELU": _elementwise("Relu", 1),
    "SQRT": _elementwise("Sqrt", 1), "EXP": _elementwise("Exp", 1),
    "SIGN": _elementwise("Sign", 1), "LOGISTIC": _elementwise("Sigmoid", 1),
    "TANH": _elementwise("Tanh", 1), "HARD_SWISH": _elementwise("HardSwish", 1),
    "RELU6": _elementwise("Clip", 1, low=0.0, high=6.0),
    "RELU_N1_TO_1": _elementwise("Clip", 1, low=-1.0, high=1.0),
    "RELU_0_TO_1": _elementwise("Clip", 1, low=0.0, high=1.0),
    "LEAKY_RELU": _leaky_relu, "SQUARE": _square, "RSQRT": _rsqrt, "NOT_EQUAL": _not_equal,
    "SQUARED_DIFFERENCE": _squared_difference, "SELECT": _select,
    "SELECT_V2": _elementwise("Where", 3), "CAST": _cast, "QUANTIZE": _same, "DEQUANTIZE": _same,
    "L2_NORMALIZATION": _l2_normalization, "MEAN": _reduced("ReduceMean"),
    "SUM": _reduced("ReduceSum"), "REDUCE_MAX": _reduced("ReduceMax"),
    "REDUCE_MIN": _reduced("ReduceMin"), "REDUCE_PROD": _reduced("ReduceProd"),
    "ZEROS_LIKE": _zeros_like,
}
