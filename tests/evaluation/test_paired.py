# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What two networks differ by on the same pairs, and the interval around it."""

import numpy as np
import pytest

from efm3 import Efm3Error
from efm3.evaluation import differences, paired, score
from efm3.evaluation.paired import DRAWS
from efm3.evaluation.run import Measured
from efm3.evaluation.scores import tar_at


@pytest.fixture(autouse=True)
def few_draws(monkeypatch):
    """Enough for the ends of an interval: none of these tests leans on their third digit."""
    monkeypatch.setattr(paired, "DRAWS", 200)


def drawn(seed, shift=0.0, noise=0.0, crowd=24, shots=4):
    """Base and other over all pairs of the pictures of a crowd: similarities, answers, people.

    Each person has an own difficulty; `shift` lowers the other's genuine pairs."""
    rng = np.random.default_rng(seed)
    one, two = np.triu_indices(crowd * shots, 1)
    who = np.stack([one // shots, two // shots], axis=1)
    same = who[:, 0] == who[:, 1]
    hard = rng.normal(0, 0.5, crowd)
    base = np.where(same, 2.5 + hard[who[:, 0]], 0) + rng.normal(0, 1, len(same))
    other = base - shift * same + rng.normal(0, noise, len(same))
    return base, other, same, who


def measured(similarity, same, pictures, folds=10):
    fold = np.arange(len(same)) % folds
    return Measured(score("set", similarity, same, fold), similarity, same, fold, pictures)


def set_of(seed=1, shift=0.0, noise=0.0, crowd=24):
    base, other, same, who = drawn(seed, shift, noise, crowd)
    one, two = np.triu_indices(crowd * 4, 1)
    pictures = np.stack([one, two], axis=1)
    assert (paired.people(pictures, same) == who).all()
    return measured(base, same, pictures), measured(other, same, pictures)


def test_a_network_does_not_differ_from_itself():
    base, _ = set_of()
    found = differences(base, base)
    assert [(d.score, d.far) for d in found] == [("accuracy", None), ("tar", 1e-3)]
    assert all(d.difference == d.low == d.high == 0 for d in found)


def test_the_differences_are_those_of_the_scores():
    base, other = set_of(shift=0.5, noise=0.1)
    found = differences(base, other)
    assert found[0].difference == other.scores.accuracy - base.scores.accuracy
    _, change = found
    mine, theirs = other.scores.tar_at_far[0], base.scores.tar_at_far[0]
    assert change.far == mine.far == 1e-3 and change.difference == mine.tar - theirs.tar
    assert all(d.low <= d.difference <= d.high for d in found)
    assert change.high < 0  # half a deviation is plain with 24 people
    back = differences(other, base)
    assert [d.difference for d in back] == [-d.difference for d in found]
    assert back[1].low == pytest.approx(-change.high)
    assert found[0].to_json().keys() == {"score", "far", "difference", "low", "high"}


def test_a_draw_is_the_pairs_of_the_people_drawn(monkeypatch):
    """Weighted scores are those of lists in which each pair stands as often as it was drawn."""
    base, other, same, who = drawn(3, 0.2, 0.3, crowd=12)
    seen = []

    def both(weights):
        times = weights.astype(int)
        parts = [np.repeat(a, times) for a in (base, other, same)]
        return tar_at(parts[1], parts[2], far).tar - tar_at(parts[0], parts[2], far).tar
    monkeypatch.setattr(paired, "DRAWS", 60)
    for far, digits in ((0.05, 9), (0.05, 1), (1.0, 1)):
        base, other = base.round(digits), other.round(digits)  # of 1: some are at the threshold
        assert paired.tar_interval(base, other, same, who, far) == pytest.approx(
            paired.interval(who, both))
    ends = paired.interval(who, lambda w: seen.append(w) or float(w @ base))
    assert ends == pytest.approx(np.quantile([w @ base for w in seen], (0.025, 0.975)))
    alone, drawn_at_all = who[:, 0] == who[:, 1], np.zeros(12)
    for weights in seen:
        times = np.zeros(12)
        times[who[alone, 0]] = weights[alone]
        assert times.sum() == 12
        drawn_at_all += times
        assert (weights[~alone] == times[who[~alone, 0]] * times[who[~alone, 1]]).all()
    assert drawn_at_all.all()


def test_where_every_impostor_may_pass_the_lowest_is_the_threshold():
    """Above it are all genuine pairs of both networks, though the base's are below the rest."""
    base, other, same, who = drawn(3, crowd=12)
    base[~same] = np.linspace(0, 1, (~same).sum())
    base[same], other[same] = 1e-5, 9
    assert paired.tar_interval(base, other, same, who, 1.0) == (0, 0)


def test_a_draw_has_pairs_of_both_kinds():
    """Of ten people one has two pictures: draws without that person are left out."""
    who = np.array([[0, 0], *([i, j] for i in range(10) for j in range(i))])
    seen = []
    paired.interval(who, lambda w: seen.append(w) or 0.0)
    assert 0 < len(seen) < 200 and all(w[0] and w[1:].any() for w in seen)


def test_as_many_draws_as_the_page_says():
    assert DRAWS == 1000


def test_the_interval_holds_what_is_true(monkeypatch):
    """And is not wider than it must be by more than what the product of two draws adds."""
    monkeypatch.setattr(paired, "DRAWS", 80)
    crowds = [drawn(seed, 0.3, 0.2, 16, 3) for seed in range(200)]
    changes = [tar_at(o, s, 0.02).tar - tar_at(b, s, 0.02).tar for b, o, s, _ in crowds]
    truth = float(np.mean(changes))
    assert -0.2 < truth < -0.05
    found = [paired.tar_interval(*crowd, 0.02) for crowd in crowds[:60]]
    # Of 60 that hold it with a chance of 0.95 fewer than 52 would be one in a hundred.
    assert sum(low <= truth <= high for low, high in found) >= 52
    assert np.mean(np.ptp(found, axis=1)) < 2 * 1.96 * np.std(changes) * 3 ** 0.5


def test_a_pair_at_its_folds_threshold_is_not_above_it():
    similarity, fold = np.array([0.25, 0.75, 0.5, 0.5]), np.array([0, 0, 1, 1])
    for same, right in (([0, 1, 0, 1], [True, False]), ([0, 1, 0, 0], [True, True])):
        same = np.array(same, bool)
        got = Measured(score("set", similarity, same, fold), similarity, same, fold, fold)
        assert got.scores.fold_threshold[1] == 0.5
        assert paired._right(got)[2:].tolist() == right


def test_a_fold_that_a_draw_leaves_empty_does_not_count():
    """Here one of a single pair, which is there as often as its person was drawn."""
    base, other, same, who = drawn(1, 0.5, 0.1, crowd=12)
    one, two = np.triu_indices(48, 1)
    fold = np.minimum(who[:, 0], 10)
    fold[-1] = 11
    pictures = np.stack([one, two], axis=1)
    sides = [Measured(score("set", s, same, fold), s, same, fold, pictures) for s in (base, other)]
    found = differences(*sides)[0]
    assert -0.5 < found.low <= found.difference <= found.high < 0.5


def test_people_are_joined_by_pairs_of_one_person():
    pictures = np.array([[0, 1], [1, 2], [3, 4], [5, 6], [0, 5]])
    who = paired.people(pictures, np.array([True, True, True, False, False]))
    assert who[0, 0] == who[0, 1] == who[1, 1] == who[4, 0]
    assert len(np.unique(who)) == 4 and who[2, 0] == who[2, 1] and who[3, 0] == who[4, 1]


def test_few_people_have_no_interval():
    base, other = set_of(shift=0.5, crowd=9)
    assert all(d.low is None and d.high is None for d in differences(base, other))
    base, other = set_of(shift=0.5, crowd=10)
    assert all(d.low is not None for d in differences(base, other))


def test_impostors_that_join_nobody_give_no_interval():
    """Each pair of "two people" is of pictures that others join: no draw has an impostor pair."""
    who = np.repeat(np.arange(20), 3)[:, None] * np.ones(2, int)
    assert paired.interval(who, lambda weights: 0.0) is None


def test_other_pairs_are_not_compared():
    base, _ = set_of()
    for changed in (set_of(crowd=20)[0],
                    Measured(base.scores, base.similarity, base.same, base.fold,
                             base.pictures[:, ::-1])):
        with pytest.raises(Efm3Error, match="F008"):
            differences(base, changed)


def test_a_rate_without_enough_impostors_is_left_out():
    base, other = set_of(crowd=10, shift=0.1)
    assert [t.enough for t in base.scores.tar_at_far] == [False, False]
    assert [d.score for d in differences(base, other)] == ["accuracy"]
