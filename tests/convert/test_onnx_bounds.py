# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX's reader alone: constants of every type, bounds, the file's own form."""


import sys
from functools import partial

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import efm3
from efm3.convert import _onnx_file, _onnx_run
from efm3.convert._onnx_tensors import INT64
from efm3.convert._onnx_write import field, number
from efm3.convert._onnx_write import word as text
from tests.convert import onnx_tiny
from tests.convert.onnx_tiny import F, both, i64, numbers, tiny

NEEDS = ("onnx", "onnxruntime")


@pytest.fixture
def source(tmp_path):
    return partial(onnx_tiny.source, tmp_path)


@pytest.fixture
def refused(tmp_path):
    return partial(onnx_tiny.refused, tmp_path)


RNG = np.random.default_rng(7)
normal = numbers(8)
MAP4 = normal(4, 3, 3, 3)
AFFINE = [normal(3), normal(3), normal(3), np.abs(normal(3)) + F(0.5)]

# Constants.

KINDS = ("FLOAT", "UINT8", "INT8", "UINT16", "INT16", "INT32", "INT64", "BOOL", "FLOAT16", "DOUBLE",
         "UINT32", "UINT64", "BFLOAT16")


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("name", KINDS)
def test_constants_of_every_type(source, name, raw):
    kind = getattr(TensorProto, name)
    values = np.array([[0, 1, 1, 0, 1]] if name == "BOOL" else [[0, 3, 100, 7, 121]], np.float64)
    if name[0] not in "UB":
        values[0, 1] = -3
    if name in ("BFLOAT16", "FLOAT16", "FLOAT", "DOUBLE"):
        values /= 64
    t = helper.make_tensor("t", kind, [1, 5], values.ravel().tolist())
    if raw:
        t = numpy_helper.from_array(numpy_helper.to_array(t), "t")
        assert t.data_type == kind and t.raw_data
    else:
        assert not t.HasField("raw_data")
    found = source(tiny(("Cast", [t], {"to": 1}), ("Add", ["x", None], {})))
    node = found.graph.output.inputs[1]
    assert np.array_equal(node.value, values)
    assert np.asarray(node.value, F).dtype == F
    both(found)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.BFLOAT16])
def test_all_floats_of_16_bits_are_exact(source, kind):
    bits = np.arange(0, 1 << 16, 1001, dtype="<u2")
    if kind == TensorProto.FLOAT16:
        want = bits.view("<f2").astype(F)
    else:
        want = (bits.astype("<u4") << 16).view("<f4")
    t = TensorProto(data_type=kind, dims=[len(bits), 1, 1, 1, 1], raw_data=bits.tobytes())
    found = source(tiny(("Cast", [t], {"to": 1}), ("Add", ["x", None], {})))
    have = found.graph.output.inputs[1].value
    assert have.dtype == F and have.tobytes() == want.tobytes()


def test_many_typed_values(source):
    """More than are decoded at once, of every length."""
    values = np.concatenate([RNG.integers(-2 ** 62, 2 ** 62, 9000),
                             RNG.integers(0, 200, 30000)])
    t = helper.make_tensor("t", TensorProto.INT64, [len(values), 1, 1, 1, 1], values.tolist())
    found = source(tiny(("Cast", [t], {"to": 6}), ("Add", ["x", None], {})))
    assert np.array_equal(found.graph.output.inputs[1].value.reshape(-1), values)


@pytest.mark.parametrize("kind,name", [
    (TensorProto.STRING, "STRING"), (TensorProto.FLOAT8E5M2, "FLOAT8E5M2"), (99, "99"), (0, "0"),
    (TensorProto.COMPLEX64, "COMPLEX64"), (TensorProto.INT4, "INT4")])
def test_a_type_that_is_not_read_is_named(refused, kind, name):
    t = TensorProto(data_type=kind, dims=[5], raw_data=bytes(20))
    refused(tiny(("Add", ["x", t], {})), "X006", f"element type {name}, which is not read")


