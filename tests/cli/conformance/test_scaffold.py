# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 conformance scaffold`: what it writes, says, and will not overwrite."""

import json

import pytest


@pytest.mark.parametrize("kind,name", [("reader", "reader"), ("exporter", "exporter"),
                                       ("writer", "exporter"), ("engine", "engine")])
def test_it_writes_and_says_what_comes_next(cli, tmp_path, monkeypatch, kind, name):
    monkeypatch.chdir(tmp_path)
    result = cli("conformance", "scaffold", kind, "--lang", "c")
    assert result.exit_code == 0
    assert {p.name for p in (tmp_path / f"efm3-{name}").iterdir()} == {
        f"{name}.c", "README.md", "Makefile"}
    assert f"cd efm3-{name}\n  cc -O2 -std=c11 -o {name} {name}.c -lm\n" in result.output
    assert "efm3 conformance run --" in result.output


def test_json(cli, tmp_path):
    result = cli("conformance", "scaffold", "engine", "--lang", "js", "-o", tmp_path / "x",
                 "--json")
    assert json.loads(result.output) == {
        "kind": "engine", "language": "js", "folder": str(tmp_path / "x"), "build": "",
        "files": [str(tmp_path / "x" / "engine.js"), str(tmp_path / "x" / "README.md")],
        "run": "efm3 conformance run --engine 'node engine.js {model} {input} {output} {layers}' "
               "--select smoke"}


def test_it_overwrites_with_force_alone(cli, tmp_path):
    args = ("conformance", "scaffold", "reader", "--lang", "rust", "-o", tmp_path)
    (tmp_path / "README.md").write_text("mine")
    result = cli(*args)
    assert result.exit_code == 1 and "--force" in result.output and "README.md" in result.output
    assert [p.name for p in tmp_path.iterdir()] == ["README.md"]
    assert cli(*args, "--force").exit_code == 0
    assert (tmp_path / "reader.rs").is_file() and (tmp_path / "README.md").read_text() != "mine"


@pytest.mark.parametrize("args", [("reader",), ("reader", "--lang", "cobol")])
def test_usage_errors_end_with_2(cli, args):
    assert cli("conformance", "scaffold", *args).exit_code == 2


def test_a_kind_that_a_language_lacks_is_a_usage_error_that_lists_what_there_is(cli, tmp_path):
    result = cli("conformance", "scaffold", "editor", "--lang", "go", "-o", tmp_path / "x")
    assert result.exit_code == 2 and not (tmp_path / "x").exists()
    assert "there is no editor in Go; there is one in python" in " ".join(result.output.split())


def test_the_editor_comes_with_the_reader_that_it_needs(cli, tmp_path):
    result = cli("conformance", "scaffold", "editor", "--lang", "python", "-o", tmp_path)
    assert result.exit_code == 0 and "--editor 'python3 editor.py'" in result.output
    assert {p.name for p in tmp_path.iterdir()} == {"editor.py", "reader.py", "README.md"}


def test_a_folder_that_cannot_be_made_ends_with_3(cli, tmp_path):
    (tmp_path / "file").write_text("")
    result = cli("conformance", "scaffold", "reader", "--lang", "c", "-o", tmp_path / "file" / "x")
    assert result.exit_code == 3 and "Traceback" not in result.output
