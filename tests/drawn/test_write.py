# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures as files, by `efm3 draw`."""


import json

import numpy as np
import pytest
import torch
from PIL import Image

from efm3 import drawn as synth
from tools.gen.json_forms import FORMS, problems

NEEDS = ("torch", "PIL")


@pytest.fixture
def run(cli):
    return lambda *words: cli("draw", *words)


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
    assert [*problems(FORMS["draw"], said)] == []
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
