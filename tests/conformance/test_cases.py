# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Cases are read strictly, chosen by words, and digested."""

from dataclasses import fields
from decimal import Decimal

import pytest

from efm3.arch import Arch
from efm3.conformance import cases
from efm3.conformance.home import RecipeError

CORPUS = cases.corpus()
GOOD = 'about = "x"\ntests = ["H004"]\n'


def test_a_case_is_what_its_text_says():
    case = cases.parse(GOOD + 'status = "E_HEADER"\nlevel = "SHOULD"\nsmoke = true\n'
                       'findings = [{ code = "H004", offset = 10, length = 1 }]\n'
                       'patch = [{ op = "field", path = "arch.stem_kernel", value = 4 }]\n',
                       "bad-x", "invalid")
    assert (case.kind, case.level, case.smoke) == ("reader", "SHOULD", True)
    assert case.status == "E_HEADER"
    assert case.negative and not case.valid("structure")
    assert case.data()[10] == 4


@pytest.mark.parametrize("text", [
    "", "about = 3", 'about = "x"', GOOD + "colour = 1", 'about = "x"\ntests = ["Z999"]',
    GOOD + 'level = "MAY"', GOOD + "findings = [{ offset = 1 }]", GOOD + "]",
    GOOD + 'findings = [{ code = "Z999" }]', GOOD + 'also = ["Z1"]'])
def test_a_text_that_is_no_case(text):
    with pytest.raises(RecipeError):
        cases.parse(text, "x", "invalid")


def test_validity_hangs_on_the_level():
    by_id = {c.id: c for c in CORPUS}
    mirror, value = by_id["bad-m005-same-value"], by_id["bad-v002-conv-w"]
    assert [mirror.valid(level) for level in ("structure", "coherence", "values")] == [
        True, False, False]
    assert [value.valid(level) for level in ("structure", "coherence", "values")] == [
        True, True, False]


@pytest.mark.parametrize("word,some", [
    ("smoke", "run-plain"), ("SHOULD", "write-width-exponent"), ("either", "either-long-key"),
    ("H004", "bad-h004-stem-kernel-4"), ("H", "bad-h016-gdc-kernel-6"), ("E0", "run-t-1"),
    ("bad-h004-*", "bad-h004-stem-kernel-4"), ("run-deep", "run-deep")])
def test_select(word, some):
    chosen = {c.id for c in cases.select(CORPUS, [word])}
    assert some in chosen and len(chosen) < len(CORPUS)


def test_select_takes_any_of_several_words_and_all_where_there_is_none():
    both = cases.select(CORPUS, ["run-deep", "run-plain"])
    assert {c.id for c in both} == {"run-deep", "run-plain"}
    assert cases.select(CORPUS, []) == list(CORPUS) and cases.select(CORPUS, ["none"]) == []


def test_digest_does_not_hang_on_the_order_of_keys():
    assert cases.digest_of({"a": 1, "b": [2]}) == cases.digest_of({"b": [2], "a": 1})
    assert cases.digest_of({"a": 1}) != cases.digest_of({"a": 2})


def test_an_arch_fault_reaches_the_arch_file():
    case = next(c for c in CORPUS if c.id == "write-refuse-stem-kernel-4")
    assert cases.writer_arch(case)["stem_kernel"] == 4


def test_large_cases_are_there_by_their_word_alone():
    assert not any(c.large for c in cases.corpus())
    assert {c.id for c in cases.named(["large"])} == {
        "bad-h015-alone", "valid-expansion-65535", "valid-stem-channels-1025"}
    assert not any(c.large for c in cases.named(["H015"])) and not cases.named(["bad-h015-alone"])
    assert [c.id for c in cases.corpus(True) if c.large] == [c.id for c in cases.named(["large"])]


def test_the_text_of_an_arch_is_as_it_is_spelled():
    by_id = {c.id: c for c in CORPUS}
    assert '"width_mult": 9e-1,' in cases.writer_text(by_id["write-width-given-exponent"])
    assert by_id["write-width-given-exponent"].refuse is False
    assert by_id["write-refuse-name-missing"].negative
    assert '"name"' not in cases.writer_text(by_id["write-refuse-name-missing"])
    assert by_id["write-either-f64"].either and not by_id["write-either-f64"].negative


def test_the_text_of_an_edit_is_as_it_is_spelled():
    by_id = {c.id: c for c in CORPUS}
    assert "1e400" in cases.edit_text(by_id["edit-refuse-meta-1e400"])
    assert len(cases.edit_text(by_id["edit-meta-long"])) > 1000000
    assert cases.edit_text(by_id["edit-sealed"]).startswith('{"meta": {"description": "edited"},')
    wrong = cases.parse(GOOD + "edit_json = '{}'\nedit_sub = [{ old = 'x', new = 'y' }]", "x",
                        "editor")
    with pytest.raises(RecipeError, match="holds no 'x'"):
        cases.edit_text(wrong)
    with pytest.raises(RecipeError, match="answer"):
        cases.parse(GOOD + 'answer = "perhaps"', "x", "editor")


def test_a_case_stands_for_each_power_of_two_that_a_naive_loop_spells_wrongly():
    """The nearest decimal of p digits may miss the short half of a power's interval."""
    def naive(x):
        return next(s for s in (f"{x:.{p}e}" for p in range(17)) if float(s) == x)
    wrong = {x for x in (2.0 ** k for k in range(-1022, 1024))
             if Decimal(naive(x)) != Decimal(repr(x))}
    held = {c.recipe["arch"]["width_mult"] for c in CORPUS if c.id.startswith("write-width-power-")}
    assert wrong == held and len(wrong) == 46


def test_each_key_of_an_arch_is_missing_once_and_once_of_each_other_type():
    refused = [c for c in CORPUS if c.kind == "writer" and "W014" in c.tests]
    texts = [cases.writer_text(c) for c in refused]
    keys = [f.name for f in fields(Arch)]
    for key in keys:
        assert any(f'"{key}"' not in t for t in texts), key
        for word in ("null", "true", '"1"', "1.0"):
            if (key, word) not in {("name", '"1"'), ("name", "1.0"), ("width_mult", '"1"'),
                                   ("width_mult", "1.0"), *(("stages", w) for w in (
                                       "true", '"1"', "1.0"))}:
                assert any(f'"{key}": {word}' in t for t in texts), (key, word)
    assert all(c.negative for c in refused)
