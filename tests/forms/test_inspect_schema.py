# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The inspection's schema takes what `efm3 inspect --json` prints."""

import json

from jsonschema import Draft202012Validator

from efm3.conformance import sample
from efm3.forms import FORMS
from efm3.inspection import inspect
from efm3.scan import scan


def test_it_takes_inspections():
    schema = Draft202012Validator(json.loads(FORMS["inspect-schema"].text()))
    for data in (sample.base(), sample.base()[:100], b""):
        made = json.loads(json.dumps(inspect(scan(data), tensors="*", fields=True)))
        assert schema.is_valid(made)
        assert not schema.is_valid({k: v for k, v in made.items() if k != "card"})
