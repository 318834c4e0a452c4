# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 seal`: a digest that the validator then holds the file to."""

import json

import pytest

import efm3
from efm3.conformance import sample
from efm3.conformance.examples import example


@pytest.fixture
def path(tmp_path):
    p = tmp_path / "x.bin"
    p.write_bytes(sample.base())
    return p


def test_seal_in_place(cli, path):
    result = cli("seal", path, "--json")
    said = json.loads(result.stdout)
    assert result.exit_code == 0 and said["size"] == path.stat().st_size
    assert efm3.load(path).mirror["meta"]["sha256"] == said["sha256"]
    assert path.read_bytes() == sample.sealed()
    path.write_bytes(sample.weights("stem.conv.w", 9.0)(path.read_bytes()))
    assert [f.code for f in efm3.validate(path).at_least("error")] == ["M042"]
    assert cli("seal", path).exit_code == 0
    assert efm3.validate(path).findings == []


def test_seal_keeps_weights_meta_and_alignment(cli, vector, tmp_path):
    out = tmp_path / "out.bin"
    before = efm3.load(vector)
    assert cli("seal", vector, "-o", out).exit_code == 0
    after = efm3.load(out)
    assert all((after.tensors[n] == t).all() for n, t in before.tensors.items())
    assert cli("seal", out, "--align").exit_code == 0
    assert efm3.validate(out).ok
    assert "P001" not in {f.code for f in efm3.validate(out).findings}


def test_refusals_leave_the_file(cli, path):
    for code in ("T012", "M011", "M040"):
        data = example(code)[1]
        path.write_bytes(data)
        result = cli("seal", path)
        assert result.exit_code == 1, code
        assert path.read_bytes() == data
    assert cli("seal", path.parent / "none").exit_code == 3