@pytest.mark.parametrize("dims,data", [
    ([2 ** 40, 2 ** 40, 0], {"raw_data": b""}), ([-1, -5], {"raw_data": bytes(20)}),
    ([1] * 9, {"raw_data": bytes(4)}), ([4], {"raw_data": bytes(20)}),
    ([5], {"float_data": [1.0] * 4}), ([2 ** 62], {}), ([5], {"int64_data": [1] * 5}),
])
def test_a_shape_that_the_data_do_not_have(refused, dims, data):
    refused(tiny(("Add", ["x", TensorProto(data_type=1, dims=dims, **data)], {})), "X006", "c0")


def with_tensor(p, *fields):
    """The model with one more initializer, c0, of these fields."""
    graph = p.graph.SerializeToString() + field(5, b"".join([text(8, "c0"), *fields]))
    p.ClearField("graph")
    return p.SerializeToString() + field(7, graph)


@pytest.mark.parametrize("held,why", [(b"\x80" * 4, "within a number"), (b"\1\2\3", "holds 3"),
                                      (b"\x80" * 11 + b"\0", "more than 10 bytes")])
def test_numbers_of_varying_length_that_are_none(source, refused, held, why):
    def model(held):
        return with_tensor(tiny(("Add", ["x", "c0"], {})), number(1, 4), *[number(1, 1)] * 4,
                           number(2, INT64), *(field(7, h) for h in held))
    refused(model([held]), "X006", why)
    found = source(model([b"\1\2", b"\3\x84\1"]))
    assert found.graph.output.inputs[1].value.reshape(-1).tolist() == [1, 2, 3, 132]


# Bounds.

def test_constants_that_would_grow_are_refused(refused):
    doubled = [("Concat", [F([1]), F([1])], {"axis": 0})] + [
        ("Concat", [None, None], {"axis": 0})] * 40
    refused(tiny(*doubled, ("Add", ["x", None], {})), "X008", "computes more constants")
    refused(tiny(("Range", [np.int64(0), np.int64(1 << 50), np.int64(1)], {}),
                 ("Add", ["x", None], {})), "X008", "computes more constants")
    refused(tiny(("Range", [F(0), F(1), F(0)], {}), ("Add", ["x", None], {})), "X006", "by 0.0")
    refused(tiny(("ConstantOfShape", [i64(1 << 20, 1 << 20)], {}), ("Add", ["x", None], {})),
            "X008", "computes more constants")
    # What is moved and reshaped is copied each time.
    moved = [("Expand", [F(1), i64(1 << 10, 1 << 10)], {})]
    for _ in range(40):
        moved += [("Transpose", [None], {}), ("Reshape", [None, i64(1 << 9, 1 << 11)], {}),
                  ("Reshape", [None, i64(1 << 10, 1 << 10)], {})]
    refused(tiny(*moved, ("Add", ["x", None], {})), "X008", "computes more constants")


def test_weights_of_8_bits_are_dequantised_once_each_file(refused):
    weight = np.zeros((1 << 20, 1), np.int8)
    again = [("DequantizeLinear", [weight, F(1)], {})]
    again += [("DequantizeLinear", ["c0", F(1)], {})] * 12
    p = tiny(*again, ("Sum", ["x", *(f"v{i}" for i in range(13))], {}))
    refused(p, "X006", "much more memory than the file")


def test_shared_constants_are_computed_once(source):
    """Each doubles the uses of the one before: 2^60 uses, 60 additions."""
    nodes = [("Add", [F(1), F(1)], {})] + [("Add", [None, None], {})] * 59
    found = source(tiny(*nodes, ("Add", ["x", None], {})))
    assert found.graph.output.inputs[1].value == 2.0 ** 60


