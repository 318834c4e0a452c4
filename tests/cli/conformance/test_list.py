# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance list`: one line per case, or one in full."""

import json


def test_lines(cli):
    out = cli("conformance", "list", "H004").stdout.splitlines()
    assert any(line.startswith("bad-h004-stem-kernel-4 ") for line in out)
    assert out[-1].endswith("of them negative")


def test_one_case_is_shown_whole(cli):
    out = cli("conformance", "list", "bad-h004-stem-kernel-4").stdout
    assert out.startswith("bad-h004-stem-kernel-4\n") and "stem_kernel" in out and "SPDX" not in out


def test_json(cli):
    rows = json.loads(cli("conformance", "list", "run-plain", "--json").stdout)["cases"]
    assert [r["id"] for r in rows] == ["run-plain"] and rows[0]["inputs"]


def test_an_unknown_name(cli):
    result = cli("conformance", "list", "nothing")
    assert result.exit_code == 1 and not result.stdout
