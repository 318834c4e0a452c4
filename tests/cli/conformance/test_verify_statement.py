# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance verify-statement`: well-formed or not, true of a program or not."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from efm3.conformance import runner
from tests.statements import HOSTILE, claim, stated, version_1

SCAFFOLD = Path(__file__).resolve().parents[3] / "efm3" / "conformance" / "scaffolds" / "reader.py"


def verify(cli, value, *words):
    text = value if isinstance(value, str) else json.dumps(value)
    return cli("conformance", "verify-statement", "-", *words, input=text)


def test_well_formed_is_all_that_it_says(cli, tmp_path):
    path = tmp_path / "s.json"
    path.write_text(json.dumps(stated(claim("editor"))))
    result = cli("conformance", "verify-statement", path)
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "mine 1.0: Editor", "well-formed; its claims were not checked: --rerun COMMAND"]
    value = json.loads(verify(cli, path.read_text(), "--json").stdout)
    assert value == {"ok": True, "rerun": None, "findings": []}


def test_not_well_formed(cli):
    value = stated(claim("editor"))
    value["claims"][0]["must"]["pass"] -= 1
    for words in ((), ("--rerun", "@python")):
        result = verify(cli, value, *words)
        assert result.exit_code == 1 and "K006" in result.stdout
        assert result.stdout.splitlines()[-1] == "the statement is NOT well-formed"
    result = json.loads(verify(cli, value, "--json", "--rerun", "@python").stdout)
    assert {f["code"] for f in result["findings"]} == {"K006", "K008"} and not result["rerun"]


def test_another_set_is_not_checked(cli):
    result = verify(cli, stated(claim("editor"), **{"set": "0" * 64}), "--rerun", "@python")
    assert result.exit_code == 1 and "K007" in result.stdout
    assert result.stdout.splitlines()[-1].startswith("well-formed, but not about these cases")


def test_run_again(cli):
    value = stated(claim("editor"), claim("writer", selected=("smoke",)))
    result = verify(cli, value, "--rerun", "@python", "--sample", "3", "--seed", "4")
    due = len(runner.cases_of("editor")) + len(runner.cases_of("writer", ["smoke"]))
    assert result.exit_code == 0 and "the program calls itself efm3" in result.stdout
    assert result.stdout.splitlines()[-1] == (
        f"6 of its {due} cases run again (seed 4): none contradicts it")
    seeds = {json.loads(verify(cli, value, "--rerun", "@python", "--sample", "1", "--json").stdout)[
        "rerun"]["seed"] for _ in range(2)}
    assert len(seeds) == 2 and min(seeds) >= 0, "a drawn seed is another one each time"


def test_a_forged_statement_is_contradicted(cli, tmp_path):
    bad = tmp_path / "reader.py"
    bad.write_text(SCAFFOLD.read_text().replace("need(pad == bytes(3),", "need(True,"))
    program = shlex.join([sys.executable, str(bad), "--lines"])
    value = stated(claim("reader", selected=("H002",)), claim("editor"))
    words = ("--rerun", program, "--protocol", "lines", "--class", "reader", "--seed", "1")
    assert verify(cli, value).exit_code == 0
    result = verify(cli, value, *words)
    assert result.exit_code == 1 and "K013" in result.stdout
    assert result.stdout.splitlines()[-1].endswith("contradict it")
    found = json.loads(verify(cli, value, *words, "--json").stdout)
    assert found["rerun"]["claims"] == ["Reader"] and not found["ok"]
    assert {f["code"] for f in found["findings"]} == {"K013"}


def test_a_program_that_does_not_run_is_not_a_contradiction(cli):
    value = stated(claim("reader", selected=("H002",)))
    result = verify(cli, value, "--rerun", f"{sys.executable} -c exit(70)")
    assert result.exit_code == 3


def test_usage(cli):
    value = stated(claim("editor"))
    for words in (("--rerun", "@none"), ("--rerun", "@python", "--class", "engine"),
                  ("--rerun", "@python", "--sample", "0")):
        assert verify(cli, value, *words).exit_code == 2, words


def test_what_cannot_be_rerun_or_read(cli, tmp_path):
    one = runner.cases_of("editor")[0].id
    result = verify(cli, version_1(stated(claim("editor", fail=[one]))), "--rerun", "@python")
    assert result.exit_code == 1 and "K014" in result.stderr
    for missing in (tmp_path / "none.json", tmp_path):
        result = cli("conformance", "verify-statement", missing)
        assert result.exit_code == 3 and result.stderr.count("\n") == 1


@pytest.mark.parametrize("text", ["", "[]", "7", "[" * 100000])
def test_what_is_no_statement(cli, text):
    result = verify(cli, text)
    assert result.exit_code == 1 and result.stderr.startswith("efm3: K012 ")
    assert result.stderr.count("\n") == 1 and not result.stdout


@pytest.mark.parametrize("kind", list(HOSTILE))
def test_no_name_reaches_the_terminal_raw(cli, kind):
    text = HOSTILE[kind].replace("\ud800", "")  # no JSON text holds a lone surrogate
    result = verify(cli, stated(claim("editor"), name=text, version=text))
    assert result.exit_code == 0
    assert all(c.isprintable() for line in result.stdout.split("\n") for c in line)


def test_an_engine_of_several_precisions(cli):
    few = ("run-minimal",)
    value = stated(*(claim("engine", precision=p, selected=few) for p in ("high", "fast")))
    result = verify(cli, value, "--rerun", "@scalar")
    assert result.exit_code == 2 and "--precision says what the command computes" in result.stderr
    result = verify(cli, value, "--rerun", "@scalar", "--precision", "fast")
    assert result.exit_code == 0 and "1 of its 1 cases run again" in result.stdout
    result = verify(cli, value, "--rerun", "@scalar", "--precision", "f32")
    assert result.exit_code == 2 and "no claim of an Engine in f32" in result.stderr
    older = stated(claim("engine", precision="int8", selected=few))
    result = verify(cli, older, "--rerun", "@scalar")
    assert result.exit_code == 1 and "K014" in result.stderr
