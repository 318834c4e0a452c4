# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The rules as a page and as JSON: all of them, each complete."""

from efm3.codes import CODES
from efm3.conformance.examples import EXAMPLES
from efm3.forms import FORMS
from efm3.forms.codes_page import rows
from efm3.rules import load_rules


def test_page_has_every_rule():
    page = FORMS["rules"].text()
    parts = {p.split("\n", 1)[0]: p for p in page.split("\n### ")[1:]}
    assert list(parts) == list(load_rules())
    for code, rule in load_rules().items():
        for words in (rule.what, rule.why, rule.fix, EXAMPLES[code].about, rule.level,
                      rule.severity):
            assert words in parts[code]


def test_rows():
    assert [r["code"] for r in rows()["rules"]] == list(load_rules())
    (row,) = rows([CODES["T012"]])["codes"]
    assert row["example"] == EXAMPLES["T012"].about and row["what"] == load_rules()["T012"].what
