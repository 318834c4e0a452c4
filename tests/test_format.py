# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The declaration parses and builds, and its offsets are those of the original."""

import pytest
from construct import Renamed

from efm3 import format as fmt
from efm3.conformance import sample

# Offsets as the original's page states them, the header's counted from byte 8.
OFFSETS = {
    "magic": (0, 4), "version": (4, 4), "arch.hdr_version": (8, 1), "arch.n_stages": (9, 1),
    "arch.stem_kernel": (10, 1), "arch.stem_stride": (11, 1), "arch.stem_channels": (12, 2),
    "arch.block_channels": (14, 2), "arch.final_channels": (16, 2),
    "arch.embedding_dim": (18, 2), "arch.gdc_kernel": (20, 1), "arch.pad": (21, 3),
    "arch.stages[0].t": (24, 1), "arch.stages[0].n": (25, 1), "arch.stages[0].s": (26, 1),
    "arch.stages[0].pad": (27, 1), "arch.stages[0].reserved": (28, 4),
    "arch.stages[7].reserved": (84, 4), "json_len": (88, 4),
}


@pytest.mark.parametrize("path,place", OFFSETS.items())
def test_offsets(path, place):
    assert (fmt.FIELDS[path].offset, fmt.FIELDS[path].size) == place


def test_fields_tile_the_prefix():
    at = 0
    for f in fmt.FIELDS.values():
        assert f.offset == at
        at += f.size
    assert at == fmt.PREFIX_SIZE == 92
    assert fmt.ARCH_SIZE == 80


def test_every_field_is_documented():
    for f in fmt.FIELDS.values():
        assert f.doc and not f.doc.endswith("."), f.path

    def walk(con):
        for sub in getattr(con, "subcons", []):
            assert sub.docs, sub.name
            inner = sub.subcon
            while isinstance(inner, Renamed):
                inner = inner.subcon
            walk(inner)
    walk(fmt.FILE)


def test_whole_file_parses_and_builds_back(vector):
    data = vector.read_bytes()
    parsed = fmt.FILE.parse(data)
    assert parsed.n_tensors == len(parsed.tensors)
    assert fmt.FILE.build(parsed) == data


def test_limits():
    kernel = fmt.FIELDS["arch.stem_kernel"].con
    assert [k for k in range(20) if kernel.allows(k)] == [1, 3, 5, 7, 9, 11, 13, 15]
    assert kernel.legal == "1..15, odd"
    assert fmt.FIELDS["version"].con.legal == "3"
    assert fmt.FIELDS["arch.stages[3].s"].con.legal == "1..4"


def test_sample_parses():
    assert fmt.FILE.parse(sample.base()).prefix.arch.stem_channels == 8
