# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs in ten folds; they need no PyTorch."""

import pytest

from efm3.drawn.pairs import draw_pairs


def test_pairs_are_balanced_distinct_and_folds_share_nobody():
    folds = draw_pairs(1, 60, 400, shots=5)
    assert [len(f) for f in folds] == [40] * 10
    seen = [p for f in folds for p in f]
    assert len(set(seen)) == 400
    for number, fold in enumerate(folds):
        assert [p.same for p in fold] == [True] * 20 + [False] * 20
        assert {p.one % 10 for p in fold} | {p.two % 10 for p in fold} == {number}
        assert all((p.one, p.one_shot) < (p.two, p.two_shot) for p in fold)
        assert all(p.two < 60 and max(p.one_shot, p.two_shot) < 5 for p in fold)
    assert draw_pairs(1, 60, 400, shots=5) == folds
    assert draw_pairs(2, 60, 400, shots=5) != folds


def test_pairs_may_use_every_picture_but_no_more():
    folds = draw_pairs(1, 30, 180, shots=3)
    assert all(len(set(f)) == 18 for f in folds)
    with pytest.raises(ValueError, match="30 identities with 3 shots give 9"):
        draw_pairs(1, 30, 200, shots=3)
    with pytest.raises(ValueError, match="multiple of 20"):
        draw_pairs(1, 60, 30)
    with pytest.raises(ValueError, match="give 0 pairs"):
        draw_pairs(1, 9, 20)
