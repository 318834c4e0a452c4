# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The report's schema takes what `efm3 validate --format json` prints."""

import json

from jsonschema import Draft202012Validator

import efm3
from efm3 import reporting
from efm3.conformance import sample
from efm3.forms import FORMS


def test_it_takes_reports():
    schema = Draft202012Validator(json.loads(FORMS["report-schema"].text()))
    reports = [efm3.validate(sample.base()), efm3.validate(b"EFM3"), efm3.validate("/nowhere")]
    made = json.loads(reporting.as_json(reports))
    assert schema.is_valid(made)
    assert not schema.is_valid(made | {"ok": "yes"})
