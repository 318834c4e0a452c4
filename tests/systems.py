# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""Tests that not every system can run: the one mark for what is of POSIX by its meaning, and the
one place that skips a test which itself asks for something that Windows lacks.

The latter needs no mark: a test that calls os.mkfifo stops there on Windows, and the reason is
known. What the product asks for in vain is a failure there as everywhere.
"""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.windows.lacks import GONE, MISSING

ROOT = Path(__file__).resolve().parent.parent
LAYER = ROOT / "tests" / "windows"
WINDOWS = sys.platform == "win32"
ABORTED, CRASHED, KILLED = (3, 0xC0000005, 1) if WINDOWS else (-6, -11, -9)
"""Exit codes of a process that aborted, that read where nothing is, and that another one ended."""

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX alone: modes, owners, folders' "
                           "sync, signals, what can be removed while it is open")

NAMES = {name for names in GONE.values() for name in names.split()}
_NAME = re.compile(r"(?:has no attribute '|^)(\w+)'?$")
_REFUSED = re.compile(r"(preexec_fn|pass_fds|user|group|extra_groups) is not supported on Windows"
                      r"|Unsupported signal|invalid signal value|cannot find context for")
_PRIVILEGE, _NAME_ERROR = 1314, 123
_FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$')


def lacking(wrong: BaseException) -> str | None:
    """Why a test cannot run on Windows, if it stopped at something that the test itself, or a tool,
    asked for and that is not there; None for any other error, and for what the product asked for.
    """
    reason = _reason(wrong)
    places = list(_places(wrong))
    if reason is None or not places:
        return None
    return None if places[-1].is_relative_to(ROOT / "efm3") else reason


def _places(wrong: BaseException) -> Iterator[Path]:
    """The files of the project through which an error came, the innermost last."""
    for frame, _ in traceback.walk_tb(wrong.__traceback__):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and not path.is_relative_to(LAYER) and (
                "site-packages" not in path.parts):
            yield path


def _reason(wrong: BaseException) -> str | None:
    text = str(wrong)
    if isinstance(wrong, AttributeError) and (found := _NAME.search(text)):
        name = found[1]
        if name in NAMES or name.startswith("SIG"):
            return f"Windows has no {name}"
    if isinstance(wrong, ImportError) and (wrong.name in MISSING or "SIG" in text):
        return f"Windows has no {wrong.name}"
    if isinstance(wrong, OSError) and getattr(wrong, "winerror", 0) == _PRIVILEGE:
        return "on Windows links need a privilege"
    if isinstance(wrong, OSError) and wrong.errno == errno.EINVAL and (
            getattr(wrong, "winerror", 0) == _NAME_ERROR
            or _FORBIDDEN.search(os.path.basename(os.fsdecode(wrong.filename or "")))):
        return "on Windows no file can have this name"
    if isinstance(wrong, (ValueError, NotImplementedError)) and _REFUSED.search(text):
        return f"on Windows: {text}"
    return None


def unimportable(text: str) -> str | None:
    """The same of a module of tests, by pytest's words for why it cannot be imported."""
    found = re.search(r"(?:No module named|has no attribute) '(\w+)'$", text.rstrip())
    places = re.findall(r"^(\w[\w./]*\.py):\d+: in ", text, re.MULTILINE)
    asked = [p for p in places if not p.startswith("tests/windows/")]
    if found and found[1] in MISSING | NAMES and asked and not asked[-1].startswith("efm3/"):
        return f"Windows has no {found[1]}"
    return None


def left_out() -> list[Path]:
    """Folders of tests whose programs are for POSIX: the release is made where fcntl is, and the
    fuzzers build a library and replace it."""
    return [ROOT / "tests" / name for name in ("release", "fuzz")] if WINDOWS else []
