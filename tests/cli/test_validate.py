# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 validate`: exit codes, formats, selection, streams."""

import json
import os
import subprocess
import sys

import pytest

from efm3.conformance import sample
from efm3.conformance.examples import example


@pytest.fixture
def good(tmp_path):
    path = tmp_path / "good.bin"
    path.write_bytes(sample.sealed())
    return path


@pytest.fixture
def bad(tmp_path):
    path = tmp_path / "bad.bin"
    path.write_bytes(example("M022")[1])
    return path


def test_exit_codes(cli, good, bad, tmp_path):
    assert cli("validate", good).exit_code == 0
    assert cli("validate", good, bad).exit_code == 1
    assert cli("validate").exit_code == 2
    assert cli("validate", good, "--level", "deep").exit_code == 2
    assert cli("validate", good, tmp_path / "none.bin").exit_code == 3
    os.mkfifo(tmp_path / "fifo")
    assert cli("validate", tmp_path / "fifo").exit_code == 3
    assert cli("validate", bad, tmp_path / "none.bin").exit_code == 3


def test_fail_on(cli, bad, tmp_path):
    warned = tmp_path / "w.bin"
    warned.write_bytes(example("M029")[1])
    assert cli("validate", warned).exit_code == 0
    assert cli("validate", warned, "--fail-on", "warning").exit_code == 1
    assert cli("validate", bad, "--fail-on", "never").exit_code == 0
    assert cli("validate", bad, "--ignore", "M,P").exit_code == 0
    assert cli("validate", bad, "--select", "T").exit_code == 0
    assert cli("validate", bad, "--level", "structure").exit_code == 0
    assert cli("validate", bad, "--select", "Q").exit_code == 2


def test_folder_and_last_line(cli, good, bad):
    result = cli("validate", good.parent)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1] == "2 files: 1 valid, 1 not"


def test_an_empty_folder_is_said(cli, tmp_path):
    result = cli("validate", tmp_path)
    assert result.exit_code == 3 and "no .bin" in result.stderr


def test_stdin(cli):
    result = cli("validate", "-", input=sample.sealed())
    assert result.exit_code == 0 and "valid" in result.stdout
    assert cli("validate", "-", input=b"junk").exit_code == 1


@pytest.mark.parametrize("form", ["json", "sarif"])
def test_whole_documents(cli, good, bad, form):
    result = cli("validate", good, bad, "--format", form)
    assert result.exit_code == 1 and result.stderr == ""
    json.loads(result.stdout)


def test_lines(cli, good, bad):
    result = cli("validate", good, bad, "--format", "jsonl")
    assert [json.loads(x)["ok"] for x in result.stdout.splitlines()] == [True, False]
    result = cli("validate", bad, "--format", "github", "--ignore", "P")
    assert result.stdout.startswith("::error file=")


def test_workers_say_the_same(cli, good, bad):
    for i in range(12):
        (good.parent / f"{i}.bin").write_bytes((bad if i % 3 else good).read_bytes())
    alone = cli("validate", good.parent, "--format", "jsonl")
    many = cli("validate", good.parent, "--format", "jsonl", "-j", "2")
    assert alone.stdout == many.stdout and alone.exit_code == many.exit_code == 1


def run(*args, **kw):
    return subprocess.run([sys.executable, "-m", "efm3", *map(str, args)], capture_output=True,
                          timeout=600, check=False, **kw)


def test_a_worker_that_is_killed_is_one_line(cli, good, bad, monkeypatch):
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    def broken(*_, **__):
        raise BrokenProcessPool
    monkeypatch.setattr(ProcessPoolExecutor, "map", broken)
    result = cli("validate", good, bad, "-j", "2")
    assert result.exit_code == 3 and result.stderr.startswith("efm3: a worker process was ended")
    assert result.stderr.count("\n") == 1