def test_more_fields_than_any_network_has(refused, monkeypatch):
    p = tiny(("Relu", ["x"], {}))
    monkeypatch.setattr(_onnx_file, "MOST_FIELDS", 60)
    p.graph.value_info.extend([onnx.ValueInfoProto()] * 60)
    refused(p, "X003", "more than 60 fields")


def test_deep_subgraphs_are_passed_over(source):
    inner = onnx.GraphProto()
    for _ in range(30):
        outer = onnx.GraphProto()
        outer.node.append(onnx.NodeProto(op_type="If"))
        outer.node[0].attribute.append(helper.make_attribute("then_branch", inner))
        inner = outer
    p = tiny(("If", [np.array(True)], {}), ("Add", ["x", None], {}))
    p.graph.node[0].attribute.append(helper.make_attribute("then_branch", inner))
    found = source(p)
    assert found.graph.output.inputs[1].op == "If"
    with pytest.raises(efm3.Efm3Error, match=r"n0 \(If\) is not an operation that is known to end"):
        found.runtime.start()


@pytest.mark.parametrize("node,code,word", [
    (("Conv", ["x"], {}), "X007", "no weight"), (("Conv", ["x", MAP4, normal(5)], {}), "X006", ""),
    (("Conv", ["x", MAP4], {"pads": [1, 1]}), "X006", "pads [1, 1]"),
    (("Conv", ["x", MAP4], {"kernel_shape": [5, 3]}), "X006", "kernel_shape [5, 3]"),
    (("Conv", ["x", MAP4], {"strides": [0, 1]}), "X006", "stride 0"),
    (("Reshape", ["x"], {}), "X007", "no shape"), (("Reshape", ["x", i64(7, -1)], {}), "X006", ""),
    (("Reshape", ["x", i64(*[1] * 65)], {}), "X006", "a few whole numbers"),
    (("Reshape", ["x", "x"], {}), "X008", "only a constant"),
    (("Transpose", ["x"], {"perm": [0, 1]}), "X006", "perm [0, 1]"),
    (("Transpose", ["x"], {"perm": [0] * 65}), "X006", "65 numbers in perm"),
    (("Squeeze", ["x", i64(1)], {}), "X006", "cannot become"),
    (("Unsqueeze", ["x", i64(1, 1)], {}), "X006", "axes [1, 1]"),
    (("Expand", ["x", i64(-1, 1, 1, 1)], {}), "X006", "[-1, 1, 1, 1]"),
    (("Gather", ["x", i64(3)], {"axis": 1}), "X006", "outside an axis of 3"),
    (("Gather", ["x", i64(0)], {"axis": 4}), "X006", "axis 4 of 4"),
    (("GatherND", ["x", np.array([[2]])], {}), "X006", "outside an axis of 2"),
    (("Slice", ["x", i64(0), i64(1), i64(1), i64(0)], {}), "X006", "steps [0]"),
    (("Slice", ["x", i64(0), i64(1, 2)], {}), "X006", "ends [1, 2]"),
    (("Slice", ["x"], {}), "X007", "no starts"), (("Concat", [], {"axis": 0}), "X007", "input 0"),
    (("Split", ["x", i64(1, 3)], {"axis": 1, "outputs": 2}), "X006", "splits 3 into [1, 3]"),
    (("Pad", ["x", i64(1, 1)], {}), "X006", "pads [1, 1] for 4 axes"),
    (("Constant", [], {"value_string": "x"}), "X006", "holds no numbers"),
    (("ConstantOfShape", [i64(-1)], {}), "X006", "[-1]"),
    (("ReduceSum", ["x", i64(7)], {}), "X006", "axis 7 of 4"),
    (("PRelu", ["x", normal(3, 1, 1, 1, 1)], {}), "X006", "a slope of"),
    (("PRelu", ["x"], {}), "X007", "no slope"), (("Add", ["x"], {}), "X007", "1 inputs"),
    (("BatchNormalization", ["x", *AFFINE], {"training_mode": 1}), "X009", "training"),
    (("BatchNormalization", ["x", *AFFINE[:3]], {}), "X007", "4 inputs, not 5"),
    (("Dropout", ["x", F(0.5), np.array(True)], {}), "X009", "training"),
    (("MaxPool", ["x"], {"kernel_shape": [9, 9]}), "X006", "kernel of 9"),
    (("DequantizeLinear", [np.zeros(5, np.int8), normal(5, 1)], {"axis": 0}), "X008", "scales of"),
    (("DequantizeLinear", [np.zeros(5, np.int8), normal(4)], {"axis": 0}), "X006", ""),
    (("DequantizeLinear", [np.zeros(5, np.int8)], {}), "X007", "no scale"),
])
def test_nodes_that_cannot_be(refused, node, code, word):
    p = tiny(node, ("Add", ["x", "v0"], {}))
    refused(p, code, f"n0 ({node[0]})", word)


