# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 verify`: exit codes and forms."""

import json
from pathlib import Path

import pytest

from efm3 import engine, mirror, untrained
from efm3.conformance import sample
from efm3.model import dumps, load
from efm3.precision import LEAST

ROOT = Path(__file__).resolve().parents[2]


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


def test_precisions(cli):
    """Each set and precision is graded; a network that falls below the promise fails."""
    nano = ROOT / "weights" / "facex_nano.bin"
    result = cli("verify", nano, "--precision", "all", "--isa", "scalar", "--json")
    value = json.loads(result.stdout)
    assert result.exit_code == 0 and value["ok"] and len(value["outcomes"]) == 1
    high, fast = value["precisions"]
    assert (high["precision"], high["arithmetic"]) == ("high", "i16")
    assert (fast["precision"], fast["arithmetic"]) == ("fast", "i8")
    for grade in (high, fast):
        least = LEAST[grade["precision"]]
        assert least <= grade["min_cosine"] <= grade["mean_cosine"] < 1
    assert fast["min_cosine"] < high["min_cosine"] and fast["weight_bytes"] < high["weight_bytes"]


def test_drawn_weights_hold_high_and_miss_fast(cli, tmp_path):
    """Nobody trained them to give near pictures near embeddings: 8 bits are not enough."""
    (tmp_path / "x.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    args = "verify", tmp_path / "x.bin", "--isa", "scalar", "--precision"
    result = cli(*args, "high")
    assert result.exit_code == 0 and " high in i16 " in result.stdout.splitlines()[0]
    result = cli(*args, "fast")
    assert result.exit_code == 1 and "below 0.999: use a better precision" in result.stdout
    result = cli(*args, "all")
    assert result.exit_code == 1
    lines = result.stdout.splitlines()[:6]
    assert [line.split()[0] for line in lines] == ["ok", "ok", "max", "FAIL", "max", "below"]
    assert all(len(line) <= 80 for line in lines)


def test_the_page_names_every_key(cli, tmp_path):
    """docs/precision.md has the JSON form."""
    text = (ROOT / "docs" / "precision.md").read_text(encoding="utf-8")
    (tmp_path / "x.bin").write_bytes(sample.base())
    result = cli("verify", tmp_path / "x.bin", "--precision", "all", "--isa", "scalar", "--json")
    value = json.loads(result.stdout)
    keys = {*value, *value["outcomes"][0], *value["precisions"][0]}
    assert not [k for k in keys if f"`{k}`" not in text]
    (outcome,) = value["outcomes"]
    assert outcome["min_cosine"] <= outcome["mean_cosine"] and outcome["max_error"] < 1e-5
    assert result.exit_code == (0 if value["ok"] else 1)
    assert value["ok"] == all(p["ok"] for p in value["precisions"])


def test_a_precision_below_its_promise_fails(cli, tmp_path):
    """One weight a thousand times the others leaves no bits for them."""
    data = sample.base()
    for layer in ("stage1.block0.expand", "stage1.block0.project", "final_conv"):
        for at in range(0, 64, 4):
            data = sample.weights(f"{layer}.conv.w", 300.0, at=at)(data)
    (tmp_path / "x.bin").write_bytes(data)
    result = cli("verify", tmp_path / "x.bin", "--precision", "fast", "--isa", "scalar")
    assert result.exit_code == 1 and "FAIL" in result.stdout
    assert "below 0.999: use a better precision" in result.stdout


def test_a_source_is_compared_in_f32(cli, vector):
    assert cli("verify", vector, "--against", "x.onnx", "--precision", "all").exit_code == 2


def test_a_network_that_is_not_finite(cli, tmp_path):
    """No better precision helps it, and the document stays JSON."""
    tensors = {name: t * 1 for name, t in load(sample.base()).tensors.items()}
    tensors["stem.conv.w"][0] = float("nan")
    (tmp_path / "x.bin").write_bytes(dumps(sample.ARCH, tensors, finite=False))
    args = "verify", tmp_path / "x.bin", "--isa", "scalar", "--precision", "high"
    result = cli(*args)
    assert result.exit_code == 1 and "better precision" not in result.stdout
    assert "not finite" in result.stdout
    result = cli(*args, "--json")
    assert result.exit_code == 1 and json.loads(result.stdout, parse_constant=pytest.fail)
