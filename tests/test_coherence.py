# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The third opinion: the arch as the tensor table's sizes tell it."""

from dataclasses import replace
from pathlib import Path

import pytest

from efm3 import ARCHS, Stage
from efm3.coherence import coherence, from_table, lenient
from efm3.conformance import sample as s
from efm3.scan import scan

DATA = Path(__file__).parent.parent / "spec" / "vectors"


def rows(data):
    scanned = scan(data)
    return {r["path"]: r for r in coherence(scanned, lenient(bytes(scanned.mirror or b"")))}


@pytest.mark.parametrize("name", ["nano", "odd_a", "odd_b"])
def test_the_table_tells_all_but_strides(name):
    got = rows((DATA / f"{name}.bin").read_bytes())
    assert all(r["agree"] for r in got.values())
    silent = {p for p, r in got.items() if r["table"] is None}
    assert silent == {p for p in got if p.endswith(("].s", "stem_stride"))}


def test_the_table_does_not_ask_the_header():
    data = s.base()
    for key in ("stem_channels", "block_channels", "final_channels", "embedding_dim",
                "gdc_kernel", "stem_kernel"):
        row = rows(s.field(f"arch.{key}", 11)(data))[f"arch.{key}"]
        assert row["header"] == 11 and not row["agree"]
        assert row["table"] == from_table(scan(data))[key]


@pytest.mark.parametrize("path, value", [
    ("arch.stages[1].t", 5), ("arch.stages[1].n", 5), ("arch.n_stages", 5), ("arch.n_stages", 2)])
def test_a_lie_about_stages_shows(path, value):
    row = rows(s.field(path, value)(s.base()))[path]
    assert not row["agree"] and row["table"] == row["mirror"]


def test_neighbours_with_one_t_are_cut_as_the_header_says():
    arch = replace(s.ARCH, stages=(Stage(2, 1, 2), Stage(2, 2, 2), Stage(2, 1, 2)))
    table = from_table(scan(s.build(arch)))
    assert [table[f"stages[{i}].n"] for i in range(3)] == [1, 2, 1]
    # A header whose cut the sizes forbid gets the runs of equal blocks instead.
    wrong = s.field("arch.stages[0].n", 9)(s.build(arch))
    assert from_table(scan(wrong))["n_stages"] == 1


def test_one_stage_tells_nothing_of_block_channels():
    arch = replace(s.ARCH, stages=(Stage(2, 2, 4),), gdc_kernel=14)
    table = from_table(scan(s.build(arch)))
    assert "block_channels" not in table and table["n_stages"] == 1


def test_true_and_real_numbers_are_no_integers():
    for word in (b"true", b"8.0", b'"8"', b"[8]"):
        data = s.text(lambda t, w=word: t.replace(b'"stem_channels":8', b'"stem_channels":' + w))(
            s.base())
        assert not rows(data)["arch.stem_channels"]["agree"]


def test_a_missing_key_is_silence_not_disagreement():
    data = s.with_mirror(lambda m: {k: v for k, v in m.items() if k != "gdc_kernel"})(s.base())
    row = rows(data)["arch.gdc_kernel"]
    assert row["mirror"] is None and row["agree"]


def test_a_cut_file_disagrees_on_its_bytes_alone():
    bad = [p for p, r in rows(s.base()[:-100]).items() if not r["agree"]]
    assert bad == ["bytes"]


def test_a_foreign_file_has_no_rows():
    assert rows(b"\x1f\x8b" + b"\x07" * 200) == {}


@pytest.mark.parametrize("arch", ARCHS.values(), ids=list(ARCHS))
def test_published_sizes_come_back(arch):
    table = from_table(scan(s.build(arch)))
    assert table["embedding_dim"] == arch.embedding_dim
    assert [table[f"stages[{i}].t"] for i in range(5)] == [st.t for st in arch.stages]
