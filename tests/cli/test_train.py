# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""`efm3 train`: options and usage, which need no PyTorch. The training is in tests/train."""

import subprocess
import sys
from dataclasses import fields

import pytest

from efm3.train.config import FREE, Config
from tests.loading import ROOT


def test_every_option_is_a_field_with_help(cli):
    shown = cli("train", "--help")
    assert shown.exit_code == 0
    text = " ".join(shown.stdout.split())
    for f in fields(Config):
        assert f"--{f.name.replace('_', '-')} " in text
        assert f.metadata["help"] and f.metadata["help"] in text, f.name
    for code in ("0 trained", "1 refused", "2 usage", "3 a file", "75 stopped"):
        assert code in text
    assert set(FREE) <= {f.name for f in fields(Config)}


@pytest.mark.parametrize("words", [
    (), ("--out", "x"), ("--data", "x"), ("--data", "x", "--out", ""), ("--arch", "huge"),
    ("--batch", "0"), ("--batch", "1.5"), ("--log-every", "0"), ("--workers", "999"),
    ("--margin", "-1"), ("--resume",), ("--out", "x", "--resume")])
def test_usage(cli, words):
    done = cli("train", *words)
    assert done.exit_code == 2 and "Traceback" not in done.output


def test_without_pytorch_one_line_says_which_extra(cli, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch", None)
    done = cli("train", "--data", "synth:1:8:4", "--out", tmp_path / "run")
    assert done.exit_code == 1 and len(done.stderr.splitlines()) == 1
    assert "X002" in done.stderr and "needs PyTorch; install the extra `train`" in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_folder_with_a_run_is_left_alone(cli, tmp_path):
    (tmp_path / "last.pt").write_bytes(b"")
    done = cli("train", "--data", "x", "--out", tmp_path)
    assert done.exit_code == 1 and "exists: resume with --resume" in done.stderr


def test_torchruns_module_is_the_verb():
    done = subprocess.run([sys.executable, "-m", "efm3.train", "--help"], cwd=ROOT,
                          capture_output=True, text=True, check=True)
    assert done.stdout.startswith("Usage: efm3 train [OPTIONS]")


@pytest.mark.parametrize("words", [
    ["--clip", "nan"], ["--decay", "inf"], ["--lr", "inf"], ["--warmup", "nan"],
    ["--licence", "not one; see /home"], ["--note", "\udcff"]])
def test_what_a_finished_file_could_not_hold_is_refused_first(cli, tmp_path, words):
    done = cli("train", "--data", "synth:1:8:4", "--out", tmp_path / "run", *words)
    assert done.exit_code == 2 and words[0] in done.stderr and not (tmp_path / "run").exists()
