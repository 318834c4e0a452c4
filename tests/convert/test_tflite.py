# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""TFLite: types of weights, files, networks."""

import numpy as np
import pytest

from efm3 import reference
from efm3.convert import tflite
from efm3.convert._base import Wanted
from efm3.convert.graph import run
from efm3.convert.matching import network_of
from tests.convert.tflite_checks import (
    RANDOM,
    ROW,
    SHAPE,
    SHIFT,
    X,
    begin,
    computes,
    refused,
    source,
)
from tests.convert.tflite_files import RELU, VALID, Style, Writer, network

# Types.

def scaled(q, scale, zero, axis=3):
    wide = np.array(scale, np.float32).reshape([-1 if i == axis else 1 for i in range(4)])
    return (q.astype(np.float64) - zero) * wide


@pytest.mark.parametrize("kind,scale,zero,axis,words", [
    ("int8", 0.5, 3, 0, "int8 weights, dequantised"),
    ("uint8", 0.25, 128, 0, "uint8 weights, dequantised"),
    ("int8", [0.5, 0.25, 2], 0, 3, "int8 weights, dequantised"),
    ("int16", 0.001, 0, 0, ""),
])
def test_whole_numbers_with_a_scale_are_multiplied_out(kind, scale, zero, axis, words):
    limits = np.iinfo(kind)
    q = RANDOM.integers(limits.min, limits.max, (1, 4, 5, 3), endpoint=True).astype(kind)
    w, x = begin()
    y = w.op("MUL", [x, w.const(q, scale=scale, zero=zero, axis=axis)], SHAPE)
    computes(w, y, X * scaled(q, scale, zero, axis))
    assert source(w.data([y])).approximate == words


def test_other_types_of_weights():
    want = np.array([0.5, -2, 1.5])
    w, x = begin()
    for weights in (w.half(ROW), w.const(ROW.astype(np.float16)), w.const(ROW.astype(np.float64)),
                    w.tensor((3,), kind="bfloat16", data=(ROW.view(np.uint32) >> 16).astype(
                        np.uint16).tobytes()),
                    w.tensor((3,), kind="int4", data=b"\xc1\x03", scale=0.5),
                    w.const(np.array([1, -4, 3], np.int32), scale=0.5)):
        y = w.op("MUL", [x, weights], SHAPE)
        computes(w, y, X * want)
    assert source(w.data([w.op("MUL", [x, w.half(ROW)], SHAPE)])).approximate == ""


def full_integer(kind, op_zero, op_scale, *, input_kind="int8", activation=0):
    w = Writer()
    x = w.input(SHAPE, kind=input_kind, scale=1 / 128, zero=0 if input_kind == "int8" else 128)
    kernel = w.int8(np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3), 0)
    bias = w.const(np.array([127, -254, 0], np.int32), scale=1 / 127)
    y = w.op("CONV_2D", [x, kernel, bias], SHAPE, "conv", kind, scale=op_scale, zero=op_zero,
             padding=VALID, stride_w=1, stride_h=1, activation=activation)
    return w, w.op("DEQUANTIZE", [y], SHAPE, "out")


def test_a_full_integer_network_becomes_one_of_real_numbers():
    w, y = full_integer("int8", 0, 0.05)
    computes(w, y, X + SHIFT)
    text = source(w.data([y])).approximate
    assert text.startswith("full-integer, dequantised: activations were rounded to 8 bits")
    assert text.endswith("its input's 256 values stand for -1 to 0.9922")
    w, y = full_integer("uint8", 120, 0.05, input_kind="uint8")
    assert source(w.data([y])).approximate.endswith("stand for -1 to 0.9922")
    w, y = full_integer("int16", 0, 0.001, input_kind="int16")
    assert source(w.data([y])).approximate == (
        "full-integer, dequantised: activations were rounded to 16 bits in the source")


def test_an_activation_that_only_the_range_states():
    """Older converters leave out a ReLU whose range is the range of the 8 bits."""
    want = X + SHIFT
    for kind, zero in (("int8", -128), ("uint8", 0)):
        w, y = full_integer(kind, zero, 0.05)
        computes(w, y, np.maximum(want, 0))
        w, y = full_integer(kind, zero, 6 / 255)
        computes(w, y, np.clip(want, 0, 6))
        assert [n.place for n in source(w.data([y])).graph.nodes if n.op == "Clip"] == [
            "conv (RELU6)"]
    w, y = full_integer("int8", -128, 0.05, activation=RELU)
    assert [n.op for n in source(w.data([y])).graph.nodes].count("Relu") == 1


# Files.

def test_older_and_newer_files():
    w, x = begin()
    y = w.op("RELU", [x], SHAPE)
    for old in (False, True):
        assert source(w.data([y], old=old)).graph.output.place == "t1 (RELU)"


