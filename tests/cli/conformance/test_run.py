# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance run`: exit codes, formats, several classes, known failures, verbosity."""

import json
import shlex
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

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
    result = run("--reader", "/nowhere/reader", "--select", "bad-c001-*")
    assert result.exit_code == 3 and "cannot be run" in result.stdout


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
    strange = run(*words)
    assert strange.exit_code == 1 and "not a case" in strange.stderr and not strange.stdout


@pytest.mark.parametrize("words", [
    (), ("--reader", ""), ("--reader", "@nothing"), ("--reader", "true", "--select", "nothing"),
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


def test_reduced_precision_is_named(run):
    result = run("--engine", "@scalar", "--precision", "bf16", "--select", "run-plain")
    assert result.stdout.splitlines()[-1] == "engine: conforms as engine in bf16 on run-plain alone"
