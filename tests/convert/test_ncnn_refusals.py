# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""ncnn files that are cut, contradict themselves, or ask for more than they hold."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from efm3.convert import _ncnn_param, ncnn
from efm3.convert._base import Wanted
from efm3.convert._ncnn_bin import Bin
from efm3.source import Unreadable
from tests.convert.ncnn_files import floats, forward, pair, picture, raw, refusal, write

IN = picture(4, 3, 5)
CONV = "Convolution c 1 1 in out 0=2 1=1 5=1 6=8"
X = np.random.default_rng(1).standard_normal((4, 3, 5))
A = np.random.default_rng(2).standard_normal(4).astype(np.float32)


def test_the_weights_are_used_to_the_last_byte(tmp_path):
    data = floats(range(8)) + raw([1, 2])
    for cut in (0, 3, 4, 5, 35, 36, 40, 43):
        assert refusal(write(tmp_path, [IN, CONV], data[:cut]), None, "c (Convolution)") == "X003"
    write(tmp_path, [IN, CONV], data)
    ncnn.read(str(tmp_path / "x.param"), Wanted())
    assert refusal(write(tmp_path, [IN, CONV], data + b"\0"), None, "1 bytes more") == "X003"


def test_a_file_that_shrinks_while_it_is_read(tmp_path):
    path = write(tmp_path, [IN, CONV], floats(range(8)) + raw([1, 2]))
    layer = _ncnn_param.parse(path.read_bytes(), "x").layers[1]
    with path.with_suffix(".bin").open("r+b") as f:
        weights = Bin(f, "x.bin")
        f.truncate(8)
        with pytest.raises(Unreadable, match="changed while"):
            weights.load(layer)


def test_every_cut_of_a_written_pair_is_refused(small, tmp_path):
    path = Path(pair(tmp_path, small, name="x"))
    text, data = path.read_bytes(), path.with_suffix(".bin").read_bytes()
    for cut in range(0, len(text) - 1, 397):
        path.write_bytes(text[:cut])
        assert refusal(path) in ("X003", "X006"), cut
    path.write_bytes(text)
    for cut in range(0, len(data), 4999):
        path.with_suffix(".bin").write_bytes(data[:cut])
        assert refusal(path, None, "more: it is cut short") == "X003"


def test_layers_that_nobody_needs_take_their_weights(tmp_path):
    lines = [IN, "Split s 1 2 in a b", "InnerProduct d 1 1 a dead 0=1 2=60", "Foo f 1 1 dead e",
             "Noop n 1 1 b out"]
    path = write(tmp_path, lines, floats(range(60)))
    assert np.array_equal(forward(path, X, "out"), X)
    assert refusal(path, None, "2 outputs", "e, out") == "X018"
    assert refusal(path, Wanted(output="nobody"), "no output of that name", "e, out") == "X018"
    graph = ncnn.read(str(path), Wanted(output="e")).graph
    assert graph.output.op == "Foo" and graph.output.place == "f (Foo)"
    # Not even a shape that cannot be is looked at.
    lines[2] = "InnerProduct d 1 1 a dead 0=1 2=59"
    assert np.array_equal(forward(write(tmp_path, lines, floats(range(59))), X, "out"), X)


def test_weights_after_a_layer_of_an_unknown_kind_are_not_read(tmp_path):
    lines = [IN, "LSTM l 1 1 in a 0=4", "Bias b 1 1 a out 0=4"]
    assert refusal(write(tmp_path, lines, raw(A)), None, "l (LSTM): EFM3 has no such") == "X008"
    assert refusal(write(tmp_path, lines[:2], raw(A)), None, "l (LSTM): EFM3 has no such") == "X008"
    assert ncnn.read(str(write(tmp_path, lines[:2])), Wanted()).graph.output.op == "LSTM"


def test_one_input(tmp_path):
    lines = ["Input a 0 1 a", "Input b 0 1 b", "BinaryOp c 2 1 a b out"]
    assert refusal(write(tmp_path, lines), None, "2 inputs", "a, b") == "X008"
    assert refusal(write(tmp_path, ["Input a 0 1 a"]), None, "no output") == "X007"
    lines = [IN, "MemoryData m 0 1 m 0=4", "ReLU r 1 1 m out"]
    assert refusal(write(tmp_path, lines, raw(A)), None, "0 inputs") == "X008"
    graph = ncnn.read(str(write(tmp_path, ["Input a 0 1 a", "ReLU r 1 1 a out"])), Wanted()).graph
    assert graph.input.shape == (1, 3, 112, 112) and not graph.assumed
    hinted = write(tmp_path, ["Input a 0 1 a -23330=4,3,96,112,3", "ReLU r 1 1 a out"])
    assert ncnn.read(str(hinted), Wanted()).graph.input.shape == (1, 3, 112, 96)


