# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 verify`: exit codes and forms."""

import json

from efm3 import engine, mirror
from efm3.conformance import sample


def test_verify(cli, vector):
    result = cli("verify", vector)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[-1].endswith("verified (tolerance 1e-05)")
    assert len(lines) == 1 + sum(engine.isas().values())


def test_json_and_failure(cli, vector):
    result = cli("verify", vector, "--isa", "scalar", "--tolerance", 0, "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == 1 and not value["ok"]
    assert [o["isa"] for o in value["outcomes"]] == ["scalar"]


def test_refusals(cli, tmp_path, vector):
    assert cli("verify", tmp_path / "none").exit_code == 3
    assert cli("verify", vector, "--isa", "mmx").exit_code == 1
    (tmp_path / "x").write_bytes(vector.read_bytes()[:-1])
    result = cli("verify", tmp_path / "x")
    assert result.exit_code == 1 and "T012" in result.stderr


def test_without_the_extension_it_says_so(cli, vector, monkeypatch):
    import sys
    monkeypatch.setitem(sys.modules, "efm3._engine", None)
    result = cli("verify", vector)
    assert result.exit_code == 1 and "compiler" in result.stderr


def test_a_turned_file_is_verified(cli, tmp_path):
    path = tmp_path / "t.bin"
    path.write_bytes(sample.with_mirror(mirror.as_turned)(sample.base()))
    assert cli("verify", path).exit_code == 0
    path.write_bytes(sample.with_mirror(lambda m: m | {"meta": {"picture": 1}})(sample.base()))
    result = cli("verify", path)
    assert result.exit_code == 1 and "M043" in result.stderr
