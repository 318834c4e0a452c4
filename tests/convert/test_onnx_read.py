# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX's reader alone: each operation in each of its forms, against onnxruntime."""


from functools import partial

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import efm3
from efm3.convert._onnx_graph import READ
from efm3.convert.graph import run
from efm3.convert.graph.ops import OPS
from tests.convert import onnx_tiny
from tests.convert.onnx_tiny import F, both, i64, normal, picture, tiny

NEEDS = ("onnx", "onnxruntime")


@pytest.fixture
def source(tmp_path):
    return partial(onnx_tiny.source, tmp_path)


@pytest.fixture
def refused(tmp_path):
    return partial(onnx_tiny.refused, tmp_path)


MAP4 = normal(4, 3, 3, 3)
AFFINE = [normal(3), normal(3), normal(3), np.abs(normal(3)) + F(0.5)]
FLAT = ("Flatten", ["x"], {})
ATTRIBUTES, INPUTS = "attributes", "inputs"
CASES = {
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
                        ("ConstantOfShape", [None], {"value": numpy_helper.from_array(F([2]))}),
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


def model_of(nodes):
    *nodes, last = nodes
    return tiny(*nodes, opset=last) if isinstance(last, int) else tiny(*nodes, last)


@pytest.mark.parametrize("case", CASES)
def test_an_operation_computes_what_onnxruntime_computes(source, case):
    found = source(model_of(CASES[case]))
    assert {n.op for n in found.graph.nodes} <= {*OPS, "Input", "Const"}
    both(found)
    assert found.graph.batch == 2 and not found.graph.assumed and not found.approximate


def test_every_operation_that_is_read_has_a_case():
    tried = {n[0] for nodes in CASES.values() for n in nodes if isinstance(n, tuple)}
    assert {op for op in READ if "Integer" not in op and "Linear" not in op} - tried == {
        *FOREIGN, "Relu"} - tried


FOREIGN = {
    "Softmax": {}, "LogSoftmax": {}, "Hardmax": {}, "Elu": {}, "Selu": {}, "Celu": {},
    "ThresholdedRelu": {}, "Softplus": {}, "Softsign": {}, "Erf": {}, "Gelu": {}, "Mish": {},
    "Swish": {}, "Shrink": {}, "LRN": {"size": 3}, "InstanceNormalization": {},
    "LayerNormalization": {}, "GroupNormalization": {}, "RMSNormalization": {},
    "MeanVarianceNormalization": {}, "Floor": {}, "Ceil": {}, "Round": {}, "Log": {}, "Sin": {},
    "Cos": {}, "MaxPool": {"kernel_shape": [2, 3], "pads": [0, 1, 1, 0], "ceil_mode": 1,
                           "strides": [2, 2]},
}
MORE = {"InstanceNormalization": [normal(3), normal(3)], "LayerNormalization": [normal(5)]}


@pytest.mark.parametrize("op", ["Softmax", "Elu", "Erf", "LRN", "InstanceNormalization", "MaxPool",
                                "LayerNormalization", "Floor", "Softplus"])
def test_what_is_not_known_keeps_its_name_and_its_runtime_runs(source, op):
    found = source(tiny((op, ["x", *MORE.get(op, [])], FOREIGN[op]), ("Relu", [None], {})))
    node = found.graph.output.inputs[0]
    assert (node.op, node.place) == (op, f"n0 ({op})")
    assert found.runtime.start()(picture(found)).shape == found.graph.output.shape
    with pytest.raises(efm3.Efm3Error, match=rf"n0 \({op}\) cannot be run here"):
        run.forward(found.graph, picture(found))


@pytest.mark.parametrize("nodes,word", [
    ([("NonZero", ["x"], {})], "n0 (NonZero) is not an operation that is known to end"),
    ([("Upsample", ["x", F([1, 1, 2, 2])], {}), 9], "n0 (Upsample)"),
    ([("RandomNormalLike", ["x"], {})], "n0 (RandomNormalLike)"),
    ([FLAT, ("Transpose", [None], {}), ("MatMul", ["v0", None], {})], "n2 (MatMul) makes a map of"),
    ([("Expand", ["x", i64(1 << 9, 1, 2, 3, 6, 5)], {}),
      ("Expand", [None, i64(1 << 13, 1, 1, 1, 1, 1, 1)], {})], "n1 (Expand) makes maps of"),
    ([("Conv", ["x", MAP4], {"pads": [1 << 13, 1 << 13, 0, 0]})], "n0 (Conv) makes maps of"),
])
def test_what_may_not_end_is_not_run(source, nodes, word):
    found = source(model_of(nodes))
    with pytest.raises(efm3.Efm3Error) as e:
        found.runtime.start()
    assert e.value.code == "X008" and word in str(e.value)


def test_only_what_the_output_takes_is_read_and_run(source):
    p = tiny(("Relu", ["x"], {}), ("Neg", ["v0"], {}), outputs=["v0"])
    loop = helper.make_node("Loop", ["", "", "x"], ["dead"], "dead", body=helper.make_graph(
        [], "b", [], []))
    p.graph.node.append(loop)
    p.graph.node.append(helper.make_node("ConstantOfShape", ["huge"], ["deader"]))
    p.graph.initializer.append(helper.make_tensor("huge", TensorProto.INT64, [1], [1 << 40]))
    # Its shape is a lie, and nobody looks.
    p.graph.initializer.append(helper.make_tensor("odd", TensorProto.FLOAT, [1], [1]))
    p.graph.initializer[-1].dims[0] = 1 << 40
    found = source(p)
    assert [n.op for n in found.graph.nodes] == ["Input", "Relu"]
    both(found)


def test_one_output_is_chosen_by_name(source, refused):
    p = tiny(("Relu", ["x"], {}), ("Neg", ["v0"], {}), ("Flatten", ["v1"], {}),
             outputs=["v1", "v2"])
    p.graph.output[0].CopyFrom(helper.make_tensor_value_info("v1", 1, ["N", 3, None, 5]))
    refused(p, "X018", "2 outputs: v1 [N, 3, ?, 5], v2 of any shape; give --output NAME")
    refused(p, "X018", "no node makes v9", "v1 [N, 3, ?, 5]", output="v9")
    for name, place in (("v1", "n1 (Neg)"), ("v2", "n2 (Flatten)"), ("v0", "n0 (Relu)")):
        found = source(p, name)
        assert found.graph.output.place == place
        both(found)


@pytest.mark.parametrize("dims,shape", [
    (["N", 3, 112, 112], [1, 3, 112, 112]), ([0, 3, 0, 0], [1, 3, 112, 112]),
    ([None, None, None, None], [1, 3, 112, 112]), ([None, 112, 112, 3], [1, 112, 112, 3]),
    (["N", "h", "w", 3], [1, 112, 112, 3]), ([4, 3, 112, 96], [4, 3, 112, 96]),
    (["N", 112, 112, None], [1, 112, 112, 3]), (None, [1, 3, 112, 112]),
    ([1, 3, 3, 3], [1, 3, 3, 3]), (["N", 1, 112, 112], [1, 1, 112, 112]),
])
def test_the_picture_has_the_shape_that_is_stated(source, dims, shape):
    found = source(tiny(("Relu", ["x"], {}), shape=dims))
    assert [*found.graph.input.shape] == shape and found.graph.batch == shape[0]
    assert found.graph.assumed == []
    both(found)


def test_negative_sizes_are_free(source):
    p = tiny(("Relu", ["x"], {}))
    for d in p.graph.input[0].type.tensor_type.shape.dim:
        d.dim_value = -1
    assert source(p).graph.input.shape == (1, 3, 112, 112)


@pytest.mark.parametrize("kind,name", [(TensorProto.UINT8, "u1"), (TensorProto.FLOAT16, "f2"),
                                       (TensorProto.DOUBLE, "f8")])
def test_pictures_of_other_types(source, kind, name):
    found = source(tiny(("Cast", ["x"], {"to": 1}), ("Div", [None, F(2)], {}), kind=kind))
    x = np.round(np.abs(picture(found)) * 8)
    assert np.array_equal(found.runtime.start()(x), run.forward(found.graph, x))


def test_other_pictures_are_refused(refused):
    refused(tiny(("Relu", ["x"], {}), shape=[3, 112, 112]), "X016", "x is [3, 112, 112]")
    refused(tiny(("Cast", ["x"], {"to": 1}), kind=TensorProto.STRING), "X016", "STRING")
    refused(tiny(("Cast", ["x"], {"to": 1}), kind=99), "X016", "99")