@pytest.mark.parametrize("lines,found", [
    ([IN, "ReLU r 1 1 no out"], "X007"), ([IN, "ReLU r 1 1 in in"], "X007"),
    ([IN, "ReLU r 2 1 in in out"], "X007"),
    ([IN, "ReLU r 1 2 in out b", "Concat c 2 1 out b e"], "X007"),
    ([IN, "Concat r 0 1 out"], "X007"), ([IN, "ReLU r 1 1 in"], "X003"),
    ([IN, "ReLU r 1 1 in out 0.5"], "X003"), ([IN, "ReLU r 1 1 in out 0=1 x"], "X003"),
    ([IN, "ReLU r 1 1 in out 32=1"], "X003"), ([IN, "ReLU r 1 1 in out -1=1"], "X003"),
    ([IN, "ReLU r 1 1 in out 0=1"], "X006"), ([IN, "ReLU r 1 1 in out 0=1e999"], "X006"),
    ([IN, "ReLU r 1 1 in out 0=0x1p3"], "X006"), ([IN, "ReLU r 1 1 in out 0=nan"], "X006"),
    ([IN, "BinaryOp r 1 1 in out 0=1.0 1=1"], "X006"),
    ([IN, "BinaryOp r 1 1 in out 0=99999999999"], "X006"),
    ([IN, "BinaryOp r 1 1 in out 0=" + "9" * 5000], "X006"),
    ([IN, "Slice r 1 1 in out -23300=2,1"], "X003"), ([IN, "Slice r 1 1 in out 0=1.0,2.0"], "X006"),
    ([IN, "Slice r 1 1 in out 0=9,"], "X006"), ([IN, "Slice r 1 1 in out 0=1,2"], "X006"),
    ([IN, "Eltwise r 1 1 in out 0=1 -23301=1,2"], "X006"),
    ([IN, "Crop r 1 1 in out 9=1,1 10=2,"], "X006"), ([IN, "Crop r 1 1 in out 0=1"], "X006"),
    ([IN, "InnerProduct r 1 1 in out 0=2 2=3"], "X006"),
    ([IN, "Concat r 1 1 in out 0=3"], "X006"), ([IN, "Reshape r 1 1 in out 0=7"], "X006"),
    ([IN, "Reshape r 1 1 in out 0=-1 1=-1"], "X006"), ([IN, "Reshape r 1 1 in out"], "X006"),
    ([IN, "Reduction r 1 1 in out 1=0 -23303=1,0"], "X008"),
    ([IN, "Convolution r 1 1 in out 0=2 1=1 6=3"], "X006"),
    ([IN, "Convolution r 1 1 in out 0=2147483647 1=2147483647 6=2147483647"], "X006"),
    ([IN, "Convolution r 1 1 in out 0=-1 1=-1 11=1 6=1"], "X006"),
    ([IN, "Convolution r 1 1 in out 0=1 1=1 6=2147483647"], "X003"),
    ([IN, "BatchNorm r 1 1 in out"], "X006"), ([IN, "BatchNorm r 1 1 in out 0=-5"], "X006"),
    ([IN, "MemoryData r 0 1 out 0=2147483647 1=2147483647 2=2147483647"], "X003"),
    ([IN, "MemoryData r 0 1 out 0=-4"], "X006"), (["Input in 0 1 in 0=-4", "ReLU r 1 1 in o"],
                                                  "X006"),
    ([IN, "Input r"], "X003"), ([IN, "Input r -1 1 x"], "X003"),
    ([IN, "Input r 9999999 1 x"], "X003"), (["Input in 0 1 in 11=4", "ReLU r 1 1 in o"], "X006"),
], ids=lambda v: v[-1][:40] if isinstance(v, list) else v)
def test_lines_that_cannot_be(lines, found, tmp_path):
    assert refusal(write(tmp_path, lines)) == found


