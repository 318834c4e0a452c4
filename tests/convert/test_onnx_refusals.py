# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ONNX files that are another network, broken or hostile: one error, no file."""


import os
import sys
import tracemalloc

import numpy as np
import onnx
import pytest

import efm3
from efm3.conformance import sample
from efm3.convert import read, write
from efm3.convert.checked import convert
from tests.convert import graphs as g

NEEDS = ("onnx", "onnxruntime",)

F = onnx.TensorProto.FLOAT


# Other networks.

def attributed(name, key, new):
    return lambda p: g.attribute(g.node(p, name), key, new)


def unresidual(p):
    g.cut(p, "stage1.block1.project/add")


def wrong_residual(p):
    g.node(p, "stage1.block2.project/add").input[1] = "stem/act/y"


def new_residual(p):
    """An addition around the first block of stage 5's neighbour, whose stride is 2."""
    n = g.node(p, "stage1.block2.project/add")
    n.input[1] = n.input[0]


def squeezed(p):
    g.insert(p, "stage1.block1.project/conv", "Mul", [..., "gate"], "se/mul")
    x = g.node(p, "se/mul").input[0]
    at = next(i for i, n in enumerate(p.graph.node) if n.name == "se/mul")
    w = g.put(p, "se.w", np.zeros((16, 16, 1, 1), np.float32))
    for n in reversed([onnx.helper.make_node("GlobalAveragePool", [x], ["p"], "se/pool"),
                       onnx.helper.make_node("Conv", ["p", w], ["q"], "se/fc"),
                       onnx.helper.make_node("Sigmoid", ["q"], ["gate"], "se/gate")]):
        p.graph.node.insert(at, n)


def biased_and_normed(p):
    g.node(p, "stage1.block1.expand/conv").input.append(
        g.put(p, "b", np.zeros(16, np.float32)))


def swapped_slope(p):
    n = g.node(p, "stage1.block1.expand/act")
    n.op_type = "Clip"
    del n.input[1:]


def odd_norm(p):
    g.norm(p, ("ReduceL1", ["flatten/y"], "n", {"axes": [1]}),
           ("Div", ["flatten/y", "n"], "embedding", {}))


def scaled_norm(p):
    g.put(p, "k", np.float32(64))
    g.node(p, "normalize").output[0] = "unit"
    p.graph.node.append(onnx.helper.make_node("Mul", ["unit", "k"], ["embedding"], "times"))


def batch_norm(p):
    g.attribute(g.node(p, "norm"), "axes", [0])


def later_act(p):
    """An activation behind the residual sum."""
    g.insert(p, "stage1.block2.expand/conv", "Relu", [...], "late")
    g.node(p, "stage1.block2.project/add").input[1] = "late/y"


