# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Scores of similarities: the 10-fold protocol, TAR at FAR, ROC, EER, AUC, thresholds.

A pair counts as one person where its similarity is above the threshold, never at it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from efm3.arrays import Array, Bools
from efm3.arrays import Doubles as Floats
from efm3.engine import RULE_OF_THUMB

if TYPE_CHECKING:
    import numpy.typing as npt


FARS = (1e-3, 1e-4)
BINS = 40
"""Bins of the histograms, over -1..1."""


@dataclass(frozen=True)
class Tar:
    """`tar`, the fraction of genuine pairs above `threshold`, above which at most `far` of the
    impostor pairs are. `enough` is false where fewer than 1 / far impostor pairs were measured:
    then none of them is above, and the rate says little."""

    far: float
    tar: float
    threshold: float
    enough: bool


@dataclass(frozen=True)
class At:
    """What a threshold gives on all pairs: accuracy, and the rates of wrong answers."""

    threshold: float
    accuracy: float
    false_accepts: float
    false_rejects: float


@dataclass(frozen=True)
class Scores:
    """The evaluation of one network on one set; rates are 0..1.

    `accuracy` and `std` are over the folds, each with the threshold that is best on the others
    (`fold_accuracy`, `fold_threshold`). `best` was chosen on the same pairs it is measured on:
    it is optimistic. `left_out` pairs had a picture that cannot be decoded. The histograms count
    similarities in BINS equal bins over -1..1.
    """

    name: str
    pairs: int
    genuine: int
    impostors: int
    left_out: int
    flip: bool
    accuracy: float
    std: float
    fold_accuracy: list[float]
    fold_threshold: list[float]
    tar_at_far: list[Tar]
    eer: float
    auc: float
    best: At
    rule_of_thumb: At
    genuine_histogram: list[int]
    impostor_histogram: list[int]

    def to_json(self) -> dict[str, Any]:
        """The scores as a JSON object (docs/evaluation.md)."""
        return asdict(self)


def score(name: str, similarity: npt.ArrayLike, same: npt.ArrayLike, fold: npt.ArrayLike, *,
          left_out: int = 0, flip: bool = False) -> Scores:
    """All scores of similarities [P], finite, with the answers [P] and the folds [P]; there are
    genuine and impostor pairs, and at least two folds."""
    s, y, parts = np.asarray(similarity, float), np.asarray(same, bool), np.asarray(fold)
    accuracies, thresholds = ten_fold(s, y, parts)
    bins = [np.histogram(np.clip(part, -1, 1), BINS, (-1, 1))[0].tolist()
            for part in (s[y], s[~y])]
    return Scores(
        name, len(s), int(y.sum()), int((~y).sum()), left_out, flip,
        float(accuracies.mean()), float(accuracies.std()), accuracies.tolist(),
        thresholds.tolist(), [tar_at(s, y, far) for far in FARS], eer(s, y), auc(s, y),
        at(s, y, best_threshold(s, y)), at(s, y, RULE_OF_THUMB), *bins)


def best_threshold(similarity: Floats, same: Bools) -> float:
    """The threshold of the highest accuracy: the middle between two similarities.

    Of equally good ones it is the one in the widest gap, and of these the lowest. Where all or
    none should be above it, it lies just beyond the similarities.
    """
    order = np.argsort(similarity, kind="stable")
    s, y = similarity[order], same[order]
    # Correct answers when the first k pairs are not above the threshold, for k = 0..P.
    right = np.concatenate([[0], np.cumsum(~y)]) + np.concatenate([np.cumsum(y[::-1])[::-1], [0]])
    gaps = np.concatenate([[0.0], np.diff(s), [0.0]])
    middles = s[:-1] / 2 + s[1:] / 2
    # Between neighbours of float64 there is no middle; the lower one separates them too.
    middles = np.where(middles < s[1:], middles, s[:-1])
    middles = np.concatenate([[np.nextafter(s[0], -np.inf)], middles, [s[-1]]])
    # A threshold cannot separate equal similarities.
    possible = np.concatenate([[True], np.diff(s) > 0, [True]])
    good = possible & (right == right[possible].max())
    return float(middles[good][gaps[good].argmax()])


def ten_fold(similarity: Floats, same: Bools, fold: Array) -> tuple[Floats, Floats]:
    """Accuracy of each fold with the threshold that is best on all the others, and these."""
    accuracies, thresholds = [], []
    for k in range(int(fold.max()) + 1):
        here = fold == k
        threshold = best_threshold(similarity[~here], same[~here])
        thresholds.append(threshold)
        accuracies.append(np.mean((similarity[here] > threshold) == same[here]))
    return np.array(accuracies, float), np.array(thresholds)


def at(similarity: Floats, same: Bools, threshold: float) -> At:
    """What one threshold gives."""
    above = similarity > threshold
    return At(threshold, float(np.mean(above == same)), float(np.mean(above[~same])),
              float(np.mean(~above[same])))


def tar_at(similarity: Floats, same: Bools, far: float) -> Tar:
    """The true accept rate at the lowest threshold that accepts at most `far` of the impostors."""
    impostors = np.sort(similarity[~same])[::-1]
    # The small addend is for products such as 0.001 * 3000 that rounding leaves below 3.
    allowed = int(far * len(impostors) + 1e-9)
    threshold = impostors[min(allowed, len(impostors) - 1)]
    return Tar(far, float(np.mean(similarity[same] > threshold)), float(threshold), allowed >= 1)


def roc(similarity: Floats, same: Bools) -> tuple[Floats, Floats, Floats]:
    """Thresholds (falling, the first above all), and the false and true accept rates at them."""
    values = np.unique(similarity)[::-1]
    thresholds = np.append(values, np.nextafter(values[-1], -np.inf))
    rates = [1 - np.searchsorted(np.sort(part), thresholds, side="right") / len(part)
             for part in (similarity[~same], similarity[same])]
    return thresholds, rates[0], rates[1]


def eer(similarity: Floats, same: Bools) -> float:
    """The rate at which as many impostors are accepted as genuine pairs are rejected,
    interpolated linearly between the points of the ROC curve."""
    _, far, tar = roc(similarity, same)
    excess = far - (1 - tar)
    # The first threshold accepts nobody: its excess is -1, and that of the last is 1.
    k = int(np.argmax(excess >= 0))
    part = excess[k - 1] / (excess[k - 1] - excess[k])
    return float(far[k - 1] + part * (far[k] - far[k - 1]))


def auc(similarity: Floats, same: Bools) -> float:
    """The chance that a genuine pair is more similar than an impostor pair; a tie counts half."""
    _, far, tar = roc(similarity, same)
    return float(np.sum(np.diff(far) * (tar[1:] + tar[:-1]) / 2))
