# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Fixtures that several rooms' tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

DATA = Path(__file__).parent.parent / "spec" / "vectors"


@pytest.fixture(params=["nano", "odd_a", "odd_b"])
def vector(request):
    """Path of a file that the original exporter wrote."""
    return DATA / f"{request.param}.bin"


@pytest.fixture
def cli():
    """Run `efm3 ARGS` in this process: cli("validate", path) gives click's Result."""
    from click.testing import CliRunner

    from efm3.cli import cli as command

    def run(*args, **kw):
        return CliRunner().invoke(command, [str(a) for a in args], **kw)
    return run
