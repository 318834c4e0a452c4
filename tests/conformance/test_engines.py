# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The judge of engines: tolerances, refusals, first differing layer, symptom."""

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import _stray, cases, engines, weights
from efm3.conformance._mistakes import CATALOGUE
from efm3.conformance._twist import steps
from efm3.conformance.builtin import Reference
from efm3.conformance.results import Answer
from efm3.conformance.subject import Subject

CASES = {c.id: c for c in cases.corpus()}


class Bent(Reference):
    """The reference with its answer bent."""

    def __init__(self, embedding=lambda e: e, layers=lambda d: d):
        super().__init__()
        self.bend, self.layers = embedding, layers

    def embed(self, model, x):
        answer = super().embed(model, x)
        if answer.kind != "ok":
            return answer
        e, layers = answer.value
        return Answer("ok", value=(self.bend(e.astype(np.float64)), self.layers(layers)))


def judged(case, subject, precision="f32"):
    return engines.judge(CASES[case], subject, precision)


@pytest.mark.parametrize("bend,verdict,words", [
    (lambda e: e, "pass", ""), (lambda e: e + 8e-6, "pass", ""),
    (lambda e: e + 2e-5, "fail", "off by"),
    (lambda e: e[:-1], "fail", "7 values, not 8"), (lambda e: e * np.nan, "fail", "not finite"),
    (lambda e: e * 3, "fail", "off by")])
def test_f32(bend, verdict, words):
    found = judged("run-plain", Bent(bend))
    assert found.verdict == verdict and words in found.detail


def test_nan_must_reach_every_component():
    assert judged("run-input-nan", Bent()).verdict == "pass"
    found = judged("run-input-nan", Bent(lambda e: np.zeros(8)))
    assert found.verdict == "fail" and found.level == "SHOULD" and "NaN" in found.detail
    one = judged("run-input-nan", Bent(lambda e: np.where(np.arange(8) == 3, 0.5, e)))
    assert "component 3 is 0.5, a value where NaN is expected" in one.detail


def test_models_are_loaded_or_refused():
    class Takes(Subject):
        def embed(self, model, x):
            return Answer("ok", value=(np.zeros(1), {}))

    class Refuses(Subject):
        def embed(self, model, x):
            return Answer("refused", "no")

    class Breaks(Subject):
        def embed(self, model, x):
            return Answer("broken", "crash")
    found = judged("bad-t014-zero", Takes())
    assert found.verdict == "fail" and "T014" in found.detail and "E_TRAILING" in found.detail
    assert judged("bad-m005-same-value", Takes()).verdict == "pass"
    assert judged("bad-t014-zero", Refuses()).verdict == "pass"
    assert judged("valid-sample", Refuses()).verdict == "fail"
    assert judged("run-plain", Refuses()).verdict == "fail"
    assert {judged(c, Breaks()).verdict for c in ("valid-sample", "run-plain")} == {"broken"}


def test_the_first_differing_layer_is_named():
    def layers(d):
        d["stage2.block0.project"] = d["stage2.block0.project"] + 1
        d["final_conv"] = d["final_conv"] + 1
        return d
    found = judged("run-plain", Bent(lambda e: e + 0.1, layers))
    assert "first differing layer: stage2.block0.project" in found.detail


def test_the_layer_that_is_wrong_is_blamed_not_the_one_where_its_error_has_grown():
    """Each layer is judged by itself: of what follows from a wrong one nothing is said."""
    def layers(d):
        d["stem"] = d["stem"] * 1.00002
        return d
    found = judged("run-plain", Bent(lambda e: e + 0.1, layers))
    assert "first differing layer: stem, off by" in found.detail
    x = weights.picture("drawn 1")
    model = efm3.load(CASES["run-plain"].data(), level="structure")
    given = {k: v.reshape(-1) for k, v in reference.activations(model, x[None]).items()}
    assert _stray.first(model, x, given) is None
    given["dw_stem"] = given["dw_stem"] * 1.5  # and the next follows from the right one
    assert _stray.first(model, x, given).layer == "dw_stem"
    del given["dw_stem"]
    given["stage1.block0.expand"] = given["stage1.block0.expand"] * 1.5
    stray = _stray.first(model, x, given)
    assert stray.layer == "stage1.block0.expand" and stray.words.endswith(
        "(the layer before it, dw_stem, was not given)")


def test_right_layers_point_after_the_last():
    found = judged("run-plain", Bent(lambda e: e + 0.1))
    assert "every layer that was given is right: look after the last" in found.detail
    some = judged("run-minimal", Bent(lambda e: -e, lambda d: {"stem": d["stem"]}))
    assert "is right, the last is stem: look after it" in some.detail


def test_small_errors_of_many_layers_blame_none():
    case = CASES["run-plain"]
    model = efm3.load(case.data(), level="structure")
    raw = np.linspace(-1, 1, 8)
    small = {layer.name: np.zeros(1) for layer in efm3.layers(model.arch)} | {"embed_proj": raw}
    assert _stray.after(model, small, raw / np.linalg.norm(raw)).endswith(
        "small errors of many layers")
    assert _stray.after(model, {}, raw) == ""


