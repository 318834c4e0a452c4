# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Options of a run, and what a resume may change."""

from dataclasses import fields

import pytest

from efm3.train.config import STRENGTHS, Config, _option


@pytest.mark.parametrize("stored", [
    None, [], {"batch": "many"}, {"batch": 0}, {"arch": "huge"}, {"augment": 1}, {"lr": -1.0},
    {"seed": 1 << 63}, {"margin": "wide"}, {"batch": True}, {"lr": False}, {"workers": 256},
    {"threads": 1025}, {"decay": -1e-9}])
def test_options_of_a_strange_checkpoint_are_refused(stored):
    with pytest.raises(ValueError, match="the checkpoint"):
        Config(out="x").resumed(stored, {})


@pytest.mark.parametrize("stored", [
    {"seed": (1 << 63) - 1}, {"seed": 0}, {"workers": 255}, {"threads": 1024}, {"batch": 1},
    {"augment": "strong"}, {"margin": None}, {"margin": 0}, {"lr": 1}])
def test_the_ends_of_what_an_option_may_be(stored):
    (name, value), = stored.items()
    resumed = Config(out="x").resumed(stored, {})
    assert getattr(resumed, name) == value


def test_a_resume_takes_the_stored_options_and_the_free_ones_that_are_given():
    stored = Config(data="a", out="old", batch=7, threads=3, margin=0.1).json()
    given = {"out": "new", "workers": 2, "held_out": "pairs"}
    got = Config(**given).resumed(stored, given)
    assert got == Config(data="a", out="new", batch=7, threads=3, margin=0.1, workers=2,
                         held_out="pairs")
    assert Config(batch=7).resumed(stored, {"batch": 7}).batch == 7
    with pytest.raises(ValueError, match="--batch is 8, the checkpoint was made with 7"):
        Config(out="x", batch=8).resumed(stored, {"batch": 8})


def test_an_option_that_an_old_checkpoint_lacks_is_the_default_or_the_runs_own():
    """What is computed goes on as it was before the option came; the rest is as this run has it."""
    got = Config(out="x", device="cpu", ema=0.5).resumed({"seed": 3}, {})
    assert got == Config(out="x", device="cpu", seed=3)


@pytest.mark.parametrize("was,now", [(True, "light"), (False, "none")])
def test_a_checkpoint_from_before_there_were_strengths(was, now):
    assert Config(out="x").resumed({"augment": was}, {}).augment == now
    assert Config(out="x").resumed({"augment": was}, {"augment": now}).augment == now
    with pytest.raises(ValueError, match=f"--augment is strong, .* was made with {now}"):
        Config(out="x").resumed({"augment": was}, {"augment": "strong"})


def test_every_strength_has_a_recipe():
    augment = pytest.importorskip("efm3.train.augment", reason="PyTorch is an extra")
    assert tuple(augment.RECIPES) == STRENGTHS


def test_the_help_shows_the_defaults():
    shown = {f.name: f.metadata["shown"] for f in fields(Config)}
    assert shown["epochs"] == "20" and shown["lr"] == "0.001" and shown["device"] == "auto"
    for given, said in ((None, "5"), ("", ""), ("five", "five")):
        assert _option("", 5, shown=given).metadata["shown"] == said
    assert shown["margin"] == "the head's own" and shown["data"] == ""
    assert shown["augment"] == "light"
