# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""safetensors: round trips, what other tools read, and damage."""


import struct
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors import numpy

import efm3
from efm3.convert import FORMATS, Wanted, module_of, read, write
from efm3.convert._meta import ARCH_KEY

NEEDS = ("safetensors",)
HOSTILE = Path(__file__).resolve().parents[3] / "shared" / "cases" / "hostile"


def test_round_trip(vector, odd_text, round_trip):
    for path in (vector, odd_text):
        found = numpy.load_file(round_trip(path, ".safetensors"))
        model = efm3.load(path)
        assert set(found) == set(model.tensors)
        assert all((found[k] == v).all() for k, v in model.tensors.items())


def test_the_arch_is_in_the_metadata(small, tmp_path):
    from safetensors import safe_open
    write(small, tmp_path / "a.safetensors")
    with safe_open(tmp_path / "a.safetensors", "numpy") as f:
        assert '"embedding_dim":12' in f.metadata()[ARCH_KEY]


def test_sorted_keys_of_a_state_dict_find_their_order(small, state, tmp_path, refused):
    # The library sorts keys, so blocks stand as stages.0, stages.1, stages.10, ...
    path = tmp_path / "a.safetensors"
    numpy.save_file(state, path)
    model = read(path)
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())
    refused(path, "X014", "order", strict=True)


def test_damage(small, tmp_path):
    path = tmp_path / "a.safetensors"
    write(small, path)
    data = path.read_bytes()
    for bad in (b"", data[:4], data[:100], data[:-1], b"\xff" * 8 + data[8:], b"x" * 200,
                data + b"x"):
        path.write_bytes(bad)
        reads(path, "X003", "not a safetensors file")
    with pytest.raises(OSError):
        read(tmp_path / "none.safetensors")


def reads(path, code, *words):
    """The reader itself refuses the file, whatever its first bytes say of it."""
    with pytest.raises(efm3.Efm3Error) as e:
        module_of(FORMATS["safetensors"]).read(str(path), Wanted())
    assert e.value.code == code, e.value
    for word in words:
        assert word in str(e.value)


def headed(text, body=b""):
    return struct.pack("<Q", len(text)) + text + body


def entry(key="a", dtype="F32", shape="[1]", offsets="[0,4]"):
    return f'"{key}":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}'


HEADERS = {
    "list": "[]", "text": '{"a":1}', "not UTF-8": "{\udcff}", "no JSON": "{,}",
    "deep": '{"a":' + "[" * 100_000, "twice": "{" + entry() + "," + entry() + "}",
    "long number": '{"a":' + "9" * 100_000 + "}", "float": "{" + entry(shape="[1.0]") + "}",
    "minus": "{" + entry(shape="[-1]") + "}", "NaN": "{" + entry(shape="[NaN]") + "}",
    "type": "{" + entry(dtype="F99") + "}", "size": "{" + entry(shape="[2]") + "}",
    "outside": "{" + entry(offsets="[0,8]", shape="[2]") + "}",
    "backwards": "{" + entry(offsets="[4,0]") + "}", "true": "{" + entry(shape="[true]") + "}",
    "hole": "{" + entry(shape="[0]", offsets="[0,0]") + "}",
    "overlap": "{" + entry() + "," + entry("b") + "}", "rank": "{" + entry(
        shape="[1,1,1,1,1,1,1,1,1]") + "}", "nothing": '{"a":{}}',
}


@pytest.mark.parametrize("case", HEADERS)
def test_headers_that_lie(tmp_path, case):
    text = HEADERS[case].encode("utf-8", "surrogateescape")
    (tmp_path / "a.safetensors").write_bytes(headed(text, bytes(4)))
    reads(tmp_path / "a.safetensors", "X003")


def test_a_header_of_any_size_is_not_parsed(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(headed(b" " * (3 << 20)))
    reads(tmp_path / "a.safetensors", "X003", "its header has 3,145,728 bytes")


def test_other_types(state, tmp_path, refused):
    path = tmp_path / "a.safetensors"
    numpy.save_file(state | {"stem.bn.weight": np.zeros(8, np.int32)}, path)
    refused(path, "X006", "stem.bn.weight")
    path.write_bytes(headed(f"{{{entry('a.weight', 'F8_E4M3', [1, 4])}}}".encode(), bytes(4)))
    reads(path, "X006", "a.weight holds F8_E4M3")


def test_bfloat16_is_exact(state, tmp_path):
    """numpy has no such type; it is the upper half of a float32."""
    halves = {k: v.view(np.uint32) >> 16 for k, v in state.items() if v.dtype == np.float32}
    at, entries, body = 0, [], []
    for k, v in halves.items():
        raw = v.astype("<u2").tobytes()
        entries.append(entry(k, "BF16", [*v.shape], [at, at + len(raw)]))
        at += len(raw)
        body.append(raw)
    (tmp_path / "a.safetensors").write_bytes(
        headed(("{" + ",".join(entries) + "}").encode(), b"".join(body)))
    model = read(tmp_path / "a.safetensors")
    want = (halves["stem.conv.weight"] << 16).view(np.float32)
    assert np.array_equal(model.tensors["stem.conv.w"], want)


def test_one_key_of_many_dots(state, tmp_path, refused):
    numpy.save_file(state | {"a." * 100_000 + "weight": np.zeros(1, np.float32)},
                    tmp_path / "a.safetensors")
    refused(tmp_path / "a.safetensors", "X015", "names within names")


@pytest.mark.parametrize("name", ["bf16_said_damaged.safetensors", "dotted_key_hang.safetensors"])
def test_the_hostile_files_of_the_cases(refused, name):
    if not (HOSTILE / name).is_file():
        pytest.skip(f"{name} is not beside the project")
    refused(HOSTILE / name, "X015")


def test_reading_needs_no_library(small, tmp_path, monkeypatch):
    write(small, tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    model = read(tmp_path / "a.safetensors")
    assert all((model.tensors[k] == v).all() for k, v in small.tensors.items())
    with pytest.raises(efm3.Efm3Error, match="extra `safetensors`"):
        write(small, tmp_path / "b.safetensors")
