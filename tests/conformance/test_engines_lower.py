# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The judge of engines below float32: bounds of a case's own, the norm, one input alone, causes."""

import math

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import _lower, _stray, cases, engines, rounding, runner, weights
from efm3.conformance.results import Answer
from efm3.network import layers
from tests.conformance.test_engines import Bent, judged
from tools.mutants import _lower as planted
from tools.mutants import programs

CASES = {c.id: c for c in cases.corpus()}
LOWER = tuple(rounding.STEPS)


def turned(by):
    """A bend that turns an embedding by an angle whose 1 - cosine is `by`."""
    def bend(e):
        other = np.roll(e, 1) - e * (e @ np.roll(e, 1))
        cos = 1 - by
        return cos * e + math.sqrt(1 - cos * cos) * other / np.linalg.norm(other)
    return bend


@pytest.mark.parametrize("precision", LOWER)
@pytest.mark.parametrize("name", ["run-plain", "run-minimal", "run-gdc-1"])
def test_a_case_has_its_own_bound(precision, name):
    most = min(row["gaps"][precision] for row in engines.expected(name)["inputs"])
    assert judged(name, Bent(turned(0.98 * most)), precision).verdict == "pass"
    found = judged(name, Bent(turned(1.02 * most), lambda d: {}), precision)
    assert found.verdict == "fail" and f"for {precision} in this case" in found.detail


@pytest.mark.parametrize("precision", LOWER)
def test_the_length_is_that_of_f32(precision):
    assert judged("run-plain", Bent(lambda e: e * 1.000009), precision).verdict == "pass"
    found = judged("run-plain", Bent(lambda e: e * 1.00002), precision)
    assert found.verdict == "fail" and "its norm is 1.00002, not 1" in found.detail
    assert "right" in found.detail and "look after the last" in found.detail


def test_below_the_norms_floor_the_length_is_as_uncertain_as_the_direction():
    (row,) = engines.expected("run-norm-below-floor")["inputs"]
    room = math.sqrt(2 * row["gaps"]["fast"])
    assert np.linalg.norm(row["embedding"]) < 0.99
    assert judged("run-norm-below-floor", Bent(lambda e: e * (1 + 0.9 * room)),
                  "fast").verdict == "pass"
    assert judged("run-norm-below-floor", Bent(lambda e: e * (1 + 1.1 * room)),
                  "fast").verdict == "fail"


@pytest.mark.parametrize("precision", LOWER)
def test_the_zero_vector_passes_as_zeros_only(precision):
    assert judged("run-zero-vector", Bent(), precision).verdict == "pass"
    found = judged("run-zero-vector", Bent(lambda e: e + 1e-3), precision)
    assert found.verdict == "fail" and "not 0" in found.detail
    assert judged("run-plain", Bent(lambda e: 0 * e), precision).verdict == "fail"


@pytest.mark.parametrize("precision", LOWER)
def test_nan_must_reach_every_component(precision):
    assert judged("run-input-nan", Bent(), precision).verdict == "pass"
    assert judged("run-input-nan", Bent(np.nan_to_num), precision).verdict == "fail"


class Drifts(Bent):
    """Each answer is by little another one; layers are as they were."""

    def __init__(self, by):
        super().__init__(lambda e: e * (1 + self.by * self.runs))
        self.by, self.runs = by, 0

    def embed(self, model, x):
        self.runs += 1
        return super().embed(model, x)


def test_an_input_gives_the_same_bits_before_and_after_others():
    """Below f32, where sums are exact; in f32 a sum may be taken in any order."""
    assert judged("run-alone", Drifts(1e-8), "f32").verdict == "pass"
    found = judged("run-alone", Drifts(1e-8), "fast")
    assert found.verdict == "fail" and "another embedding after other inputs" in found.detail
    assert judged("run-alone", Drifts(0.0), "fast").verdict == "pass"


