# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""An Inspection in rows of words; tests/cli/test_inspect.py has them on a terminal."""

from efm3.conformance import sample
from efm3.inspection import inspect
from efm3.report import card
from efm3.scan import scan


def seen(data):
    return inspect(scan(data), "x")


def test_a_sound_file():
    found = {r.label: r for r in card.label(seen(sample.base()))}
    assert found["size"].text.startswith("custom") and found["size"].tone == "name"
    assert found["source"] == ("source", "not stated", "faint") and "picture" not in found


def test_what_meta_says():
    own = sample.with_mirror(lambda m: m | {"meta": {
        "training_data": "drawn\x1b[31m", "trained": False, "picture": "turned-180",
        "sha256": "0" * 64, "description": "x" * 999}})(sample.base())
    found = {r.label: r for r in card.label(seen(own))}
    assert found["training"].text == "drawn\\x1b[31m" and found["trained"].tone == "warn"
    assert found["picture"].tone == "bad" and "TURNED" in found["picture"].text
    assert found["sealed"].text.startswith("does NOT match 0") and found["sealed"].tone == "bad"
    assert len(found["about"].text) == card.LONGEST


def test_values_are_said_as_json_has_them():
    for value, words in ((True, "true"), (None, "null"), ({"a": ["\u4eba\x1b", 1.5]},
                         '{"a": ["\u4eba\\u001b", 1.5]}'), ("True", "True"), (1e400, "Infinity")):
        assert card.said(value) == words


def test_sizes():
    whole = list(card.sizes(seen(sample.base())["sizes"]))
    assert [s.label for s in whole][:2] == ["file", "JSON mirror"]
    assert not any(s.wrong for s in whole)
    cut = list(card.sizes(seen(sample.base()[:-4])["sizes"]))
    assert cut[1] == ("by its header", len(sample.base()), "4 missing", True)
    assert [s.label for s in card.sizes(seen(b"GIF89a")["sizes"])] == ["file"]
    assert card.human(999_999) == "1000.0 kB" and card.human(1_234_567) == "1.23 MB"


def test_facts():
    same = list(card.facts(seen(sample.base())["coherence"]))
    assert all(f.agree for f in same)
    stages = [f for f in same if f.name.startswith("stage ")]
    assert len(stages) == len(sample.ARCH.stages)
    one = sample.ARCH.stages[0]
    assert stages[0].header == [one.t, one.n, one.s] and len(stages[0].table) == 3
    other = sample.with_mirror(lambda m: m | {"block_channels": 5})(sample.base())
    wrong, = [f for f in card.facts(seen(other)["coherence"]) if not f.agree]
    assert wrong.name == "block_channels" and list(wrong.mirror) == [5]
    assert [card.fact(v) for v in (None, 1234, True, "a\n")] == ["·", "1,234", "true", "a\\n"]
    assert card.number(None) == "" and card.number(0.00123456) == "0.00123"
