# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Caches, folders and the command."""


import json

import numpy as np
import pytest
import torch
from PIL import Image

from efm3 import drawn as synth
from efm3.drawn import faces

NEEDS = ("torch", "PIL")


@pytest.fixture
def run(cli):
    return lambda *words: cli("draw", *words)


def small(**options):
    return synth.Faces(2, 5, 3, 2, **options)


def test_cache(tmp_path):
    told = []
    folder = synth.cache(tmp_path / "c", small(), batch=4, progress=told.append)
    assert told == [4, 6]
    images = np.load(folder / "images.npy", mmap_mode="r")
    assert torch.equal(torch.from_numpy(images.copy()), small().batch(range(6))[0])
    assert np.load(folder / "labels.npy").tolist() == [0, 0, 1, 1, 2, 2]
    assert json.loads((folder / "synth.json").read_text())["seed"] == 2
    assert sorted(p.name for p in folder.iterdir()) == ["images.npy", "labels.npy", "synth.json"]


def test_a_finished_cache_is_kept_and_any_other_is_drawn_anew(tmp_path):
    folder, told = synth.cache(tmp_path, small()), []
    synth.cache(tmp_path, small(), progress=told.append)
    assert not told
    synth.cache(tmp_path, small(spread=0.5), progress=told.append)
    assert told == [6]
    (folder / "synth.json").unlink()
    synth.cache(tmp_path, small(spread=0.5), progress=told.append)
    assert told == [6, 6]


def test_a_broken_cache_has_no_synth_json(tmp_path, monkeypatch):
    synth.cache(tmp_path, small())

    def fail(self, indices):
        raise RuntimeError("out of memory")
    monkeypatch.setattr(faces.Faces, "batch", fail)
    with pytest.raises(RuntimeError):
        synth.cache(tmp_path, small(spread=0.5))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["images.npy", "labels.npy"]


def test_pairs_are_balanced_distinct_and_folds_share_nobody():
    folds = synth.draw_pairs(1, 60, 400, shots=5)
    assert [len(f) for f in folds] == [40] * 10
    seen = [p for f in folds for p in f]
    assert len(set(seen)) == 400
    for number, fold in enumerate(folds):
        assert [p.same for p in fold] == [True] * 20 + [False] * 20
        assert {p.one % 10 for p in fold} | {p.two % 10 for p in fold} == {number}
        assert all((p.one, p.one_shot) < (p.two, p.two_shot) for p in fold)
        assert all(p.two < 60 and max(p.one_shot, p.two_shot) < 5 for p in fold)
    assert synth.draw_pairs(1, 60, 400, shots=5) == folds
    assert synth.draw_pairs(2, 60, 400, shots=5) != folds


def test_pairs_may_use_every_picture_but_no_more():
    folds = synth.draw_pairs(1, 30, 180, shots=3)
    assert all(len(set(f)) == 18 for f in folds)
    with pytest.raises(ValueError, match="30 identities with 3 shots give 9"):
        synth.draw_pairs(1, 30, 200, shots=3)
    with pytest.raises(ValueError, match="multiple of 20"):
        synth.draw_pairs(1, 60, 30)
    with pytest.raises(ValueError, match="give 0 pairs"):
        synth.draw_pairs(1, 9, 20)


def test_command_pairs(run, tmp_path):
    words = ("pairs", tmp_path / "p", "--identities", 20, "--shots", 2, "--pairs", 20,
             "--first", 100, "--seed", 2)
    done = run(*words)
    assert done.exit_code == 0, done.output
    lines = (tmp_path / "p/pairs.txt").read_text().splitlines()
    assert lines[0] == "10\t1" and len(lines) == 21
    held = synth.Faces(2, 100, 20, 2)
    for line in lines[1:]:
        cells = line.split("\t")
        assert len(cells) in (3, 4)
        ends = [(cells[0], cells[1]), (cells[0] if len(cells) == 3 else cells[2], cells[-1])]
        for name, shot in ends:
            path = tmp_path / "p" / name / f"{name}_{int(shot):04d}.png"
            place = (int(name[2:]) - 100) * 2 + int(shot) - 1
            drawn = held[place][0].permute(1, 2, 0).numpy()
            with Image.open(path) as image:
                assert np.array_equal(np.asarray(image), drawn)
    again = run(*words, "--json")
    assert json.loads(again.stdout)["kind"] == "pairs" and not again.stderr
    other = run(*words, "--seed", 3)
    assert other.exit_code == 1 and "holds other pictures" in other.output
    few = run("pairs", tmp_path / "q", "--identities", 20, "--shots", 2, "--pairs", 2000)
    assert few.exit_code == 2 and "100 are wanted" in few.output


def test_command_images(run, tmp_path):
    words = ("images", tmp_path / "i", "--identities", 2, "--shots", 2)
    done = run(*words)
    assert done.exit_code == 0 and "4 of 4 pictures" in done.stderr
    names = sorted(str(p.relative_to(tmp_path / "i")) for p in (tmp_path / "i").rglob("*.*"))
    assert names == [*(f"id000000{i}/id000000{i}_000{s}.png" for i in (0, 1) for s in (1, 2)),
                     "synth.json"]
    (tmp_path / "i/synth.json").rename(tmp_path / "i/synth.part.json")  # as if it had been cut off
    assert run(*words).exit_code == 0 and (tmp_path / "i/synth.json").is_file()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter").write_text("dear")
    refused = run("images", tmp_path / "mine")
    assert refused.exit_code == 1 and "not empty" in refused.output
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["letter"]


def test_command_sheet_cache_and_speed(run, tmp_path):
    assert run("sheet", tmp_path / "s.png", "--identities", 2, "--shots", 3).exit_code == 0
    with Image.open(tmp_path / "s.png") as sheet:
        assert sheet.size == (336, 224)
    done = run("cache", tmp_path / "c", "--identities", 2, "--shots", 2, "--json")
    said = json.loads(done.stdout)
    assert said["pictures"] == 4 and said["drawn"]["classes"] == 2
    assert (tmp_path / "c/synth.json").is_file()
    threads = torch.get_num_threads()
    fast = json.loads(run("speed", "--pictures", 16, "--json").stdout)
    torch.set_num_threads(threads)
    assert fast["pictures"] == 16 and fast["per_second"] > 0
    missing = run("sheet", tmp_path / "no/s.png", "--identities", 1, "--shots", 1)
    assert missing.exit_code == 3 and "No such file" in missing.output
    wrong = run("sheet", tmp_path / "t.png", "--device", "teapot")
    assert wrong.exit_code == 2 and "--device teapot" in wrong.output
    assert not (tmp_path / "t.png").exists()
