# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What a trained file says of itself is complete when training ends, and no path of the machine."""

import getpass
import hashlib
import json
import re
import socket

import numpy as np
import pytest
from PIL import Image

import efm3
from efm3 import evaluation
from efm3.drawn import Faces, cache, write
from efm3.train import story
from tests.train.standin import Patterns
from tools.gen import ship
from tools.gen.json_forms import FORMS, problems

NEEDS = ("torch", "PIL")

SMALL = ("--batch", 4, "--steps", 2, "--augment", "none", "--threads", 1)


def meta(path):
    return efm3.load(path).mirror["meta"]


def private(tmp_path):
    """Words that would tell of this machine or its user."""
    return {*tmp_path.parts[1:], getpass.getuser(), socket.gethostname()}


def test_a_published_file_tells_nothing_of_this_machine(train, tmp_path):
    """Data, pairs and the run folder by absolute paths: pictures that nobody drew."""
    for who in range(2):
        (tmp_path / "faces" / str(who)).mkdir(parents=True)
        for shot in range(2):
            Image.fromarray(np.full((112, 112, 3), 90 * who + 20 * shot, np.uint8)).save(
                tmp_path / "faces" / str(who) / f"{shot}.png")
    lines = [f"faces/{a}/0.png faces/{b}/1.png {int(a == b)}\n" for a in (0, 1) for b in (0, 1)]
    (tmp_path / "mine.txt").write_text("".join(lines * 5))
    pairs = tmp_path / "mine.txt"
    assert train("--data", tmp_path / "faces", "--out", tmp_path / "run", *SMALL, "--eval-pairs",
                 pairs, "--held-out", pairs) == 0
    file = tmp_path / "run" / "facex_nano.bin"
    said = meta(file)
    assert said["training_data"] == "a folder: 4 images of 2 identities"
    assert said["description"] == "MobileFaceNet nano trained on a folder: 4 images of 2 identities"
    assert said["scores"]["val_pairs"] == said["scores"]["held_out"]["set"] == "mine.txt"
    assert "trained on" not in said["scores"]["held_out"]["protocol"], "nobody can know"
    text = efm3.load(file).mirror_text().decode()
    assert str(tmp_path) not in text
    for word in private(tmp_path):
        assert not re.search(rf"\b{re.escape(word)}\b", text), word


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A cache and a folder of held-out pairs, as `efm3 draw` makes them."""
    folder = tmp_path_factory.mktemp("drawn")
    cache(folder / "data", Faces(1, 0, 8, 4))
    write.pairs(folder / "held", Faces(1, 1_000_000, 20, 10), 20, lambda done: None)
    return folder


def test_a_cache_and_a_spec_become_the_same_file_in_one_step(train, tmp_path, drawn, capsys):
    """Shipped byte for byte, complete with scores by the engine on held-out pairs."""
    assert train("--data", drawn / "data", "--out", tmp_path / "a", *SMALL, "--held-out",
                 drawn / "held", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [*problems(FORMS["train"], told)] == []
    assert train("--data", "synth:1:8:4", "--out", tmp_path / "b", *SMALL, "--held-out",
                 "synth:1:20:20") == 0
    assert capsys.readouterr().out == ""
    one, two = (meta(tmp_path / d / "facex_nano.bin") for d in "ab")
    assert one["training_data"] == ("efm3 draw: format 2, seed 1, first 0, classes 8, shots 4, "
                                    "spread 1.0, setting plain, dim 150, side 112")
    assert one["description"] == f"MobileFaceNet nano. {story.LIMITS}"
    held = one["scores"]["held_out"]
    assert held["pairs"] == 20 and held["protocol"].endswith("; no identity was trained on")
    assert held["set"].endswith("kind pairs, pairs 20") and held["tar_at_far_1e-3"] is None
    assert "thread(s)" in one["machine"] and one.pop("seconds_per_epoch") > 0
    assert two.pop("seconds_per_epoch") > 0 and one == two
    file = tmp_path / "a" / "facex_nano.bin"
    assert told["file"] == str(file) and told["run"] == str(tmp_path / "a")
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert told["steps"] == 2 and told["epochs"] == 0.25 and told["scores"] == one["scores"]
    assert told["stopped"] is None and told["max_error"] < 1e-5
    assert ship.take(tmp_path / "a", tmp_path / "out.bin").endswith("of 20 held-out pairs")
    assert (tmp_path / "out.bin").read_bytes() == file.read_bytes()


def test_several_held_out_sets(train, tmp_path, drawn):
    """The first one's scores are where they always were."""
    words = f"{drawn / 'held'},synth:1:20:40:3000000"
    assert train("--data", drawn / "data", "--out", tmp_path / "a", *SMALL, "--held-out",
                 words) == 0
    said = meta(tmp_path / "a" / "facex_nano.bin")
    held = said["scores"]["held_out"]
    other, = held["others"]
    assert held["pairs"] == 20 and other["pairs"] == 40 and other.keys() == held.keys() - {"others"}
    assert "first 3000000" in other["set"] and other["protocol"].endswith("was trained on")
    assert "threshold" not in said, "ten pairs of strangers say nothing of one in a thousand"


