# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The judge of engines: tolerances, refusals, first differing layer, symptom."""

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import cases, engines, symptoms
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


def judged(case, subject, precision="fp32"):
    return engines.judge(CASES[case], subject, precision)


@pytest.mark.parametrize("bend,verdict,words", [
    (lambda e: e, "pass", ""), (lambda e: e + 8e-6, "pass", ""),
    (lambda e: e + 2e-5, "fail", "off by"),
    (lambda e: e[:-1], "fail", "7 values, not 8"), (lambda e: e * np.nan, "fail", "not finite"),
    (lambda e: e * 3, "fail", "off by")])
def test_fp32(bend, verdict, words):
    found = judged("run-plain", Bent(bend))
    assert found.verdict == verdict and words in found.detail


@pytest.mark.parametrize("precision,angle,verdict", [
    ("fp16", 0.013, "pass"), ("fp16", 0.015, "fail"), ("bf16", 0.044, "pass"),
    ("bf16", 0.046, "fail"), ("int8", 0.14, "pass"), ("int8", 0.143, "fail")])
def test_reduced_precision_is_judged_by_the_cosine(precision, angle, verdict):
    def turn(e):
        other = np.roll(e, 1) - e * (e @ np.roll(e, 1))
        return np.cos(angle) * e + np.sin(angle) * other / np.linalg.norm(other)
    assert judged("run-plain", Bent(turn), precision).verdict == verdict


def test_reduced_precision_still_needs_length_one():
    assert judged("run-plain", Bent(lambda e: e * 2), "fp16").verdict == "fail"


def test_the_zero_vector_has_no_direction_and_passes_as_zeros_only():
    assert judged("run-zero-vector", Bent(), "fp16").verdict == "pass"
    assert judged("run-zero-vector", Bent(lambda e: e + 1e-3), "fp16").verdict == "fail"


def test_nan_must_reach_every_component():
    assert judged("run-input-nan", Bent()).verdict == "pass"
    found = judged("run-input-nan", Bent(lambda e: np.zeros(8)))
    assert found.verdict == "fail" and found.level == "SHOULD" and "NaN" in found.detail


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


def test_right_layers_point_after_the_last_and_layers_of_a_wrong_size_are_skipped():
    found = judged("run-plain", Bent(lambda e: e + 0.1))
    assert "look after the last" in found.detail
    found = judged("run-plain", Bent(lambda e: e + 0.1, lambda d: {"stem": d["stem"][:-1]}))
    assert found.verdict == "fail" and "stem" not in found.detail


def test_without_layers_the_symptom_alone_is_told():
    found = judged("run-plain", Bent(lambda e: e * 2, lambda d: {}))
    assert "differing" not in found.detail


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
            layers["stem"] = symptoms.forward(symptoms.Twist(eps=1e-3), model, x, "stem")
            layers["gdconv"] = layers["gdconv"] * 2
            return Answer("ok", value=(np.linspace(-0.5, 0.5, 8), layers))
    found = judged("run-plain", Wrong())
    assert "first differing layer: stem" in found.detail
    assert found.detail.endswith("looks as if BatchNorm's epsilon is 1e-3")
