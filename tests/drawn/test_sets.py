# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of drawn identities: the answers are true, folds have no identity in common."""


import numpy as np
import pytest

from efm3 import Efm3Error
from efm3 import drawn as synth
from efm3.train.data import pairs

NEEDS = ("torch",)


def test_synth_pairs():
    got = pairs.synth_pairs(3, 500, 40, 40, shots=3)
    assert len(got.same) == 40 and got.same.sum() == 20 and got.folds == 10
    drawn = synth.draw_pairs(3, 40, 40, 3)
    faces = synth.Faces(3, 500, 40, 3)
    people = {}
    for k in (0, 3, 17, 39):
        fold, at = divmod(k, 4)
        pair = drawn[fold][at]
        assert got.fold[k] == fold and got.same[k] == pair.same
        for i, index in ((got.first[k], pair.one * 3 + pair.one_shot),
                         (got.second[k], pair.two * 3 + pair.two_shot)):
            want = faces.batch([index])[0][0].permute(1, 2, 0).cpu().numpy()
            have = got.load(int(i))
            # A picture's last bits may hang on the batch it is drawn in.
            assert np.abs(have.astype(int) - want).max() <= 2
    for fold, part in enumerate(drawn):
        people[fold] = {p.one for p in part} | {p.two for p in part}
    assert not any(people[a] & people[b] for a in people for b in people if a < b)


def test_specs(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(pairs, "synth_pairs", lambda *a: seen.append(a))
    pairs.pair_set("synth:1:40:60")
    pairs.pair_set("synth:1:40:60:7")
    assert seen == [(1, pairs.HELD_OUT, 40, 60), (1, 7, 40, 60)]
    for spec in ("synth:1:2", "synth:a:1:1", "synth:1:1:1:1:1"):
        with pytest.raises(Efm3Error) as e:
            pairs.pair_set(spec)
        assert e.value.code == "F020"
    with pytest.raises(OSError):
        pairs.pair_set(str(tmp_path / "none.bin"))


@pytest.mark.parametrize("spec", ["synth:1:40:0", "synth:1:0:40", "synth:1:5:40", "synth:1:40:33"])
def test_numbers_that_give_no_set(spec):
    with pytest.raises(Efm3Error) as e:
        pairs.pair_set(spec)
    assert e.value.code == "F020" and spec in e.value.path