OTHERS = {
    "stride": (attributed("dw_stem/conv", "strides", [2, 2]), "X009", "dw_stem/conv (Conv)"),
    "expand's stride": (attributed("stage1.block0.expand/conv", "strides", [2, 2]), "X009",
                        "has stride 2"),
    "oblong strides": (attributed("dw_stem/conv", "strides", [1, 2]), "X009", "[1, 2]"),
    "pads": (attributed("dw_stem/conv", "pads", [0, 0, 1, 1]), "X009", "pads [0, 0, 1, 1]"),
    "no pads": (attributed("dw_stem/conv", "pads", [0] * 4), "X009", "has padding 0"),
    "dilations": (attributed("dw_stem/conv", "dilations", [2, 2]), "X009", "dilations"),
    "auto_pad": (attributed("stem/conv", "auto_pad", "SAME_UPPER"), "X009", "auto_pad SAME_UPPER"),
    "grouped": (lambda p: (g.put(p, "dw_stem.conv.w", np.zeros((8, 2, 3, 3), np.float32)),
                           g.attribute(g.node(p, "dw_stem/conv"), "group", 4)), "X009",
                "groups=4 for 8 channels: EFM3's second layer is depthwise"),
    "5x5": (lambda p: (g.put(p, "stage1.block1.dw.conv.w", np.zeros((16, 1, 5, 5), np.float32)),
                       g.attribute(g.node(p, "stage1.block1.dw/conv"), "kernel_shape", [5, 5])),
            "X009", "kernel 5×5 in stage1.block1.dw/conv"),
    "no residual": (unresidual, "X009", "stage1.block1.project/conv (Conv) is not added"),
    "residual from afar": (wrong_residual, "X008", "stem/act"),
    "residual of itself": (new_residual, "X008", "stage1.block2.project/add"),
    "SE block": (squeezed, "X008", "SE block or pooling at se/pool"),
    "bias in expand": (biased_and_normed, "X009", "bias in expand: stage1.block1.expand/conv"),
    "ReLU6": (swapped_slope, "X008", "stage1.block1.expand/act (Clip): EFM3 has no such layer"),
    "activation after the sum": (later_act, "X009", "late (Relu)"),
    "L1 norm": (odd_norm, "X008", "ReduceL1"), "times 64": (scaled_norm, "X008", "L2 norm"),
    "norm over the batch": (batch_norm, "X008", "L2 norm"),
    "opset 8": (lambda p: g.opset(p, 8), "X008", "opset 8"),
    "no opset": (lambda p: p.ClearField("opset_import"), "X008", "opset 0"),
    "training": (attributed("stem/bn", "training_mode", 1), "X009", "training"),
    "reshaped elsewhere": (g.reshape(12, -1), "X008", "flatten (Reshape)"),
    "flattened at 0": (attributed("flatten", "axis", 0), "X008", "flatten"),
    "other domain": (lambda p: setattr(g.node(p, "stem/act"), "domain", "com.example"), "X008",
                     "com.example"),
    "two outputs": (lambda p: p.graph.output.append(onnx.helper.make_tensor_value_info(
        "flatten/y", F, None)), "X008", "2 outputs"),
    "two inputs": (lambda p: (p.graph.input.append(onnx.helper.make_tensor_value_info(
        "mask", F, None)), g.insert(p, "gdconv/conv", "Mul", [..., "mask"], "m")), "X008",
        "2 inputs"),
    "a pooled end": (lambda p: g.insert(p, "embed_proj/conv", "GlobalAveragePool", [...], "pool"),
                     "X008", "pool"),
    "a softmax": (lambda p: g.insert(p, "gdconv/conv", "Softmax", [...], "soft"), "X008",
                  "soft (Softmax)"),
    "half floats": (lambda p: g.put(p, "stem.bn.b", np.zeros(8, np.float16)), "X006", "type 10"),
    "doubles": (lambda p: g.put(p, "stem.bn.b", np.zeros(8)), "X006", "float64"),
    "weight as input": (lambda p: (p.graph.initializer.remove(g.tensor(p, "stem.conv.w")),
                                   p.graph.input.append(onnx.helper.make_tensor_value_info(
                                       "stem.conv.w", F, [8, 3, 3, 3]))), "X008", "2 inputs"),
    "Gemm with alpha": (lambda p: (g.dense("Gemm", False)(p), g.attribute(
        g.node(p, "embed_proj/conv"), "alpha", 2.0)), "X009", "alpha"),
    "scaled behind PReLU": (lambda p: (g.put(p, "k", np.ones((8, 1, 1), np.float32)), g.insert(
        p, "dw_stem/conv", "Mul", [..., "k"], "m")), "X008", "m (Mul)"),
}


@pytest.mark.parametrize("case", OTHERS)
def test_other_networks_are_refused(graph, saved, refused, case):
    change, code, word = OTHERS[case]
    change(graph)
    refused(saved(graph), code, word)


# Broken and hostile files.

def cycle(p):
    g.node(p, "stage1.block1.project/add").input[1] = "stage3.block0.expand/conv/y"


def self_cycle(p):
    g.node(p, "dw_stem/conv").input[0] = "dw_stem/conv/y"


def shaped(name, dims):
    def change(p):
        t = g.tensor(p, name)
        del t.dims[:]
        t.dims.extend(dims)
    return change


