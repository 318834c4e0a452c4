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
    assert cli("conformance", "verify-statement", out).exit_code == 0


def test_standard_output_and_input(cli, results):
    result = cli("conformance", "statement", "-", "--name", "mine", "--version", "2",
                 "--language", "c", input=results.read_text())
    assert json.loads(result.stdout)["implementation"] == {
        "name": "mine", "version": "2", "language": "c"}


@pytest.mark.parametrize("text", [
    "", "[]", "{}", '{"run_version":1,"runs":[5]}', "[" * 100000, "\udcff"])
def test_what_is_no_run_is_refused(cli, text):
    result = cli("conformance", "statement", "-", input=text.encode("utf-8", "surrogateescape"))
    assert result.exit_code == 1 and not result.stdout and "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1


def test_what_cannot_be_read(cli, tmp_path):
    for missing in (tmp_path / "run.json", tmp_path):
        result = cli("conformance", "statement", missing)
        assert result.exit_code == 3 and result.stderr.count("\n") == 1
