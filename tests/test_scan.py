# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The scan says what is where, for whole and for broken files."""

import struct

import pytest

from efm3 import format as fmt
from efm3.conformance import sample
from efm3.conformance.examples import EXAMPLES, example
from efm3.network import tensor_layout
from efm3.scan import scan

BASE = sample.base()


def test_whole_file():
    s = scan(BASE)
    assert s.complete and s.end == s.size == len(BASE)
    assert [(t.name, t.shape) for t in s.tensors] == list(tensor_layout(sample.ARCH))
    assert s.tensors[0].offset == s.table_offset
    assert s.arch.stages == sample.ARCH.stages


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_spans_tile_any_file(code):
    data = example(code)[1]
    at = 0
    for span in scan(data).spans():
        assert span.offset == at and span.length > 0 and span.doc
        at += span.length
    assert at == len(data)


def test_spans_tile_every_prefix():
    for n in range(len(BASE)):
        spans = list(scan(BASE[:n]).spans())
        assert sum(s.length for s in spans) == n


def test_a_cut_tensor_keeps_what_is_there():
    s = scan(BASE[:-5])
    last = s.tensors[-1]
    assert last.name == "embed_proj.bn.var" and last.present == last.size - 5
    assert s.end == last.offset and not s.complete


def test_walk_stops_at_twice_the_layout():
    head = BASE[:scan(BASE).table_offset - 4]
    data = head + struct.pack("<I", 2**32 - 1) + bytes(4 * 100_000)
    assert len(scan(data).tensors) == 2 * len(tensor_layout(sample.ARCH))


def test_walk_is_bounded_without_an_arch():
    broken = sample.field("arch.stem_channels", 0)(BASE)
    data = broken[:scan(BASE).table_offset - 4] + struct.pack("<I", 2**32 - 1) + bytes(400_000)
    s = scan(data)
    assert s.arch is None and len(s.tensors) == 17 * fmt.MAX_BLOCKS + 28


def test_a_mirror_beyond_the_limit_is_not_believed():
    assert scan(sample.build(text=b" " * fmt.MAX_JSON_LEN)).complete
    s = scan(sample.build(text=b" " * (fmt.MAX_JSON_LEN + 1)))
    assert s.json_len is s.mirror is s.n_tensors is None and not s.tensors


def test_a_table_is_complete_only_as_the_layout_counts_it():
    count = scan(BASE).table_offset - fmt.COUNT_SIZE
    one_more = struct.pack("<I", scan(BASE).n_tensors + 1)
    assert not scan(sample.put(count, one_more)(BASE)).complete
    empty = sample.field("arch.stem_channels", 0)(BASE)[:count] + struct.pack("<I", 0)
    s = scan(empty)
    assert s.arch is None and s.end == s.size and not s.complete


def test_entries_are_made_when_asked_for():
    s = scan(BASE[:-5])
    every = list(s.tensors)
    assert len(every) == len(s.tensors) == len(s.layout)
    assert s.tensors[-1] == every[-1] == s.tensors[len(every) - 1]
    assert s.tensors[3:9:2] == every[3:9:2] and s.tensors[-2:] == every[-2:]
    assert [t.present - t.size for t in every] == [0] * (len(every) - 1) + [-5]
    with pytest.raises(IndexError):
        s.tensors[len(every)]
    assert not list(s.tensors.misfits())
    t = every[7]
    bad = scan(BASE[:t.offset] + (t.size + 4).to_bytes(4, "little") + BASE[t.offset + 4:])
    assert next(bad.tensors.misfits()) == t._replace(size=t.size + 4, present=t.size + 4)
