# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The figures of docs/precision.md: what the tool computes, on a few pictures."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import untrained
from efm3.conformance import sample
from efm3.evaluation.scores import tar_at
from efm3.verification import cosines
from tools.bench import accuracy

PICTURES, PEOPLE = untrained.images(6, 40), np.arange(40) // 4


@pytest.fixture
def path(tmp_path):
    (tmp_path / "facex_nano.bin").write_bytes(untrained.dumps(sample.ARCH, 1))
    return str(tmp_path / "facex_nano.bin")


def test_rows_are_cosines_and_rates(path):
    f32, high, fast = accuracy.rows(path, PICTURES, PEOPLE, "scalar", 1)
    assert (f32["arithmetic"], high["arithmetic"], fast["arithmetic"]) == ("f32", "i16", "i8")
    assert fast["min_cosine"] < high["min_cosine"] <= high["mean_cosine"] < 1
    vectors = {}
    for name, isa in (("f32", None), ("fast", "scalar")):
        with efm3.Engine(path, isa=isa, precision=name) as engine:
            vectors[name] = engine.embed(PICTURES).astype(float)
    alike = cosines(vectors["fast"], vectors["f32"])
    assert (fast["mean_cosine"], fast["min_cosine"]) == (alike.mean(), alike.min())
    # The same by all pairs, one after the other.
    s, same = zip(*[(float(vectors["f32"][i] @ vectors["f32"][j]), i // 4 == j // 4)
                    for i in range(40) for j in range(i + 1, 40)], strict=True)
    assert f32["tar"] == tar_at(np.array(s), np.array(same), accuracy.FAR).tar
    assert fast["tar_difference"] == fast["tar"] - f32["tar"]
    assert fast["low"] <= fast["high"]


def test_the_table_and_json(path, monkeypatch, capsys):
    monkeypatch.setattr(accuracy, "pictures", lambda *_: (PICTURES[:24], PEOPLE[:24]))
    monkeypatch.setattr(accuracy, "WEIGHTS", Path(path).parent)
    words = ["--isa", "scalar", "--size", "nano"]
    accuracy.main(words)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:3] for line in lines] == [
        ["nano", "f32", "f32"], ["nano", "high", "i16"], ["nano", "fast", "i8"]]
    assert re.search(r"TAR .* %, to f32 [+-]\d", lines[2]) and "cosine mean 0.99" in lines[2]
    assert "95 %" not in lines[2]  # six people have no interval
    accuracy.main([*words, "--json"])
    value = json.loads(capsys.readouterr().out)
    assert value["pictures"] == 24 and value["files"]["nano"][2]["low"] is None
