# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A mistake of the catalogue is recognised by the embedding that it gives."""

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import cases, symptoms, weights

CASES = {c.id: c for c in cases.corpus()}
# A case for each mistake that most cases cannot show.
HOMES = {
    "BatchNorm's epsilon is missing": "run-variance-small",
    "BatchNorm's epsilon is 1e-6": "run-variance-small",
    "PReLU is max(x, slope*x)": "run-slopes-above-1",
    "the first block of a stage never adds its input": "run-stride-1-same-channels",
    "a residual is added where the stride is not 1": "run-stride-2-same-channels",
    "expand is left out where t is 1": "run-t-1",
    "the norm's guard against zero is missing": "run-zero-vector",
}


def setting(name):
    case = CASES[name]
    return efm3.load(case.data(), level="structure"), weights.picture(case.recipe["inputs"][0])


@pytest.mark.parametrize("name", ["run-plain", "run-odd-sides", "run-stem-kernel-7", "run-gdc-2"])
def test_without_a_twist_it_is_the_reference(name):
    model, x = setting(name)
    want = reference.forward(model, x[None])[0]
    assert np.abs(symptoms.forward(symptoms.Twist(), model, x) - want).max() < 1e-12


@pytest.mark.parametrize("words", list(symptoms.CATALOGUE))
def test_every_mistake_is_recognised(words):
    model, x = setting(HOMES.get(words, "run-plain"))
    wrong = symptoms.forward(symptoms.CATALOGUE[words], model, x)
    assert words in symptoms.match(model, x, wrong.astype(np.float32))


def test_a_right_embedding_matches_nothing():
    model, x = setting("run-plain")
    assert symptoms.match(model, x, reference.forward(model, x[None])[0]) == []


def test_a_mistake_of_no_kind_matches_nothing():
    model, x = setting("run-plain")
    assert symptoms.match(model, x, np.linspace(-0.5, 0.5, 8)) == []
