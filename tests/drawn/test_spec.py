# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The words for drawn pictures: one grammar, for training data and for pairs."""

import json

import pytest

from efm3 import Efm3Error
from efm3.drawn import spec

FACTS = {"format": 1, "seed": 1, "first": 0, "classes": 8, "shots": 4, "spread": 1.0}


def test_numbers():
    assert spec.pictures("synth:1:8:4") == spec.Spec(1, 8, 4, 0)
    assert spec.pictures("synth:1:8:4:7") == spec.Spec(1, 8, 4, 7)
    assert spec.pairs("synth:01:8:40") == (1, 8, 40, spec.HELD_OUT, "plain")
    assert spec.pairs("synth:1:8:40:7:hard") == (1, 8, 40, 7, "hard")
    assert spec.pairs(f"synth:{2**63 - 1}:1:1:0").seed == 2**63 - 1
    assert spec.is_spec("synth:") and not spec.is_spec("faces/synth:1:2:3")
    assert not spec.is_spec(b"synth:1:2:3")


@pytest.mark.parametrize("read", [spec.pictures, spec.pairs])
@pytest.mark.parametrize("words", [
    "synth:", "synth:1:2", "synth:1:2:3:4:5", "synth:a:2:3", "synth:1:0:3", "synth:1:2:0",
    "synth:1:-2:3", "synth:1:²:3", "synth:1: 2:3", "synth::1:2", "1:2:3", "synth:1:2:2147483648",
    "synth:9223372036854775808:2:3", "synth:1:2:3:4611686018427387904", "synth:1:2:" + "9" * 5000,
    "synth:1:2:3:4:Hard", "synth:1:2:3:hard", "synth:1:2:3:4:hard:5",
    "synth:1:2:3:4:" + "x" * 5000])
def test_other_words_are_refused(read, words):
    with pytest.raises(Efm3Error, match="SEED:IDENTITIES:") as e:
        read(words)
    assert e.value.code == "F020" and e.value.finding.found and len(str(e.value)) < 1000


def test_a_sentence_of_what_a_folder_holds(tmp_path):
    assert spec.read_facts(str(tmp_path)) is None
    (tmp_path / "synth.json").write_text(json.dumps(FACTS))
    assert spec.read_facts(str(tmp_path)) == FACTS
    assert spec.sentence(FACTS) == ("efm3 draw: format 1, seed 1, first 0, classes 8, shots 4, "
                                    "spread 1.0")


@pytest.mark.parametrize("text", [
    "", "[1]", "{}", '{"first": 0}', '{"seed": "/home/me"}', "[" * 9999, '{"seed": true}',
    '{"seed": 1e300}', '{"seed": NaN}'])
def test_a_strange_synth_json_says_nothing(tmp_path, text):
    (tmp_path / "synth.json").write_text(text)
    assert spec.read_facts(str(tmp_path)) is None


def test_unknown_words_of_a_synth_json_are_left_out(tmp_path):
    """They would stand in a published file."""
    told = {**FACTS, "kind": "/home/me", "setting": ["hard"], "out": "/home/me",
            "dim": "x", "pairs": [1]}
    (tmp_path / "synth.json").write_text(json.dumps(told))
    assert spec.read_facts(str(tmp_path)) == FACTS
    (tmp_path / "synth.json").write_text(json.dumps({**FACTS, "setting": "hard"}))
    assert spec.read_facts(str(tmp_path)) == {**FACTS, "setting": "hard"}


def test_identities_in_common():
    def held(**change):
        return spec.in_common(FACTS, {**FACTS, **change})
    assert held() == 8 and held(first=6) == 2 and held(first=8) == 0 and held(seed=2) == 0
    assert held(first=None) is None
