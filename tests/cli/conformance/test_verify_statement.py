# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance verify-statement`: a statement that holds, and one that does not."""

import json

import pytest


@pytest.fixture
def statement(cli):
    """A statement's text."""
    run = cli("conformance", "run", "--editor", "@python", "--format", "json").stdout
    return cli("conformance", "statement", "-", input=run).stdout


def verify(cli, text, *words):
    return cli("conformance", "verify-statement", "-", *words, input=text)


def test_it_holds(cli, statement):
    result = verify(cli, statement)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == ["efm3 0.1.0: Editor", "the statement holds"]
    assert json.loads(verify(cli, statement, "--json").stdout) == {"ok": True, "findings": []}


def test_it_does_not_hold(cli, statement):
    value = json.loads(statement)
    value["claims"][0]["must"]["pass"] -= 1
    result = verify(cli, json.dumps(value))
    assert result.exit_code == 1 and "K006" in result.stdout
    assert result.stdout.splitlines()[-1] == "the statement does NOT hold"
    found = json.loads(verify(cli, json.dumps(value), "--json").stdout)["findings"]
    assert {f["code"] for f in found} == {"K006", "K008"}


@pytest.mark.parametrize("text", ["", "[]", "7", "[" * 100000])
def test_what_is_no_statement(cli, text):
    result = verify(cli, text)
    assert result.exit_code == 1 and "Traceback" not in result.stderr
