# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX's reader alone: each operation in each of its forms, against onnxruntime."""


from functools import partial

import numpy as np
import pytest
from onnx import TensorProto, helper

import efm3
from efm3.convert._onnx_graph import READ
from efm3.convert.graph import run
from efm3.convert.graph.ops import OPS
from tests.convert import onnx_tiny
from tests.convert.onnx_cases import CASES, FLAT, MAP4, model_of
from tests.convert.onnx_tiny import F, both, i64, numbers, picture, tiny

NEEDS = ("onnx", "onnxruntime")


@pytest.fixture
def source(tmp_path):
    return partial(onnx_tiny.source, tmp_path)


@pytest.fixture
def refused(tmp_path):
    return partial(onnx_tiny.refused, tmp_path)


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
normal = numbers(9)
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


@pytest.mark.parametrize("places,batch", [
    ([[0, 1], [1, 2]], 0), ([[[2], [0]], [[2], [1]]], 1), ([[[2], [0]]], 1), ([[0], [1]], 2)])
def test_places_that_are_not_along_one_axis_are_not_read(source, places, batch):
    model = tiny(("GatherND", ["x", np.array(places)], {"batch_dims": batch}), ("Relu", [None], {}))
    assert source(model).graph.output.inputs[0].op == "GatherND"


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
