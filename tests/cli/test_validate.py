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
