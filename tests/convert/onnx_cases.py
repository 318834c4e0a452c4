# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Each ONNX operation that is read, in each of its forms: small models for tests and fuzzing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

from tests.convert.onnx_tiny import F, i64, numbers, tiny

normal = numbers(7)
MAP4 = normal(4, 3, 3, 3)
AFFINE = [normal(3), normal(3), normal(3), np.abs(normal(3)) + F(0.5)]
FLAT: Any = ("Flatten", ["x"], {})
CASES: dict[str, list[Any]] = {
    "Conv": [("Conv", ["x", MAP4, normal(4)], {"pads": [1, 0, 1, 2], "strides": [2, 1]})],
    "Conv grouped": [("Conv", ["x", normal(6, 1, 3, 3)], {"group": 3, "dilations": [2, 1]})],
    "Conv SAME_UPPER": [("Conv", ["x", MAP4], {"auto_pad": "SAME_UPPER", "strides": [2, 2]})],
    "Conv SAME_LOWER": [("Conv", ["x", MAP4], {"auto_pad": "SAME_LOWER", "strides": [2, 2]})],
    "Conv VALID": [("Conv", ["x", MAP4], {"auto_pad": "VALID", "kernel_shape": [3, 3]})],
    "Gemm": [FLAT, ("Gemm", [None, normal(90, 4), normal(4)], {})],
    "Gemm transB": [FLAT, ("Gemm", [None, normal(4, 90), normal(1, 4)],
                           {"transB": 1, "alpha": 0.5, "beta": -2.0})],
    "Gemm transA": [FLAT, ("Transpose", [None], {}), ("Gemm", [None, normal(4, 90)],
                                                      {"transA": 1, "transB": 1})],
    "Gemm scalar": [FLAT, ("Gemm", [None, normal(90, 4), F(0.5)], {})],
    "Gemm whole": [FLAT, ("Gemm", [None, normal(90, 4), normal(2, 4)], {"beta": 0.5})],
    "MatMul": [("MatMul", ["x", normal(5, 4)], {}), ("Add", [None, normal(4)], {})],
    "BatchNormalization": [("BatchNormalization", ["x", *AFFINE], {"epsilon": 1e-3})],
    "BatchNormalization default": [("BatchNormalization", ["x", *AFFINE], {})],
    "PRelu": [("PRelu", ["x", normal(3, 1, 1)], {})],
    "PRelu one": [("PRelu", ["x", normal(1)], {})],
    "PRelu bare": [("PRelu", ["x", normal(3)], {}), ("Relu", [None], {})],
    "PRelu flat": [FLAT, ("PRelu", [None, normal(90)], {})],
    "PRelu over the width": [("PRelu", ["x", normal(5)], {})],
    "LeakyRelu": [("LeakyRelu", ["x"], {}), ("LeakyRelu", [None], {"alpha": 0.3})],
    "Clip attributes": [("Clip", ["x"], {"min": -0.5}), ("Clip", [None], {"max": 0.5}),
                        ("Clip", [None], {}), 7],
    "Clip inputs": [("Clip", ["x", F(-0.5), ""], {}), ("Clip", [None, "", F(0.25)], {})],
    "Clip computed": [("Abs", ["x"], {}), ("ReduceMax", [None], {"keepdims": 0}),
                      ("Clip", ["x", "", None], {})],
    "Max": [("Max", ["x", F(0.1), normal(5)], {}), ("Min", [None, F(1)], {})],
    "Sum": [("Sum", ["x", normal(5), "x"], {}), ("Mean", [None, "x"], {}), ("Sum", [None], {})],
    "Neg": [("Neg", ["x"], {}), ("Abs", [None], {}), ("Sqrt", [None], {}), ("Exp", [None], {}),
            ("Reciprocal", [None], {})],
    "Sigmoid": [("Sigmoid", ["x"], {}), ("Tanh", [None], {}), ("Sign", [None], {})],
    "HardSigmoid": [("HardSigmoid", ["x"], {}), ("HardSigmoid", [None], {"alpha": 1 / 6})],
    "HardSwish": [("HardSwish", ["x"], {})],
    "Where": [("Greater", ["x", F(0)], {}), ("Where", [None, "x", F(2)], {})],
    "Where not": [("LessOrEqual", ["x", F(0)], {}), ("Not", [None], {}),
                  ("Cast", [None], {"to": 1}), ("Mul", [None, "x"], {})],
    "And": [("Less", ["x", F(1)], {}), ("GreaterOrEqual", ["x", F(0)], {}),
            ("And", ["v0", "v1"], {}), ("Or", [None, "v0"], {}), ("Equal", [None, "v1"], {}),
            ("Where", [None, "x", F(0)], {})],
    "Pow": [("Sub", ["x", F(0.5)], {}), ("Pow", [None, F(2)], {}), ("Div", [None, F(3)], {})],
    "CastLike": [("Cast", ["x"], {"to": 7}), ("CastLike", [None, F(1)], {}),
                 ("CastLike", [None, "v0"], {}), ("Cast", [None], {"to": 1}), 19],
    "Cast back": [("Cast", ["x"], {"to": 11}), ("Cast", [None], {"to": 1})],
    "Pad attributes": [("Pad", ["x"], {"pads": [0, 0, 1, 0, 0, 0, 2, 1], "value": 0.5}), 9],
    "Pad inputs": [("Pad", ["x", i64(0, 1, 1, 0, 0, 0, 0, 2)], {"mode": "constant"})],
    "Pad value": [("Pad", ["x", i64(0, 0, 1, 0, 0, 0, 0, 2), F(3)], {}),
                  ("Pad", [None, i64(0, 0, 0, 0, 0, 0, 0, 0)], {})],
    "Pad axes": [("Pad", ["x", i64(1, 0, 0, 2), "", i64(2, -1)], {}), 18],
    "Transpose": [("Transpose", ["x"], {"perm": [0, 2, 3, 1]}), ("Transpose", [None], {})],
    "Reshape": [("Reshape", ["x", i64(0, -1)], {}), ("Reshape", [None, i64(3, 60)], {})],
    "Reshape allowzero": [("Reshape", ["x", i64(6, 30)], {"allowzero": 1})],
    "Flatten": [("Flatten", ["x"], {"axis": -2}), ("Flatten", [None], {"axis": 2})],
    "Squeeze attributes": [("Unsqueeze", ["x"], {"axes": [0, -1]}),
                           ("Squeeze", [None], {"axes": [-1]}), ("Squeeze", [None], {}), 11],
    "Squeeze inputs": [("Unsqueeze", ["x", i64(1, 4)], {}), ("Squeeze", [None, i64(1)], {})],
    "Expand": [("Expand", ["x", i64(2, 2, 1, 1, 5)], {}), ("Expand", [None, i64(1)], {})],
    "Shape": [("Shape", ["x"], {}), ("Gather", [None, np.int64(0)], {}),
              ("Unsqueeze", [None, i64(0)], {}), ("Concat", [None, i64(-1)], {"axis": 0}),
              ("Reshape", ["x", None], {})],
    "Shape part": [("Shape", ["x"], {"start": -2, "end": 4}), ("Cast", [None], {"to": 1}),
                   ("ReduceProd", [None], {}), ("Add", ["x", None], {})],
    "Size": [("Size", ["x"], {}), ("Cast", [None], {"to": 1}), ("Div", ["x", None], {})],
    "Gather": [("Gather", ["x", i64(2, 1, -3)], {"axis": 1}),
               ("Gather", [None, np.int64(-1)], {"axis": 3})],
    "GatherND": [("Transpose", ["x"], {"perm": [1, 0, 2, 3]}),
                 ("GatherND", [None, np.array([[2], [0], [-2]])], {}),
                 ("Transpose", [None], {"perm": [1, 0, 2, 3]}),
                 ("GatherND", [None, np.array([[[2], [0]]] * 2)], {"batch_dims": 1})],
    "Slice attributes": [("Slice", ["x"], {"starts": [0, 1], "ends": [9, -1], "axes": [1, 3]}),
                         ("Slice", [None], {"starts": [1], "ends": [2 ** 63 - 1]}), 9],
    "Slice inputs": [("Slice", ["x", i64(-1, 0), i64(-9, 5), i64(1, 2), i64(-1, 2)], {}),
                     ("Slice", [None, i64(0), i64(2)], {})],
    "Split": [("Split", ["x"], {"axis": 1, "outputs": 3}),
              ("Concat", ["v0.2", "v0.1", "v0"], {"axis": 1}), 11],
    "Split uneven": [("Split", ["x", i64(4, 1)], {"axis": -1, "outputs": 2}),
                     ("Mul", ["v0.1", "v0"], {}), ("Split", [None], {"outputs": 1})],
    "Split num_outputs": [("Split", ["x"], {"axis": 3, "outputs": 2, "num_outputs": 2}),
                          ("Concat", ["v0.1"], {"axis": 0}), 18],
    "Constant": [("Constant", [], {"value": numpy_helper.from_array(normal(5))}),
                 ("Constant", [], {"value_float": 0.5}), ("Constant", [], {"value_ints": [2, -1]}),
                 ("Add", ["x", "v0"], {}), ("Mul", [None, "v1"], {}), ("Reshape", [None, "v2"], {}),
                 ("Constant", [], {"value_floats": [0.5] * 90}), ("Sub", ["v5", None], {}),
                 ("Constant", [], {"value_int": 1}), ("Gather", ["v7", None], {"axis": 1})],
    "ConstantOfShape": [("Shape", ["x"], {}),
                        ("ConstantOfShape", [None],
                         {"value": numpy_helper.from_array(np.array([2], F))}),
                        ("Mul", ["x", None], {}), ("ConstantOfShape", [i64(5)], {}),
                        ("Add", ["v2", None], {})],
    "Range": [("Range", [np.int64(2), np.int64(-1), np.int64(-1)], {}),
              ("Gather", ["x", None], {"axis": 1})],
    "ReduceMean attributes": [("ReduceMean", ["x"], {"axes": [-1, 2]}),
                              ("ReduceSum", [None], {"axes": [1], "keepdims": 0}), 11],
    "ReduceL2 inputs": [("ReduceL2", ["x", i64(1)], {}),
                        ("ReduceSumSquare", [None, i64(2)], {"keepdims": 0}), 18],
    "ReduceMax all": [("ReduceMax", ["x"], {}), ("Div", ["x", None], {}),
                      ("ReduceMin", [None], {"axes": [0]}), ("ReduceL1", [None], {"axes": [3]})],
    "ReduceSum none": [("ReduceSum", ["x"], {"noop_with_empty_axes": 1}),
                       ("ReduceSum", [None, i64()], {})],
    "GlobalAveragePool": [("GlobalAveragePool", ["x"], {})],
    "GlobalMaxPool": [("GlobalMaxPool", ["x"], {})],
    "AveragePool": [("AveragePool", ["x"], {"kernel_shape": [6, 5]})],
    "LpNormalization": [("LpNormalization", ["x"], {"axis": 1}),
                        ("LpNormalization", [None], {"p": 1})],
    "Identity": [("Identity", ["x"], {}), ("Dropout", [None], {"outputs": 2}),
                 ("Dropout", [None, F(0.5), np.array(False)], {})],
}
"""Nodes of one small model each, and its opset where it is not 17."""


def model_of(nodes: Sequence[Any]) -> onnx.ModelProto:
    """The model of a case."""
    *nodes, last = nodes
    return tiny(*nodes, opset=last) if isinstance(last, int) else tiny(*nodes, last)
