# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 new`: files of published and of other archs."""

import hashlib
import json

import efm3
from efm3 import mirror, sample


def test_published(cli, tmp_path):
    out = tmp_path / "n.bin"
    said = json.loads(cli("new", "nano", "-o", out, "--seed", 9, "--json").stdout)
    data = out.read_bytes()
    assert said == {"file": str(out), "size": len(data), "seed": 9,
                    "sha256": hashlib.sha256(data).hexdigest()}
    assert efm3.load(out).mirror["meta"]["seed"] == 9
    assert efm3.validate(out).findings == []


def test_from_a_mirror_and_from_a_file(cli, tmp_path):
    text, out, again = tmp_path / "a.json", tmp_path / "a.bin", tmp_path / "b.bin"
    text.write_bytes(mirror.canonical(sample.ARCH))
    assert cli("new", text, "-o", out).exit_code == 0
    assert efm3.load(out).arch == sample.ARCH
    assert cli("new", out, "-o", again, "--name", "other").exit_code == 0
    assert efm3.load(again).arch.name == "other"
    assert efm3.load(again).arch.stages == sample.ARCH.stages


def test_refusals(cli, tmp_path):
    text = tmp_path / "a.json"
    for value in (b"{}", b"[]", b'{"name":1}', b"\xff"):
        text.write_bytes(value)
        assert cli("new", text, "-o", tmp_path / "x").exit_code == 1
    text.write_bytes(mirror.canonical(sample.ARCH).replace(b'"gdc_kernel":7', b'"gdc_kernel":6'))
    result = cli("new", text, "-o", tmp_path / "x")
    assert result.exit_code == 1 and "H016" in result.stderr
    assert cli("new", "huge", "-o", tmp_path / "x").exit_code == 3
    assert cli("new", "nano").exit_code == 2
    assert not (tmp_path / "x").exists()
