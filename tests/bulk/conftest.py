# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What the tests of outputs share."""

import os

import pytest


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is durable shows after a power cut alone, and takes most of the time."""
    monkeypatch.setattr(os, "fsync", lambda fd: None)
