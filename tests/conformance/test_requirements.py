# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Requirements on behaviour: their codes are no rule's, and each has a case that tests it."""

from efm3.conformance.cases import corpus
from efm3.conformance.requirements import REQUIREMENTS
from efm3.rules import load_rules


def test_codes_are_not_the_rules():
    assert not set(REQUIREMENTS) & set(load_rules())


def test_levels_and_subjects():
    assert {r.level for r in REQUIREMENTS.values()} == {"MUST", "SHOULD"}
    assert {r.subject for r in REQUIREMENTS.values()} == {"Reader", "Writer", "Editor", "Engine"}


def test_each_is_tested_by_a_case():
    tested = {code for c in corpus() for code in c.tests}
    by_every_bad_file = {"E002"}
    assert set(REQUIREMENTS) - tested <= by_every_bad_file
