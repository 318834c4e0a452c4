# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The plan of the shipped files' training: its runs, its places, and what the command refuses."""

import re
from itertools import pairwise
from pathlib import Path

import pytest

from efm3.arch import ARCHS
from efm3.drawn import spec
from efm3.train.config import Config
from tools import ROOT
from tools.weights import plan


def test_every_size_is_trained_and_the_small_ones_twice():
    assert {r.arch for r in plan.RUNS} == set(ARCHS) and len(set(plan.RUNS)) == len(plan.RUNS)
    seeds = {a: [r.seed for r in plan.RUNS if r.arch == a] for a in ARCHS}
    assert seeds == {"nano": [1, 2], "tiny": [1, 2], "standard": [1], "xs": [1]}


def test_the_pairs_share_no_identity_with_training_nor_with_one_another():
    held = [spec.pairs(words) for words in plan.HELD_OUT.split(",")]
    assert [h.setting for h in held] == list(spec.SETTINGS)
    assert len({h[:4] for h in held}) == 1, "the same people in each setting"
    ends = [(0, max(plan.IDENTITIES, plan.TOGETHER.identities))]
    ends += [(s.first, s.first + s.identities) for s in (spec.pairs(plan.CHOICE), held[0])]
    ordered = sorted(ends)
    assert all(a[1] <= b[0] for a, b in pairwise(ordered))


def test_each_stage_stands_behind_the_one_that_it_goes_on_from():
    stages = plan.stages(plan.RUNS)
    assert [r.name for r in stages[:6]] == [f"{r.name}:64" for r in plan.RUNS]
    assert stages[6:] == list(plan.RUNS)
    assert all(r.before is None or r.before in stages[:n] for n, r in enumerate(stages))
    assert [r for r in stages if r.before is None] == stages[:2]
    assert all(plan.folder(r, "cpu") != plan.folder(s, "cpu") for r, s in pairwise(stages))


def test_a_file_says_what_its_network_has_seen():
    said = plan.note(plan.Run("tiny", 2))
    counts = [plan.STEPS[at] * plan.BATCH for at in (("nano", 64), ("tiny", 64), ("tiny", 112))]
    assert re.findall(r"([\d,]+) pictures", said) == [f"{n:,}" for n in counts]
    assert said.startswith("MobileFaceNet tiny, trained on CPUs in stages, ")
    assert re.findall(r"(nano|tiny) on", said) == ["nano", "tiny", "tiny"]


def test_all_recipes_are_options_of_training():
    for recipe in (*map(plan.recipe, plan.stages(plan.RUNS)), plan.TOGETHER.recipe):
        options = {k.replace("-", "_"): v for k, v in recipe.items()}
        made = Config(**options)
        assert all(getattr(made, k) == v for k, v in options.items())
    assert plan.TOGETHER.identities * plan.TOGETHER.shots >= plan.TOGETHER.recipe["batch"]


def test_only_names_runs():
    assert plan.chosen([]) == list(plan.RUNS)
    assert plan.chosen(["xs:1", "nano:1"]) == [plan.Run("nano", 1), plan.Run("xs", 1)]
    with pytest.raises(ValueError, match="huge:1 is none of nano:1"):
        plan.chosen(["huge:1"])


def test_nothing_is_kept_in_the_repository(monkeypatch, tmp_path):
    monkeypatch.setenv("EFM3_WEIGHTS_DIR", str(tmp_path / "own"))
    assert plan.home() == tmp_path / "own"
    monkeypatch.delenv("EFM3_WEIGHTS_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert plan.home() == tmp_path / "efm3" / "weights"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert plan.home() == Path.home() / ".cache" / "efm3" / "weights"
    assert not plan.cache().is_relative_to(ROOT)
    assert plan.folder(plan.RUNS[0], "cpu") != plan.folder(plan.RUNS[0], "cuda")
