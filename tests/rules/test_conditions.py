# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Files that nearly are what a rule looks for, and files with two faults of which one is told.

The corpus has no case for them: each fails where one condition of a rule is taken out.
"""

import math
import struct
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

import efm3
from efm3 import format as fmt
from efm3 import mirror as mirrors
from efm3 import rules
from efm3.arch import ARCHS
from efm3.conformance import sample
from efm3.network import tensor_layout
from efm3.rules._quick import QuickValues
from efm3.rules.values import _swapped
from efm3.scan import scan


def found(data):
    """The codes of a file's findings, without those on portability."""
    return {f.code for f in efm3.validate(data).findings if not f.code.startswith("P")}


def table(arch=sample.ARCH):
    return [(n, sample.values(n, math.prod(shape))) for n, shape in tensor_layout(arch)]


def counted(entries, count):
    """A file of these entries that says it has `count`."""
    data = bytearray(sample.build(table=entries))
    at = fmt.PREFIX_SIZE + struct.unpack_from("<I", data, fmt.PREFIX_SIZE - 4)[0]
    data[at:at + 4] = struct.pack("<I", count)
    return bytes(data)


def patched(data, path, value):
    """A file with another value in a field of the prefix."""
    f = fmt.FIELDS[path]
    return data[:f.offset] + value.to_bytes(f.size, "little") + data[f.offset + f.size:]


@pytest.mark.parametrize("data", [
    struct.pack("<Q", 1000) + b"{}",           # a header longer than the file: no safetensors
    struct.pack("<Q", 3) + b"[]xx",
    b"\x09\x05\x12" + b"\1" * 30,              # an ONNX model in all but one byte
    b"\x08\x25\x12" + b"\1" * 30,
    b"\x08\x05\x99" + b"\1" * 30,
    b"\x08\x05\x12",
    b"\x08",
    b"XXXX" + struct.pack(">I", fmt.VERSION) + bytes(100),
    b"XXXX" + b"\xef\xbf\xbd" * 20,            # no EFM3 file after a transfer as text
], ids=lambda data: data[:12].hex())
def test_what_is_nearly_another_file_is_none(data):
    assert found(data) == {"C002"}


def test_a_whole_file_with_marks_of_a_text_transfer_is_fine():
    entries = table()
    name, values = entries[0]
    entries[0] = name, b"\xef\xbf\xbd\x3e" * 12 + values[48:]
    assert found(sample.build(table=entries)) == set()


def test_an_unknown_magic_says_all_of_a_whole_file():
    data = b"EFMX" + struct.pack("<I", 4) + sample.base()[8:]
    assert found(data) == {"C002"}


@pytest.mark.parametrize("cut", [50, 91, fmt.PREFIX_SIZE + 20, fmt.PREFIX_SIZE + 400, -1])
def test_another_version_explains_a_cut_file(cut):
    assert found(patched(sample.base(), "version", 4)[:cut]) == {"C003"}


@pytest.mark.parametrize("size", [0, 5])
def test_another_version_explains_sizes(size):
    name, values = table()[0]
    data = sample.build(table=[(name, values[:size]), *table()[1:]])
    assert found(patched(data, "version", 4)) == {"C003"}


def test_another_version_explains_a_file_cut_between_parts():
    whole = sample.base()
    count = scan(whole).tensors[0].offset - 2
    for cut, code in ((scan(whole).tensors[3].offset, "T013"), (count, "C007")):
        assert found(whole[:cut]) == {code}
        assert found(patched(whole, "version", 4)[:cut]) == {"C003"}


def test_the_words_for_a_cut_file_know_what_is_known():
    start = scan(sample.base()).tensors[3]
    (f,) = efm3.validate(sample.base()[:start.data_offset + 4], select=["T012"]).findings
    assert "bytes are missing in all" in f.message
    more = counted(table(), len(table()) + 3)[:start.data_offset + 4]
    (f,) = efm3.validate(more, select=["T012"]).findings
    assert f.message.endswith("; by its own size field")
    unknown = patched(sample.base(), "arch.stages[0].t", 0)
    for cut, code, words in ((start.offset, "T013", "the size of tensor 3 should be"),
                             (start.data_offset + 4, "T012", "; by its own size field")):
        (f,) = efm3.validate(unknown[:cut], select=[code]).findings
        assert f.message.endswith(words)


@pytest.mark.parametrize("path,value", [
    ("json_len", 1 << 30), ("json_len", 1 << 19), ("arch.hdr_version", 9), ("arch.pad", 7),
    ("arch.n_stages", 0), ("arch.n_stages", 9), ("arch.stages[0].t", 0),
    ("arch.stages[0].reserved", 5), ("arch.stages[7].t", 5), ("arch.gdc_kernel", 9)])
