# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Every instruction set holds to the reference, and a mistake is found where it was made."""

import json

import numpy as np
import pytest

import efm3
from efm3 import engine, mirror, reference, untrained, verification
from efm3.conformance import sample
from efm3.network import layers
from efm3.precision import LEAST

VECTOR = "spec/vectors/odd_a.bin"
"""Its embeddings differ from picture to picture, those of the sample hardly."""
HERE = [name for name, supported in engine.isas().items() if supported]


@pytest.mark.parametrize("isa", HERE)
def test_vectors(vector, isa):
    (outcome,) = verification.verify(efm3.load(vector), [isa])
    assert outcome.ok and outcome.isa == isa and outcome.stray is None
    assert outcome.max_error <= 1e-5 and outcome.min_cosine > 0.999999


def test_every_layer_of_every_isa_stays_in_its_budget(vector):
    model = efm3.load(vector)
    x = verification.inputs()[:1]
    want = reference.activations(model, x)
    for isa in HERE:
        with efm3.Engine(vector, isa=isa) as e:
            assert verification.first_stray(model, e.activations(x[0]), want) is None


def test_beyond_the_tolerance_is_not_ok():
    (outcome, *_) = verification.verify(efm3.load(sample.base()), tolerance=0.0)
    assert not outcome.ok


def test_against_a_source():
    model = efm3.load(VECTOR)
    x = verification.inputs()
    want = reference.forward(model, x)
    found = verification.verify_against(model, lambda _: want, x)
    assert [o.isa for o in found] == ["reference", *HERE] and all(o.ok for o in found)
    other = want[:, ::-1]
    for o in verification.verify_against(model, lambda _: other, x, HERE[:1]):
        assert not o.ok and o.max_error > 0.01 and o.min_cosine < 0.99


def test_a_wrong_engine_is_caught_against_a_source(monkeypatch):
    real = engine.Engine.embed
    monkeypatch.setattr(engine.Engine, "embed", lambda self, x: real(self, x) * np.float32(1.001))
    model = efm3.load(VECTOR)
    x = verification.inputs()
    found = verification.verify_against(model, lambda x: reference.forward(model, x), x)
    assert found[0].ok and not any(o.ok for o in found[1:])


def test_what_is_not_finite_is_said_in_words():
    """JSON has neither; and it is the file's doing."""
    tensors = {name: t * 1 for name, t in efm3.load(VECTOR).tensors.items()}
    tensors["stem.conv.w"][0] = np.inf
    model = efm3.load(efm3.model.dumps(efm3.load(VECTOR).arch, tensors, finite=False),
                      level="structure")
    (outcome,) = verification.verify(model, ["scalar"])
    (grade,) = verification.grades(model, ["high"], ["scalar"])
    for found in (outcome, grade):
        value = json.loads(json.dumps(found.to_json(), allow_nan=False))
        assert (value["ok"], value["max_error"], value["min_cosine"]) == (False, "nan", "nan")
    assert outcome.to_json()["stray"]["max_error"] == "nan"
    assert outcome.stray.layer == "stem" and "reference" in outcome.stray.guess


def test_grades():
    """Of every precision and set that is asked for, as the cosines of pictures given as bytes
    say; float64 is the base."""
    model = efm3.load(sample.base())
    found = verification.grades(model, ("fast", "high"), ["scalar"])
    assert [(g.precision, g.arithmetic) for g in found] == [("fast", "i8"), ("high", "i16")]
    pictures = untrained.images(23, verification.DRAWN)
    want = reference.forward(model, reference.prepare(pictures))
    for g in found:
        with efm3.Engine(model, isa="scalar", precision=g.precision) as e:
            have = e.embed(pictures).astype(float)
            assert g.weight_bytes == e.weight_bytes
        alike = verification.cosines(have, want)
        assert (g.mean_cosine, g.min_cosine) == pytest.approx((alike.mean(), alike.min()), 1e-12)
        assert g.ok == (g.min_cosine >= LEAST[g.precision]) and g.constant_cosine < 1
        assert g.max_error >= np.abs(have - want).max() > 0
    assert found[0].max_error > found[1].max_error
    here = verification.grades(model, ["high"])
    assert [g.isa for g in here] == HERE
    for wrong in ("f32", "i8", ""):
        with pytest.raises(ValueError, match="not one of high, fast"):
            verification.grades(model, ["high", wrong])
    with pytest.raises(efm3.Efm3Error, match="E_ISA"):
        verification.grades(model, ["high"], ["mmx"])


