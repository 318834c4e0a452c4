# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 explain`: every rule has a page."""

import json

from efm3.rules import load_rules


def test_pages(cli):
    for code, rule in load_rules().items():
        result = cli("explain", code.lower())
        assert result.exit_code == 0
        words = " ".join(result.stdout.split())
        assert rule.what in words and rule.why in words and rule.fix in words
        assert "example" in words


def test_all_as_json(cli):
    rows = json.loads(cli("explain", "--all", "--format", "json").stdout)["rules"]
    assert [r["code"] for r in rows] == list(load_rules())
    keys = {"code", "severity", "level", "group", "name", "what", "why", "fix", "clause", "example"}
    assert all(set(r) == keys for r in rows)


def test_all_as_text_has_a_line_for_each(cli):
    lines = cli("explain", "--all").stdout.splitlines()
    assert len([x for x in lines if x.startswith("  ")]) == len(load_rules())


def test_unknown(cli):
    result = cli("explain", "M999")
    assert result.exit_code == 2 and "M022" in result.stderr
    assert cli("explain").exit_code == 2