@pytest.mark.parametrize("size,words", [
    (8 * 55 * 55, "stem, [8, 55, 55] for [8, 56, 56]: padding 1 under a 5×5 kernel"),
    (8 * 38 * 38, "stem, [8, 38, 38] for [8, 56, 56]: a stride of 3, not 2"),
    (9 * 56 * 56, "stem, [9, 56, 56] for [8, 56, 56]"), (0, "stem, 0 values for [8, 56, 56]"),
    (7, "stem, 7 values for [8, 56, 56]"), (8, "stem, [8, 1, 1] for [8, 56, 56]")])
def test_a_layer_of_a_wrong_size_is_the_first_astray_with_both_sizes(size, words):
    found = judged("run-stem-kernel-5", Bent(lambda e: e + 0.1,
                                             lambda d: d | {"stem": np.ones(size)}))
    assert f"; first differing layer: {words}" in found.detail
    assert "dw" not in found.detail


def test_layers_that_the_network_has_not_are_told():
    found = judged("run-minimal", Bent(lambda e: -e, lambda d: d | {"st\x1bem": np.ones(1)}))
    assert r"; the network has no layer st\x1bem (" in found.detail
    model = efm3.load(CASES["run-minimal"].data(), level="structure")
    many = {f"layer{i}": np.ones(1) for i in range(9)} | {"stem": np.ones(1)}
    assert "no layer layer0, layer1, layer2 and 6 more" in _stray.strangers(model, many)
    assert _stray.strangers(model, {"stem": np.ones(1)}) == ""


def test_values_that_are_not_finite_or_are_so_elsewhere():
    found = judged("run-plain", Bent(lambda e: e * np.nan,
                                     lambda d: d | {"stem": d["stem"] * np.inf}))
    assert "first differing layer: stem, with values that are not finite" in found.detail
    found = judged("run-input-nan", Bent(np.nan_to_num, lambda d: d | {
        "stem": np.nan_to_num(d["stem"])}))
    assert "first differing layer: stem, where NaN and infinities are others" in found.detail


def test_an_error_without_a_pattern_is_one_of_precision():
    noise = np.random.default_rng(1).normal(size=8 * 56 * 56) * 2.0**-9
    found = judged("run-plain", Bent(lambda e: e + 0.1, lambda d: d | {
        "stem": d["stem"] * (1 + noise)}))
    assert "first differing layer: stem" in found.detail
    assert "as of arithmetic with about 9 bits" in found.detail


def test_without_layers_the_symptom_alone_is_told():
    found = judged("run-minimal", Bent(lambda e: -e, lambda d: {}))
    assert "differing" not in found.detail
    assert "the embedding's sign is turned" in found.detail


def test_a_run_that_depends_on_the_one_before():
    class Late(Bent):
        kept = None

        def embed(self, model, x):
            answer = super().embed(model, x)
            self.kept, before = answer, self.kept or answer
            return before

    class First(Bent):
        kept = None

        def embed(self, model, x):
            self.kept = self.kept or super().embed(model, x)
            return self.kept
    late, first = judged("run-plain", Late()), judged("run-plain", First())
    for found in (late, first):
        assert found.detail.startswith("input 'noise 2'")
        assert "; it is the embedding of input 'drawn 1', which was run before" in found.detail
    assert "something of an earlier run is kept" in late.detail
    assert "second run" not in first.detail


def test_mistakes_that_cannot_be_told_apart_are_a_choice():
    assert engines._looks([]) == ""
    assert engines._looks(["A"]) == "; looks as if A"
    assert engines._looks(["A", "B"]) == "; looks as if either A or B"
    assert engines._looks(list("ABC")) == "; looks as if one of these: A; B; C"
    assert engines._looks(list("ABCDEFGHIJ")).endswith("G; H (or 2 more)")


def test_every_engine_case_has_frozen_expectations():
    for case in (c for c in CASES.values() if c.kind == "engine"):
        rows = engines.expected(case.id)["inputs"]
        assert [r["input"] for r in rows] == case.recipe["inputs"], case.id
        assert all(r["embedding"] and r["layers"] for r in rows)


def test_a_layers_digest_moves_when_values_change_places():
    a = np.arange(24.0).reshape(2, 3, 4)
    one, two = engines.layer_digest(a), engines.layer_digest(a[::-1])
    assert one["rms"] == two["rms"] and one["mix"] != two["mix"]
    assert one["samples"][0] == [0, 0.0] and one["samples"][-1] == [23, 23.0]
    assert engines.layer_digest(a * np.nan)["max"] == "nan"


def test_of_two_mistakes_the_first_is_named():
    model = efm3.load(CASES["run-plain"].data(), level="structure")

    class Wrong(Reference):
        def embed(self, data, x):
            acts = reference.activations(model, x[None])
            layers = {k: v.reshape(-1) for k, v in acts.items()}
            eps = CATALOGUE["BatchNorm's epsilon is 1e-3"]
            layers["stem"] = dict(steps(eps, model, x))["stem"]
            layers["gdconv"] = layers["gdconv"] * 2
            return Answer("ok", value=(np.linspace(-0.5, 0.5, 8), layers))
    found = judged("run-plain", Wrong())
    assert "first differing layer: stem" in found.detail
    assert found.detail.endswith("looks as if BatchNorm's epsilon is 1e-3")