BROKEN = {
    "cycle": (cycle, "X007", "cycle"), "self cycle": (self_cycle, "X007", "dw_stem/conv"),
    "unknown value": (lambda p: g.node(p, "stem/act").input.__setitem__(0, "ghost"), "X007",
                      "ghost, which no node produces"),
    "made twice": (lambda p: g.node(p, "dw_stem/conv").output.__setitem__(0, "stem/conv/y"),
                   "X007", "produced elsewhere"),
    "output of nobody": (lambda p: setattr(p.graph.output[0], "name", "ghost"), "X007", "ghost"),
    "shape beyond the data": (shaped("stem.bn.b", [1 << 40]), "X006", "holds 32 bytes"),
    "negative shape": (shaped("stem.bn.b", [-8, -1]), "X006", "[-8, -1]"),
    "another shape": (shaped("stem.conv.w", [3, 8, 3, 3]), "X006", "stem/bn"),
    "rank": (shaped("stem.conv.w", [8, 27]), "X006", "not 4 dimensions"),
    "bn's shape": (shaped("stem.bn.b", [2, 4]), "X006", "[2, 4]"),
    "slope's shape": (shaped("stem.act.w", [1, 1, 8]), "X006", "slope of shape [1, 1, 8]"),
    "kernel_shape": (attributed("stem/conv", "kernel_shape", [5, 5]), "X006", "kernel_shape"),
    "no inputs": (lambda p: g.node(p, "stem/bn").input.__delitem__(slice(2, 5)), "X007",
                  "2 inputs"),
    "no weight": (lambda p: g.node(p, "stem/conv").input.__delitem__(slice(1, 2)), "X007",
                  "no weight"),
    "empty graph": (lambda p: p.graph.ClearField("node"), "X003", "no graph"),
    "huge norm": (lambda p: g.norm(p, (
        "Expand", ["flatten/y", g.put(p, "s", np.array([1 << 20, 12], np.int64))], "embedding",
        {})), "X008", "values"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_graphs(graph, saved, refused, case):
    change, code, word = BROKEN[case]
    change(graph)
    refused(saved(graph), code, word)


def test_a_huge_norm_is_not_tried(graph, saved, refused):
    BROKEN["huge norm"][0](graph)
    path = saved(graph)
    tracemalloc.start()
    refused(path, "X008", "12,582,912 values")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 << 20


def test_a_long_chain_is_no_recursion(graph, saved, refused):
    for i in range(3000):
        graph.graph.node.append(onnx.helper.make_node("Identity", [f"c{i}"], [f"c{i + 1}"]))
    g.put(graph, "c0", g.value(graph, "stem.bn.b"))
    g.node(graph, "stem/bn").input[2] = "c3000"
    refused(saved(graph), "X008", "stem/bn")


def test_truncated_and_flipped(graph, saved, tmp_path, refused):
    data = saved(graph).read_bytes()
    path = tmp_path / "t.onnx"
    for n in [*range(0, 60), *range(100, len(data), len(data) // 20)]:
        path.write_bytes(data[:n])
        with pytest.raises(efm3.Efm3Error) as e:
            read(path)
        assert e.value.code[0] == "X"
    for other in (b"x" * 99, sample.base(), b"\x80\x02}."):
        path.write_bytes(other)
        refused(path, "X003")
    rng = np.random.default_rng(3)
    for _ in range(150):
        bad = bytearray(data)
        for at in rng.integers(0, len(data), 4):
            bad[at] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        try:
            read(path)
        except efm3.Efm3Error as e:
            assert e.code[0] == "X" or e.code[0] == "H"


def outside(p, location, **more):
    t = g.tensor(p, "stem.bn.b")
    t.ClearField("raw_data")
    t.data_location = onnx.TensorProto.EXTERNAL
    for k, v in {"location": location, **more}.items():
        entry = t.external_data.add()
        entry.key, entry.value = k, str(v)


def test_external_data_in_the_folder(small, graph, saved, tmp_path):
    (tmp_path / "w.data").write_bytes(b"pad!" + small.tensors["stem.bn.b"].tobytes())
    outside(graph, "w.data", offset=4, length=32)
    convert(saved(graph), tmp_path / "x.bin")
    assert np.array_equal(efm3.load(tmp_path / "x.bin").tensors["stem.bn.b"],
                          small.tensors["stem.bn.b"])


def test_external_data_elsewhere(small, graph, saved, tmp_path, refused):
    (tmp_path / "secret").write_bytes(bytes(32))
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "short").write_bytes(bytes(31))
    os.mkfifo(folder / "fifo")
    for location, more in (
            ("../secret", {}), (str(tmp_path / "secret"), {}), ("link", {}), ("", {}), (".", {}),
            ("none", {}), ("short", {"length": 32}), ("short", {"offset": 40}), ("fifo", {}),
            ("short", {"offset": -1}), ("short", {"length": "x"}), ("../model-2/x", {}),
            ("short", {"offset": 1 << 70}), ("a\0b", {})):
        p = onnx.ModelProto()
        p.CopyFrom(graph)
        outside(p, location, **more)
        refused(saved(p, "model/g.onnx"), "X005", "stem.bn.b")
    p.CopyFrom(graph)
    outside(p, "short")
    refused(saved(p, "model/g.onnx"), "X006", "31 bytes")


def test_metadata_must_fit_the_graph(small, tmp_path, saved, refused):
    write(small, tmp_path / "a.onnx")
    p = onnx.load(tmp_path / "a.onnx")
    for m in p.metadata_props:
        m.value = m.value.replace('"embedding_dim":12', '"embedding_dim":13')
    refused(saved(p), "X011", "embed_proj")
    p.metadata_props[0].value = "{"
    refused(saved(p), "X012")


def test_a_given_arch(graph, saved, refused, small, tmp_path):
    convert(saved(graph), tmp_path / "x.bin", arch=small.arch)
    assert efm3.load(tmp_path / "x.bin").arch == small.arch
    refused(saved(graph), "X011", "nano", arch=efm3.ARCHS["nano"])


def test_without_the_libraries(graph, saved, refused, monkeypatch):
    path = saved(graph)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    refused(path, "X002", "extra `onnx`")
    monkeypatch.setitem(sys.modules, "onnx", None)
    refused(path, "X002", "extra `onnx`", verify=False)
