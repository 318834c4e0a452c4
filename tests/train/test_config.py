# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Options of a run, and what a resume may change."""

import pytest

from efm3.train.config import Config


@pytest.mark.parametrize("stored", [
    None, [], {"batch": "many"}, {"batch": 0}, {"arch": "huge"}, {"augment": 1}, {"lr": -1.0},
    {"seed": 1 << 63}, {"margin": "wide"}])
def test_options_of_a_strange_checkpoint_are_refused(stored):
    with pytest.raises(ValueError, match="the checkpoint"):
        Config(out="x").resumed(stored, {})


def test_a_resume_takes_the_stored_options_and_the_free_ones_that_are_given():
    stored = Config(data="a", out="old", batch=7, threads=3, margin=0.1).json()
    given = {"out": "new", "workers": 2, "held_out": "pairs"}
    got = Config(**given).resumed(stored, given)
    assert got == Config(data="a", out="new", batch=7, threads=3, margin=0.1, workers=2,
                         held_out="pairs")
    with pytest.raises(ValueError, match="--batch is 8, the checkpoint was made with 7"):
        Config(out="x", batch=8).resumed(stored, {"batch": 8})