def test_another_version_explains_every_other_field(path, value):
    assert found(patched(patched(sample.base(), "version", 4), path, value)[:-1]) == {"C003"}


def test_a_published_name_on_other_numbers_or_stages():
    nano = ARCHS["nano"]
    for arch, word in ((replace(nano, embedding_dim=nano.embedding_dim + 8), "embedding_dim"),
                       (replace(nano, stages=(*nano.stages[:-1],
                                              replace(nano.stages[-1], t=1))), "stages")):
        (f,) = efm3.validate(sample.build(arch), select=["M028"]).findings
        assert f.message.endswith(f"another {word}")


def test_a_published_name_on_no_network_is_not_told():
    data = patched(sample.build(ARCHS["nano"]), "arch.stages[0].t", 0)
    assert not efm3.validate(data, select=["M028"]).findings


def test_one_tensor_is_no_fp16_or_fp64():
    (name, values), *_ = table()
    for data in (values[:len(values) // 2], values * 2):
        assert not found(counted([(name, data)], 1)) & {"T003", "T004"}


def test_a_missing_tensor_is_missing_from_the_count_too():
    whole = table()
    for i in (0, 3):
        short = whole[:i] + whole[i + 1:]
        assert "T008" in found(sample.build(table=short))
        assert "T008" not in found(counted(short, len(whole)))
        twice = [*short[:-1], (short[-1][0], short[-1][1] + bytes(8))]
        assert "T008" not in found(sample.build(table=twice))


def test_an_extra_tensor_is_in_the_count_too():
    whole, extra = table(), ("extra", bytes(12))
    for i in (0, 3):
        more = [*whole[:i], extra, *whole[i:]]
        assert "T009" in found(sample.build(table=more))
        assert "T009" not in found(counted(more, len(more) + 1))
        twice = [*more[:-1], (more[-1][0], more[-1][1] + bytes(8))]
        assert "T009" not in found(sample.build(table=twice))


@pytest.mark.parametrize("size", [0, 5])
def test_an_extra_tensor_explains_its_own_size(size):
    whole = table()
    codes = found(sample.build(table=[*whole[:3], ("extra", bytes(size)), *whole[3:]]))
    assert "T009" in codes and not codes & {"T010", "T011"}


@pytest.mark.parametrize("size", [0, 5])
def test_a_size_beyond_the_layout_is_no_tensors(size):
    codes = found(sample.build(table=[*table(), ("a", bytes(12)), ("b", bytes(size))]))
    assert "T001" in codes and not codes & {"T010", "T011"}




def with_values(**kinds):
    """The sample file with all values of some kinds (bn_var=...) set to given four bytes."""
    return sample.build(table=[
        (n, kinds[k] * (len(v) // 4) if (k := "_".join(n.rsplit(".", 2)[1:])) in kinds else v)
        for n, v in table()])


def test_variances_that_make_sense_both_ways_are_not_swapped():
    assert found(with_values(bn_var=b"\x3f\x80\x80\x3f")) == set()


BOTH, BACK, NEITHER = b"\x3f\x80\x80\x3f", b"\x3f\x80\0\0", bytes(4)
"""Words that are near 1 as they stand and turned round, turned round alone, and never."""


def with_variances(first, count, rest):
    """The sample file whose first `count` variances are one word and all others another."""
    entries, left = [], count
    for name, data in table():
        if name.endswith(".bn.var"):
            n = len(data) // 4
            data = first * min(left, n) + rest * (n - min(left, n))
            left -= min(left, n)
        entries.append((name, data))
    return sample.build(table=entries)


def test_how_many_variances_make_bytes_swapped():
    """Fewer than half make sense as they stand, and more than nine in ten turned round."""
    total = sum(len(v) // 4 for n, v in table() if n.endswith(".bn.var"))
    half, tenth = (total + 1) // 2, -(-total // 10)
    assert "V001" in found(with_variances(BOTH, half - 1, BACK))
    assert "V001" not in found(with_variances(BOTH, half, BACK))
    assert "V001" in found(with_variances(NEITHER, tenth - 1, BACK))
    assert "V001" not in found(with_variances(NEITHER, tenth, BACK))


@pytest.mark.parametrize("both,back,neither,swapped", [
    (0, 9, 1, False), (0, 10, 0, True), (0, 19, 1, True), (5, 5, 0, False), (4, 6, 0, True)])
def test_shares_of_variances(both, back, neither, swapped):
    words = np.frombuffer(BOTH * both + BACK * back + NEITHER * neither, "<u4")
    assert _swapped(SimpleNamespace(vectors={"bn.var": QuickValues(words)})) is swapped


@pytest.mark.parametrize("value,swapped", [
    (7e-13, True), (1.3e-12, False), (8e8, False), (1.3e9, True)])
def test_which_variances_make_sense(value, swapped):
    """Those from 1e-12 to 1e9; the low half of each of these is 0x803f, the end of 1 turned."""
    word = b"\x3f\x80" + struct.pack("<f", value)[2:]
    assert ("V001" in found(with_values(bn_var=word))) == swapped


def test_one_layer_of_identity_is_not_all():
    one, none = struct.pack("<f", 1), bytes(4)
    identity = {"bn_w": one, "bn_b": none, "bn_mean": none, "bn_var": one}
    assert "V014" in found(with_values(**identity))
    for kind in identity:
        other = identity | {kind: struct.pack("<f", 0.5)}
        assert "V014" not in found(with_values(**other))


@pytest.mark.parametrize("word", ["7fc00000", "7f800000"])
def test_swapped_bytes_explain_a_value_that_is_not_finite(word):
    swapped = [(n, b"".join(v[i:i + 4][::-1] for i in range(0, len(v), 4))) for n, v in table()]
    name, v = swapped[0]
    for raw in (bytes.fromhex(word), bytes.fromhex(word)[::-1]):
        codes = found(sample.build(table=[(name, raw + v[4:]), *swapped[1:]]))
        assert "V001" in codes and not codes & {"V002", "V003"}


def test_a_negative_variance_explains_a_scale():
    entries = table()
    at = [i for i, (n, _) in enumerate(entries) if n.endswith("bn.var")]
    tiny, negative = bytes(4), struct.pack("<f", -1)
    weight = next(i for i in range(at[0], 0, -1) if entries[i][0].endswith("bn.w"))
    large = struct.pack("<f", 100)
    entries[weight] = entries[weight][0], large + entries[weight][1][4:]
    entries[at[0]] = entries[at[0]][0], tiny + entries[at[0]][1][4:]
    assert "V013" in found(sample.build(table=entries))
    entries[at[1]] = entries[at[1]][0], negative + entries[at[1]][1][4:]
    codes = found(sample.build(table=entries))
    assert "V004" in codes and "V013" not in codes


@pytest.mark.parametrize("values,constant", [
    ([0.5], False), ([0.5, 0.5], True), ([0.5, 0.25], False), ([-0.5] * 16, True),
    ([0.5] * 16 + [0.25], False), ([0.5] * 17, True), ([0.0, 0.0], False), ([-0.0, -0.0], False),
    ([0.0, -0.0], False), ([1e-45] * 3, True), ([0.5, -0.5], False)])
def test_a_convolution_of_two_weights_may_be_constant_and_one_of_one_may_not(values, constant):
    arch = replace(sample.ARCH, final_channels=len(values), embedding_dim=1)
    entries = [(n, struct.pack(f"<{len(values)}f", *values) if n == "embed_proj.conv.w" else v)
               for n, v in table(arch)]
    codes = found(sample.build(arch, entries))
    assert ("V015" in codes) == constant and ("V008" in codes) == (not any(values))


@pytest.mark.parametrize("spaces", range(9))
def test_a_canonical_mirror_has_no_space_or_those_that_align(spaces):
    for name in ("a", "ab", "abc", "abcd"):
        text = mirrors.canonical(replace(sample.ARCH, name=name))
        data = sample.text(text + b" " * spaces)(sample.base())
        assert ("M030" in found(data)) == (spaces not in (0, -len(text) % 4))


def test_another_version_explains_sizes_of_another_type():
    half = [(n, v[:len(v) // 2]) for n, v in table()]
    assert "T003" in found(sample.build(table=half))
    assert found(patched(sample.build(table=half), "version", 4)) == {"C003"}


def test_a_digest_is_not_compared_with_a_cut_table():
    assert "M042" not in found(sample.sealed()[:-1])
    assert "M042" not in found(sample.sealed() + b"x")


def test_nothing_is_found_where_every_rule_is_left_out():
    assert rules.run(scan(sample.base()), ignore=tuple("CHMTVP")) == []


def test_halves_with_an_entry_too_many_are_no_half_precision():
    halves = [(name, values[:len(values) // 2]) for name, values in table()]
    assert found(sample.build(table=halves)) >= {"T003"}
    assert "T003" not in found(sample.build(table=[*halves, halves[-1]]))


def test_more_stages_than_records_say_nothing_of_the_records():
    many = patched(sample.base(), "arch.n_stages", fmt.STAGE_SLOTS + 1)
    assert found(patched(many, "arch.stages[0].pad", 1)) == found(many)


@pytest.mark.parametrize("more, words", [(True, "at least 3 bytes"), (False, "3 bytes")])
def test_of_a_stream_that_goes_on_what_was_read_is_the_least_that_follows(more, words):
    report, = rules.run(scan(sample.base() + b"abc", more=more), select=("T014",))
    assert report.message == f"{words} follow the last tensor"