def test_an_engine_that_fails_after_others_is_broken():
    class Once(Drifts):
        def embed(self, model, x):
            answer = super().embed(model, x)
            return answer if self.runs < 3 else Answer("broken", "crash")
    found = judged("run-alone", Once(0.0), "high")
    assert (found.verdict, found.detail) == ("broken", "crash")


@pytest.mark.parametrize("mutant", planted.LOWER, ids=lambda m: m.name)
def test_the_kit_kills(mutant):
    found = programs.kill(mutant)
    assert programs.killed(mutant, found) and found.verdict == "fail", found


@pytest.mark.parametrize("base", planted.BASE, ids=lambda m: m.name)
def test_without_a_mistake_they_conform(base):
    """On the cases that kill those with one; on all of the set in `make conformance`."""
    asked = {m.case for m in planted.LOWER if m.precision == base.precision}
    found = runner.run("engine", programs.subject(base), [CASES[i] for i in sorted(asked)],
                       precision=base.precision)
    assert [(o.case, o.detail) for o in found if o.verdict != "pass"] == []


def test_mistakes_that_no_bound_of_f32_is_needed_for_are_told_by_the_first_layer():
    found = judged("run-plain", Bent(lambda e: -e, lambda d: d | {"dw_stem": -d["dw_stem"]}),
                   "fast")
    assert "first differing layer: dw_stem, off by" in found.detail


@pytest.mark.parametrize("precision", LOWER)
def test_no_rounding_is_beyond_the_room_of_its_layer(precision):
    model = efm3.load(CASES["run-slopes-above-1"].data(), level="structure")
    x = weights.picture("noise 2")[None].astype(float)
    steps, nearest = rounding.STEPS[precision], 0.0
    for layer, a in zip(layers(model.arch), [x, *reference.activations(model, x).values()],
                        strict=False):
        w, bias = rounding.folded(layer, model)
        have, want = (rounding.activated(layer, model, reference.convolve(layer, v, b) + bias)
                      for v, b in ((rounding.moved(w, steps.weights(w), np.zeros(())),
                                    rounding.moved(a, steps.maps(a), np.zeros(()))), (w, a)))
        part = (np.abs(have - want) / (_lower.room(model, layer, a, precision) + 1e-12)).max()
        assert part <= 1
        nearest = max(nearest, part)
    assert nearest > 0.5


def test_a_row_with_what_is_not_finite_has_all_room():
    model = efm3.load(CASES["run-minimal"].data(), level="structure")
    layer = next(x for x in layers(model.arch) if rounding.pointwise(x))
    a = np.ones((1, layer.in_channels, layer.in_side, layer.in_side))
    a[0, 0, 3, 5] = np.nan
    with np.errstate(all="ignore"):
        room = _lower.room(model, layer, a, "fast")
    assert np.isinf(room[:, :, 3]).all() and np.isfinite(np.delete(room, 3, axis=2)).all()


def test_a_layer_after_one_that_was_not_given_is_not_judged():
    model = efm3.load(CASES["run-plain"].data(), level="structure")
    x = weights.picture("drawn 1")
    given = {k: v.reshape(-1) for k, v in reference.activations(model, x[None]).items()}
    del given["dw_stem"]
    given["stage1.block0.expand"] = given["stage1.block0.expand"] * 1.5

    def room(layer, a):
        return _lower.room(model, layer, a, "fast")
    # The layer after the wrong one does not follow from it: of expand itself nothing is known.
    assert _stray.first(model, x, given, room).layer == "stage1.block0.dw"
    given["stage1.block0.expand"] = given["stage1.block0.expand"] / 1.5
    assert _stray.first(model, x, given, room) is None
    given["stage1.block0.dw"] = given["stage1.block0.dw"][:-1]
    assert _stray.first(model, x, given, room).layer == "stage1.block0.dw"


def test_a_layer_of_another_size_is_no_mistake_of_the_catalogue():
    model = efm3.load(CASES["run-plain"].data(), level="structure")
    stray = _stray.Stray("stem", "", np.zeros(7), "", np.zeros((1, 3, 112, 112)), np.zeros(8))
    assert _lower.mistakes(model, stray, "fast") == []
