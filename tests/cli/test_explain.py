# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 explain`: every code has a page, and a slip finds the code that was meant."""

import json
import subprocess
import sys

import pytest

from efm3.codes import CODES, RULE_GROUPS


def test_pages(cli):
    for code, c in CODES.items():
        result = cli("explain", code.lower())
        assert result.exit_code == 0
        words = " ".join(result.stdout.split())
        assert c.what in words and c.why in words and c.fix in words
        assert ("example" in words) or c.group not in RULE_GROUPS


def test_all_as_json(cli):
    rows = json.loads(cli("explain", "--all", "--format", "json").stdout)["codes"]
    assert [r["code"] for r in rows] == list(CODES)
    keys = {"code", "severity", "level", "group", "name", "what", "why", "fix", "clause", "example"}
    assert all(set(r) == keys for r in rows)


def test_all_as_text_has_a_line_for_each(cli):
    lines = cli("explain", "--all").stdout.splitlines()
    assert len([x for x in lines if x.startswith("  ")]) == len(CODES)


def test_all_as_markdown_has_a_section_for_each(cli):
    page = cli("explain", "--all", "--format", "md").stdout
    assert [x[4:] for x in page.splitlines() if x.startswith("### ")] == list(CODES)
    one = cli("explain", "X005", "--format", "md").stdout
    assert one.startswith("### X005\n") and CODES["X005"].fix in one


@pytest.mark.parametrize("slip,meant", [
    ("x5", "X005"), ("M22", "M022"), ("magic", "E_MAGIC"), ("mfn_e_magic", "E_MAGIC"),
    ("E_MAGC", "E_MAGIC"), ("XOO5", "X005"), ("io1", "IO001"), ("T-012", "T012")])
def test_a_slip_gets_a_suggestion(cli, slip, meant):
    result = cli("explain", slip)
    assert result.exit_code == 2 and meant in result.stderr and not result.stdout


def test_unknown(cli):
    result = cli("explain", "\x1b[31mno")
    assert result.exit_code == 2 and "--all" in result.stderr and "\x1b" not in result.stderr
    assert cli("explain").exit_code == 2


def test_nothing_but_the_catalogue_is_loaded():
    code = ("import sys; from efm3.cli import cli\n"
            "try: cli(['explain', 'C001'])\n"
            "except SystemExit: pass\n"
            "print(*sorted(m for m in sys.modules if m.startswith('efm3')), file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {m.split(".")[1] for m in done.stderr.split() if "." in m}
    assert loaded <= {"cli", "codes", "findings", "precision", "texts", "version", "_engine"}
