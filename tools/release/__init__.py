# SPDX-FileCopyrightText: 2026 EFM3 contributors
# SPDX-License-Identifier: Apache-2.0
"""What is released and what must hold before: `python -m tools.release`. See docs/releasing.md."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path


class BuildFailed(RuntimeError):
    """A program that builds ended with an error; its words are the message."""


def told(verb: Callable[[], int], wanted: Path) -> int:
    """The exit code of a command that builds; 1, with the reason on standard error, where something
    cannot be built or read, or a library is missing, which the file `wanted` names."""
    try:
        return verb()
    except ModuleNotFoundError as e:
        why = f"{e.name} is not installed: pip install -r {wanted}"
    except (BuildFailed, zipfile.BadZipFile, FileNotFoundError) as e:
        why = str(e)
    print(f"{wanted.parent.name}: {why}", file=sys.stderr)
    return 1
