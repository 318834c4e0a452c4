# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The bounds of engine cases below float32: steps, the walk, and what is drawn."""

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import cases, engines, rounding, weights
from efm3.network import layers
from efm3.precision import LEAST

CASES = {c.id: c for c in cases.corpus()}
NOTHING = lambda layer, a: a  # noqa: E731


def setting(name, at=0):
    case, row = CASES[name], engines.expected(name)["inputs"][at]
    return (efm3.load(case.data(), level="structure"), weights.picture(row["input"]),
            np.array(row["embedding"], float), row["gaps"])


@pytest.mark.parametrize("name", ["run-plain", "run-slopes-mixed", "run-stem-stride-3", "run-t-1"])
def test_without_a_change_it_is_the_reference(name):
    model, x, want, _ = setting(name)
    have = rounding.forward(model, x[None], NOTHING, NOTHING)
    assert np.abs(have[0] - want).max() < 1e-12


def test_the_layers_that_are_rounded_are_those_that_the_engine_rounds():
    model, *_ = setting("run-stem-kernel-1")
    own = [layer.name for layer in layers(model.arch) if rounding.pointwise(layer)]
    assert own == [layer.name for layer in layers(model.arch)
                   if layer.name.rpartition(".")[2] in ("expand", "project", "final_conv",
                                                        "embed_proj")]


@pytest.mark.parametrize("value,step", [
    (1.0, 2.0**-7), (1.99, 2.0**-7), (2.0, 2.0**-6), (-0.75, 2.0**-8), (0.0, 0.0), (1e-30, None)])
def test_the_step_of_bfloat16(value, step):
    have = float(rounding.bfloat16(np.array([value]))[0])
    if step is None:
        step = 2.0 ** (np.floor(np.log2(value)) - 7)
    assert have == step


def test_steps_are_those_that_the_specification_states():
    a = np.array([-1.0, 2.0, 0.5, 3.0]).reshape(1, 2, 1, 2)
    assert rounding.STEPS["fast"].maps(a).ravel() == pytest.approx([4 / 255])
    assert rounding.STEPS["fast"].maps(np.abs(a)).ravel() == pytest.approx([3 / 255])
    w = np.array([[0.5, -2.0], [0.0, 0.0]]).reshape(2, 2, 1, 1)
    assert rounding.STEPS["fast"].weights(w).ravel() == pytest.approx([2 / 127, 0])
    high = rounding.STEPS["high"].maps(np.array([1.0, 0.001]).reshape(1, 2, 1, 1)).ravel()
    assert high == pytest.approx([2.0**-7, 1 / 1023])  # the larger one of the two forms


def test_levels_are_moved_by_at_most_half_a_step():
    rng = np.random.default_rng(1)
    a, by = rng.normal(size=1000), rng.uniform(-0.5, 0.5, 1000)
    have = rounding.moved(a, np.full(1000, 0.25), by)
    assert 0.1 < np.abs(have - a).max() <= 0.125 + 1e-12
    assert np.unique(np.round((have / 0.25 + by) % 1, 9) % 1).tolist() == [0]
    assert (rounding.moved(a, np.zeros(1000), by) == a).all()


def test_pixels_of_one_value_have_one_error():
    model, *_ = setting("run-input-constant")
    seen = []

    def maps(layer, a):
        if layer.name == "stage1.block0.expand":
            seen.append(a)
        return a
    x = np.full((3, 112, 112), 0.5)
    rounding.forward(model, x[None], NOTHING, maps)
    inner = rounding.moved(seen[0], rounding.STEPS["fast"].maps(seen[0]), np.full(
        (1, seen[0].shape[1], 1, 1), 0.3))[0, :, 10:20, 10:20] - seen[0][0, :, 10:20, 10:20]
    assert np.ptp(inner.reshape(len(inner), -1), axis=1).max() < 1e-12 < np.abs(inner).max()


@pytest.mark.parametrize("name", ["run-gdc-1", "run-minimal"])
def test_bounds_are_drawn_and_the_same_each_time(name):
    model, x, want, frozen = setting(name)
    have = rounding.gaps(model, x, want)
    assert have.keys() == frozen.keys() == LEAST.keys()
    for k, gap in have.items():
        assert gap <= frozen[k] * 1.001 and frozen[k] <= gap * 1.11  # two digits, rounded up


def test_what_has_no_direction_has_no_bound():
    model, x, want, _ = setting("run-minimal")
    assert rounding.gaps(model, x, want * np.nan) == rounding.gaps(model, x, 0 * want) == {}
    assert engines.expected("run-zero-vector")["inputs"][0]["gaps"] == {}
    assert engines.expected("run-input-nan")["inputs"][0]["gaps"] == {}


def test_no_bound_is_below_that_of_f32():
    _, _, want, frozen = setting("run-channels-1-3-5-1")
    assert want.size == 1  # no rounding turns it
    assert frozen == {"high": 5e-11, "fast": 5e-11}


def test_every_case_has_bounds_and_those_of_fast_are_wider():
    for case in (c for c in CASES.values() if c.kind == "engine"):
        for row in engines.expected(case.id)["inputs"]:
            have, want = row["gaps"], np.array(row["embedding"], float)
            assert bool(have) == bool(np.isfinite(want).all() and want.any()), case.id
            if have and want.size > 1:
                assert 0 < have["high"] < have["fast"] < 0.2, case.id


def test_other_draws_stay_within_the_bound():
    """Of engines that round as is asked none fails a case."""
    for name in ("run-gdc-1", "run-minimal", "run-stem-stride-4"):
        model, x, want, frozen = setting(name)
        for precision, most in frozen.items():
            for seed in range(100, 104):
                have = rounding.drawn(model, x[None], precision, seed)[0]
                assert 0 < np.sum((have - want) ** 2) / 2 <= most, (name, precision, seed)
                assert reference.normalised(have[None])[0] == pytest.approx(have)
