# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance table`: its forms, and statements that are none."""

import json

import pytest

from efm3.conformance import statement
from tests.statements import claim, stated


@pytest.fixture
def files(tmp_path):
    """Two statements' files."""
    out = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.json"
        path.write_text(json.dumps(stated(claim("editor"), name=name)))
        out.append(path)
    return out


def test_forms(cli, files, tmp_path):
    given = {form: cli("conformance", "table", *files, "--format", form).stdout
             for form in ("md", "html", "json")}
    assert given["md"] == cli("conformance", "table", *files).stdout
    assert given["md"].startswith("# EFM3") and given["html"].startswith("<!doctype html>")
    assert len(json.loads(given["json"])["sets"][0]["implementations"]) == 2
    for suffix, form in ((".md", "md"), (".html", "html"), (".HTM", "html"), (".json", "json"),
                         (".txt", "md")):
        out = tmp_path / f"page{suffix}"
        result = cli("conformance", "table", *files, "-o", out)
        assert result.exit_code == 0 and not result.stdout
        assert out.read_text(encoding="utf-8") == given[form], suffix
    cli("conformance", "table", *files, "-o", tmp_path / "page.html", "--format", "md")
    assert (tmp_path / "page.html").read_text(encoding="utf-8") == given["md"]


def test_standard_input(cli, files):
    result = cli("conformance", "table", files[0], "-", input=files[1].read_text())
    assert result.exit_code == 0 and "| two |" in result.stdout


def test_what_is_no_statement_names_its_file(cli, files, tmp_path, monkeypatch):
    bad, out = tmp_path / "bad.json", tmp_path / "page.md"
    for text in ("", "[]", "{}", "[" * 1000, json.dumps(json.loads(files[0].read_text()) | {
            "kit": "other"})):
        bad.write_text(text)
        result = cli("conformance", "table", files[0], bad, "-o", out)
        assert result.exit_code == 1 and "bad.json" in result.stderr
        assert result.stderr.startswith("efm3: K0") and result.stderr.count("\n") == 1
    monkeypatch.setattr(statement, "MAX_STATEMENT", 100)
    assert "K012" in cli("conformance", "table", files[0]).stderr
    assert not out.exists()


def test_exit_codes(cli, files, tmp_path):
    assert cli("conformance", "table").exit_code == 2
    assert cli("conformance", "table", *files[:1] * 1001).exit_code == 2
    assert cli("conformance", "table", tmp_path / "none").exit_code == 3
    assert cli("conformance", "table", files[0], "-o", tmp_path / "no" / "page").exit_code == 3