def test_precisions_are_graded_on_bytes(monkeypatch):
    """As users give pictures: floats go through another stem, in float32."""
    real, seen = engine.Engine.embed, []
    monkeypatch.setattr(engine.Engine, "embed",
                        lambda self, x: seen.append(x) or real(self, x))
    verification.grades(efm3.load(sample.base()), ["high"], ["scalar"])
    (pictures,) = seen
    assert pictures.dtype == np.uint8 and pictures.shape == (16, 112, 112, 3)
    assert np.array_equal(pictures[:12], untrained.images(23, 12))
    assert [np.unique(p).tolist() for p in pictures[12:15]] == [[0], [128], [255]]
    noise = np.random.default_rng(17).integers(0, 256, (1, 112, 112, 3), np.uint8)
    assert np.array_equal(pictures[15:], noise)


def test_fixed_inputs():
    """Two drawn pictures, one turned over in height and in colour, and grey."""
    x = verification.inputs()
    assert x.shape == (4, 3, 112, 112) and x.dtype == np.float32
    assert np.array_equal(x[:2], reference.prepare(untrained.images(11, 2)))
    turned = reference.prepare(untrained.images(13, 1))[:, ::-1, ::-1]
    assert np.array_equal(x[2:3], turned) and (x[3] == np.float32(0.5 / 128)).all()


def test_an_error_of_the_tolerance_is_within_it(monkeypatch):
    """And a cosine of what a precision promises is what it promises."""
    monkeypatch.setattr(verification, "shows", lambda error, want: True)
    model = efm3.load(sample.base())
    x = verification.inputs()
    (exact,) = verification.verify(model, ["scalar"])
    (again,) = verification.verify(model, ["scalar"], exact.max_error)
    assert again.ok and again.stray is None and exact.max_error > 0
    (less,) = verification.verify(model, ["scalar"], exact.max_error / 2)
    assert not less.ok

    def source(x):
        return reference.forward(model, x)
    one = verification.verify_against(model, source, x, ["scalar"], exact.max_error)
    assert [o.ok for o in one] == [True, True] and one[1].max_error == exact.max_error
    (grade,) = verification.grades(model, ["high"], ["scalar"])
    for least, ok in ((grade.min_cosine, True), (np.nextafter(grade.min_cosine, 2), False)):
        monkeypatch.setitem(LEAST, "high", least)
        assert verification.grades(model, ["high"], ["scalar"])[0].ok == ok


def test_what_is_finite_is_a_number_in_json():
    outcome = verification.Outcome("scalar", 0.5, 1.0, -np.inf, True)
    assert outcome.to_json() == {"isa": "scalar", "max_error": 0.5, "mean_cosine": 1.0,
                                 "min_cosine": "-inf", "ok": True, "stray": None}


def test_embeddings_of_two_lengths_have_no_distance():
    with pytest.raises(efm3.Efm3Error) as e:
        verification.distance(np.ones((2, 4)), np.ones((2, 8)))
    assert (e.value.code, e.value.finding.found, e.value.finding.expected) == ("X011", "4", "8")
    have, want = np.array([[3.0, 4], [0, 1]]), np.array([[4.0, 3], [0, -1]])
    assert verification.distance(have, want) == (2, -1)


@pytest.mark.parametrize("error,want,shown", [
    (5, [[7, 7]], True), (5, [[0, 7], [2, 7]], False), (0.1, [[0, 7], [2, 7]], True),
    (0.11, [[0, 7], [2, 7]], False), (0.1, [[0, 7], [0, 7], [1.5, 7]], True)])
def test_an_error_shows_something_a_tenth_of_what_pictures_differ_by(error, want, shown):
    """One picture differs from none."""
    assert verification.shows(error, np.array(want, float)) == shown


