# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 config`: what holds, and where it comes from."""

import json

import pytest


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A project, in which the working folder is."""
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_defaults(cli, project):
    result = cli("config")
    assert result.exit_code == 0 and result.stdout.startswith("file: none")
    assert result.stdout.count("(default)") == len(result.stdout.splitlines()) - 1
    assert json.loads(cli("config", "--json").stdout)["file"] is None


def test_a_file(cli, project):
    inner = project / "inner"
    inner.mkdir()
    (inner / "efm3.toml").write_text('level = "structure"\nexclude = ["\\u001b"]\n')
    result = cli("config", inner)
    assert result.stdout.splitlines()[0] == f"file: {inner / 'efm3.toml'}"
    assert 'level     = "structure"\n' in result.stdout and "\x1b" not in result.stdout
    found = json.loads(cli("config", inner, "--json").stdout)["settings"]
    assert found["level"] == {"value": "structure", "from": "file"}
    assert found["fail-on"] == {"value": "error", "from": "default"}


def test_what_cannot_be_used(cli, project):
    (project / "efm3.toml").write_text("levle = 1\n")
    result = cli("config")
    assert result.exit_code == 2 and "did you mean it?" in result.stderr and not result.stdout
    assert cli("config", "none").exit_code == 2
