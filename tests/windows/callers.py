# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Who calls: the project's code meets a Windows, and libraries, which are those of the machine
that runs the tests, find what they were built for."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
THROUGH = ("pathlib", "tempfile", "io", "os", "tests.windows.", "contextlib", "importlib", "shutil",
           "codecs", "subprocess")
"""Modules through which a file is opened for somebody else."""


class Implicit(Warning):
    """What text becomes on a disk was left to the system."""


def is_ours(names: Mapping[str, Any]) -> bool:
    """Whether these are a module's names of the project, or a program's given with -c."""
    file = str(names.get("__file__") or "")
    if not file:
        return str(names.get("__name__")) == "__main__"
    if "/site-packages/" in file or "/.venv/" in file or "/tests/windows/" in file:
        return False
    return file.startswith(f"{ROOT}/") or str(names.get("__name__")).split(".")[0] in (
        "efm3", "tests", "tools")


def caller() -> FrameType | None:
    """The frame for which something is done."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and str(frame.f_globals.get("__name__")).startswith(THROUGH):
        frame = frame.f_back
    return frame


def ours() -> bool:
    """Whether the project's code is the caller."""
    frame = caller()
    return frame is not None and is_ours(frame.f_globals)


def said(what: str) -> None:
    """Raises Implicit where the product's code leaves out an encoding or a newline."""
    frame = caller()
    if frame is not None and str(frame.f_globals.get("__name__")).split(".")[0] == "efm3":
        raise Implicit(f"{frame.f_code.co_filename}:{frame.f_lineno} states no {what}")