def test_a_size_that_may_change():
    w, _ = begin()
    w = Writer()
    x = w.input((1, 1, 1, 3), signature=(-1, -1, -1, 3))
    y = w.op("RELU", [x], (1, 1, 1, 3))
    graph = source(w.data([y])).graph
    assert graph.input.shape == (1, 112, 112, 3) and graph.batch == 1
    w = Writer()
    y = w.op("RELU", [w.input((4, 112, 112, 3), signature=(-1, 112, 112, 3))], (4, 112, 112, 3))
    assert source(w.data([y])).graph.batch == 4


def test_only_what_the_output_depends_on_is_read():
    w, x = begin()
    w.op("WHILE", [x], SHAPE)
    y = w.op("RELU", [x], SHAPE)
    w.op("ADD", [y, w.tensor((3,), kind="string", data=b"abc")], SHAPE)
    assert [n.op for n in source(w.data([y])).graph.nodes] == ["Input", "Relu"]


def test_outputs_are_chosen_by_name():
    w, x = begin()
    a, b = w.op("RELU", [x], SHAPE, "first"), w.op("NEG", [x], SHAPE, "second")
    data = w.data([a, b], signature={"output_0": a, "output_1": b})
    assert source(data, output="second").graph.output.op == "Neg"
    assert source(data, output="output_0").graph.output.op == "Relu"
    refused(data, "X018", "first [2, 4, 5, 3], second [2, 4, 5, 3]")
    refused(data, "X018", "no output", "'third'", output="third")
    refused(w.data([a]), "X018", "'second'", output="second")
    assert source(w.data([a, a])).graph.output.op == "Relu"


def test_an_operator_that_is_not_known_keeps_its_name_and_place():
    for custom, code in ((False, "BATCH_MATMUL"), (True, "MyOp"), (True, "Conv"), (True, "ADD")):
        w, x = begin()
        y = w.op("RELU", [w.op(code, [x, x], SHAPE, "odd", custom=custom)], SHAPE)
        node = source(w.data([y])).graph.output.inputs[0]
        assert (node.place, node.shape) == (f"odd ({code})", SHAPE)
        assert node.op == ("custom Conv" if code == "Conv" else code)


def test_long_names_are_shortened_to_their_end():
    w, x = begin()
    name = "/".join(f"scope_{i}" for i in range(30))
    place = source(w.data([w.op("RELU", [x], SHAPE, name)])).graph.output.place
    assert place.startswith("…/scope_") and place.endswith("/scope_29 (RELU)") and len(place) < 90
    w, x = begin()
    name = "__main__.Net/torch.nn.modules.container.Sequential_0/torch.nn.modules.conv.Conv2d_1;x/y"
    place = source(w.data([w.op("RELU", [x], SHAPE, name)])).graph.output.place
    assert place == "__main__.Net/Sequential_0/Conv2d_1 (RELU)"


# Networks.

STYLES = [Style(), Style(batch=2), Style(prelu="keras"), Style(prelu="abs", norm="rsqrt"),
          Style(prelu="where", norm="none"), Style(prelu="maximum"), Style(same=True)]


@pytest.mark.parametrize("style", STYLES, ids=repr)
def test_a_network_becomes_the_same_network(style, small, pictures, small_embeddings, tmp_path):
    path, wanted = tmp_path / "x.tflite", Wanted(turned=style.same, bgr=False)
    x, want = pictures[:1], small_embeddings[:1]
    path.write_bytes(network(small, style))
    found = network_of(tflite.read(str(path), wanted), wanted)
    assert found.turned == style.same
    if style.same:
        # Another network than the model that was written: the graph itself is the judge.
        graph = tflite.read(str(path), wanted).graph
        want = run.forward(graph, x.transpose(0, 2, 3, 1))
    np.testing.assert_allclose(reference.forward(found.model, x), want, atol=1e-6)


@pytest.mark.parametrize("weights,words,limit", [
    ("float16", [], 1e-5), ("int8", ["int8 weights, dequantised"], 1e-2)])
def test_weights_of_fewer_bits(weights, words, limit, small, pictures, small_embeddings):
    found = network_of(source(network(small, Style(weights=weights))), Wanted())
    assert [a for a in found.assumed if "dequantised" in a] == words
    cosine = np.sum(reference.forward(found.model, pictures[:1]) * small_embeddings[:1])
    assert 1e-12 < 1 - cosine < limit


def test_one_picture_goes_in():
    w, x = begin()
    y = w.op("ADD", [x, w.input((1,), "phase")], SHAPE)
    refused(w.data([y]), "X008", "2 inputs (input, phase)")
    w = Writer()
    y = w.op("RELU", [w.input((1, 3))], (1, 3))
    refused(w.data([y]), "X016", "[1, 3]")
    w, x = begin()
    y = w.op("RELU", [w.const(ROW)], (3,))
    refused(w.data([y]), "X008", "0 inputs")
