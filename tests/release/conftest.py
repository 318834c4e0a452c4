# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of a release share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.release import small
from tools.release.checks import Release


@pytest.fixture(scope="session")
def _first(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return small.project(tmp_path_factory.mktemp("first"))


@pytest.fixture
def release(_first: Release, tmp_path: Path) -> Release:
    """A small project, committed, before its release: a copy for each test, since git takes most
    of the time."""
    (tmp_path / "dist").mkdir()
    shutil.copytree(_first.root, tmp_path / "project")
    return _first._replace(root=tmp_path / "project", out=tmp_path / "dist")
