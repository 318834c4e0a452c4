# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The four weight files are those of the manifest, and say what they are."""

import hashlib
import json
from pathlib import Path

import pytest

import efm3
from efm3 import mirror, untrained
from efm3.conformance import sample
from tools.gen import ship, weights

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
    assert meta["scores"]["held_out"]["pairs"] == 26_000 and meta["licence"] == "Apache-2.0"
    plain = len(mirror.canonical(model.arch))
    text = int.from_bytes(data[88:92], "little")
    assert len(data) == PUBLISHED[row["arch"]] + text - plain


def test_the_files_are_those_of_the_runs_and_larger_ones_are_better():
    runs = json.loads((FOLDER / "runs.json").read_text())["runs"]
    shipped = {r["arch"]: r["scores"] for r in runs if r["shipped"]}
    assert shipped == {r["arch"]: r["scores"] for r in MANIFEST}
    for arch in ("nano", "tiny"):
        own = [r["scores"]["val_acc"] for r in runs if r["arch"] == arch]
        assert len(own) >= 2 and shipped[arch]["val_acc"] == max(own)
    held = [[s["held_out"], *s["held_out"]["others"]] for s in map(shipped.get, efm3.ARCHS)]
    plain, *others = ([one["tar_at_far_1e-3"] for one in sets]
                      for sets in zip(*held, strict=True))
    assert plain == sorted(plain) and len(others) == 2
    # On harder ones the largest is the best; those between are too close to be told apart.
    assert all(max(tars) == tars[-1] for tars in others)


def test_a_card_says_how_its_training_pictures_look_to_the_yardstick():
    seen = json.loads((FOLDER.parent / "docs" / "drawn.json").read_text())
    cards = (FOLDER / "README.md").read_text()
    assert cards.count(f"frechet {seen['frechet']:.3f}, same {seen['same']:.3f}") == 4
    assert weights.photographs("efm3 draw: format 1, seed 1") == ""


META = {"trained": True, "seed": 1, "licence": "Apache-2.0",
        "scores": {"held_out": {"accuracy": 0.75, "pairs": 20}}}


@pytest.fixture
def run(tmp_path):
    """run(meta, arch, name): a run folder as training leaves it, of weights nobody trained."""
    def made(meta=META, arch=efm3.ARCHS["nano"], name="nano"):
        folder = tmp_path / "run"
        folder.mkdir(exist_ok=True)
        efm3.save(folder / f"facex_{name}.bin", arch, untrained.synthesise(arch, 1), seal=True,
                  align=True, mirror_extra={"meta": meta})
        return folder
    return made


def test_a_runs_file_is_copied_byte_for_byte(run, tmp_path):
    folder = run()
    assert ship.take(folder, tmp_path / "out.bin") == "nano: 75.00 % of 20 held-out pairs"
    assert (tmp_path / "out.bin").read_bytes() == (folder / "facex_nano.bin").read_bytes()


def test_what_may_not_be_shipped(run, tmp_path):
    out = tmp_path / "out.bin"

    def refused(folder, words):
        with pytest.raises(ship.NotShipped, match=words):
            ship.take(folder, out)
        assert not out.exists()
    refused(tmp_path, "holds 0 files")
    refused(run({**META, "trained": False}), "no held-out scores")
    refused(run({**META, "scores": {"val_acc": 1.0}}), "no held-out scores")
    refused(run(arch=sample.ARCH), "is not of the size nano")
    file = run() / "facex_nano.bin"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    refused(tmp_path / "run", "M0|sha256")
    refused(run(name="tiny"), "holds 2 files")


def test_nothing_is_installed_where_one_run_is_refused(run, tmp_path, monkeypatch, capsys):
    """And after all were, the pages are made again."""
    made = []
    monkeypatch.setattr(ship.weights, "path", lambda name: tmp_path / f"{name}.bin")
    monkeypatch.setattr(ship.gen, "generate", lambda check: made.append(check))
    folder = run()
    assert ship.main([str(folder), str(tmp_path / "none")]) == 1 and not made
    assert capsys.readouterr().err.startswith("ship: ") and not (tmp_path / "nano.bin").exists()
    assert ship.main([str(folder)]) == 0 and made == [False] and (tmp_path / "nano.bin").exists()
    assert ship.main(["--untrained", "nano"]) == 0
    assert (tmp_path / "nano.bin").read_bytes() == untrained.dumps(efm3.ARCHS["nano"], 1)
    with pytest.raises(SystemExit):
        ship.main(["--untrained", "huge"])
