# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Pairs of drawn identities: the answers are true, folds have no identity in common."""


import numpy as np
import pytest

from efm3 import Efm3Error, drawn
from efm3.drawn import sets, write
from efm3.drawn.spec import HELD_OUT, Spec

NEEDS = ("torch",)


def test_synth_pairs():
    got = sets.synth_pairs(Spec(3, 40, 40, 500), shots=3)
    assert len(got.same) == 40 and got.same.sum() == 20 and got.folds == 10
    listed = drawn.draw_pairs(3, 40, 40, 3)
    faces = drawn.Faces(3, 500, 40, 3)
    people = {}
    for k in (0, 3, 17, 39):
        fold, at = divmod(k, 4)
        pair = listed[fold][at]
        assert got.fold[k] == fold and got.same[k] == pair.same
        for i, index in ((got.first[k], pair.one * 3 + pair.one_shot),
                         (got.second[k], pair.two * 3 + pair.two_shot)):
            want = faces.batch([index])[0][0].permute(1, 2, 0).cpu().numpy()
            assert np.array_equal(got.load(int(i)), want)
    for fold, part in enumerate(listed):
        people[fold] = {p.one for p in part} | {p.two for p in part}
    assert not any(people[a] & people[b] for a in people for b in people if a < b)


def test_names(monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(sets, "synth_pairs", seen.append)
    sets.pair_set("synth:1:40:60")
    sets.pair_set("synth:1:40:60:7")
    sets.pair_set("synth:1:40:60:7:hard")
    assert seen == [(1, 40, 60, HELD_OUT, "plain"), (1, 40, 60, 7, "plain"),
                    (1, 40, 60, 7, "hard")]
    with pytest.raises(OSError):
        sets.pair_set(str(tmp_path / "none.bin"))


@pytest.mark.parametrize("words", ["synth:1:40:20:0", "synth:1:5:40:0", "synth:1:40:33:0"])
def test_numbers_that_give_no_set(words):
    drawable = words == "synth:1:40:20:0"
    for look in (sets.check, sets.pair_set):
        if drawable:
            look(words)
            continue
        with pytest.raises(Efm3Error) as e:
            look(words)
        assert e.value.code == "F020" and words in e.value.path


def test_a_folder_and_a_spec_of_the_same_pairs_say_the_same(tmp_path):
    faces = drawn.Faces(2, HELD_OUT, 20, sets.SHOTS)
    write.pairs(tmp_path / "held", faces, 20, lambda done: None)
    facts = sets.facts("synth:2:20:20")
    for words in (str(tmp_path / "held"), str(tmp_path / "held" / "pairs.txt")):
        assert sets.facts(words) == facts and facts["pairs"] == 20
        assert sets.title(words) == sets.title("synth:2:20:20")
    assert sets.title("synth:2:20:20").startswith("efm3 draw: format 2, seed 2, first 1000000, ")
    folder, spec = (sets.pair_set(w) for w in (str(tmp_path / "held"), "synth:2:20:20"))
    assert np.array_equal(folder.same, spec.same) and np.array_equal(folder.fold, spec.fold)
    for a, b in ((folder.first, spec.first), (folder.second, spec.second)):
        assert all(np.array_equal(folder.load(int(i)), spec.load(int(j)))
                   for i, j in zip(a, b, strict=True))


def test_of_other_sets_only_the_name_is_told(tmp_path):
    (tmp_path / "lfw.bin").write_bytes(b"")
    assert sets.facts(str(tmp_path / "lfw.bin")) is None
    assert sets.title(str(tmp_path / "lfw.bin")) == "lfw.bin"
