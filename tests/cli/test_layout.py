# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 layout`: the contract that an exporter is written against."""

import json
from pathlib import Path

from efm3.conformance import sample as s
from efm3.scan import scan

DATA = Path(__file__).parent.parent / "data"


def test_published_layout(cli):
    got = json.loads(cli("layout", "nano", "--json").stdout)
    want = json.loads((DATA / "nano.layout.json").read_text())["nano"]
    assert [[t["name"], t["shape"]] for t in got["tensors"]] == want
    assert got["arch"]["final_channels"] == 184


def test_offsets_are_those_of_a_real_file(cli):
    data = s.base()
    start = scan(data).table_offset
    got = json.loads(cli("layout", "-", "--json", input=data).stdout)
    for row, t in zip(got["tensors"], scan(data).tensors, strict=True):
        assert (row["offset"] + start, row["size"], row["name"]) == (t.data_offset, t.size, t.name)
    assert got["table_size"] == len(data) - start


def test_text(cli):
    out = cli("layout", "xs").stdout
    assert "stage5.block1.project.bn.var" in out
    assert out.splitlines()[-1].startswith("283 tensors, 8,4")


def test_a_header_without_arch_is_refused(cli):
    result = cli("layout", "-", input=b"EFM3")
    assert result.exit_code == 1 and "header holds no arch" in result.stderr