def test_a_layers_budget():
    """256 roundings of the largest magnitude; what is not there is passed."""
    model, want = efm3.load(sample.base()), np.full((1, 8, 4, 4), -2.0)
    have = want[0] + 2.0**-15
    assert verification.first_stray(model, {"stem": have}, {"stem": want}) is None
    stray = verification.first_stray(model, {"stem": have + 2.0**-20}, {"stem": want})
    assert (stray.layer, stray.budget, stray.max_error) == ("stem", 2.0**-15, 2.0**-15 + 2.0**-20)
    assert verification.first_stray(model, {}, {"stem": want}) is None
    last = layers(model.arch)[-1]
    one = np.ones((last.out_channels, 1, 1))
    assert verification.first_stray(model, {last.name: one * 2}, {last.name: one[None]}).layer \
        == last.name


def guessed(change, channels=32, side=6):
    """What is guessed of a first layer of ones whose values `change` has changed."""
    layer = layers(efm3.Arch("a", 1.0, channels, 8, 8, 8, 7, sample.ARCH.stages))[0]
    want = np.ones((channels, side, side))
    have = want.copy()
    change(have)
    return verification.guess(layer, have, want, 0.5)


@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("line,border", [(0, True), (-1, True), (1, False), (-2, False)])
def test_the_border_is_one_wide(axis, line, border):
    def change(have):
        have.swapaxes(0, axis)[line] += 1
    assert guessed(change).startswith("only the map's border") == border


def test_what_is_at_the_budget_is_not_wrong():
    def change(have):
        have += 0.5
        have[7] += 1
    assert guessed(change) == "a few channels, 7: their weights or BN"


@pytest.mark.parametrize("count,channels,words", [
    (1, 1, "the whole map"), (1, 2, "a few"), (1, 3, "a few"), (2, 9, "2 of 9"), (2, 11, "2 of 11"),
    (2, 12, "a few"), (3, 12, "3 of 12"), (7, 32, "a few channels, 0, 1, 2, 3, 4, 5 and 1 more:"),
    (6, 32, "a few channels, 0, 1, 2, 3, 4, 5: "), (8, 32, "8 of 32 channels, 0, 1, 2"),
    (31, 32, "31 of 32"), (32, 32, "the whole map")])
def test_how_many_channels_are_a_few(count, channels, words):
    """Fewer than a quarter, or than two where a quarter is less."""
    def change(have):
        have[:count] += 1
    assert guessed(change, channels).startswith(words)


def test_values_that_are_infinite_on_one_side():
    def change(have):
        have[3, 2, 2] = np.inf
    assert "overflow" in guessed(change)


def test_a_map_of_one_place_has_no_border():
    def change(have):
        have[3] += 1
    assert guessed(change, side=1).startswith("a few channels, 3")
    assert guessed(change, side=2).startswith("a few channels, 3")

    def corner(have):
        have[0, 0, 0] += 1
    assert guessed(corner, 1, 3).startswith("only the map's border")


@pytest.mark.parametrize("value,words", [
    (-1, "only negative outputs"), (0, "only negative outputs"), (0.5, "the whole map"),
    (1, "the whole map")])
def test_slopes_are_of_negative_outputs(value, words):
    layer = layers(efm3.Arch("a", 1.0, 8, 8, 8, 8, 7, sample.ARCH.stages))[0]
    want = np.full((8, 6, 6), float(value))
    assert verification.guess(layer, want + 1, want, 0.5).startswith(words)


