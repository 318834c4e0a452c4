# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance statement`: from a run to a statement and a badge."""

import json

import pytest


@pytest.fixture
def results(cli, tmp_path):
    """A run's JSON."""
    path = tmp_path / "run.json"
    path.write_text(cli("conformance", "run", "--editor", "@python", "--format", "json").stdout)
    return path


def test_a_statement_and_its_badge(cli, tmp_path, results):
    out, badge = tmp_path / "s.json", tmp_path / "b.svg"
    result = cli("conformance", "statement", results, "-o", out, "--badge", badge)
    assert result.exit_code == 0 and not result.stdout
    assert json.loads(out.read_text())["claims"][0]["class"] == "editor"
    assert badge.read_text().startswith("<svg")


def test_standard_output_and_input(cli, results):
    result = cli("conformance", "statement", "-", "--name", "mine", "--version", "2",
                 input=results.read_text())
    assert json.loads(result.stdout)["implementation"]["name"] == "mine"


@pytest.mark.parametrize("text", ["", "[]", "{}", "[" * 100000])
def test_what_is_no_run_is_refused(cli, text):
    result = cli("conformance", "statement", "-", input=text)
    assert result.exit_code == 1 and not result.stdout and "Traceback" not in result.stderr


def test_a_missing_file_is_usage(cli):
    assert cli("conformance", "statement", "/nowhere/run.json").exit_code in (2, 3)
