# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 where`: the answers that a person and a script get."""

import json

import pytest

from efm3.conformance import sample as s
from efm3.conformance.examples import EXAMPLES, example


@pytest.fixture
def where(cli):
    def run(place, *options, data=None):
        return cli("where", "-", place, *options, input=s.base() if data is None else data)
    return run


def test_there_and_back(where):
    at = json.loads(where("stem.conv.w[3,1,0,2]", "--json").stdout)["offset"]
    out = where(str(at + 1)).stdout
    assert "stem.conv.w" in out and "[3,1,0,2]" in out and "byte 1 of its four" in out
    assert "stem: conv 3 → 8" in out


def test_a_field(where):
    out = where("arch.stages[1].n").stdout
    assert "33" in out and "number of blocks" in out and "2" in out


def test_json_says_what_was_asked_and_what_is_there(where):
    found = json.loads(where("arch", "--json").stdout)
    assert found["asked"] == {"offset": 8, "length": 80}
    assert (found["field"], found["value"]) == ("arch.hdr_version", 1)


def test_what_is_not_there_is_a_usage_error(where):
    for place in ("nope", "stem.conv.w[9,9,9,9]", "99999999"):
        result = where(place)
        assert result.exit_code == 2 and not result.stdout


@pytest.mark.parametrize("code", list(EXAMPLES))
def test_any_bytes_have_places(where, code):
    data = example(code)[1]
    for cut in (data, data[:100]):
        for place in ("0", "95", "stem.conv.w[0,0,0,0]", "tensors[2]", "trailing", "json"):
            for options in ((), ("--json",)):
                result = where(place, *options, data=cut)
                assert result.exit_code in (0, 2)
                assert result.exception is None or isinstance(result.exception, SystemExit)