def test_a_slope_is_broadcast_to_its_map_not_the_map_to_it(refused):
    refused(tiny(("GlobalAveragePool", ["x"], {}), ("PRelu", [None, normal(3, 6, 5)], {})),
            "X006", "a slope of shape [3, 6, 5] for [2, 3, 1, 1]")


# The file.

def test_the_library_is_not_needed(source, monkeypatch):
    p = tiny(("Conv", ["x", MAP4], {}))
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    found = source(p)
    assert found.graph.output.op == "Conv"
    with pytest.raises(efm3.Efm3Error, match="extra `onnx`"):
        found.runtime.start()


def test_large_constants_are_the_files_own_bytes(source):
    found = source(tiny(("Conv", ["x", normal(64, 3, 3, 3)], {}), ("Relu", [None], {})))
    weight = found.graph.nodes[1].value
    assert weight.dtype == F and weight.base is not None and not weight.flags.writeable
    both(found)
    _, lent = _onnx_run._pruned(found.runtime.start.__closure__[0].cell_contents)
    assert np.shares_memory(lent["c0"], weight)


def test_two_graphs_or_none(refused):
    p = tiny(("Relu", ["x"], {}))
    data = p.SerializeToString()
    refused(data + field(7, p.graph.SerializeToString()), "X003", "graph")
    refused(b"", "X003", "no graph")
    p.ClearField("graph")
    refused(p, "X003", "no graph")


def test_names_that_are_no_text(source):
    p = tiny(("Relu", ["x"], {}), ("Neg", [None], {}))
    data = p.SerializeToString().replace(b"n0", b"\xff\xfe")
    found = source(data)
    assert found.graph.nodes[1].place == "\ufffd\ufffd (Relu)"
    both(found)


def test_old_and_new_versions_of_the_message(source, refused):
    for version in (3, 4, 13, 99):
        p = tiny(("Relu", ["x"], {}))
        p.ir_version = version
        both(source(p))
    refused(tiny(("Relu", ["x"], {}), opset=6), "X008", "opset 6; 7 or newer")
    both(source(tiny(("Relu", ["x"], {}), opset=7)))


def test_metadata_are_texts(source):
    p = tiny(("Relu", ["x"], {}))
    helper.set_model_props(p, {"a": "b", "ü": ""})
    assert source(p).texts == {"a": "b", "ü": ""}


def test_a_bare_slope_is_mended_where_it_is_shared(source):
    """The same constant goes to an addition, along the width, as it stands."""
    p = tiny(("PRelu", ["x", normal(3)], {}), ("PRelu", [None, "c0"], {}),
             ("Add", [None, "c0"], {}), shape=[1, 3, 4, 3])
    p.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", 1, [1, 3, 4, 4]))
    p.graph.node.pop()
    p.graph.node.append(helper.make_node("Transpose", ["v1"], ["t"], "t", perm=[0, 2, 3, 1]))
    p.graph.node.append(helper.make_node("Add", ["t", "c0"], ["v2"], "n2"))
    both(source(p))
