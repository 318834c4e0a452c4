# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""A mistake of the catalogue is recognised by what it gives, on several networks."""

import zlib

import numpy as np
import pytest

import efm3
from efm3 import reference
from efm3.conformance import cases, symptoms, weights
from efm3.conformance._mistakes import CATALOGUE, NORMS
from efm3.conformance._twist import Twist, steps
from efm3.conformance.symptoms import match
from efm3.network import layers

CASES = {c.id: c for c in cases.corpus()}
WORDS = list(CATALOGUE)
# Networks on which a mistake can be seen, small first; the whole catalogue is tried on all by the
# planted engines of tools/mutants.
NETWORKS = ("run-gdc-1", "run-slopes-mixed", "run-stem-kernel-5", "run-t-1", "run-norm-above-floor",
            "run-stride-1-other-channels", "run-channels-15-17-31-33")


def setting(name):
    case = CASES[name]
    return efm3.load(case.data(), level="structure"), weights.picture(case.recipe["inputs"][0])


def given(words, model, x):
    """What an engine in float32 with the mistake gives."""
    return {name: a.astype(np.float32).astype(np.float64)
            for name, a in steps(CATALOGUE[words], model, x)}


@pytest.mark.parametrize("name", ["run-plain", "run-odd-sides", "run-stem-kernel-7", "run-gdc-2",
                                  "run-stride-1-other-channels", "run-norm-below-floor"])
def test_without_a_twist_it_is_the_reference(name):
    model, x = setting(name)
    have = dict(steps(Twist(), model, x))
    assert np.abs(have.pop("") - reference.forward(model, x[None])[0]).max() < 1e-12
    for layer, a in reference.activations(model, x[None]).items():
        assert np.abs(have.pop(layer) - a.reshape(-1)).max() <= 1e-12 * max(1, np.abs(a).max())
    assert not have


def first_wrong(words, model, x):
    """The first layer that the mistake changes, and what it gives; None where nothing changes."""
    have = given(words, model, x)
    for name, a in steps(Twist(), model, x):
        if have[name].shape != a.shape or symptoms._distance(a, have[name]) > 1e-5:
            return name, have
    return None


@pytest.mark.parametrize("words", [w for w in WORDS if zlib.crc32(w.encode()) % 20 == 0])
def test_a_mistake_is_recognised_on_some_network(words):
    for name in NETWORKS:
        model, x = setting(name)
        try:
            wrong = first_wrong(words, model, x)
        except ValueError:
            continue  # the mistake has no meaning for this network
        if wrong is not None:
            assert words in match(model, x, wrong[1], wrong[0])
            break


def test_the_embedding_alone_is_enough():
    model, x = setting("run-gdc-1")
    words = "the input's planes are taken as BGR"
    assert match(model, x, {"": given(words, model, x)[""]}) == [words]


def test_a_right_answer_matches_nothing():
    model, x = setting("run-gdc-1")
    right = dict(steps(Twist(), model, x))
    assert match(model, x, right) == []


def test_a_mistake_of_no_kind_matches_nothing():
    model, x = setting("run-gdc-1")
    right = dict(steps(Twist(), model, x))
    assert match(model, x, right | {"": np.linspace(-0.5, 0.5, 8)}) == []
    assert match(model, x, right | {"stem": np.ones(8 * 56 * 56)}, "stem") == []


def test_layers_that_are_right_rule_out_what_would_change_them():
    model, x = setting("run-gdc-1")
    right = dict(steps(Twist(), model, x))
    have = right | {"": right[""][::-1]}
    assert match(model, x, have) == ["the embedding is in reverse order"]
    # Where the layers are wrong no mistake of the norm is looked for.
    stem = given("BatchNorm's epsilon is 1e-3", model, x)["stem"]
    assert not set(match(model, x, have | {"stem": stem}, "stem")) & set(NORMS)


def test_later_layers_tell_apart_what_is_the_same_at_first():
    model, x = setting("run-slopes-mixed")
    every, one = "the activation is left out", "the activation is left out in stem"
    for words in (every, one):
        have = given(words, model, x)
        assert set(match(model, x, {"stem": have["stem"]}, "stem")) >= {every, one}
        assert match(model, x, have, "stem") == [words]


def test_mistakes_that_are_the_same_are_both_named():
    model, x = setting("run-gdc-1")
    both = ["the norm's guard against zero is missing", "the norm's floor is below 1e-12"]
    model = efm3.load(CASES["run-norm-below-floor"].data(), level="structure")
    assert match(model, x, given(both[0], model, x)) == both


@pytest.mark.parametrize("words,lost", [
    ("no block of stage 1 adds its input", "1.1 1.2 1.3"),
    ("the second block of a stage never adds its input", "1.1 2.1 3.1"),
    ("the last block of a stage never adds its input", "1.3 2.3 3.3"),
    ("no block of a stage with t = 1 adds its input", "2.0 2.1 2.2 2.3"),
    ("no block of a stage whose stride is over 1 adds its input", "1.1 1.2 1.3 3.1 3.2 3.3")])
def test_residuals_that_are_lost_in_some_blocks(words, lost):
    arch = setting("run-residuals")[0].arch
    rows = list(layers(arch))
    pairs = zip(rows, CATALOGUE[words].plan(arch, rows), strict=True)
    assert [a.name for a, b in pairs if a.residual != b.residual] == [
        "stage{}.block{}.project".format(*at.split(".")) for at in lost.split()]


def test_a_sum_of_less_than_a_vector_may_be_whole_and_one_of_more_not():
    stem, expand = list(layers(setting("run-channels-15-17-31-33")[0].arch))[:3:2]
    change = CATALOGUE["sums of more than 4 input channels leave out those beyond a multiple "
                       "of 4"].weights
    assert change(stem, np.ones((15, 3, 3, 3))).all()
    kept = change(expand, np.ones((30, 15, 1, 1)))
    assert kept[:, :12].all() and not kept[:, 12:].any()


@pytest.mark.parametrize("words,rows,columns", [
    ("all padding of rows is at the top where a layer strides", (2, 0), (1, 1)),
    ("all padding of columns is on the right where a layer strides", (1, 1), (0, 2))])
def test_padding_that_is_moved_in_rows_or_columns_alone(words, rows, columns):
    t, (stem, dw_stem, *_) = CATALOGUE[words], layers(setting("run-gdc-1")[0].arch)
    assert (t.pad(stem), t.pad_columns(stem)) == (rows, columns)
    assert (t.pad(dw_stem), t.pad_columns(dw_stem)) == ((1, 1), (1, 1))


@pytest.mark.parametrize("a,b,want", [
    ([1, 1], [1, 1], 0), ([0, 0], [0, 0], 0), ([1e-25, 1e-25], [0, 0], 1), ([3, 4], [3, 4.5], 0.09),
    ([np.nan, 1], [np.nan, 1], 0), ([np.nan, 1], [1, 1], np.inf), ([0, 0], [np.nan, 0], np.inf),
    ([np.inf, 2], [np.inf, 2], 0), ([np.inf, 2], [-np.inf, 2], np.inf), ([1], [1, 2], np.inf),
    ([1e200, 0], [1e200, 1e200], 0.71), ([np.nan], [np.nan], 0)])
def test_distance(a, b, want):
    have = symptoms._distance(np.array(a, float), np.array(b, float))
    assert have == pytest.approx(want, abs=0.01)
