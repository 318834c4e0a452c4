# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of a release share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.release import small
from tools.release.checks import Release


@pytest.fixture
def release(tmp_path: Path) -> Release:
    """A small project, committed, before its release."""
    return small.project(tmp_path)