def test_process_has_no_colour_in_a_pipe_and_survives_a_closed_one(good, bad):
    result = run("validate", bad)
    assert result.returncode == 1 and b"\x1b" not in result.stdout and not result.stderr
    process = subprocess.Popen([sys.executable, "-m", "efm3", "explain", "--all"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=600)
    assert b"Traceback" not in err and process.returncode != 0


def test_version_and_help():
    assert run("--version").stdout.startswith(b"efm3, version ")
    shown = run("--help").stdout.decode()
    assert "validate" in shown and "inspect" in shown
    assert run("nonsense").returncode == 2


def test_a_report_in_a_file_beside_the_text(cli, good, bad, tmp_path):
    text = cli("validate", bad).stdout
    for form in ("json", "jsonl", "sarif", "junit", "github", "text"):
        alone = cli("validate", bad, "--format", form).stdout
        both = cli("validate", bad, "--format", form, "--output-file", tmp_path / "r.out")
        assert both.exit_code == 1 and both.stdout == text, form
        assert (tmp_path / "r.out").read_text() == alone


def test_the_name_says_the_form(cli, bad, tmp_path):
    words = [w for end in ("sarif", "xml", "json", "jsonl", "txt")
             for w in ("--output-file", tmp_path / f"r.{end}")]
    done = cli("validate", bad, "--format", "github", *words)
    assert done.stdout.startswith("::")
    assert json.loads((tmp_path / "r.sarif").read_text())["version"] == "2.1.0"
    assert (tmp_path / "r.xml").read_text().startswith("<?xml")
    for end in ("json", "jsonl"):
        assert (tmp_path / f"r.{end}").read_text() == cli("validate", bad, "--format", end).stdout
    assert (tmp_path / "r.txt").read_text() == cli("validate", bad).stdout
    assert cli("validate", bad, "--output-file", tmp_path / "r.sarif").stdout == \
        cli("validate", bad).stdout


def test_a_report_does_not_replace_what_is_read(cli, good, bad, tmp_path):
    before = bad.read_bytes()
    (tmp_path / "link.json").symlink_to(bad)
    settings = tmp_path / "efm3.toml"
    settings.write_text("")
    for out in (bad, tmp_path / "link.json", settings):
        result = cli("validate", tmp_path, "--config", settings, "--output-file", out)
        assert result.exit_code == 1 and "X019" in result.stderr and not result.stdout
    assert bad.read_bytes() == before and settings.read_text() == ""
    a = tmp_path / "a.json"
    for words in (["-"], [a, "--output-file", a], [a, "--output-file", f"{tmp_path}/./a.json"]):
        assert cli("validate", good, "--output-file", *words).exit_code == 2
    # Before anything is checked.
    for out in (tmp_path / "none" / "a.json", tmp_path):
        result = cli("validate", good, "--output-file", out)
        assert result.exit_code == 3 and not result.stdout and result.stderr.count("\n") == 1


def test_settings_of_a_project(cli, good, bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = tmp_path / "efm3.toml"

    def code(text, *words):
        settings.write_text(text)
        return cli("validate", *words).exit_code
    assert code("", ".") == 1 and code('ignore = ["M"]', ".") == 0
    assert code('level = "structure"', ".") == 0 and code('fail-on = "never"', ".") == 0
    assert code('select = ["T"]', bad) == 0 and code('exclude = ["bad.*"]', ".") == 0
    assert code('exclude = ["bad.*"]', "bad.bin") == 1
    # An option counts more, each for itself.
    assert code('ignore = ["M"]\nlevel = "coherence"', ".", "--ignore", "T") == 1
    assert code('exclude = ["bad.*"]', ".", "--exclude", "good.*") == 1
    assert code('fail-on = "never"', ".", "--fail-on", "error") == 1
    assert code('ignore = ["M"]', ".", "--no-config") == 1
    (tmp_path / "other.toml").write_text('ignore = ["M"]')
    assert code("", ".", "--config", "other.toml") == 0
    assert code("", ".", "--config", "other.toml", "--no-config") == 2
    assert code("", ".", "--config", "none.toml") == 2
    assert code("level = 1", ".") == 2 and code("level = 1", ".", "--no-config") == 1
    # From a folder below, patterns are relative to the file's.
    (tmp_path / "inner").mkdir()
    bad.rename(tmp_path / "inner/bad.bin")
    monkeypatch.chdir(tmp_path / "inner")
    assert code('exclude = ["/inner/bad.bin"]', "..") == 0
    assert code('exclude = ["/bad.bin"]', "..") == 1


def test_what_git_ignores_is_not_checked_and_said(cli, good, bad, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    (tmp_path / ".gitignore").write_text("bad.bin\n")
    result = cli("validate", ".")
    assert result.exit_code == 0
    assert result.stderr == "efm3: not checked: 1 that git ignores (--no-gitignore takes them)\n"
    assert cli("validate", ".", "-q").stderr == ""
    assert cli("validate", ".", "--no-gitignore").exit_code == 1
    assert cli("validate", "bad.bin").exit_code == 1
    (tmp_path / "efm3.toml").write_text("gitignore = false")
    assert cli("validate", ".").exit_code == 1
    assert cli("validate", ".", "--gitignore").exit_code == 0
    result = cli("validate", ".", "--gitignore", "--exclude", "*.bin")
    assert result.exit_code == 3 and "but for 2 that are excluded" in result.stderr


def test_a_reader_that_leaves_early_takes_no_report_away(bad, tmp_path):
    process = subprocess.Popen([sys.executable, "-m", "efm3", "validate", bad, "--output-file",
                                tmp_path / "r.xml"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.close()
    _, err = process.communicate(timeout=600)
    assert process.returncode and not err
    assert (tmp_path / "r.xml").read_text().startswith("<?xml")
