# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance run`: exit codes, formats, several classes, known failures, verbosity."""

import json
import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from efm3.cli.conformance import run as run_module

SCAFFOLDS = Path(__file__).resolve().parents[3] / "efm3" / "conformance" / "scaffolds"


def program(name, *words):
    return shlex.join([sys.executable, str(SCAFFOLDS / name), *words])


@pytest.fixture
def run(cli):
    """Run the verb with these words."""
    return lambda *words: cli("conformance", "run", *words)


def test_our_own_classes_conform(run):
    result = run("--writer", "@python", "--editor", "@python")
    assert result.exit_code == 0
    assert [s for s in result.stdout.splitlines() if "conforms" in s] == [
        "writer: conforms as writer", "editor: conforms as editor"]


def test_failures_are_listed_and_the_exit_code_is_1(run):
    result = run("--reader", "false", "--select", "smoke")
    assert result.exit_code == 1
    assert "valid-sample" in result.stdout and "bad-c001-empty" not in result.stdout
    assert result.stdout.splitlines()[-1].startswith("reader: does NOT conform")


def test_a_program_that_is_broken_gives_3(run):
    result = run("--reader", "sh -c 'exit 9'", "--select", "bad-c001-*")
    assert result.exit_code == 3 and "exit code 9" in result.stdout


@pytest.mark.parametrize("words", [(), ("--protocol", "lines"), ("--format", "json")])
def test_one_that_cannot_be_run_is_told_once(run, words):
    result = run("--reader", "/nowhere/reader", *words)
    assert result.exit_code == 3 and not result.stdout
    assert result.stderr == "efm3: /nowhere/reader cannot be run: No such file or directory\n"


def test_progress_in_a_pipe(run, monkeypatch):
    monkeypatch.setattr(run_module, "EVERY", 0.0)
    words = ("--reader", "@python", "--select", "bad-c001-*", "--select", "valid-sample")
    assert run(*words).stderr.splitlines()[-1] == "efm3: 2 of 2 cases, 0 failed"
    assert not run(*words, "--quiet").stderr
    assert "1 failed" in run("--reader", "false", *words[2:]).stderr


def test_json_and_junit(run):
    value = json.loads(run("--writer", "@python", "--select", "smoke", "--format", "json").stdout)
    assert value["ok"] and value["runs"][0]["class"] == "writer"
    assert value["runs"][0]["selected"] == ["smoke"]
    root = ElementTree.fromstring(run("--reader", "false", "--select", "H004", "--format",
                                      "junit").stdout)
    assert int(root[0].get("failures")) > 0 and int(root[0].get("errors")) == 0


def test_known_failures(run, tmp_path):
    words = ("--reader", "false", "--select", "valid-sample", "--known-failures",
             tmp_path / "known.txt")
    (tmp_path / "known.txt").write_text("valid-sample  # not yet\n")
    assert run(*words).exit_code == 0
    expired = run("--reader", "@python", *words[2:])
    assert expired.exit_code == 1 and "remove it from the list" in expired.stdout
    (tmp_path / "known.txt").write_text("valid-nothing\n")
    (tmp_path / "latin").write_bytes(b"caf\xe9\n")
    assert "not a case" in run(*words[:-1], tmp_path / "latin").stderr
    strange = run(*words)
    assert strange.exit_code == 1 and "not a case" in strange.stderr and not strange.stdout


@pytest.mark.parametrize("words", [
    (), ("--reader", "true {nope}"), ("--reader", "true {model}"), ("--engine", "true {model}"),
    ("--reader", "true {file}", "--protocol", "lines"), ("--reader", "true {"),
    ("--reader", ""), ("--reader", "@nothing"),
    ("--reader", "true", "--level", "deep"), ("--engine", "true", "--precision", "fp8")])
def test_usage(run, words):
    result = run(*words)
    assert result.exit_code == 2 and not result.stdout


def test_lines_with_the_messages_shown(run):
    result = run("--reader", program("reader.py", "--lines"), "--protocol", "lines", "--select",
                 "bad-c00*", "-v")
    assert result.exit_code == 0
    assert '-> {"cmd": "start"' in result.stderr and '"ready": true' in result.stderr
    assert "->" not in result.stdout


def test_stdin_npz_and_jobs(run):
    assert run("--reader", program("reader.py"), "--stdin", "--select", "bad-c00[123]*", "-j",
               "4").exit_code == 0
    refused = run("--writer", program("exporter.py"), "--tensors", "npz", "--select", "write-plain")
    assert refused.exit_code == 1  # the scaffold takes a folder alone


@pytest.mark.parametrize("precision", ["high", "fast"])
def test_reduced_precision_is_named(run, precision):
    result = run("--engine", "@scalar", "--precision", precision, "--select", "run-plain")
    assert result.stdout.splitlines()[-1] == (
        f"engine: conforms as engine in {precision} on run-plain alone")


def test_our_engine_computes_in_the_precision_that_is_asked_for(run, monkeypatch):
    """It is judged by another one's bounds here: in 8 bits it does not conform in f32."""
    from efm3.conformance import runner

    words = ("--engine", "@scalar", "--precision", "fast", "--select", "run-plain")
    assert run(*words).exit_code == 0
    real = runner.judge_of
    monkeypatch.setattr(runner, "judge_of", lambda of, level, _: real(of, level, "f32"))
    result = run(*words)
    assert result.exit_code == 1 and "as of arithmetic with about" in result.stdout
