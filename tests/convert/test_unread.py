# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Large files are checked before they are read: what they say, not their length, costs time."""

import io
import os

import numpy as np
import pytest

import efm3
from efm3 import source
from efm3.convert import _unread, caffe, mxnet, onnx
from efm3.convert._base import Wanted
from efm3.convert._onnx_write import field
from efm3.convert._unread import BLOCK, Unread, read
from efm3.source import Unreadable
from tests.convert import caffe_files, mxnet_files

NODE = field(1, b"x") + field(2, b"y") + field(4, b"Relu")
KERNEL = np.ones((2, 3, 1, 1), np.float32)
LONG = 1 << 31


@pytest.fixture
def unread(monkeypatch):
    """From now on no long file may be read whole."""
    def whole(path):
        assert os.path.getsize(path) < LONG, f"{path} was read whole"
        return source.read(path)
    monkeypatch.setattr(_unread, "read_whole", whole)


def refused(module, path, long, *words):
    """Refused with these words once the file `long` goes on for very long, on no disk."""
    os.truncate(long, LONG)
    with pytest.raises(efm3.Efm3Error) as e:
        module.read(str(path), Wanted())
    assert e.value.code == "X003"
    for word in words:
        assert word in str(e.value)


@pytest.fixture
def arrays(tmp_path):
    """MXNet's arrays, with their symbol beside them."""
    layer = mxnet_files.Layer("Convolution", "c", params={"weight": KERNEL},
                              attrs={"kernel": (1, 1), "num_filter": 2, "no_bias": True})
    mxnet_files.write(tmp_path, [layer])
    return tmp_path / "net-0000.params"


@pytest.fixture
def text(tmp_path):
    """Caffe's text, with the weights beside it."""
    params = {"convolution_param": {"num_output": 2, "kernel_size": 1, "bias_term": False}}
    return caffe_files.write(tmp_path, [caffe_files.Layer(
        "Convolution", "c", ("data",), blobs=(KERNEL,), params=params)])


def test_bytes_are_those_of_the_file():
    data = bytes(np.random.default_rng(1).integers(0, 256, 3 * BLOCK + 7, np.uint8))
    here = Unread(io.BytesIO(data), len(data), "x")
    assert len(here) == len(data)
    for at in (0, 1, 2 * BLOCK, BLOCK - 1, BLOCK, len(data) - 1, 5):
        assert here[at] == data[at]
    for part in (slice(3), slice(7, 2), slice(BLOCK - 2, 2 * BLOCK + 2), slice(len(data), None),
                 slice(len(data) - 3, len(data) + 9)):
        assert here[part] == data[part]


def test_a_file_that_shrinks_is_unreadable():
    here = Unread(io.BytesIO(b"abc"), 9, "x")
    for at in (8, slice(2, 5)):
        with pytest.raises(Unreadable, match="x: changed while it was read"):
            here[at]


def test_only_a_large_file_is_checked_first(tmp_path, monkeypatch):
    path, seen = tmp_path / "x", []
    path.write_bytes(b"abcd")
    monkeypatch.setattr(_unread, "LARGE", 4)
    assert read(str(path), seen.append) == b"abcd" and not seen
    monkeypatch.setattr(_unread, "LARGE", 3)
    assert read(str(path), lambda data: seen.append(data[1:9])) == b"abcd" and seen == [b"bcd"]

    def fail(data):
        raise OSError(5, "Input/output error")
    with pytest.raises(Unreadable, match="x: Input/output error"):
        read(str(path), fail)


def test_onnx(tmp_path, unread):
    path = tmp_path / "x.onnx"
    path.write_bytes(field(7, field(1, NODE)))
    refused(onnx, path, path, "damaged at byte 16: a field has the number 0")


def test_mxnet(arrays, unread):
    more = LONG - arrays.stat().st_size
    symbol = arrays.with_name("net-symbol.json")
    for given in (arrays, symbol):
        refused(mxnet, given, arrays, f"goes on for {more:,} bytes after its last name")
    for given in (symbol, arrays):
        if given == arrays:
            os.truncate(arrays, LONG - more)
        refused(mxnet, given, symbol, "more than a symbol of this network needs")


def test_mxnet_what_is_neither(tmp_path, unread):
    path = tmp_path / "x.params"
    path.write_bytes(b"other")
    refused(mxnet, path, path, "neither a list of MXNet arrays nor a symbol")


def test_caffe(text, unread):
    weights = text.with_suffix(".caffemodel")
    size = weights.stat().st_size
    for given in (text, weights):
        refused(caffe, given, weights, f"damaged at byte {size:,}: a field has the number 0")
    os.truncate(weights, size)
    refused(caffe, weights, text, "more than a text of this network needs")


@pytest.mark.parametrize("large", [0, _unread.LARGE])
def test_sound_files_give_the_same(arrays, text, monkeypatch, large):
    monkeypatch.setattr(_unread, "LARGE", large)
    for module, path in ((mxnet, arrays), (caffe, text)):
        conv = module.read(str(path), Wanted()).graph.output
        assert conv.op == "Conv" and np.array_equal(conv.inputs[1].value, KERNEL)
