# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""pytest itself under the simulated Windows: `-p tests.windows.plugin`."""

from __future__ import annotations

import os

import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Encodings that the project leaves to the system are errors, those of libraries are theirs."""
    config.addinivalue_line("filterwarnings", "ignore::EncodingWarning")
    config.addinivalue_line("filterwarnings", r"error::EncodingWarning:efm3\.")
    if os.environ.get("EFM3_TEST_SYSTEM") != "windows":
        raise pytest.UsageError("EFM3_TEST_SYSTEM=windows and PYTHONPATH=tests/windows are not set")


def pytest_report_header() -> str:
    """Said above the tests."""
    return "system: a simulated Windows (docs/systems.md)"
