# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A run goes into a checkpoint and comes back from it."""

from dataclasses import replace

import pytest
import torch

from efm3.train import checkpoint, loop, parallel, state
from efm3.train.config import Config
from tests.train.standin import Patterns

NEEDS = ("torch",)


def trainer(tmp_path, classes=4):
    config = Config(data="", out=str(tmp_path), batch=4, steps=1, augment="none")
    return loop.Trainer(config, Patterns(classes, 4), parallel.World(0, 1, torch.device("cpu")))


@pytest.fixture
def last(tmp_path):
    t = trainer(tmp_path)
    t.run()
    return tmp_path / "last.pt"


def test_it_goes_back_unchanged(last, tmp_path):
    t = trainer(tmp_path)
    before = checkpoint.load(last)
    state.restore(t, before)
    after = state.capture(t)
    assert all(torch.equal(v, before["model"][k]) for k, v in after["model"].items())
    assert all(torch.equal(v, before["optimizer"][n][k])
               for n, s in after["optimizer"].items() for k, v in s.items())
    assert after["step"] == 1 and after["partial"] == before["partial"]


def test_another_runs_checkpoint_is_refused(last, tmp_path):
    value = checkpoint.load(last)
    with pytest.raises(checkpoint.BadCheckpoint, match="4 classes, the data 5"):
        state.restore(trainer(tmp_path, classes=5), value)
    for key, bad in (("head", {"weight": torch.zeros(3, 3)}), ("model", {}), ("head", {})):
        with pytest.raises(checkpoint.BadCheckpoint, match="does not fit"):
            state.restore(trainer(tmp_path), value | {key: bad})
    bad = dict(value["optimizer"])
    bad["model.stem.bn.weight"] = bad["model.stem.conv.weight"]
    with pytest.raises(checkpoint.BadCheckpoint, match=r"model\.stem\.bn\.weight has shape"):
        state.restore(trainer(tmp_path), value | {"optimizer": bad})


DRAWN = {"format": 1, "seed": 1, "first": 0, "classes": 4, "shots": 4, "spread": 1.0, "dim": 100}


@pytest.mark.parametrize("key,now", [("format", 2), ("seed", 2), ("first", 9), ("shots", 5),
                                     ("spread", 1.6), ("kind", "pairs"), ("classes", 5)])
@pytest.mark.parametrize("data,who", [("synth:1:4:4", "this program draws"),
                                      ("cache", "the data are of")])
def test_other_drawn_pictures_are_refused_by_name(last, tmp_path, key, now, data, who):
    t = trainer(tmp_path)
    t.config = replace(t.config, data=data)
    t.source.facts = DRAWN | {"kind": "images", key: now}
    value = checkpoint.load(last) | {"drawn": DRAWN | {"kind": "images"}}
    was = value["drawn"][key]
    with pytest.raises(checkpoint.BadCheckpoint,
                       match=f"made with pictures of {key} {was}, {who} {key} {now}"):
        state.restore(t, value)


def test_a_fact_that_one_side_does_not_know_says_nothing(last, tmp_path):
    """A cache says its kind, a spec does not; checkpoints of before hold no facts."""
    t = trainer(tmp_path)
    t.source.facts = DRAWN | {"kind": "images", "dim": 7}
    state.restore(t, checkpoint.load(last) | {"drawn": DRAWN})
    assert state.capture(t)["drawn"] == t.source.facts
    value = checkpoint.load(last)
    del value["drawn"], value["teacher"]
    state.restore(t, value)
    assert t.step == 1
