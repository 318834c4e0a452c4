# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The mirror's schema takes a mirror and refuses one with a wrong type."""

import json

from jsonschema import Draft202012Validator

from efm3 import mirror
from efm3.conformance import sample
from efm3.forms import FORMS


def test_it_takes_mirrors():
    schema = Draft202012Validator(json.loads(FORMS["mirror-schema"].text()))
    values = mirror.values(sample.ARCH)
    good = json.loads(json.dumps(values))
    assert schema.is_valid(good)
    assert not schema.is_valid(good | {"gdc_kernel": "7"})
    assert not schema.is_valid({k: v for k, v in good.items() if k != "stages"})
