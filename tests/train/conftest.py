# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""The training tests need PyTorch: `make test-torch` runs them."""


import pytest


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """The tests share the machine; more threads than cores cost far more than they give."""
    pytest.importorskip("torch").set_num_threads(1)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """run(*options, source=...) trains as the command does, on drawn patterns; its exit code."""
    from efm3.train import cli
    from tests.train.standin import Patterns

    def go(*options, source=None, out=tmp_path / "run"):
        monkeypatch.setattr(cli, "_open", lambda spec: source or Patterns(4, 4))
        return cli.main(["--out", str(out), "--threads", "1",
                         *(["--data", "patterns"] if "--resume" not in options else []),
                         *map(str, options)])
    return go
