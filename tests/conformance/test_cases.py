# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Cases are read strictly, chosen by words, and digested."""

import pytest

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
