# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A foreign file that a transfer as text has changed is called that."""

import numpy as np
import pytest

from efm3.convert._damage import named, text_damage
from efm3.findings import error

CHANGES = {
    "every LF in it has a CR before it": lambda b: b.replace(b"\n", b"\r\n"),
    "it has no CR": lambda b: b.replace(b"\r", b""),
    "it has no LF": lambda b: b.replace(b"\n", b"\r"),
    "no LF in it has a CR before it": lambda b: b.replace(b"\r\n", b"\n"),
}
WRONG = error("X006", "an array has 3,000 dimensions", "array 1")


@pytest.fixture(scope="module")
def weights():
    return np.random.default_rng(2).normal(0, 0.1, 1 << 20).astype("<f4").tobytes()


@pytest.mark.parametrize("words", CHANGES)
def test_each_change_is_told(tmp_path, weights, words):
    path = tmp_path / "x.onnx"
    path.write_bytes(CHANGES[words](weights))
    assert text_damage(str(path)) == words
    found = named(WRONG, str(path))
    assert found.code == "X003" and found.path == str(path)
    for part in (words, str(path), "binary mode", "an array has 3,000 dimensions"):
        assert part in found.finding.message


@pytest.mark.parametrize("data", [
    lambda b: b, lambda b: b[:9000], lambda b: b[:9000].replace(b"\r", b""), lambda b: b"",
    lambda b: bytes(1 << 20) + b[:2000], lambda b: b"a line\r\n" * 9999,
    lambda b: b[:1 << 20].replace(b"\r\n", b"\n"), lambda b: b"\r\n" * 99 + b])
def test_what_proves_nothing(tmp_path, weights, data):
    path = tmp_path / "x.onnx"
    path.write_bytes(data(weights))
    assert text_damage(str(path)) == ""
    assert named(WRONG, str(path)) is WRONG


@pytest.mark.parametrize("text,beside", [
    ("a.param", "a.bin"), ("a.ncnn.param", "a.ncnn.bin"), ("a-symbol.json", "a-0012.params"),
    ("a.prototxt", "a.caffemodel"), ("a.PROTOTXT", "a_iter_9.caffemodel")])
def test_the_weights_beside_a_text_are_looked_at(tmp_path, weights, text, beside):
    path, other = tmp_path / text, tmp_path / beside
    path.write_text("text")
    other.write_bytes(weights)
    assert named(WRONG, str(path)) is WRONG
    other.write_bytes(weights.replace(b"\n", b"\r\n"))
    assert named(WRONG, str(path)).path == str(other)
    assert named(WRONG, str(tmp_path / "a.onnx")) is WRONG
    assert named(WRONG, str(tmp_path / "b.param")) is WRONG


def test_a_refusal_for_another_reason_stays(tmp_path, weights):
    path = tmp_path / "x.onnx"
    path.write_bytes(weights.replace(b"\n", b"\r\n"))
    other = error("X018", "it has 2 outputs")
    assert named(other, str(path)) is other
    assert named(WRONG, str(tmp_path / "none" / "x.param")) is WRONG
