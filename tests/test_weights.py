# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The four weight files are those of the manifest, and say what they are."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import efm3
from efm3 import engine, mirror, untrained
from efm3.conformance import sample
from tools.gen import ship

FOLDER = Path(__file__).resolve().parent.parent / "weights"
MANIFEST = json.loads((FOLDER / "manifest.json").read_text())["files"]
PUBLISHED = {"nano": 826_875, "tiny": 1_856_763, "standard": 3_946_431, "xs": 8_422_586}


def test_all_four_are_there():
    assert [r["arch"] for r in MANIFEST] == list(efm3.ARCHS) == list(PUBLISHED)
    assert {p.name for p in FOLDER.glob("*.bin")} == {r["file"] for r in MANIFEST}


@pytest.mark.parametrize("row", MANIFEST, ids=lambda r: r["arch"])
def test_file(row):
    data = (FOLDER / row["file"]).read_bytes()
    assert len(data) == row["size"]
    assert hashlib.sha256(data).hexdigest() == row["sha256"]
    model = efm3.load(data)
    assert model.arch == efm3.ARCHS[row["arch"]]
    assert efm3.validate(data).findings == []
    meta = model.mirror["meta"]
    assert meta["trained"] is row["trained"] is True
    assert "not fit for recognising them" in meta["description"]
    assert meta["scores"]["held_out"]["pairs"] == 6000 and meta["licence"] == "Apache-2.0"
    plain = len(mirror.canonical(model.arch))
    text = int.from_bytes(data[88:92], "little")
    assert len(data) == PUBLISHED[row["arch"]] + text - plain


@pytest.fixture
def run(tmp_path):
    """A run folder as training leaves it, of a small network that nobody trained."""
    folder = tmp_path / "run"
    folder.mkdir()
    (tmp_path / "faces").mkdir()
    (tmp_path / "faces" / "synth.json").write_text(json.dumps({"seed": 8}))
    config = {"config": {"arch": "nano", "data": str(tmp_path / "faces")},
              "machine": {"cpu": "a CPU", "device": "cpu", "threads": 1}}
    (folder / "config.json").write_text(json.dumps(config))
    with open(folder / "log.csv", "w", newline="") as f:
        csv.writer(f).writerows([["epoch", "epoch_s"], [1, 30], [2, 10], [2.5, 10]])
    model = efm3.load(untrained.dumps(sample.ARCH, 1))
    meta = {"trained": True, "scores": {"train_acc": 0.5}, "licence": "Apache-2.0"}
    efm3.save(folder / "facex_nano.bin", model.arch, model.tensors, mirror_extra={"meta": meta},
              seal=True)
    return folder


@pytest.fixture
def pairs(tmp_path):
    """Ten folds of a genuine pair, which is one picture twice, and an impostor pair."""
    image = pytest.importorskip("PIL.Image", reason="Pillow is not installed")
    folder = tmp_path / "pairs"
    folder.mkdir()
    for i, picture in enumerate(untrained.images(3, 20)):
        image.fromarray(picture).save(folder / f"{i}.png")
    lines = [f"{i}.png {i}.png 1\n{i}.png {i + 10}.png 0\n" for i in range(10)]
    (folder / "pairs.txt").write_text("".join(lines))
    (folder / "synth.json").write_text(json.dumps({"seed": 9}))
    return folder / "pairs.txt"


def test_a_run_becomes_a_file_that_says_what_it_was_measured_on(run, pairs, tmp_path):
    if not engine.available():
        pytest.skip("the C engine was not built")
    out = tmp_path / "out.bin"
    line = ship.take(run, pairs, 1, out)
    made, meta = efm3.load(out), efm3.load(out).mirror["meta"]
    held = meta["scores"]["held_out"]
    assert line == "nano: 100.00 % of 20 held-out pairs"
    assert held["accuracy"] == 1 and held["pairs"] == 20 and held["set"] == "tools/synth: seed 9"
    assert held["tar_at_far_1e-3"] is None, "ten impostor pairs say nothing of one in a thousand"
    assert meta["seconds_per_epoch"] == 20 and meta["scores"]["train_acc"] == 0.5
    assert "drawn identities only" in meta["description"]
    assert meta["training_data"] == "tools/synth: seed 8"
    assert efm3.validate(out, "coherence").findings == [], "the seal is that of the new file"
    old = efm3.load(run / "facex_nano.bin").tensors
    assert all(np.array_equal(old[k], v) for k, v in made.tensors.items())


def test_a_run_on_other_data_is_not_taken(run, pairs, tmp_path):
    if not engine.available():
        pytest.skip("the C engine was not built")
    (tmp_path / "faces" / "synth.json").unlink()
    with pytest.raises(OSError, match=r"synth\.json"):
        ship.take(run, pairs, 1, tmp_path / "out.bin")
    assert not (tmp_path / "out.bin").exists()