@pytest.mark.parametrize("line,data,found", [
    ("Convolution r 1 1 in out 0=1 1=1 6=4 3=0", floats(A), "X006"),
    ("Convolution r 1 1 in out 0=1 1=1 6=4 4=-3", floats(A), "X009"),
    ("Convolution r 1 1 in out 0=1 1=1 6=4 4=1000000", floats(A), "X009"),
    ("Convolution r 1 1 in out 0=1 1=1 6=4 2=-1 1=2 11=1 6=8", floats(range(8)), "X006"),
    ("Convolution r 1 1 in out 0=1 1=2 6=8", floats(range(8)), "X006"),
    ("Convolution r 1 1 in out 0=1 1=1 6=4 9=3 -23310=1,1.0", floats(A), "X006"),
    ("ConvolutionDepthWise r 1 1 in out 0=1 1=1 6=1 7=0", floats([1]), "X006"),
    ("InnerProduct r 1 1 in out 0=1 2=4", floats(A), "X006"),
    ("PReLU r 1 1 in out 0=3", raw([1, 2, 3]), "X006"),
    ("Normalize r 1 1 in out 0=1 3=3", raw([1, 2, 3]), "X006"),
])
def test_weights_that_do_not_fit(line, data, found, tmp_path):
    assert refusal(write(tmp_path, [IN, line], data)) == found


def test_a_last_map_of_another_size_is_named(tmp_path):
    lines = [picture(4, 7, 7), "ConvolutionDepthWise g 1 1 in a 0=4 1=6 11=7 6=168 7=4",
             "BatchNorm b 1 1 a b 0=4", "InnerProduct e 1 1 b out 0=1 2=4"]
    path = write(tmp_path, lines, floats(np.ones(168)) + raw(A, A, A, A) + floats(A))
    assert refusal(path, None, "g (ConvolutionDepthWise) has a kernel of 7×6", "is 7×7") == "X009"
    lines = [picture(4, 7, 7), "InnerProduct e 1 1 in out 0=1 2=4"]
    assert refusal(write(tmp_path, lines, floats(A))) == "X006"


@pytest.mark.parametrize("text", [
    b"7767516\n1 1\n", b"", b"7767517", b"7767517\n", b"7767517 1 1\nInput a 0 1 a\n",
    b"7767517\n0 0\n", b"7767517\n-1 1\nInput a 0 1 a\n", b"7767517\n1\nInput a 0 1 a\n",
    b"7767517\n2 1\nInput a 0 1 a\n", b"7767517\n1 2\nInput a 0 1 a\nReLU r 1 1 a b\n",
    b"7767517\n2 1\nInput a 0 1 a\nReLU r 1 1 a b\n", b"7767517\n1 1\nInput \xff 0 1 a\n",
    b"\xef\xbb\xbf7767517\n1 1\nInput a 0 1 a\n", b"7767517\n99999999999 1\nInput a 0 1 a\n",
    b"7767517\n\xd9\xa1 1\nInput a 0 1 a\n",
])
def test_heads_that_cannot_be(text, tmp_path):
    (tmp_path / "x.bin").write_bytes(b"")
    (tmp_path / "x.param").write_bytes(text)
    assert refusal(tmp_path / "x.param") == "X003"


def test_pnnx_has_the_same_number_and_is_named(tmp_path):
    path = write(tmp_path, ["pnnx.Input a 0 1 0 #0=(1,3,112,112)f32", "nn.ReLU r 1 1 0 1"])
    assert refusal(path, None, "PNNX's own graph", "NAME.ncnn.param") == "X003"


def test_both_line_ends_and_blank_lines(tmp_path):
    path = write(tmp_path, [IN, "ReLU r 1 1 in out"])
    path.write_bytes(b"7767517\r\n2 9\r\n\r\n" + b"\r\n".join(
        line.encode() for line in (IN, "ReLU r 1 1 in out")))
    assert np.array_equal(forward(path, X), np.maximum(X, 0))


def test_sizes_are_bounded(tmp_path):
    path = write(tmp_path, [IN])
    path.write_bytes(b"7767517\n20001 1\n")
    assert refusal(path, None, "20,001 layers") == "X008"
    with path.open("r+b") as f:
        f.truncate(1 << 40)
    assert refusal(path, None, "a few thousand lines") == "X003"
    # Two MiB, the most that is read, of lines and words as short as can be.
    many = b"7767517\n9 9\n" + b"\n" * (1 << 20) + b"a b " * (1 << 18)
    path.write_bytes(many)
    tracemalloc.start()
    assert refusal(path) == "X003"
    assert tracemalloc.get_traced_memory()[1] < 3 * len(many) + (32 << 20)
    tracemalloc.stop()
