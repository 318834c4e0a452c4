# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Any bytes give a Report or one Efm3Error; the verdict is the oracle's and the C engine's."""

import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import efm3
from efm3 import format as fmt
from efm3 import scan as scan_module
from efm3.arch import Stage
from efm3.conformance import sample
from efm3.conformance.examples import EXAMPLES, example
from efm3.network import tensor_layout
from efm3.rules import load_rules
from tests.oracle import accepts

BASE = sample.base()
SIZES = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)


def engine_accepts(data: bytes) -> bool:
    """Whether the C engine loads the bytes; its refusals name a place inside them."""
    try:
        efm3.Engine(data).close()
    except efm3.Efm3Error as e:
        assert e.code.startswith("E_") and e.finding.message
        assert e.offset is None or 0 <= e.offset <= len(data)
        return False
    return True


def check(data: bytes) -> bool:
    """The verdict at level structure, after all levels ran; oracle and engine must share it."""
    report = efm3.validate(data)
    rules = load_rules()
    sound = not any(f.severity == "error" and rules[f.code].level == "structure"
                    for f in report.findings)
    assert sound == accepts(data) == engine_accepts(data)
    for f in report.findings:
        assert f.offset is None or 0 <= f.offset <= len(data)
        assert f.offset is None or f.offset + (f.length or 0) <= len(data)
    if not report.ok:
        with pytest.raises(efm3.Efm3Error) as e:
            efm3.load(data, level="values")
        assert e.value.finding in report.findings
    return sound


def u32_offsets() -> list[int]:
    s = sample.spans(BASE)
    fields = [f.offset for f in fmt.FIELDS.values() if f.size == 4]
    return [*fields, (s.table_offset or 0) - 4, *(t.offset for t in s.tensors)]


@pytest.mark.parametrize("value", SIZES)
def test_every_u32_at_the_edges(value):
    for offset in u32_offsets():
        new = sample.put(offset, struct.pack("<I", value))(BASE)
        # The unused records' reserved fields are zero already.
        assert check(new) == (new == BASE)


@pytest.mark.parametrize("value", [*SIZES, 43, 44])
def test_43_byte_files(value):
    for at in range(0, 40, 4):
        assert not check(sample.put(at, struct.pack("<I", value))(BASE[:43]))
    assert not check(b"EFM3" + struct.pack("<I", 3) + b"\xff" * 35)


def peak_of(data: bytes) -> int:
    """Most bytes that validate holds, with nothing remembered of earlier files."""
    scan_module._network.cache_clear()
    tensor_layout.cache_clear()
    tracemalloc.start()
    efm3.validate(data, "structure")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_lying_lengths_allocate_nothing():
    efm3.validate(BASE)
    for offset in u32_offsets():
        for value in SIZES:
            data = sample.put(offset, struct.pack("<I", value))(BASE)
            assert peak_of(data) < len(data) + (1 << 20)


@pytest.mark.parametrize("entry", [b"", b"\0\0\0\0", b"\4\0\0\0abcd"])
@pytest.mark.parametrize("count", [4380, 8760])
def test_a_header_of_256_blocks_allocates_little(entry, count):
    """The longest layout, before no table or one of as many entries as a walk follows."""
    stages = (Stage(255, 32, 4), *(Stage(255, 32, 1) for _ in range(7)))
    header = fmt.ARCH_HEADER.build(efm3.Arch("", 0.0, 257, 257, 8, 8, 14, stages).header())
    data = BASE[:8] + header + struct.pack("<II", 0, count) + entry * count
    efm3.validate(data, "structure")
    assert not efm3.validate(data, "structure").ok
    assert peak_of(data) < 2 * len(data) + (1 << 20)


@settings(max_examples=1500, deadline=None)
@given(st.lists(st.tuples(st.integers(0, len(BASE) - 1), st.binary(min_size=1, max_size=8)),
                min_size=1, max_size=6))
def test_random_patches(patches):
    data = BASE
    for offset, new in patches:
        data = sample.put(offset % 400 if len(new) > 4 else offset, new)(data)
    check(data)


@settings(max_examples=500, deadline=None)
@given(st.binary(max_size=200), st.sampled_from([b"", b"EFM3", b"EFM3\3\0\0\0", BASE[:92]]))
def test_random_bytes(tail, head):
    check(head + tail)


@settings(max_examples=600, deadline=None)
@given(st.binary(min_size=80, max_size=80))
def test_random_headers(header):
    check(BASE[:8] + header + BASE[88:])


@settings(max_examples=400, deadline=None)
@given(st.fixed_dictionaries({
    "stem_kernel": st.integers(0, 17), "stem_stride": st.integers(0, 5),
    "stem_channels": st.sampled_from([0, 1, 7, 257, 65535]),
    "block_channels": st.sampled_from([0, 1, 5, 258, 65535]),
    "final_channels": st.sampled_from([0, 1, 9]), "embedding_dim": st.sampled_from([0, 1, 3]),
    "gdc_kernel": st.integers(0, 113), "n_stages": st.integers(0, 9),
    "stages": st.lists(st.fixed_dictionaries({
        "t": st.sampled_from([0, 1, 2, 255]), "n": st.sampled_from([0, 1, 2, 128, 255]),
        "s": st.integers(0, 5), "pad": st.sampled_from([0, 0, 0, 1]),
        "reserved": st.sampled_from([0, 0, 0, 1])}), min_size=8, max_size=8)}))
def test_built_headers(header):
    full = sample.ARCH.header() | header
    check(sample.put(fmt.FIELDS["arch.hdr_version"].offset, fmt.ARCH_HEADER.build(full))(BASE))


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_examples_agree_with_the_oracle(code):
    check(example(code)[1])


@pytest.mark.parametrize("arch", list(efm3.ARCHS))
def test_published_archs_are_accepted(arch):
    assert check(sample.build(efm3.ARCHS[arch]))


def test_sources_of_every_kind_agree(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(BASE)
    for source in (BASE, bytearray(BASE), memoryview(BASE), io.BytesIO(BASE), path, str(path)):
        assert efm3.validate(source).ok
    assert not efm3.validate(io.BytesIO(b"")).ok
    assert efm3.load(io.BytesIO(BASE)).arch.stem_channels == 8
