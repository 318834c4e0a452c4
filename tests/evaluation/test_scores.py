# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores with known answers: each number here was worked out by hand."""

import json
import math

import numpy as np
import pytest

from efm3.evaluation import scores


def arrays(genuine, impostors):
    s = np.array([*genuine, *impostors], float)
    return s, np.arange(len(s)) < len(genuine)


def best(*pairs):
    """best_threshold of (similarity, same) pairs."""
    return scores.best_threshold(np.array([s for s, _ in pairs], float),
                                 np.array([y for _, y in pairs], bool))


def test_the_threshold_is_the_middle_of_the_gap():
    assert best((0.5, 1), (0.125, 0), (0.75, 1), (0.25, 0)) == 0.375


def test_of_equal_thresholds_the_one_in_the_widest_gap():
    # Sorted: F T F T. Three of four are right between the first two and between the last two.
    assert best((0.125, 0), (0.25, 1), (0.375, 0), (0.75, 1)) == 0.5625
    assert best((0.0, 0), (0.25, 1), (0.375, 0), (0.5, 1)) == 0.125


def test_of_equally_wide_gaps_the_lowest():
    assert best((0.125, 0), (0.25, 1), (0.375, 0), (0.5, 1)) == 0.1875


def test_a_threshold_below_all_is_one_of_the_equally_good():
    # Of three pairs two are right below all, and in the gap before the last.
    assert best((0.25, 1), (0.5, 0), (0.75, 1)) == 0.625


def test_equal_similarities_are_not_parted():
    threshold = best((0.5, 1), (0.5, 0))
    assert threshold == math.nextafter(0.5, -1)
    # All three at 0.5 fall on one side: below, with the impostor of 0.25 and the genuine of 0.75.
    assert best((0.25, 0), (0.5, 1), (0.5, 0), (0.5, 0), (0.75, 1)) == 0.625


def test_all_or_none_above():
    assert best((0.3, 1), (0.4, 1)) == math.nextafter(0.3, -1)
    assert best((0.3, 0), (0.4, 0)) == 0.4
    # Better none than any: the genuine pair is the least similar.
    assert best((0.1, 1), (0.2, 0), (0.3, 0), (0.4, 0)) == 0.4


def test_neighbours_of_float64_are_parted():
    low = 0.5
    for _ in range(4):
        high = math.nextafter(low, 1)
        assert low <= best((low, 0), (high, 1)) < high
        low = high


def test_best_threshold_is_the_best_of_all():
    rng = np.random.default_rng(2)
    for _ in range(50):
        s = rng.integers(0, 12, 30) / 8
        y = rng.random(30) < 0.5
        got = np.mean((s > scores.best_threshold(s, y)) == y)
        assert got == max(np.mean((s > t) == y) for t in np.arange(-1, 14) / 8)


def test_each_fold_is_judged_by_the_others():
    s = np.array([0.2, 0.8, 0.6, 0.7])
    y = np.array([False, True, False, True])
    accuracy, threshold = scores.ten_fold(s, y, np.array([0, 0, 1, 1]))
    # Fold 1 alone gives 0.65, which is right for both of fold 0; fold 0 gives 0.5, which takes
    # fold 1's impostor of 0.6.
    assert np.allclose(threshold, [0.65, 0.5]) and accuracy.tolist() == [1.0, 0.5]
    got = scores.score("x", s, y, np.array([0, 0, 1, 1]))
    assert (got.accuracy, got.std) == (0.75, 0.25)
    # On all pairs 0.65 is right for all four.
    assert got.best.accuracy == 1 and abs(got.best.threshold - 0.65) < 1e-12
    # 0.3 takes one of two impostors.
    assert got.rule_of_thumb == scores.At(0.3, 0.75, 0.5, 0.0)


def test_a_pair_at_the_threshold_is_not_above_it():
    s = np.array([0.25, 0.75, 0.5, 0.5])
    y = np.array([False, True, False, True])
    accuracy, threshold = scores.ten_fold(s, y, np.array([0, 0, 1, 1]))
    assert threshold[1] == 0.5 and accuracy[1] == 0.5
    assert scores.at(s, y, 0.5) == scores.At(0.5, 0.75, 0.0, 0.5)
    accuracy, _ = scores.ten_fold(s, np.array([False, True, False, False]),
                                  np.array([0, 0, 1, 1]))
    assert accuracy[1] == 1


def test_tar_at_far():
    s, y = arrays([0.95, 0.85, 0.5, 0.05], np.arange(10) / 10)
    assert scores.tar_at(s, y, 0.1) == scores.Tar(0.1, 0.5, 0.8, True)
    assert scores.tar_at(s, y, 0.3) == scores.Tar(0.3, 0.5, 0.6, True)
    assert scores.tar_at(s, y, 0.05) == scores.Tar(0.05, 0.25, 0.9, False)


