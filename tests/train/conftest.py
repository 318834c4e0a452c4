# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Training in tests: one thread, small runs of drawn patterns."""

import importlib
from importlib.util import find_spec

import pytest


def command(*words):
    """The exit code of `efm3 WORDS` in this process, whose streams it uses."""
    from efm3.cli import cli

    with pytest.raises(SystemExit) as e:
        cli.main([str(w) for w in words], prog_name="efm3")
    return e.value.code


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """The tests share the machine; more threads than cores cost far more than they give."""
    if find_spec("torch"):
        importlib.import_module("torch").set_num_threads(1)


@pytest.fixture
def train():
    """train(*options): the exit code of `efm3 train`."""
    return lambda *options: command("train", *options)


@pytest.fixture
def run(tmp_path, monkeypatch, train):
    """run(*options, source=...) trains as the command does, on drawn patterns; its exit code."""
    from efm3.train import session
    from tests.train.standin import Patterns

    def go(*options, source=None, out=tmp_path / "run"):
        monkeypatch.setattr(session, "_open", lambda words: source or Patterns(4, 4))
        data = ["--data", "patterns"] if "--resume" not in options else []
        return train("--out", out, "--threads", 1, *data, *options)
    return go