def test_the_threshold_is_the_one_at_its_rate():
    g = np.random.default_rng(1)
    same = np.arange(6000) % 2 == 0
    values = np.where(same, 0.5, 0.0) + g.normal(0, 0.1, 6000)
    got = evaluation.score("drawn", values, same, np.arange(6000) // 600)
    stated = story.threshold(got)
    assert stated["threshold_far"] == 0.001
    assert (values[~same] > stated["threshold"] + 1e-4).mean() <= 0.001
    assert (values[~same] > stated["threshold"] - 0.02).mean() > 0.001


def test_a_name_with_a_comma_is_one_set(tmp_path):
    (tmp_path / "a,b").mkdir()
    assert story.held_out_sets(str(tmp_path / "a,b")) == [str(tmp_path / "a,b")]
    assert story.held_out_sets("a,synth:1:2:3") == ["a", "synth:1:2:3"]


def test_identities_that_the_teacher_saw_are_not_held_out():
    facts = {"seed": 1, "first": 0, "classes": 8}
    run = {"drawn": facts, "teacher": {"sha256": "", "drawn": facts | {"first": 2_000_000}}}
    assert story.shared(run, "synth:1:20:20") == 0
    assert story.shared(run, "synth:1:20:20:2000000") == 8
    assert story.shared(run | {"teacher": {"sha256": "", "drawn": None}}, "synth:1:20:20") is None


def test_without_held_out_pairs_there_are_no_such_scores(run, tmp_path, capsys):
    assert run(*SMALL, "--note", "Patterns") == 0
    assert "held_out" not in meta(tmp_path / "run" / "facex_nano.bin")["scores"]
    with pytest.raises(ship.NotShipped, match="--held-out"):
        ship.take(tmp_path / "run", tmp_path / "out.bin")


def test_drawn_heads_keep_their_limits_whatever_the_note_says(run, tmp_path):
    source = Patterns(4, 4)
    source.facts = {"seed": 1}
    assert run(*SMALL, "--note", "Fit for everything", source=source) == 0
    said = meta(tmp_path / "run" / "facex_nano.bin")
    assert said["description"] == f"Fit for everything. {story.LIMITS}"
    assert said["training_data"] == "efm3 draw: seed 1"


@pytest.mark.parametrize("words,said", [
    ("synth:1:20:20:5", "3 of its identities are trained on"), ("synth:1:20:21", "F020"),
    ("synth:1", "F020"), ("none.bin", "none.bin")])
def test_wrong_held_out_pairs_are_refused_before_the_training(train, tmp_path, capfd, words, said):
    code = train("--data", "synth:1:8:4", "--out", tmp_path / "run", *SMALL, "--held-out", words)
    err = capfd.readouterr().err
    assert code in (1, 3) and said in err and len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_stop_is_told_too(run, tmp_path, capsys):
    assert run("--batch", 4, "--epochs", 2, "--max-minutes", "1e-9", "--json") == 75
    told = json.loads(capsys.readouterr().out)
    assert [*problems(FORMS["train"], told)] == []
    assert told == {"run": str(tmp_path / "run"), "file": None, "sha256": None, "steps": 1,
                    "epochs": 0.25, "scores": {}, "max_error": None,
                    "stopped": "1e-09 minutes are over"}