@pytest.mark.parametrize("width,channels", [(16, 31), (8, 28), (4, 6), (32, 48), (64, 96)])
def test_the_tail_is_of_the_likeliest_width(width, channels):
    whole = channels // width * width
    found = verification._tail(np.arange(whole, channels), channels)
    assert found == next(n for n in (16, 8, 4, 32, 64) if n <= channels
                         and channels // n * n == whole)
    assert verification._tail(np.arange(0), 32) == 0


def test_cosines():
    have = np.array([[3.0, 4], [0, 0], [1, 0], [2, 0]])
    want = np.array([[3.0, 4], [1, 0], [0, 1], [-1, 0]])
    assert verification.cosines(have, want).tolist() == [1, 0, 0, -1]


def test_unknown_isa():
    with pytest.raises(efm3.Efm3Error) as e:
        verification.verify(efm3.load(sample.base()), ["mmx"])
    assert e.value.code == "E_ISA"


def damaged(name, change):
    model = efm3.load(sample.base())
    x = verification.inputs()[:1]
    want = reference.activations(model, x)
    have = {k: v[0].copy() for k, v in want.items()}
    change(have[name], want[name][0])
    return verification.first_stray(model, have, want)


@pytest.mark.parametrize("name,change,word", [
    ("dw_stem", lambda h, w: h.__setitem__((slice(None), 0), h[:, 0] + 1), "border"),
    ("stem", lambda h, w: np.copyto(h, np.where(w < 0, w * 2, w)), "PReLU"),
    ("final_conv", lambda h, w: h.__setitem__(3, h[3] + 1), "a few channels"),
    ("stage2.block1.project", lambda h, w: np.copyto(h, w + 1), "addition"),
    ("stage1.block0.project", lambda h, w: np.copyto(h, w + 1), "whole map"),
    ("gdconv", lambda h, w: h.fill(np.nan), "finite"),
])
def test_guesses(name, change, word):
    stray = damaged(name, change)
    assert stray.layer == name and word in stray.guess
    assert not stray.max_error <= stray.budget


def test_tail_of_channels():
    arch = efm3.Arch("tail", 1.0, 20, 20, 20, 8, 7, sample.ARCH.stages)
    layer = layers(arch)[0]
    want = np.ones((20, 56, 56))
    assert layer.act and not layer.residual

    def guessed(channels):
        have = want.copy()
        have[channels] += 1
        return verification.guess(layer, have, want, 1e-3)
    assert guessed(range(16, 20)) == "only the last channels: the tail beyond a multiple of 16"
    # Not the whole of a tail, or channels before it too.
    assert guessed(range(17, 20)) == "a few channels, 17, 18, 19: their weights or BN"
    assert guessed([0, *range(16, 20)]).startswith("5 of 20 channels, 0, 16, 17, 18, 19: ")
    assert guessed(range(8, 20)).startswith("12 of 20 channels, 8, 9, 10, 11, 12, 13 and 6 more:")
    assert guessed(range(20)).startswith("the whole map")


@pytest.mark.parametrize("channels,wrong,words", [
    (8, [0], "a few channels, 0: "), (8, [0, 5], "2 of 8 channels, 0, 5: "), (3, [2], "a few"),
    (3, [0], "a few channels, 0: "), (1, [0], "the whole map"),
    (12, range(8, 12), "multiple of 8"), (5, [4], "multiple of 4"),
    (40, range(32, 40), "multiple of 16")])
def test_a_layer_of_less_than_a_vector_has_no_tail(channels, wrong, words):
    layer = layers(efm3.Arch("tail", 1.0, channels, 8, 8, 8, 7, sample.ARCH.stages))[0]
    want = np.ones((channels, 56, 56))
    have = want.copy()
    have[wrong] += 1
    assert words in verification.guess(layer, have, want, 1e-3)


def test_a_wrong_engine_is_caught(monkeypatch):
    real = engine.Engine.embed
    monkeypatch.setattr(engine.Engine, "embed", lambda self, x: real(self, x) * np.float32(1.001))
    outcomes = verification.verify(efm3.load(sample.base()))
    assert not any(o.ok for o in outcomes)


def test_a_turned_file_is_the_network_of_an_upright_picture():
    """The source takes pictures upright; the model's are turned once, by reference and engine."""
    model, plain = (efm3.load(untrained.dumps(sample.ARCH, 1)) for _ in range(2))
    model.mirror = mirror.as_turned(model.mirror)

    def source(x):
        return reference.forward(plain, reference.turn(x))
    x = verification.inputs()
    found = verification.verify_against(model, source, x)
    assert len(found) > 1 and all(o.ok for o in found)
    upright = verification.verify_against(plain, source, x)
    assert not any(o.ok for o in upright)


def test_a_source_of_one_embedding_shows_nothing():
    """Drawn weights may give nearly the same embedding for every picture: any would pass."""
    model = efm3.load(sample.base())
    x = verification.inputs()
    want = reference.forward(model, x)
    found = verification.verify_against(model, lambda _: want, x, HERE[:1])
    assert not any(o.ok for o in found[1:]) and found[1].max_error < 1e-6