def test_tar_where_every_impostor_may_pass():
    s, y = arrays([0.95, 0.85, 0.5, 0.05], np.arange(10) / 10)
    assert scores.tar_at(s, y, 1.0) == scores.Tar(1.0, 1.0, 0.0, True)


def test_the_histograms_have_40_bins_from_minus_1_to_1():
    # A bin is 0.05 wide; what rounding leaves outside is in the first and the last.
    s, y = arrays([-1.0000001, -0.98, -0.49, 0.01, 1.0000001], [-0.99, 0.99])
    got = scores.score("x", s, y, np.arange(7) % 2)
    assert [i for i, n in enumerate(got.genuine_histogram) for _ in range(n)] == [0, 0, 10, 20, 39]
    assert [i for i, n in enumerate(got.impostor_histogram) for _ in range(n)] == [0, 39]
    assert len(got.genuine_histogram) == len(got.impostor_histogram) == 40


def test_tar_with_ties_accepts_no_more_than_it_may():
    s, y = arrays([0.95, 0.9], [0.9, 0.9, *[0.1] * 8])
    assert scores.tar_at(s, y, 0.1) == scores.Tar(0.1, 0.5, 0.9, True)


def test_tar_counts_are_not_lost_to_rounding():
    impostors = np.arange(3000) / 6000
    s, y = arrays([0.9], impostors)
    assert scores.tar_at(s, y, 1e-3).threshold == impostors[2996]
    assert not scores.tar_at(s, y, 1e-4).enough
    # In float64 0.29 * 100 is below 29.
    s, y = arrays([0.9], np.arange(100) / 128)
    assert 0.29 * 100 < 29 and scores.tar_at(s, y, 0.29).threshold == 70 / 128
    s, y = arrays([0.9], np.arange(10000) / 20000)
    assert scores.tar_at(s, y, 1e-4).enough


def test_eer_and_auc():
    s, y = arrays([0.9, 0.8, 0.4], [0.7, 0.3, 0.2])
    assert abs(scores.eer(s, y) - 1 / 3) < 1e-12 and abs(scores.auc(s, y) - 8 / 9) < 1e-12
    # Between two points of the curve: of FAR 0, TAR 1/4 and FAR 1/2, TAR 1/4 the half is crossed
    # nowhere; of FAR 1/2, TAR 1/4 and FAR 1/2, TAR 3/4 it is at once.
    s, y = arrays([0.9, 0.5, 0.5, 0.1], [0.7, 0.2])
    assert scores.eer(s, y) == 0.5
    s, y = arrays([0.9, 0.5, 0.5, 0.5], [0.5, 0.5, 0.5, 0.2])
    # From (0, 1/4) to (3/4, 1): a share p of it gives 3p/4 = 3/4 - 3p/4.
    assert scores.eer(s, y) == 0.375
    s, y = arrays([0.9, 0.8], [0.1, 0.2])
    assert scores.eer(s, y) == 0 and scores.auc(s, y) == 1
    s, y = arrays([0.5, 0.5], [0.5])
    assert scores.eer(s, y) == 0.5 and scores.auc(s, y) == 0.5
    s, y = arrays([0.1], [0.9])
    assert scores.eer(s, y) == 1 and scores.auc(s, y) == 0
    # A tie counts half: of 4 comparisons 2 are won and 1 is a tie.
    s, y = arrays([0.9, 0.3], [0.3, 0.5])
    assert scores.auc(s, y) == 0.625


def test_roc():
    s, y = arrays([0.9, 0.4], [0.7, 0.4])
    thresholds, far, tar = scores.roc(s, y)
    assert thresholds[:3].tolist() == [0.9, 0.7, 0.4] and thresholds[3] < 0.4
    assert far.tolist() == [0, 0, 0.5, 1] and tar.tolist() == [0, 0.5, 0.5, 1]


def test_the_whole_report():
    rng = np.random.default_rng(1)
    y = np.arange(600) % 2 == 0
    s = np.clip(rng.normal(np.where(y, 0.5, 0.0), 0.15), -1, 1)
    s[0] = 1.0000001
    got = scores.score("set", s, y, np.arange(600) // 60, left_out=3, flip=True)
    assert (got.pairs, got.genuine, got.impostors, got.left_out) == (600, 300, 300, 3)
    assert len(got.fold_accuracy) == len(got.fold_threshold) == 10
    assert got.accuracy == pytest.approx(np.mean(got.fold_accuracy))
    assert 0.9 < got.accuracy <= got.best.accuracy
    assert sum(got.genuine_histogram) == sum(got.impostor_histogram) == 300
    assert len(got.genuine_histogram) == scores.BINS and got.genuine_histogram[-1] >= 1
    value = json.loads(json.dumps(got.to_json()))
    assert set(value) == set(scores.Scores.__dataclass_fields__)
    assert value["tar_at_far"][0]["far"] == 1e-3 and not value["tar_at_far"][1]["enough"]
